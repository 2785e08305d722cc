/** Linda's rules: kept tuples, waiting, and random programs against the sequential rule. */
import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema } from "effect"
import * as TupleSpace from "../../src/TupleSpace.ts"
import { inLine, type Kit, type Options } from "./kit.ts"

const { any, is, where } = TupleSpace

export const ruleTests = ({ fork, settle, test }: Kit, { chain = 10_000, steps = 3_000 }: Options): void => {
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
        yield* space.out(["lost", 7, { reason: "disk" }])
        assert.deepStrictEqual(yield* space.take(["done", where("isEven")]), ["done", 2])
        assert.deepStrictEqual(yield* space.take(["done", 3]), ["done", 3])
        assert.deepStrictEqual(Option.getOrUndefined(yield* space.readIfPresent(["lost", 7, { reason: "disk" }])), [
          "lost",
          7,
          { reason: "disk" }
        ])
        assert.isTrue(Option.isNone(yield* space.readIfPresent(["lost", 7, { reason: "net" }])))
        assert.strictEqual(yield* space.count(["done", any]), 2)
        assert.deepStrictEqual(yield* space.readAll([any, any, any]), [["lost", 7, { reason: "disk" }]])
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
        const readers: Array<Fiber.Fiber<unknown, unknown>> = [yield* fork(space.read(["done", any]))]
        yield* inLine(space, 1)
        readers.push(yield* fork(space.read([any, any])))
        yield* inLine(space, 2)
        const taker = yield* fork(space.take(["done", any]))
        yield* inLine(space, 3)
        const second = yield* fork(space.take(["done", any]))
        yield* inLine(space, 4)
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
        for (const template of templates) {
          takers.push(yield* fork(space.take(template)))
          yield* inLine(space, takers.length)
        }
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

    test("64 takers wait, each out wakes one", (space, _, { wakeUps }) =>
      Effect.gen(function* () {
        let woken = 0
        for (let i = 0; i < 64; i++) yield* Effect.forkChild(Effect.map(space.take(["done", any]), () => void woken++))
        while ((yield* space.interests).length < 64) yield* settle
        const before = wakeUps === undefined ? 0 : yield* wakeUps
        for (let n = 1; n <= 64; n++) {
          yield* space.out(["done", n])
          while (woken < n) yield* settle
          assert.strictEqual(woken, n)
        }
        if (wakeUps !== undefined) {
          const wakes = (yield* wakeUps) - before
          assert.isTrue(wakes >= 64 && wakes <= 2 * 64, `${wakes} wake-ups`)
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
}
