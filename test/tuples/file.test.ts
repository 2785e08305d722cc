/** Tuple spaces on the file store, by their suite, with workers in threads and in processes: here, since neither package may depend on the other. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { overStore, wakeUpsOf } from "@weft/tuplespace/testing/overStore"
import * as TupleSpaceSuite from "@weft/tuplespace/testing/TupleSpaceSuite"
import * as WorkerPlaces from "@weft/tuplespace/WorkerPlaces"

const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()
const directory = fs.mkdtempSync(path.join(parent, "weft-tuples-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

const worker = new URL("./suiteWorker.ts", import.meta.url)
let files = 0
const options = (kind: "threads" | "processes"): TupleSpaceSuite.Options => ({
  settleMillis: 20,
  chain: 40,
  steps: 100,
  make: (definition) => {
    const file = path.join(directory, `${++files}.weft`)
    return Effect.map(Layer.build(Store.layer(FileBackend.layer({ path: file }))), (context) => ({
      space: overStore(StoreTupleSpace.make("jobs", definition), context),
      other: overStore(StoreTupleSpace.make("other", definition), context),
      wakeUps: wakeUpsOf(context),
      place: WorkerPlaces[kind](worker, { argv: [file] })
    }))
  }
})

TupleSpaceSuite.suite("a tuple space in a file, its workers in processes", options("processes"))
if (process.env["WEFT_SCALE"] === "full") {
  TupleSpaceSuite.workers("a tuple space in a file, its workers in threads", options("threads"))
}
