/**
 * A process that fills and empties a bounded space: `boundedWorker.ts FILE SEED STEPS`. Prints how many tuples it put out,
 * took and was refused, as JSON.
 */
import { Effect, Exit, Option, Schema } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import { Prng } from "@weft/domain/testing/Prng"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { any } from "@weft/tuplespace/TupleSpace"

export const tuplesMax = 20
export const space = StoreTupleSpace.make("bounded", {
  tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]),
  tuplesMax,
  returnsMax: 1e9
})

const isFull = ({ reason }: StoreError): boolean => reason._tag === "LimitExceeded" && reason.limit === "tuplesMax"

const main = (random: Prng, steps: number) =>
  Effect.gen(function* () {
    const counts = { put: 0, taken: 0, refused: 0, dropped: 0 }
    const step = Effect.gen(function* () {
      const draw = random.below(10)
      if (draw < 6) {
        const exit = yield* Effect.exit(space.out(["job", draw]))
        if (Exit.isSuccess(exit)) counts.put++
        else if (Option.exists(Exit.findErrorOption(exit), isFull)) counts.refused++
        else return yield* exit
      } else if (draw < 9) {
        if (Option.isSome(yield* space.takeIfPresent(["job", any]))) counts.taken++
      } else if ((yield* space.count(["job", any])) > tuplesMax / 2) {
        // Given back at the end of the scope, perhaps into a space that is full again.
        yield* Effect.scoped(Effect.andThen(space.takeLeased(["job", any]), Effect.yieldNow))
        counts.dropped++
      }
    })
    yield* Effect.all(
      Array.from({ length: steps }, () => step),
      { concurrency: 4, discard: true }
    )
    return counts
  })

if (process.argv[1] === import.meta.filename) {
  const [, , path, seed, steps] = process.argv as [string, string, string, string, string]
  const counts = await Effect.runPromise(
    Effect.provide(main(new Prng(Number(seed)), Number(steps)), Store.layer(FileBackend.layer({ path })))
  )
  process.stdout.write(JSON.stringify(counts))
}
