/**
 * The suite of tuple spaces: Linda's rules, lindypy's tests that concern a space, and its bad cases. The local form and the
 * one in a store run the same; a third party's does too:
 *
 * ```ts
 * TupleSpaceSuite.suite("mine", { make: (definition) => Effect.succeed(MySpace.make("test", definition)) })
 * ```
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema, Stream } from "effect"
import type { Scope } from "effect"
import * as TupleSpace from "../src/TupleSpace.ts"

const { any, is, where } = TupleSpace

const Job = Schema.Tuple([Schema.Literal("job"), Schema.Int, Schema.String])
const Done = Schema.Tuple([Schema.Literal("done"), Schema.Int])
const Failed = Schema.Tuple([Schema.Literal("failed"), Schema.Int, Schema.Struct({ reason: Schema.String })])
const Sum = Schema.Tuple([Schema.Literal("sum"), Schema.Int])
const Note = Schema.Tuple([Schema.Union([Schema.Int, Schema.String]), Schema.Union([Schema.Int, Schema.String])])

const predicates = {
  isEven: (n: number) => n % 2 === 0,
  throws: (_: number): boolean => {
    throw new Error("no idea")
  }
}

/** What the suite's spaces are made of. */
export interface SuiteDefinition {
  readonly tuple: typeof tuple
  readonly predicates: typeof predicates
  readonly waitersMax?: number | undefined
  readonly tuplesMax?: number | undefined
  readonly returnsMax?: number | undefined
}
const tuple = Schema.Union([Job, Done, Failed, Sum, Note])
export type SuiteSpace = TupleSpace.TupleSpace<(typeof tuple)["Type"], typeof predicates>

