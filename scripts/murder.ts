/** `npm run murder -- --kills 500 [--seed 11] [--journal wal|rollback]`: the murder test of the file store at any size. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { murder } from "../packages/backends/test/murder/murder.ts"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    seed: { type: "string", default: "11" },
    journal: { type: "string", default: "wal" },
    processes: { type: "string", default: "4" },
    json: { type: "boolean", default: false }
  }
})
const journal = values.journal === "rollback" ? "rollback" : "wal"
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-murder-"))
try {
  const report = await murder({
    file: path.join(directory, "desk.weft"),
    journal,
    kills: Number(values.kills),
    seed: Number(values.seed),
    processes: Number(values.processes),
    progress: (kills, acknowledged) => {
      if (!values.json && kills % 10 === 0)
        process.stderr.write(`\r${kills} of ${values.kills} kills, ${acknowledged} commits acknowledged `)
    }
  })
  if (!values.json) process.stderr.write("\n")
  console.log(JSON.stringify({ journal, seed: Number(values.seed), ...report }))
  process.exitCode = report.wrong.length === 0 ? 0 : 1
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}
