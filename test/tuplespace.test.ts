/** Tuple spaces on the file store, by their suite: here, since neither package may depend on the other. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { overStore } from "@weft/tuplespace/testing/overStore"
import * as TupleSpaceSuite from "@weft/tuplespace/testing/TupleSpaceSuite"

const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()
const directory = fs.mkdtempSync(path.join(parent, "weft-tuples-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let files = 0
TupleSpaceSuite.suite("a tuple space in a file", {
  settleMillis: 20,
  boundsTuples: false,
  chain: 40,
  steps: 100,
  make: (definition) =>
    Effect.map(
      Layer.build(Store.layer(FileBackend.layer({ path: path.join(directory, `${++files}.weft`) }))),
      (context) => ({
        space: overStore(StoreTupleSpace.make("jobs", definition), context),
        other: overStore(StoreTupleSpace.make("other", definition), context)
      })
    )
})
