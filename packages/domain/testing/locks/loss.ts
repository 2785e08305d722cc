/**
 * What a lock in a store is worth when its holder is taken for dead: bad cases 11, 12 and 18, and fenced transactions. Any
 * store: `LockSuite.lossSuite("mine", { processes })`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "@effect/vitest"
import * as DCounter from "../../src/DCounter.ts"
import * as DRef from "../../src/DRef.ts"
import * as Lock from "../../src/Lock.ts"
import * as Sessions from "../../src/Sessions.ts"
import { Store } from "../../src/Store.ts"
import { transact } from "../../src/Tx.ts"

export interface LossOptions {
  /** Two engines, as of two processes, on one store of its own. */
  readonly processes: Effect.Effect<readonly [Context.Context<Store>, Context.Context<Store>], unknown, Scope.Scope>
}

const tree = Lock.make("desk")
const value = DRef.make("value", { value: Schema.Int, initial: 0 })
const writes = DCounter.make("writes")

/** What an observer does when a session has not moved for a lease. */
export const sessionId = Effect.gen(function* () {
  const session = yield* Sessions.current(Store)
  return session.id
})

/** Removes a session as an observer does that has seen no bump for a lease. */
export const takeForDead = (sid: string) =>
  Effect.gen(function* () {
    for (let bump = 0; bump < 10; bump++) if (yield* Sessions.remove(Store, sid, bump)) return true
    return false
  })

/** Registers the tests with vitest. */
export const lossTests = (name: string, options: LossOptions): void => {
  describe(name, () => {
    it.live("commits nothing more, is interrupted with LockLost, and the next in line goes on (bad case 11)", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* options.processes
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
          const sid = yield* Effect.provideContext(sessionId, a)
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
          const [a, b] = yield* options.processes
          const gate = yield* Deferred.make<void>()
          const holder = yield* Effect.forkChild(
            tree.write("/a").withLock(Deferred.await(gate)).pipe(Effect.provideContext(b))
          )
          while ((yield* Effect.provideContext(tree.standings, b)).length < 2) yield* Effect.sleep(1)
          const waiter = yield* Effect.forkChild(
            tree.write("/a").withLock(Effect.void).pipe(Effect.exit, Effect.provideContext(a))
          )
          while ((yield* Effect.provideContext(tree.standings, b)).length < 4) yield* Effect.sleep(1)
          const sid = yield* Effect.provideContext(sessionId, a)
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
          const [a, b] = yield* options.processes
          const inside = yield* Deferred.make<void>()
          const go = yield* Deferred.make<void>()
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
          const sid = yield* Effect.provideContext(sessionId, a)
          yield* Effect.provideContext(takeForDead(sid), b)
          yield* Deferred.succeed(go, undefined)
          assert.include(String(yield* Fiber.join(holder)), "LockLost")
          assert.strictEqual(yield* Effect.provideContext(value.get, b), 0)
        })
      )
    )

    finalizerTest(options)
    skewTest(options)
  })
}

const finalizerTest = (options: LossOptions): void => {
  it.live("a transaction that cannot be interrupted neither commits nor waits for ever when the lock is gone", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [a, b] = yield* options.processes
        const holds = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        const work = Effect.andThen(Deferred.succeed(holds, undefined), Deferred.await(go)).pipe(
          Effect.andThen(value.set(9)),
          Effect.uninterruptible,
          Effect.ensuring(Effect.ignore(writes.add(1)))
        )
        const holder = yield* Effect.forkChild(
          tree.write("/a").withLock(work).pipe(Effect.exit, Effect.provideContext(a))
        )
        yield* Deferred.await(holds)
        const sid = yield* Effect.provideContext(sessionId, a)
        assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
        yield* Deferred.succeed(go, undefined)
        assert.include(String(yield* Fiber.join(holder)), "LockLost")
        assert.strictEqual(yield* Effect.provideContext(value.get, b), 0)
        assert.strictEqual(yield* Effect.provideContext(writes.get, b), 0)
      })
    )
  )
}

/** A clock that is `millis` off and runs `rate` times as fast. */
const skewed = (millis: number, rate: number): Clock.Clock => {
  const real = Context.get(Context.empty(), Clock.Clock)
  const wall = () => real.currentTimeMillisUnsafe() + millis
  const monotonic = () => BigInt(Math.round(Number(real.monotonicTimeNanosUnsafe()) * rate))
  return {
    currentTimeMillisUnsafe: wall,
    currentTimeMillis: Effect.sync(wall),
    currentTimeNanosUnsafe: () => BigInt(wall()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(wall()) * 1_000_000n),
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) => real.sleep(Duration.times(duration, 1 / rate))
  }
}

const skewTest = (options: LossOptions): void => {
  it.live("clocks that differ by a day and by half again in rate grant nothing twice (bad case 12)", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [a, b] = yield* options.processes
        const lease = 800
        let inside = 0
        let most = 0
        const work = (millis: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => (most = Math.max(most, ++inside))),
            () => Effect.andThen(Effect.sleep(millis), writes.add(1)),
            () => Effect.sync(() => inside--)
          )
        const run = (context: Context.Context<Store>, clock: Clock.Clock, millis: number) =>
          tree
            .write("/a")
            .withLock(work(millis))
            .pipe(
              Effect.provideContext(context),
              Effect.provideService(Sessions.Lease, lease),
              Effect.provideService(Clock.Clock, clock)
            )
        // The first holds for two leases by its own slow clock, while the other, whose clock is fast, waits and observes.
        const slow = yield* Effect.forkChild(run(a, skewed(-86_400_000, 1), lease * 2))
        while (inside === 0) yield* Effect.sleep(5)
        const fast = yield* Effect.forkChild(run(b, skewed(86_400_000, 1.5), 1))
        yield* Fiber.join(slow)
        yield* Fiber.join(fast)
        assert.strictEqual(most, 1)
        assert.strictEqual(yield* Effect.provideContext(writes.get, b), 2)
      })
    )
  )
}
