/** What Linda lacks: leases, time, notices, moves between spaces; and bad input. */
import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import * as TupleSpace from "../../src/TupleSpace.ts"
import type { SuiteSpace } from "./board.ts"
import { inLine, type Kit, later, reasonOf, until } from "./kit.ts"

const { any, where } = TupleSpace

export const beyondTests = ({ fork, test }: Kit): void => {
  describe("leases, time, notices", () => {
    test(
      "a leased tuple comes back with its age, and after too many returns is a dead letter",
      Effect.fnUntraced(function* (space: SuiteSpace) {
        yield* space.out(["job", 1, "poison"])
        yield* space.out(["job", 2, "good"])
        for (let i = 0; i < 3; i++) {
          const failed = yield* Effect.exit(
            Effect.scoped(
              Effect.flatMap(space.takeLeased(["job", any, any]), ({ returns, tuple }) => {
                assert.deepStrictEqual([tuple[1], returns], [1, i])
                return Effect.fail("boom")
              })
            )
          )
          assert.isTrue(Exit.isFailure(failed))
        }
        assert.deepStrictEqual(yield* space.takeDeadLetters, [["job", 1, "poison"]])
        yield* Effect.scoped(Effect.flatMap(space.takeLeased(["job", any, any]), (lease) => lease.done))
        assert.strictEqual(yield* space.count([any, any, any]), 0)
      }),
      { returnsMax: 2 }
    )

    test("a tuple is not seen after its time", (space) =>
      Effect.gen(function* () {
        yield* space.out(["done", 1], { timeToLive: "1 hour" })
        yield* space.out(["done", 2])
        assert.strictEqual(yield* space.count(["done", any]), 2)
        yield* later(
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* space.take(["done", any]), ["done", 2])
            assert.strictEqual(yield* space.count(["done", any]), 0)
          }),
          3_600_001
        )
      }))

    test("a listener hears every match from its start on, also one taken at once", (space) =>
      Effect.gen(function* () {
        const heard: Array<unknown> = []
        const listen = Stream.runForEach(space.notify(["done", any]), (notice) =>
          Effect.sync(() => heard.push(notice._tag === "Out" && notice.tuple[1]))
        )
        yield* fork(listen)
        // It has started once it hears something.
        yield* until(Effect.map(space.out(["done", 0]), () => heard.length > 0))
        yield* space.takeAll(["done", any])
        yield* fork(space.take(["done", any]))
        yield* inLine(space, 1)
        for (const n of [1, 2, 3]) {
          yield* space.out(["sum", n])
          yield* space.out(["done", n])
        }
        yield* until(Effect.sync(() => heard.at(-1) === 3))
        assert.deepStrictEqual(
          heard.filter((number) => number !== 0),
          [1, 2, 3]
        )
      }))

    test("collect moves, copyCollect copies", (space, other) =>
      Effect.gen(function* () {
        for (const n of [1, 2, 3]) yield* space.out(["done", n])
        assert.strictEqual(yield* space.copyCollect(["done", any], other), 3)
        assert.strictEqual(yield* space.collect(["done", where("isEven")], other), 1)
        assert.strictEqual(yield* space.count(["done", any]), 2)
        assert.strictEqual(yield* other.count(["done", any]), 4)
      }))
  })

  describe("bad input hits its caller alone (bad case 17)", () => {
    test("a predicate that throws, an unknown one, a tuple of another shape", (space) =>
      Effect.gen(function* () {
        const good = yield* fork(space.take(["done", any]))
        yield* inLine(space, 1)
        const waiting = yield* fork(Effect.flip(space.take(["done", where("throws")])))
        yield* inLine(space, 2)
        yield* space.out(["done", 1])
        assert.deepStrictEqual(yield* Fiber.join(good), ["done", 1])
        yield* space.out(["done", 2])
        assert.strictEqual(reasonOf(yield* Fiber.join(waiting)), "InvalidInput")
        assert.strictEqual(reasonOf(yield* Effect.flip(space.take(["done", where("throws")]))), "InvalidInput")
        // What an untyped caller can do: the types refuse these tuples and templates.
        const untyped = space as unknown as {
          take: (t: unknown) => Effect.Effect<unknown, unknown>
          out: (t: unknown) => Effect.Effect<void, unknown>
        }
        assert.include(String(yield* Effect.flip(untyped.take(["done", where("isOdd")]))), `no predicate "isOdd"`)
        assert.strictEqual(
          reasonOf(yield* Effect.flip(untyped.out(["job", "x"]).pipe(Effect.andThen(untyped.out(["job", 1.5, 2]))))),
          "InvalidInput"
        )
        assert.deepStrictEqual(yield* space.takeAll(["done", any]), [["done", 2]])
      }))
  })
}
