/** Two stores on one file that fight over the same cells: nobody loses for ever, whatever turns the processes take. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import * as DRef from "@weft/domain/DRef"
import { Store } from "@weft/domain/Store"
import * as Tx from "@weft/domain/Tx"
import * as FileBackend from "../src/FileBackend.ts"
import { memoryDirectory } from "./support.ts"

const cells = Array.from({ length: 5 }, (_, i) => DRef.make(`cell/${i}`, { value: Schema.Int, initial: 0 }))
const sum = DRef.make("sum", { value: Schema.Int, initial: 0 })

/** A body that takes five times this long fits into no turn, in milliseconds. */
const restMillis = 10
const attemptsMax = 8

const increment = (i: number) => {
  const cell = cells[i % cells.length]!
  return Tx.transact(Effect.flatMap(cell.get, (value) => cell.set(value + 1)))
}

const long = Tx.transact(
  Effect.gen(function* () {
    const { number } = yield* Tx.attempt
    // It starves: say so rather than go on for ever.
    if (number > 4 * attemptsMax) return number
    let total = 0
    for (const cell of cells) {
      total += yield* cell.get
      yield* Effect.sleep(restMillis)
    }
    yield* sum.set(total)
    return number
  })
)

describe("turns of processes on one file", () => {
  it.live("a body that is too long for a turn gets through against another process that never rests", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* memoryDirectory, "desk.weft")
        const open = Effect.map(
          Layer.build(Layer.fresh(Store.layer(FileBackend.layer({ path: file })))),
          (context) =>
            <A, E>(effect: Effect.Effect<A, E, Store>): Effect.Effect<A, E> =>
              Effect.provide(effect, Context.make(Store, Context.get(context, Store)))
        )
        const first = yield* open
        const second = yield* open
        let commits = 0
        const crowd = Effect.forever(
          Effect.suspend(() => second(increment(commits))).pipe(Effect.tap(() => Effect.sync(() => commits++)))
        )
        const attempts = yield* Effect.raceFirst(first(long), crowd)
        assert.isAtMost(attempts, attemptsMax, `${commits} commits meanwhile`)
        // A crowd that stood still would prove nothing.
        assert.isAbove(commits, 10)
      })
    )
  )
})
