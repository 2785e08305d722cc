/** What a lock in a store is worth when its holder is taken for dead: bad cases 11, 12 and 18, and fenced transactions. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { Backend } from "../../src/Backend.ts"
import * as DCounter from "../../src/DCounter.ts"
import * as DRef from "../../src/DRef.ts"
import * as Lock from "../../src/Lock.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as Sessions from "../../src/Sessions.ts"
import { Store } from "../../src/Store.ts"
import { Schema } from "effect"

const tree = Lock.make("desk")
const value = DRef.make("value", { value: Schema.Int, initial: 0 })
const writes = DCounter.make("writes")

/** Two engines, as of two processes, on one store. */
const twoProcesses = (isSync: boolean) => {
  const { sync, ...rest } = MemoryBackend.make()
  const backend = () => Layer.sync(Backend, () => Backend.of(isSync && sync !== undefined ? { ...rest, sync } : rest))
  return Effect.all([Layer.build(Store.layer(backend())), Layer.build(Store.layer(backend()))])
}

/** What an observer does when a session has not moved for a lease. */
const removeSession = Effect.gen(function* () {
  const session = yield* Sessions.current(Store)
  return session.id
})

/** Removes a session as an observer does that has seen no bump for a lease. */
const takeForDead = (sid: string) =>
  Effect.gen(function* () {
    for (let bump = 0; bump < 10; bump++) if (yield* Sessions.remove(Store, sid, bump)) return true
    return false
  })

for (const isSync of [true, false]) {
  describe(`a holder that was taken for dead, ${isSync ? "on the synchronous lane" : "on a store that answers later"}`, () => {
    it.live("commits nothing more, is interrupted with LockLost, and the next in line goes on (bad case 11)", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* twoProcesses(isSync)
          const holds = yield* Deferred.make<void>()
          const paused = yield* Deferred.make<void>()
          const holder = yield* Effect.forkChild(
            tree
              .write("/a")
              .withLock(
                Effect.gen(function* () {
                  yield* value.set(1)
                  yield* Deferred.succeed(holds, undefined)
                  yield* Deferred.await(paused)
                  // It wakes after its session is gone: neither a read-only nor a writing transaction may succeed.
                  yield* value.set(2)
                  yield* writes.add(1)
                  return "went on"
                })
              )
              .pipe(Effect.exit, Effect.provideContext(a))
          )
          yield* Deferred.await(holds)
          const sid = yield* Effect.provideContext(removeSession, a)
          const next = yield* Effect.forkChild(tree.write("/a").withLock(value.get).pipe(Effect.provideContext(b)))
          assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
          assert.strictEqual(yield* Fiber.join(next), 1)
          yield* Deferred.succeed(paused, undefined)
          const exit = yield* Fiber.join(holder)
          assert.isTrue(Exit.isFailure(exit))
          assert.include(String(Exit.isFailure(exit) && exit.cause), "LockLost")
          assert.strictEqual(yield* Effect.provideContext(value.get, b), 1)
          assert.strictEqual(yield* Effect.provideContext(writes.get, b), 0)
          assert.deepStrictEqual(yield* Effect.provideContext(tree.standings, b), [])
        })
      )
    )

    it.live("a waiter that was taken for dead leaves the line (bad case 18), and asks anew", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* twoProcesses(isSync)
          const gate = yield* Deferred.make<void>()
          const holder = yield* Effect.forkChild(
            tree.write("/a").withLock(Deferred.await(gate)).pipe(Effect.provideContext(b))
          )
          while ((yield* Effect.provideContext(tree.standings, b)).length < 2) yield* Effect.sleep(1)
          const waiter = yield* Effect.forkChild(
            tree.write("/a").withLock(Effect.void).pipe(Effect.exit, Effect.provideContext(a))
          )
          while ((yield* Effect.provideContext(tree.standings, b)).length < 4) yield* Effect.sleep(1)
          const sid = yield* Effect.provideContext(removeSession, a)
          yield* Effect.provideContext(takeForDead(sid), b)
          assert.strictEqual((yield* Effect.provideContext(tree.standings, b)).length, 2)
          assert.include(String(yield* Fiber.join(waiter)), "LockLost")
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(holder)
          assert.strictEqual(yield* tree.write("/a").withLock(Effect.succeed(7)).pipe(Effect.provideContext(a)), 7)
        })
      )
    )

    it.live("transactions that began before the loss and end after it do not commit", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* twoProcesses(isSync)
          const inside = yield* Deferred.make<void>()
          const go = yield* Deferred.make<void>()
          const { transact } = yield* Effect.promise(() => import("../../src/Tx.ts"))
          const holder = yield* Effect.forkChild(
            tree
              .write("/a")
              .withLock(
                transact(
                  Effect.gen(function* () {
                    yield* value.set((yield* value.get) + 10)
                    yield* Deferred.succeed(inside, undefined)
                    yield* Deferred.await(go)
                  })
                )
              )
              .pipe(Effect.exit, Effect.provideContext(a))
          )
          yield* Deferred.await(inside)
          const sid = yield* Effect.provideContext(removeSession, a)
          yield* Effect.provideContext(takeForDead(sid), b)
          yield* Deferred.succeed(go, undefined)
          assert.include(String(yield* Fiber.join(holder)), "LockLost")
          assert.strictEqual(yield* Effect.provideContext(value.get, b), 0)
        })
      )
    )
  })
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
