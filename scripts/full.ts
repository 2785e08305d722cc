/** `npm run test:full [-- files]`: the same tests at their full size (`WEFT_SCALE=full`), one file at a time. */
import { spawnSync } from "node:child_process"
import { root } from "./house/files.ts"

const TEST_HOURS_MAX = 2

const timeout = `--testTimeout=${TEST_HOURS_MAX * 3_600_000}`
const { status } = spawnSync("vitest", ["run", "--no-file-parallelism", timeout, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, WEFT_SCALE: "full" },
  shell: process.platform === "win32"
})
process.exitCode = status ?? 1
