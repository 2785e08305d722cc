/** How many waiters a release wakes. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { AnyLock } from "../../src/LockModel.ts"
import { Store } from "../../src/Store.ts"

/**
 * Lets `writers` fibers of this process wait for one lock of a store, then releases them one after the other. What every
 * release woke, in turn. `standing` counts requests that are in line.
 */
export const wakeUpsPerRelease = (
  lock: AnyLock<Store>,
  options: { readonly writers: number; readonly standing: Effect.Effect<number, unknown, Store> }
): Effect.Effect<ReadonlyArray<number>, unknown, Store> =>
  Effect.gen(function* () {
    const { engine } = yield* Store
    const { waiters } = engine
    const woken: Array<number> = []
    let before = 0
    const gate = yield* Deferred.make<void>()
    const holds = yield* Deferred.make<void>()
    const holder = yield* Effect.forkChild(
      lock.withLock(Effect.andThen(Deferred.succeed(holds, undefined), Deferred.await(gate)))
    )
    yield* Deferred.await(holds)
    const inLine = Effect.gen(function* () {
      while ((yield* options.standing) < options.writers + 1 || waiters.size < options.writers) yield* Effect.sleep(1)
    })
    const fibers = yield* Effect.forEach(Array.from({ length: options.writers }), () =>
      Effect.forkChild(
        lock.withLock(
          Effect.sync(() => {
            woken.push(waiters.wakeUps - before)
            before = waiters.wakeUps
          })
        )
      )
    )
    yield* inLine
    before = waiters.wakeUps
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(holder)
    for (const fiber of fibers) yield* Fiber.join(fiber)
    return woken
  })
