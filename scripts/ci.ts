/**
 * What `.ci/run` starts once the clone is installed: `npm run check`, then `npm test` with vitest's own JSON report beside
 * its usual output. Last line: `N passed, N failed`; exit code 0 only if nothing failed.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { count, type Report } from "./ciCount.ts"
import { root } from "./house/files.ts"

const npm = (args: ReadonlyArray<string>): number => {
  const started = performance.now()
  const { status } = spawnSync("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
  console.log(
    `── npm ${args.slice(0, 2).join(" ")}: exit ${status}, ${((performance.now() - started) / 1000).toFixed(0)} s`
  )
  return status ?? 1
}

const read = (path: string): Report | undefined => {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report
  } catch {
    return undefined
  }
}

const folder = mkdtempSync(join(tmpdir(), "weft-ci-"))
const output = join(folder, "vitest.json")
const checkExit = npm(["run", "check"])
const testExit = npm(["test", "--", "--reporter=default", "--reporter=json", `--outputFile.json=${output}`])
const report = read(output)
rmSync(folder, { recursive: true, force: true })

const { failed, passed } = count({ checkExit, testExit, report })
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
