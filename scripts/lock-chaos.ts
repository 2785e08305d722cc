/**
 * `npm run chaos:locks -- --histories 100000 [--kills 150] [--pauses 150] [--seed 5] [--skewed]`: random lock histories of
 * several processes on one file, with kills and pauses, at any size. `--skewed` shifts the wall clocks of half of the
 * processes by Debian's `faketime`.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { chaos } from "../packages/backends/test/lockChaos/chaos.ts"

const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "100000" },
    kills: { type: "string", default: "150" },
    pauses: { type: "string", default: "150" },
    processes: { type: "string", default: "4" },
    fibers: { type: "string", default: "8" },
    lease: { type: "string", default: "600" },
    seed: { type: "string", default: "5" },
    skewed: { type: "boolean", default: false },
    dir: { type: "string", default: os.tmpdir() }
  }
})
const directory = fs.mkdtempSync(path.join(values.dir, "weft-lock-chaos-"))
let told = performance.now()
try {
  const report = await chaos({
    file: path.join(directory, "desk.weft"),
    seed: Number(values.seed),
    histories: Number(values.histories),
    kills: Number(values.kills),
    pauses: Number(values.pauses),
    processes: Number(values.processes),
    fibers: Number(values.fibers),
    leaseMillis: Number(values.lease),
    skewed: values.skewed,
    progress: ({ done, kills, pauses }) => {
      if (performance.now() - told < 1000) return
      told = performance.now()
      process.stderr.write(`\r${done} of ${values.histories} histories, ${kills} killed, ${pauses} paused `)
    }
  })
  process.stderr.write("\n")
  console.log(JSON.stringify({ seed: Number(values.seed), ...report }))
  process.exitCode = report.wrong.length === 0 ? 0 : 1
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}
