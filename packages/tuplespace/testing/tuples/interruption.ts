/** A take that is interrupted wherever its fiber can be made to give way: its caller has the tuple, or the space has it. */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { atEveryYield, type Victim } from "@weft/domain/testing/Interruptions"
import * as TupleSpace from "../../src/TupleSpace.ts"
import type { SuiteSpace } from "./board.ts"
import { type Kit, until } from "./kit.ts"

const { any } = TupleSpace

/** What the space is left with once nobody waits any more: its tuples and who waits in vain. */
const left = (space: SuiteSpace) =>
  Effect.gen(function* () {
    yield* until(Effect.map(space.interests, ({ length }) => length === 0))
    return (yield* space.takeAll(["done", any])).length
  })

export const interruptionTests = ({ test }: Kit): void => {
  /** Plays one scene at every place: one tuple, one taker, whose own next step is the first to see the tuple. */
  const law = (
    title: string,
    isThere: boolean,
    take: (space: SuiteSpace, got: () => void) => Effect.Effect<unknown, unknown>
  ) =>
    test(title, (space) =>
      Effect.gen(function* () {
        const scene = (victim: Victim, place: number) =>
          Effect.gen(function* () {
            let got = 0
            if (isThere) yield* space.out(["done", place])
            const fiber = yield* victim(take(space, () => void got++))
            if (!isThere) {
              const isOver = Effect.sync(() => fiber.pollUnsafe() !== undefined)
              yield* until(
                Effect.flatMap(isOver, (is) => (is ? isOver : Effect.map(space.interests, (all) => all.length === 1)))
              )
              yield* space.out(["done", place])
            }
            yield* Fiber.await(fiber)
            assert.strictEqual(
              got + (yield* left(space)),
              1,
              `interrupted ${place} operations on, ${got} were received`
            )
          })
        assert.isAbove(yield* atEveryYield(scene), 2)
      })
    )

  describe("a taker interrupted wherever its fiber gives way", () => {
    law("that finds a tuple", true, (space, got) => Effect.map(space.take(["done", any]), got))
    law("that waits for one", false, (space, got) => Effect.map(space.take(["done", any]), got))
    law("that finds one on a lease", true, (space, got) =>
      Effect.scoped(
        Effect.flatMap(space.takeLeased(["done", any]), ({ done }) => Effect.uninterruptible(Effect.map(done, got)))
      )
    )
    law("that waits for one on a lease", false, (space, got) =>
      Effect.scoped(
        Effect.flatMap(space.takeLeased(["done", any]), ({ done }) => Effect.uninterruptible(Effect.map(done, got)))
      )
    )
  })
}
