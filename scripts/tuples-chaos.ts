/** `npm run chaos:tuples -- --tuples 20000 --kills 40 [--seed 1]`: the chaos test of tuple spaces at any size; several seeds are its pieces. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { chaos } from "../test/tuples/chaos/chaos.ts"

const { values } = parseArgs({
  options: {
    tuples: { type: "string", default: "20000" },
    kills: { type: "string", default: "40" },
    seed: { type: "string", default: "1" }
  }
})
const directory = fs.mkdtempSync(path.join(fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir(), "weft-chaos-"))
let told = performance.now()
try {
  const options = { directory, tuples: Number(values.tuples), kills: Number(values.kills), seed: Number(values.seed) }
  const report = await Effect.runPromise(
    chaos({
      ...options,
      progress: (out, kills) => {
        if (performance.now() - told < 1000) return
        told = performance.now()
        process.stderr.write(`\r${out} of ${values.tuples} tuples, ${kills} of ${values.kills} kills `)
      }
    })
  )
  process.stderr.write("\n")
  console.log(JSON.stringify({ seed: options.seed, ...report }))
  process.exitCode = report.wrong.length === 0 ? 0 : 1
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}
