/** lindypy's 22 tests, by name; workers run in the place of the space. */
import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema } from "effect"
import * as TupleSpace from "../../src/TupleSpace.ts"
import * as Worker from "../../src/Worker.ts"
import * as Workers from "../../src/Workers.ts"
import { Board } from "./board.ts"
import { inLine, type Kit, type Made, until } from "./kit.ts"
import * as Suite from "./workers.ts"

const { any, is, where } = TupleSpace

export const supervisor = ({ place, space }: Made, workersMax?: number) => {
  const options = { workers: Suite.suiteWorkers, failed: Worker.toTuple, workersMax }
  return place === undefined
    ? Effect.provideService(Workers.make(space, options), Board, space)
    : Workers.makeIn(place, space, options)
}

export const knownTests = ({ fork, test }: Kit): void => {
  describe("lindypy's tests of the space", () => {
    test("add, get, and what is not there", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["four", 1, 2, 3, 4])), [
          "four",
          1,
          2,
          3,
          4
        ])
        assert.isTrue(Option.isNone(yield* space.readIfPresent(["four", 2, 3, 4, 5])))
      }))

    test("get with remove", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.takeIfPresent(["four", 1, 2, 3, 4])), [
          "four",
          1,
          2,
          3,
          4
        ])
        assert.isTrue(Option.isNone(yield* space.takeIfPresent(["four", 1, 2, 3, 4])))
        assert.deepStrictEqual(yield* space.readAll(["four", any, any, any, any]), [])
      }))

    test("a template of anything, and one of the wrong length", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["four", any, any, any, any])), [
          "four",
          1,
          2,
          3,
          4
        ])
        assert.isTrue(Option.isNone(yield* space.readIfPresent([any, any, any])))
      }))

    test("templates that mix values and anything, among three tuples", (space) =>
      Effect.gen(function* () {
        for (const four of [
          ["four", 1, 2, 3, 4],
          ["four", 1, 3, 3, 5],
          ["four", 2, 2, 3, 4]
        ] as const)
          yield* space.out(four)
        assert.deepStrictEqual(yield* space.readAll(["four", 1, any, any, any]), [
          ["four", 1, 2, 3, 4],
          ["four", 1, 3, 3, 5]
        ])
        assert.deepStrictEqual(yield* space.readAll(["four", any, 2, any, 4]), [
          ["four", 1, 2, 3, 4],
          ["four", 2, 2, 3, 4]
        ])
        assert.deepStrictEqual(yield* space.readAll(["four", any, any, 3, 5]), [["four", 1, 3, 3, 5]])
        assert.strictEqual(yield* space.count(["four", any, any, 3, any]), 3)
      }))

    test("templates that are functions, even and odd", (space) =>
      Effect.gen(function* () {
        yield* space.out(["done", 1])
        yield* space.out(["done", 2])
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["done", where("isEven")])), [
          "done",
          2
        ])
        yield* space.take(["done", where("isEven")])
        assert.isTrue(Option.isNone(yield* space.readIfPresent(["done", where("isEven")])))
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["done", any])), ["done", 1])
      }))

    test("a timeout ends a wait, and nests", (space) =>
      Effect.gen(function* () {
        const inner = Effect.timeoutOption(space.take(["done", 1]), "10 millis")
        const outer = yield* Effect.timeoutOption(inner, "1 hour")
        assert.deepStrictEqual(outer, Option.some(Option.none()))
        yield* until(Effect.map(space.interests, ({ length }) => length === 0))
      }))

    test("interests: an exact and an open one are both told", (space) =>
      Effect.gen(function* () {
        const exact = yield* fork(space.take(["four", 1, 2, 3, 4]))
        yield* inLine(space, 1)
        const open = yield* fork(space.take(["four", any, any, any, any]))
        yield* inLine(space, 2)
        assert.deepStrictEqual(
          (yield* space.interests).map(({ takes, template }) => [takes, ...template]),
          [
            [true, "four", 1, 2, 3, 4],
            [true, "four", "any", "any", "any", "any"]
          ]
        )
        for (const fiber of [exact, open]) yield* Fiber.interrupt(fiber)
      }))
  })

  describe("lindypy's tests of the manager", () => {
    test("out is stored", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.readAll(["four", any, any, any, any]), [["four", 1, 2, 3, 4]])
      }))

    test("three reads by different templates", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        for (const template of [
          ["four", 1, 2, 3, 4],
          ["four", 1, any, 3, any],
          ["four", any, any, any, is(Schema.Int)]
        ] as const)
          assert.deepStrictEqual(yield* space.read(template), ["four", 1, 2, 3, 4])
        assert.strictEqual(yield* space.count(["four", 1, 2, 3, 4]), 1)
      }))

    test("a take of what is stored", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", 1, 2, 3, 4]), ["four", 1, 2, 3, 4])
        assert.strictEqual(yield* space.count(["four", any, any, any, any]), 0)
      }))

    test("a take before the out is delivered", (space) =>
      Effect.gen(function* () {
        const taker = yield* fork(space.take(["four", 1, 2, 3, 4]))
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* Fiber.join(taker), ["four", 1, 2, 3, 4])
        assert.strictEqual(yield* space.count(["four", any, any, any, any]), 0)
      }))
  })
}

