/** Tree locks of one process: the suite, and what only they have. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema, SchemaGetter } from "effect"
import * as LocalLock from "../../src/LocalLock.ts"
import * as LockSuite from "../../testing/LockSuite.ts"

LockSuite.suite("LocalLock", { tree: (options) => Effect.sync(() => LocalLock.make("test", options)) })

/** Full size: the limit unless said otherwise. */
const waiters = process.env["WEFT_SCALE"] === "full" ? LocalLock.waitersMax : 10_000

describe("LocalLock", () => {
  it.live(
    `${waiters + 1} waiters are one too many; the ${waiters} in line are unharmed, and handed over without nesting`,
    () =>
      Effect.gen(function* () {
        const tree = LocalLock.make("desk", { waitersMax: waiters === LocalLock.waitersMax ? undefined : waiters })
        const gate = yield* Deferred.make<void>()
        let ran = 0
        const start = (work: Effect.Effect<void>) =>
          Effect.forkChild(tree.write("/a").withLock(work), { startImmediately: true })
        const holder = yield* start(Deferred.await(gate))
        const fibers: Array<Fiber.Fiber<void, unknown>> = []
        for (let i = 0; i < waiters; i++) fibers.push(yield* start(Effect.sync(() => void ran++)))
        const error = yield* Effect.flip(tree.write("/a").withLock(Effect.void))
        assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "waitersMax", actual: waiters + 1 })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holder)
        for (const fiber of fibers) yield* Fiber.join(fiber)
        assert.strictEqual(ran, waiters)
      }),
    120_000
  )

  it.live("64 waiting writers: a release looks again at one", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk")
      const gate = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(tree.write("/a").withLock(Deferred.await(gate)), {
        startImmediately: true
      })
      const seen: Array<number> = []
      const fibers = yield* Effect.forEach(Array.from({ length: 64 }), () =>
        Effect.forkChild(tree.write("/a").withLock(Effect.sync(() => void seen.push(LocalLock.wakeUps(tree)))), {
          startImmediately: true
        })
      )
      assert.strictEqual(LocalLock.wakeUps(tree), 0)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen.length, 64)
      seen.forEach((count, i) => assert.isAtMost(count - (seen[i - 1] ?? 0), 2))
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