export interface Options {
  /** A new, empty space, and one beside it in the same place. */
  readonly make: (
    definition: SuiteDefinition
  ) => Effect.Effect<{ readonly space: SuiteSpace; readonly other: SuiteSpace }, unknown, Scope.Scope>
  /** Time in which what was begun has come to rest, in milliseconds; local forms need none. */
  readonly settleMillis?: number | undefined
  /** Whether `tuplesMax` holds. */
  readonly boundsTuples?: boolean | undefined
  /** Waiting takes of the test of long lines, and steps of a random program. */
  readonly chain?: number | undefined
  readonly steps?: number | undefined
}

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  const { boundsTuples = true, chain = 10_000, settleMillis, steps = 3_000 } = options
  const settle =
    settleMillis === undefined
      ? Effect.gen(function* () {
          for (let i = 0; i < 8; i++) yield* Effect.yieldNow
        })
      : Effect.sleep(settleMillis)
  const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.tap(Effect.forkChild(self), () => settle)
  const withSpaces = <E>(
    limits: Omit<SuiteDefinition, "tuple" | "predicates">,
    body: (space: SuiteSpace, other: SuiteSpace) => Effect.Effect<void, E>
  ) =>
    Effect.scoped(
      Effect.flatMap(options.make({ tuple, predicates, ...limits }), ({ other, space }) => body(space, other))
    )
  const test = <E>(title: string, body: (space: SuiteSpace, other: SuiteSpace) => Effect.Effect<void, E>) =>
    it.live(title, () => withSpaces({}, body))

  describe(name, () => {
    describe("kept tuples", () => {
      test("a take gets the oldest match and takes it out; a read leaves it", (space) =>
        Effect.gen(function* () {
          yield* space.out(["job", 1, "a"])
          yield* space.out(["job", 2, "b"])
          assert.deepStrictEqual(yield* space.read(["job", any, any]), ["job", 1, "a"])
          assert.deepStrictEqual(yield* space.take(["job", any, any]), ["job", 1, "a"])
          assert.deepStrictEqual(yield* space.take(["job", any, is(Schema.String)]), ["job", 2, "b"])
          assert.isTrue(Option.isNone(yield* space.takeIfPresent(["job", any, any])))
        }))

      test("literals, types, predicates and a wrong length", (space) =>
        Effect.gen(function* () {
          for (const n of [1, 2, 3, 4]) yield* space.out(["done", n])
          yield* space.out(["failed", 7, { reason: "disk" }])
          assert.deepStrictEqual(yield* space.take(["done", where("isEven")]), ["done", 2])
          assert.deepStrictEqual(yield* space.take(["done", 3]), ["done", 3])
          assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["failed", 7, { reason: "disk" }])), [
            "failed",
            7,
            { reason: "disk" }
          ])
          assert.isTrue(Option.isNone(yield* space.readIfPresent(["failed", 7, { reason: "net" }])))
          assert.strictEqual(yield* space.count(["done", any]), 2)
          assert.deepStrictEqual(yield* space.readAll([any, any, any]), [["failed", 7, { reason: "disk" }]])
        }))

      test("a space is a bag: equal tuples are several", (space) =>
        Effect.gen(function* () {
          yield* space.out(["done", 1])
          yield* space.out(["done", 1])
          assert.strictEqual((yield* space.takeAll(["done", 1])).length, 2)
          assert.strictEqual(yield* space.count(["done", any]), 0)
        }))

      test("one and '1' are different literals, alone and together", (space) =>
        Effect.gen(function* () {
          yield* space.out([1, "x"])
          yield* space.out(["1", "x"])
          assert.deepStrictEqual(yield* space.take(["1", any]), ["1", "x"])
          assert.deepStrictEqual(yield* space.take([1, "x"]), [1, "x"])
          yield* space.out(["a:1", "b"])
          assert.isTrue(Option.isNone(yield* space.takeIfPresent(["a", "1:b"])))
        }))
    })

    describe("waiting", () => {
      test("every waiting reader and one waiting taker are served by one out", (space) =>
        Effect.gen(function* () {
          const readers = [yield* fork(space.read(["done", any])), yield* fork(space.read([any, any]))]
          const taker = yield* fork(space.take(["done", any]))
          const second = yield* fork(space.take(["done", any]))
          assert.deepStrictEqual(
            (yield* space.interests).map(({ takes, template }) => [takes, ...template]),
            [
              [false, "done", "any"],
              [false, "any", "any"],
              [true, "done", "any"],
              [true, "done", "any"]
            ]
          )
          yield* space.out(["done", 1])
          for (const reader of readers) assert.deepStrictEqual(yield* Fiber.join(reader), ["done", 1])
          assert.deepStrictEqual(yield* Fiber.join(taker), ["done", 1])
          assert.strictEqual((yield* space.interests).length, 1)
          assert.strictEqual(yield* space.count([any, any]), 0)
          yield* Fiber.interrupt(second)
          assert.deepStrictEqual(yield* space.interests, [])
        }))

      test("takers are served in line, whatever their templates", (space) =>
        Effect.gen(function* () {
          const templates = [
            ["done", any],
            [any, any],
            ["done", where("isEven")],
            ["done", any]
          ] as const
          const takers: Array<Fiber.Fiber<unknown, unknown>> = []
          for (const template of templates) takers.push(yield* fork(space.take(template)))
          for (const n of [1, 2, 3, 4]) yield* space.out(["done", n])
          const got = yield* Effect.forEach(takers, (taker) => Fiber.join(taker))
          assert.deepStrictEqual(got, [
            ["done", 1],
            ["done", 2],
            ["done", 4],
            ["done", 3]
          ])
        }))

      test("a taker cancelled at the instant of delivery: the tuple is neither lost nor doubled (bad case 16)", (space) =>
        Effect.gen(function* () {
          for (let n = 0; n < 100; n++) {
            const taker = yield* fork(Effect.exit(space.take(["done", n])))
            const race = yield* Effect.forkChild(Fiber.interrupt(taker))
            yield* space.out(["done", n])
            yield* Fiber.join(race)
            const exit = yield* Effect.exit(Fiber.join(taker))
            const taken = Exit.isSuccess(exit) && Exit.isSuccess(exit.value) ? 1 : 0
            assert.strictEqual(taken + (yield* space.count(["done", n])), 1)
          }
        }))

      test("64 takers wait, each out wakes one", (space) =>
        Effect.gen(function* () {
          let woken = 0
          for (let i = 0; i < 64; i++)
            yield* Effect.forkChild(Effect.map(space.take(["done", any]), () => void woken++))
          while ((yield* space.interests).length < 64) yield* settle
          for (let n = 1; n <= 64; n++) {
            yield* space.out(["done", n])
            while (woken < n) yield* settle
            assert.strictEqual(woken, n)
          }
          assert.strictEqual(yield* space.count(["done", any]), 0)
        }))

      test("many fibers that take and put out in turn do not nest", (space) =>
        Effect.gen(function* () {
          for (let i = 0; i < chain; i++) {
            yield* Effect.forkChild(
              Effect.flatMap(space.take(["sum", is(Schema.Int)]), ([, n]) => space.out(["sum", n + 1]))
            )
          }
          while ((yield* space.interests).length < chain) yield* settle
          yield* space.out(["sum", 0])
          while ((yield* space.interests).length > 0) yield* settle
          assert.deepStrictEqual(yield* space.take(["sum", any]), ["sum", chain])
        }))
    })

    describe("leases, time, notices", () => {
      it.live("a leased tuple comes back with its age, and after too many returns is a dead letter", () =>
        withSpaces(
          { returnsMax: 2 },
          Effect.fnUntraced(function* (space) {
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
          })
        )
      )

      test("a tuple is not seen after its time", (space) =>
        Effect.gen(function* () {
          yield* space.out(["done", 1], { timeToLive: "40 millis" })
          yield* space.out(["done", 2])
          assert.isAtLeast(yield* space.count(["done", any]), 1)
          yield* Effect.sleep("60 millis")
          assert.deepStrictEqual(yield* space.take(["done", any]), ["done", 2])
          assert.strictEqual(yield* space.count(["done", any]), 0)
        }))

      test("a listener hears every match from its start on, also one taken at once", (space) =>
        Effect.gen(function* () {
          const heard = yield* fork(space.notify(["done", any]).pipe(Stream.take(3), Stream.runCollect))
          yield* fork(space.take(["done", any]))
          for (const n of [1, 2, 3]) {
            yield* space.out(["sum", n])
            yield* space.out(["done", n])
          }
          assert.deepStrictEqual(
            (yield* Fiber.join(heard)).map((notice) => notice._tag === "Out" && notice.tuple[1]),
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
      const reasonOf = (error: unknown) =>
        typeof error === "object" && error !== null && "reason" in error
          ? (error.reason as { _tag: string })._tag
          : undefined

      test("a predicate that throws, an unknown one, a tuple of another shape", (space) =>
        Effect.gen(function* () {
          const good = yield* fork(space.take(["done", any]))
          const waiting = yield* fork(Effect.flip(space.take(["done", where("throws")])))
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

      it.live("limits: one waiter and one tuple too many", () =>
        withSpaces(
          { waitersMax: 1, tuplesMax: 1 },
          Effect.fnUntraced(function* (space) {
            const first = yield* fork(space.take(["done", any]))
            while ((yield* space.interests).length < 1) yield* settle
            assert.strictEqual(reasonOf(yield* Effect.flip(space.take(["done", any]))), "LimitExceeded")
            yield* space.out(["done", 1])
            yield* Fiber.join(first)
            yield* space.out(["done", 2])
            if (boundsTuples) assert.strictEqual(reasonOf(yield* Effect.flip(space.out(["done", 3]))), "LimitExceeded")
          })
        )
      )
    })

    describe("a space against the sequential rule", () => {
      for (const seed of [1, 2, 3]) {
        test(`random programs (seed ${seed})`, (space) =>
          Effect.gen(function* () {
            let state = seed
            const random = (n: number): number => {
              state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
              return (state >>> 8) % n
            }
            const model: Array<readonly ["done" | "sum", number]> = []
            for (let step = 0; step < steps; step++) {
              const kind = random(2) === 0 ? ("done" as const) : ("sum" as const)
              const n = random(4)
              if (random(2) === 0) {
                yield* space.out([kind, n])
                model.push([kind, n])
                continue
              }
              const templates = [
                [kind, any],
                [any, n],
                [kind, n],
                [any, where("isEven")]
              ] as const
              const which = random(4)
              const fits = ([k, m]: readonly [string, number]): boolean =>
                which === 0 ? k === kind : which === 1 ? m === n : which === 2 ? k === kind && m === n : m % 2 === 0
              const at = model.findIndex(fits)
              const got = yield* space.takeIfPresent(templates[which]!)
              assert.deepStrictEqual(Option.getOrUndefined(got), at === -1 ? undefined : model.splice(at, 1)[0])
            }
            assert.deepStrictEqual(yield* space.readAll([any, any]), model)
          }))
      }
    })
  })
}
