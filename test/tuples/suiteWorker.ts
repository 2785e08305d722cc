/** A worker of the suite in a thread or process of its own, on a file store: `suiteWorker.ts FILE`. */
import { Effect, Layer } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { overStore } from "@weft/tuplespace/testing/overStore"
import { Board, predicates, tuple } from "@weft/tuplespace/testing/tuples/board"
import { suiteWorkers } from "@weft/tuplespace/testing/tuples/workers"
import * as WorkerHost from "@weft/tuplespace/WorkerHost"

const board = Layer.effect(
  Board,
  Effect.map(Effect.context<Store>(), (context) =>
    overStore(StoreTupleSpace.make("jobs", { tuple, predicates }), context)
  )
)
await WorkerHost.serve(suiteWorkers, Layer.provide(board, Store.layer(FileBackend.layer({ path: process.argv[2]! }))))
