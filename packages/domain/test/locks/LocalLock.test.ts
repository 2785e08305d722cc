/** Tree locks of one process: the suite, and what only they have. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema, SchemaGetter } from "effect"
import * as LocalLock from "../../src/LocalLock.ts"
import * as LockSuite from "../../testing/LockSuite.ts"

LockSuite.suite("LocalLock", { tree: () => Effect.sync(() => LocalLock.make("test")) })

describe("LocalLock", () => {
  it.live("one waiter too many is refused, the others are unharmed", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk", { waitersMax: 2 })
      const gate = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(tree.write("/a").withLock(Deferred.await(gate)), { startImmediately: true })
      )
      const error = yield* Effect.flip(tree.write("/a").withLock(Effect.void))
      assert.strictEqual(error._tag === "StoreError" && error.reason._tag, "LimitExceeded")
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of fibers) yield* Fiber.join(fiber)
    })
  )

  it.live("10,000 waiters in line are handed over without nesting", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk")
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(tree.write("/a").withLock(Deferred.await(gate)), {
        startImmediately: true
      })
      let ran = 0
      const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () =>
        Effect.forkChild(tree.write("/a").withLock(Effect.sync(() => void ran++)), { startImmediately: true })
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.strictEqual(ran, 10_000)
    })
  )

  it.effect("paths by Schema: own node types encode to strings or tuples", () =>
    Effect.gen(function* () {
      const Place = Schema.Struct({ room: Schema.String, shelf: Schema.Int })
      const path = Schema.Tuple([Schema.String, Schema.Int]).pipe(
        Schema.decodeTo(Place, {
          decode: SchemaGetter.transform(([room, shelf]: readonly [string, number]) => ({ room, shelf })),
          encode: SchemaGetter.transform(({ room, shelf }: typeof Place.Type) => [room, shelf] as const)
        })
      )
      const places = LocalLock.make("places", { path })
      yield* places.write({ room: "hall", shelf: 1 }).withLock(
        Effect.gen(function* () {
          const same = places.read({ room: "hall", shelf: 1 })
          assert.isTrue(Option.isNone(yield* same.withLockIfFree(Effect.void)))
          assert.isTrue(Option.isSome(yield* places.read({ room: "hall", shelf: 2 }).withLockIfFree(Effect.void)))
        })
      )
    })
  )
})
