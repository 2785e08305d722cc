/** The file store against the contract, with a write-ahead log with a rollback journal, and with a log that is folded all the time. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { BackendSuite } from "@weft/domain/testing"
import * as FileBackend from "../src/FileBackend.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-suite-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let files = 0
for (const [name, more] of [
  ["wal", { journal: "wal" }],
  ["rollback", { journal: "rollback" }],
  ["wal, folded every few cells", { journal: "wal", foldCells: 2 }]
] as const) {
  BackendSuite.suite(`file, ${name}`, {
    lanes: ["effect"],
    layer: () => {
      const options = { path: path.join(directory, `${++files}.weft`), ...more }
      return {
        layer: FileBackend.layer(options),
        reopen: Layer.fresh(FileBackend.layer(options)),
        newEpoch: Layer.unwrap(Effect.as(FileBackend.raiseEpoch(options), Layer.fresh(FileBackend.layer(options))))
      }
    }
  })
}
