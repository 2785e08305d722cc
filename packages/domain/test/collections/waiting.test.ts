/** Operations that wait: they wake for what they wait for, by change or by time, alone and inside of transactions. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import * as DQueue from "../../src/DQueue.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import { withoutSyncLane } from "../../testing/CollectionSuite.ts"

const queue = DQueue.make("queue", { value: Schema.String })
const other = DQueue.make("other", { value: Schema.String })
const bounded = DQueue.make("bounded", { value: Schema.Number, capacity: 2 })

const settle = Effect.repeat(Effect.yieldNow, { times: 30 })
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.tap(Effect.forkChild(effect, { startImmediately: true }), settle)

for (const wrap of [false, true]) {
  const run = <A, E>(effect: Effect.Effect<A, E, Store | Scope.Scope>): Promise<A> =>
    Effect.runPromise(
      effect.pipe(
        Effect.scoped,
        Effect.provide(
          Layer.mergeAll(
            Store.layer(wrap ? withoutSyncLane(MemoryBackend.layer()) : MemoryBackend.layer()),
            TestClock.layer()
          )
        )
      )
    )

  describe(`waiting, ${wrap ? "without" : "with"} the synchronous lane`, () => {
    for (const inside of [false, true]) {
      const take = inside ? Tx.transact(Effect.tap(queue.take, (item) => other.offer(item))) : queue.take

      it(`a take ${inside ? "in a transaction " : ""}wakes when an item is offered`, () =>
        run(
          Effect.gen(function* () {
            const fiber = yield* start(take)
            expect(fiber.pollUnsafe()).toBeUndefined()
            yield* queue.offer("x")
            expect(yield* Fiber.join(fiber)).toBe("x")
          })
        ))

      it(`a take ${inside ? "in a transaction " : ""}wakes when a delayed item is due, not before`, () =>
        run(
          Effect.gen(function* () {
            yield* queue.offer("late", { delay: 1000 })
            const fiber = yield* start(take)
            yield* TestClock.adjust(999)
            yield* settle
            expect(fiber.pollUnsafe()).toBeUndefined()
            yield* TestClock.adjust(1)
            expect(yield* Fiber.join(fiber)).toBe("late")
          })
        ))

      it(`a take ${inside ? "in a transaction " : ""}wakes for a delayed item that is offered while it waits for a later one`, () =>
        run(
          Effect.gen(function* () {
            yield* queue.offer("late", { delay: 1000 })
            const fiber = yield* start(take)
            yield* queue.offer("sooner", { delay: 100 })
            yield* settle
            yield* TestClock.adjust(100)
            expect(yield* Fiber.join(fiber)).toBe("sooner")
          })
        ))
    }

    it("takeN waits for all of them and takes none before; takeBetween for the least", () =>
      run(
        Effect.gen(function* () {
          const three = yield* start(queue.takeN(3))
          yield* queue.offerAll(["a", "b"])
          yield* settle
          expect(three.pollUnsafe()).toBeUndefined()
          expect(yield* queue.size).toBe(2)
          expect(yield* queue.takeBetween(1, 5)).toEqual(["a", "b"])
          yield* queue.offerAll(["c", "d", "e", "f"])
          expect(yield* Fiber.join(three)).toEqual(["c", "d", "e"])
        })
      ))

    it("an offer to a full queue waits for room, in whole numbers", () =>
      run(
        Effect.gen(function* () {
          yield* bounded.offer(1)
          const two = yield* start(bounded.offerAll([2, 3]))
          expect(two.pollUnsafe()).toBeUndefined()
          expect(yield* bounded.values()).toEqual([1])
          expect(yield* bounded.take).toBe(1)
          expect(yield* Fiber.join(two)).toEqual([])
          expect(yield* bounded.values()).toEqual([2, 3])
          const error = yield* Effect.flip(bounded.offerAll([1, 2, 3]))
          expect(error.reason._tag).toBe("InvalidInput")
          expect(error.message).toContain("can never have room")
        })
      ))

    it("the first of several takes, by Tx.orElse", () =>
      run(
        Effect.gen(function* () {
          const either = Tx.transact(
            Tx.orElse(
              Effect.map(queue.take, (item) => `queue ${item}`),
              () => Effect.map(other.take, (item) => `other ${item}`)
            )
          )
          const fiber = yield* start(either)
          yield* other.offer("x")
          expect(yield* Fiber.join(fiber)).toBe("other x")
          yield* other.offer("y")
          yield* queue.offer("z")
          expect(yield* either).toBe("queue z")
        })
      ))

    it("a stream gives items as they come, and an interrupted take takes nothing", () =>
      run(
        Effect.gen(function* () {
          const fiber = yield* start(Stream.runCollect(Stream.take(queue.stream, 3)))
          yield* queue.offerAll(["a", "b"])
          yield* settle
          yield* queue.offer("c")
          expect(yield* Fiber.join(fiber)).toEqual(["a", "b", "c"])
          const taker = yield* start(queue.take)
          yield* Fiber.interrupt(taker)
          yield* queue.offer("d")
          yield* settle
          expect(yield* queue.size).toBe(1)
        })
      ))
  })
}
