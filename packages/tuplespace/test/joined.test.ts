/** A tuple space inside transactions, beside other collections; and a taker's death. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schema } from "effect"
import { Backend } from "@weft/domain/Backend"
import * as DMap from "@weft/domain/DMap"
import * as MemoryBackend from "@weft/domain/MemoryBackend"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import * as Tx from "@weft/domain/Tx"
import * as StoreTupleSpace from "../src/StoreTupleSpace.ts"
import { any, is } from "../src/TupleSpace.ts"

const jobs = StoreTupleSpace.make("jobs", { tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]), returnsMax: 1 })
const results = DMap.make("results", { key: Schema.Int, value: Schema.String })

/** The keys of all cells of the store. */
const allKeys = Effect.flatMap(Store, ({ engine }) =>
  Effect.map(engine.backend.read({ keys: [], ranges: [{ start: "", end: "\uffff" }] }), ({ ranges }) =>
    ranges[0]!.map(({ key }) => key)
  )
)

const later = () => {
  const { sync: _, ...rest } = MemoryBackend.make()
  return Layer.sync(Backend, () => Backend.of(rest))
}

for (const [name, backend] of [
  ["in memory", MemoryBackend.layer],
  ["that answers later", later]
] as const) {
  const test = (title: string, body: Effect.Effect<void, unknown, Store>) =>
    it.live(title, () =>
      Effect.scoped(
        Effect.flatMap(Layer.build(Store.layer(backend())), (context) => Effect.provideContext(body, context))
      )
    )

  describe(`in transactions on a store ${name}`, () => {
    test(
      "what fails gives its tuple back; what succeeds is one step with the map",
      Effect.gen(function* () {
        yield* jobs.out(["job", 1])
        const work = (fails: boolean) =>
          Tx.transact(
            Effect.gen(function* () {
              const [, n] = yield* jobs.take(["job", any])
              yield* results.set(n, "done")
              yield* jobs.out(["job", n + 1])
              if (fails) return yield* Effect.fail("no")
              return n
            })
          )
        assert.strictEqual(yield* Effect.flip(work(true)), "no")
        assert.deepStrictEqual(yield* jobs.readAll(["job", any]), [["job", 1]])
        assert.strictEqual(yield* work(false), 1)
        assert.deepStrictEqual(yield* jobs.takeAll(["job", any]), [["job", 2]])
        assert.deepStrictEqual(yield* results.get(1), Option.some("done"))
      })
    )

    test(
      "an index that was first asked for in a transaction, which makes none, is made by the next who asks",
      Effect.gen(function* () {
        const masks = Effect.map(allKeys, (keys) => keys.filter((key) => key.includes("mask")).length)
        yield* jobs.out(["job", 1])
        assert.deepStrictEqual(yield* Tx.transact(jobs.readIfPresent(["job", 1])), Option.some(["job", 1] as const))
        assert.strictEqual(yield* masks, 0)
        assert.deepStrictEqual(yield* jobs.readIfPresent(["job", 1]), Option.some(["job", 1] as const))
        assert.strictEqual(yield* masks, 1)
      })
    )

    test(
      "while somebody waits, tuples whose time is over are removed, others are not",
      Effect.gen(function* () {
        const cells = Effect.map(allKeys, ({ length }) => length)
        const waiting = yield* Effect.forkChild(jobs.take(["job", -1]))
        yield* jobs.out(["job", 0])
        while ((yield* jobs.interests).length === 0) yield* Effect.sleep(5)
        const lasting = 100
        const put = (from: number, to: number, timeToLive: "1 hour" | "1 milli") =>
          Tx.transact(
            Effect.forEach(
              Array.from({ length: to - from }, (_, i) => from + i),
              (n) => jobs.out(["job", n], { timeToLive })
            )
          )
        yield* put(1, lasting, "1 hour")
        const expected = yield* cells
        // More than the reaper looks at in one step.
        yield* put(lasting, 4 * lasting, "1 milli")
        while ((yield* cells) > expected) yield* Effect.sleep(20)
        assert.strictEqual(yield* cells, expected)
        assert.strictEqual(yield* jobs.count(["job", any]), lasting)
        yield* jobs.out(["job", -1])
        yield* Fiber.join(waiting)
      })
    )

    it.live(`a bulk form beyond the store's limits is refused whole, on a store ${name}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const small = MemoryBackend.make({ limits: { requestWrites: 60 } })
          const { sync: _, ...answersLater } = small
          const layer = Store.layer(Layer.sync(Backend, () => Backend.of(name === "in memory" ? small : answersLater)))
          const context = yield* Layer.build(layer)
          const body = Effect.gen(function* () {
            const other = StoreTupleSpace.make("other", { tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]) })
            for (let n = 0; n < 40; n++) yield* jobs.out(["job", n])
            for (const bulk of [
              jobs.takeAll(["job", any]),
              jobs.collect(["job", any], other),
              jobs.copyCollect(["job", any], other)
            ]) {
              const { reason } = yield* Effect.flip(bulk as Effect.Effect<unknown, StoreError, Store>)
              assert.strictEqual(reason._tag, "LimitExceeded")
              assert.include(reason.message, "requestWrites is 60 here")
              assert.strictEqual(yield* jobs.count(["job", any]), 40)
              assert.strictEqual(yield* other.count(["job", any]), 0)
            }
            // In parts that fit, each of which is whole.
            for (let left = 40; left > 0; left -= 20) {
              const part = yield* Tx.transact(
                Effect.forEach(Array.from({ length: 20 }), () => jobs.takeIfPresent(["job", any]))
              )
              assert.strictEqual(part.filter(Option.isSome).length, 20)
            }
          })
          yield* Effect.provideContext(body, context)
        })
      )
    )

    test(
      "own tuples are seen before the commit; a take that finds none waits for one",
      Effect.gen(function* () {
        const seen = yield* Tx.transact(
          Effect.gen(function* () {
            yield* jobs.out(["job", 5])
            yield* jobs.out(["job", 6])
            const first = yield* jobs.takeIfPresent(["job", any])
            return [Option.getOrThrow(first)[1], yield* jobs.count(["job", is(Schema.Int)])]
          })
        )
        assert.deepStrictEqual(seen, [5, 1])
        const waiting = yield* Effect.forkChild(Tx.transact(jobs.take(["job", 7])))
        yield* Effect.sleep(5)
        yield* jobs.out(["job", 7])
        assert.deepStrictEqual(yield* Fiber.join(waiting), ["job", 7])
        assert.deepStrictEqual(yield* jobs.takeAll(["job", any]), [["job", 6]])
      })
    )

    test(
      "the tuple of a leased take comes back when its session is taken for dead, and is a dead letter in the end",
      Effect.gen(function* () {
        yield* jobs.out(["job", 1])
        for (const returns of [0, 1]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const lease = yield* jobs.takeLeased(["job", any])
              assert.strictEqual(lease.returns, returns)
              const { id } = yield* Sessions.current(Store)
              for (let bump = 0; bump < 10; bump++) if (yield* Sessions.remove(Store, id, bump)) break
              assert.include(String(yield* Effect.flip(lease.done)), "the lease is over")
              yield* Sessions.renew(Store, yield* Sessions.current(Store))
            })
          )
        }
        assert.strictEqual(yield* jobs.count(["job", any]), 0)
        assert.deepStrictEqual(yield* jobs.takeDeadLetters, [["job", 1]])
      })
    )
  })
}
