/** Limits: what is one too many is refused by name, and harms nobody else. */
import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Option } from "effect"
import * as TupleSpace from "../../src/TupleSpace.ts"
import type { SuiteSpace } from "./board.ts"
import { inLine, type Kit, later, until } from "./kit.ts"

const { any } = TupleSpace

/** The limit that refused an effect. */
const limitOf = <A>(self: Effect.Effect<A, unknown>): Effect.Effect<string> =>
  Effect.map(Effect.exit(self), (exit) => {
    if (Exit.isSuccess(exit)) return "none"
    const error = Option.getOrUndefined(Exit.findErrorOption(exit)) as { reason?: { limit?: string } } | undefined
    return error?.reason?.limit ?? String(error)
  })

export const boundTests = ({ fork, test }: Kit): void => {
  describe("limits", () => {
    test(
      "one waiter too many is refused, those in line are served; who has left makes room for another",
      Effect.fnUntraced(function* (space: SuiteSpace) {
        const takers: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let n = 0; n < 3; n++) {
          takers.push(yield* fork(space.take(["done", any])))
          yield* inLine(space, n + 1)
        }
        assert.strictEqual(yield* limitOf(space.take(["done", any])), "waitersMax")
        assert.strictEqual(yield* limitOf(space.read(["done", any])), "waitersMax")
        assert.strictEqual((yield* space.interests).length, 3)
        yield* Fiber.interrupt(takers.pop()!)
        yield* inLine(space, 2)
        const later = fork(space.take(["done", any]))
        takers.push(yield* later)
        yield* inLine(space, 3)
        for (const n of [1, 2, 3]) yield* space.out(["done", n])
        for (const [i, taker] of takers.entries()) assert.deepStrictEqual(yield* Fiber.join(taker), ["done", i + 1])
      }),
      { waitersMax: 3 }
    )

    test(
      "an out into a full space is refused, also when somebody waits for it; a take makes room",
      Effect.fnUntraced(function* (space: SuiteSpace, other: SuiteSpace) {
        yield* space.out(["done", 1])
        yield* space.out(["done", 2])
        const taker = yield* fork(space.take(["sum", any]))
        yield* inLine(space, 1)
        assert.strictEqual(yield* limitOf(space.out(["done", 3])), "tuplesMax")
        assert.strictEqual(yield* limitOf(space.out(["sum", 3])), "tuplesMax")
        assert.strictEqual((yield* space.interests).length, 1)
        assert.deepStrictEqual(yield* space.readAll(["done", any]), [
          ["done", 1],
          ["done", 2]
        ])
        yield* space.take(["done", any])
        yield* space.out(["sum", 3])
        assert.deepStrictEqual(yield* Fiber.join(taker), ["sum", 3])
        yield* space.out(["done", 4])
        assert.strictEqual(yield* limitOf(space.out(["done", 5])), "tuplesMax")
        // A move into a full space moves nothing.
        yield* other.out(["done", 6])
        assert.strictEqual(yield* limitOf(other.collect(["done", any], space)), "tuplesMax")
        assert.strictEqual(yield* other.count(["done", any]), 1)
        assert.strictEqual((yield* space.takeAll(["done", any])).length, 2)
        assert.strictEqual(yield* other.collect(["done", any], space), 1)
        yield* space.out(["done", 7])
        assert.strictEqual(yield* limitOf(space.out(["done", 8])), "tuplesMax")
      }),
      { tuplesMax: 2 }
    )

    test(
      "a tuple that is leased, or a dead letter, keeps its room",
      Effect.fnUntraced(function* (space: SuiteSpace) {
        const isFull = Effect.map(limitOf(space.out(["done", 0])), (limit) => limit === "tuplesMax")
        yield* space.out(["done", 1])
        yield* Effect.scoped(
          Effect.gen(function* () {
            const lease = yield* space.takeLeased(["done", any])
            assert.isTrue(yield* isFull)
            yield* lease.done
            yield* space.out(["done", 2])
            yield* lease.done.pipe(Effect.exit)
            assert.isTrue(yield* isFull)
          })
        )
        yield* Effect.scoped(space.takeLeased(["done", any]))
        assert.strictEqual(yield* space.count(["done", any]), 0)
        assert.isTrue(yield* isFull)
        assert.deepStrictEqual(yield* space.takeDeadLetters, [["done", 2]])
        assert.isFalse(yield* isFull)
        assert.deepStrictEqual(yield* space.takeAll(["done", any]), [["done", 0]])
      }),
      { tuplesMax: 1, returnsMax: 0 }
    )

    test(
      "tuples whose time is over make room, though nobody takes",
      Effect.fnUntraced(function* (space: SuiteSpace) {
        yield* space.out(["done", 1], { timeToLive: "1 milli" })
        yield* space.out(["done", 2], { timeToLive: "1 hour" })
        const put = Effect.map(limitOf(space.out(["done", 3])), (limit) => limit === "none")
        yield* until(put)
        assert.deepStrictEqual(yield* space.readAll(["done", any]), [
          ["done", 2],
          ["done", 3]
        ])
        assert.strictEqual(yield* limitOf(space.out(["done", 4])), "tuplesMax")
        yield* later(Effect.asVoid(space.takeIfPresent(["done", 2])), 3_600_001)
        yield* space.out(["done", 5])
      }),
      { tuplesMax: 2 }
    )

    test(
      "many who put out at once: as many tuples as there is room for, not one more",
      Effect.fnUntraced(function* (space: SuiteSpace) {
        for (let round = 0; round < 3; round++) {
          const limits = yield* Effect.all(
            Array.from({ length: 40 }, (_, n) => limitOf(space.out(["done", n]))),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(limits.filter((limit) => limit === "none").length, 20)
          assert.strictEqual(limits.filter((limit) => limit === "tuplesMax").length, 20)
          assert.strictEqual((yield* space.takeAll(["done", any])).length, 20)
        }
      }),
      { tuplesMax: 20 }
    )
  })
}
