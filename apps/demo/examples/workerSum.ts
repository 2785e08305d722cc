/**
 * Linda's first example: `node workerSum.ts FILE`. Five processes fold four numbers at a time into one sum, through tuples in
 * a file; a sixth one fails, and its error is a tuple, too.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import * as Tx from "@weft/domain/Tx"
import { any } from "@weft/tuplespace/TupleSpace"
import * as Worker from "@weft/tuplespace/Worker"
import * as WorkerPlaces from "@weft/tuplespace/WorkerPlaces"
import * as Workers from "@weft/tuplespace/Workers"
import { breaking, folder, four, space } from "./sumWorkers.ts"

const PROCESSES = 5

/** The sum, once no number is left. A fold is one step, so what it has taken it has added. */
const total = Tx.transact(
  Effect.gen(function* () {
    yield* Tx.check((yield* space.count(four)) === 0)
    return (yield* space.take(["sum", any]))[1]
  })
)

const program = (file: string) =>
  Effect.gen(function* () {
    const place = WorkerPlaces.processes(new URL("sumProcess.ts", import.meta.url), { argv: [`file:${file}`] })
    const workers = yield* Workers.makeIn(place, space, { workers: [folder, breaking], failed: Worker.toTuple })
    yield* space.out(["sum", 0])
    for (let i = 0; i < PROCESSES; i++) yield* workers.start(folder, undefined)
    for (const numbers of [
      [1, 2, 3, 4],
      [4, 5, 6, 7],
      [3, 4, 5, 2]
    ] as const)
      yield* space.out(numbers)
    yield* Console.log(`sum ${yield* total}`)
    const more = yield* Effect.timeoutOption(space.take(["sum", any]), "100 millis")
    yield* Console.log(Option.isNone(more) ? "no more sums" : "one more sum?")
    yield* workers.start(breaking, 55)
    const [, tag, worker, error] = yield* space.take(["failed", "ValueError", any, any])
    yield* Console.log(`${worker} failed: ${tag} ${error.value}`)
  })

const [, , file = "sums.weft"] = process.argv
NodeRuntime.runMain(Effect.scoped(program(file)).pipe(Effect.provide(Store.layer(FileBackend.layer({ path: file })))))
