/** What the processes of `workerSum.ts` share: the space, and the programs that run in it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tx from "@weft/domain/Tx"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { any, is } from "@weft/tuplespace/TupleSpace"
import * as Worker from "@weft/tuplespace/Worker"

export class ValueError extends Schema.TaggedError<ValueError>()("ValueError", { value: Schema.Int }) {}

const { Int } = Schema

export const space = StoreTupleSpace.make("sums", {
  tuple: Schema.Union([
    Schema.Tuple([Schema.Literal("sum"), Int]),
    Schema.Tuple([Int, Int, Int, Int]),
    Worker.failures([ValueError])
  ])
})

/** Four numbers, whichever. */
export const four = [is(Int), is(Int), is(Int), is(Int)] as const

/** Takes four numbers and the sum, and puts the new sum out: in one step, so that nobody's death loses a number. */
const fold = Tx.fn("fold")(function* () {
  const numbers = yield* space.take(four)
  const [, sum] = yield* space.take(["sum", any])
  yield* space.out(["sum", numbers.reduce((a, b) => a + b, sum)])
})

/** A store that cannot be reached any more is the end of it, and a tuple of `WorkerDefect`. */
export const folder = Worker.make("folder", { input: Schema.Void, run: () => Effect.orDie(Effect.forever(fold())) })

/** One that fails. */
export const breaking = Worker.make("breaking", {
  input: Int,
  errors: [ValueError],
  run: (value) => Effect.fail(new ValueError({ value }))
})
