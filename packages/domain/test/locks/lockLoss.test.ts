/** What a lock in a store is worth when its holder is taken for dead: the suite on the store in memory. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { Backend } from "../../src/Backend.ts"
import * as DRef from "../../src/DRef.ts"
import * as Lock from "../../src/Lock.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as LockSuite from "../../testing/LockSuite.ts"

const tree = Lock.make("desk")
const value = DRef.make("value", { value: Schema.Int, initial: 0 })

for (const isSync of [true, false]) {
  LockSuite.lossSuite(
    `a holder that was taken for dead, ${isSync ? "on the synchronous lane" : "on a store that answers later"}`,
    {
      processes: Effect.suspend(() => {
        const { sync, ...rest } = MemoryBackend.make()
        const backend = () =>
          Layer.sync(Backend, () => Backend.of(isSync && sync !== undefined ? { ...rest, sync } : rest))
        return Effect.all([Layer.build(Store.layer(backend())), Layer.build(Store.layer(backend()))])
      })
    }
  )
}

describe("a transaction under a lock that was given back", () => {
  it.live("is a named defect", () =>
    Effect.gen(function* () {
      const late = yield* Deferred.make<void>()
      const fiber = yield* tree
        .write("/a")
        .withLock(Effect.forkDetach(Effect.exit(Effect.andThen(Deferred.await(late), value.set(5)))))
      yield* Deferred.succeed(late, undefined)
      assert.include(String(yield* Fiber.join(fiber)), "given back")
      assert.strictEqual(yield* value.get, 0)
    }).pipe(Effect.provide(Store.layer(MemoryBackend.layer())))
  )
})