export const workerTests = ({ fork, test }: Kit): void => {
  describe("lindypy's tests with workers", () => {
    test("out and take", (space) =>
      Effect.gen(function* () {
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", any, 2, any, 4]), ["four", 1, 2, 3, 4])
      }))

    test("a worker puts out; a read, then a take of it", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        yield* workers.start(Suite.outs, ["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.read(["four", 1, 2, 3, any]), ["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", 1, 2, 3, 4]), ["four", 1, 2, 3, 4])
        assert.strictEqual(yield* space.count(["four", any, any, any, any]), 0)
      }))

    test("a worker reads and answers; its answer and the original are both there", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        yield* workers.start(Suite.reads, undefined)
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", 5, 6, 7, 8]), ["four", 5, 6, 7, 8])
        assert.deepStrictEqual(yield* space.take(["four", 1, 2, 3, 4]), ["four", 1, 2, 3, 4])
      }))

    test("a worker takes and answers", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        const { ended } = yield* workers.start(Suite.takes, undefined)
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", 7, 8, 9, 10]), ["four", 7, 8, 9, 10])
        assert.isTrue(yield* ended)
        assert.strictEqual(yield* space.count(["four", any, any, any, any]), 0)
      }))

    test("a template of kinds", (space) =>
      Effect.gen(function* () {
        yield* space.out([1, "x"])
        yield* space.out(["x", 1])
        assert.deepStrictEqual(yield* space.take([is(Schema.String), is(Schema.Int)]), ["x", 1])
        assert.deepStrictEqual(yield* space.take([is(Schema.Int), is(Schema.String)]), [1, "x"])
      }))

    test("one out serves a read and a take that wait; interests go from 2 to 0", (space) =>
      Effect.gen(function* () {
        const reader = yield* fork(space.read(["four", 1, 2, 3, 4]))
        const taker = yield* fork(space.take(["four", 1, 2, 3, 4]))
        yield* inLine(space, 2)
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* Fiber.join(reader), ["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* Fiber.join(taker), ["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.interests, [])
      }))

    test("shutdown while workers wait: none is left, nor what they waited for", (space, _, made) =>
      Effect.gen(function* () {
        const started = yield* Effect.scoped(
          Effect.gen(function* () {
            const workers = yield* supervisor(made)
            const all = [
              yield* workers.start(Suite.takes, undefined),
              yield* workers.start(Suite.takes, undefined),
              yield* workers.start(Suite.reads, undefined)
            ]
            yield* until(Effect.map(space.interests, (all) => all.filter(({ takes }) => takes).length === 2))
            return all
          })
        )
        for (const { ended } of started) assert.isFalse(yield* ended)
        yield* until(Effect.map(space.interests, ({ length }) => length === 0))
        assert.strictEqual(yield* space.count(["failed", any, any, any]), 0)
      }))

    test("an aborted take: a later one of another template is not given the stale tuple", (space) =>
      Effect.gen(function* () {
        const first = yield* fork(space.take(["four", 1, 2, 3, 4]))
        yield* Effect.all([Fiber.interrupt(first), space.out(["four", 1, 2, 3, 4])], { concurrency: 2 })
        yield* space.out(["four", 5, 6, 7, 8])
        assert.deepStrictEqual(yield* space.take(["four", 5, any, any, any]), ["four", 5, 6, 7, 8])
      }))

    test("an aborted take does not swallow the tuple", (space) =>
      Effect.gen(function* () {
        const first = yield* fork(space.take(["four", 1, 2, 3, 4]))
        yield* Effect.all([Fiber.interrupt(first), space.out(["four", 1, 2, 3, 4])], { concurrency: 2 })
        const exit = yield* Effect.exit(Fiber.join(first))
        if (Exit.isFailure(exit)) assert.deepStrictEqual(yield* space.take(["four", 1, 2, 3, 4]), ["four", 1, 2, 3, 4])
      }))

    test("an aborted take of a worker does not swallow the tuple", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        yield* workers.start(Suite.givesUp, undefined)
        yield* space.take(["done", 0])
        yield* space.out(["four", 1, 2, 3, 4])
        assert.deepStrictEqual(yield* space.take(["four", 1, 2, 3, 4]), ["four", 1, 2, 3, 4])
      }))

    test("a worker fails with ValueError(55): its error and name are a tuple", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        const { ended } = yield* workers.start(Suite.fails, 55)
        const [, , worker, error] = yield* space.take(["failed", "ValueError", any, any])
        assert.deepStrictEqual([worker, error.value, error instanceof Error], ["fails", 55, true])
        assert.isFalse(yield* ended)
      }))
  })

  describe("lindypy's example", () => {
    test("workers fold numbers into a sum, and start each other", (space, _, made) =>
      Effect.gen(function* () {
        const workers = yield* supervisor(made)
        yield* space.out(["sum", 0])
        yield* workers.start(Suite.folds, 4)
        yield* space.take(["done", 0])
        assert.deepStrictEqual(yield* space.take(["sum", any]), ["sum", 10])
        assert.isTrue(Option.isNone(yield* Effect.timeoutOption(space.take(["sum", any]), "10 millis")))
      }))
  })
}
