import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import * as View from "../../src/View.ts"
import { lanes, later, raw } from "./support.ts"

for (const lane of lanes) {
  describe(`a live view, ${lane.name}`, () => {
    it("follows the store and tells each change", () =>
      Effect.runPromise(
        Effect.gen(function* () {
          yield* raw.set("a1", 1)
          const view = yield* View.make(raw.keys("a", "b"))
          expect(yield* View.current(view)).toEqual(["a1"])
          const told = yield* Effect.forkChild(Stream.runCollect(Stream.take(SubscriptionRef.changes(view.ref), 3)), {
            startImmediately: true
          })
          yield* Effect.sleep(5)
          yield* raw.set("elsewhere", 1)
          yield* raw.set("a2", 1)
          yield* Effect.sleep(5)
          yield* raw.remove("a1")
          const seen = yield* Fiber.join(told)
          expect(seen.map(({ value }) => value)).toEqual([["a1"], ["a1", "a2"], ["a2"]])
          expect(yield* view.get).toEqual(["a2"])
        }).pipe(Effect.scoped, Effect.provide(lane.layer()))
      ))
  })
}

describe("a view in a transaction, answering later", () => {
  it("answers without asking the store, and a decision by an old view does not commit", async () => {
    const inner = later(MemoryBackend.make())
    let reads = 0
    let isDeaf = false
    const backend = Backend.of({
      ...inner,
      read: (request) => {
        reads++
        return inner.read(request)
      },
      changes: (request) => Stream.filter(inner.changes(request), () => !isDeaf)
    })
    const other = Store.layer(Layer.succeed(Backend, inner))
    await Effect.runPromise(
      Effect.gen(function* () {
        yield* raw.set("limit", 5)
        const view = yield* View.make(raw.get("limit"))
        yield* Effect.sleep(5)
        const decide = Tx.transact(
          Effect.gen(function* () {
            const limit = yield* view.get
            yield* raw.set("decided", limit)
            return { limit, attempts: (yield* Tx.attempt).number }
          })
        )
        reads = 0
        expect(yield* decide).toEqual({ limit: 5, attempts: 1 })
        expect(reads).toBe(0)
        // The view does not hear of this one.
        isDeaf = true
        yield* Effect.provide(raw.set("limit", 9), other)
        expect(yield* View.current(view)).toBe(5)
        expect(yield* decide).toEqual({ limit: 9, attempts: 2 })
      }).pipe(Effect.scoped, Effect.provide(Store.layer(Layer.succeed(Backend, backend))))
    )
  })
})
