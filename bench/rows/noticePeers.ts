/** Peers of row 22: how long Effect's own signals take from a write to the fiber that waits for it. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TxRef from "effect/TxRef"
import { latencies, type Subject } from "../lib.ts"

/** Rounds that warm up before those that count. */
const WARM_UP_ROUNDS = 2000

/** What a watcher calls with each value it sees. */
export type Seen = (value: number) => void

/**
 * Writes 1, 2, 3 ... and takes for each the time until the watcher has seen it, one at a time. `watch` runs for ever in a
 * fiber of its own and sees the newest value, also the one that is there when it starts.
 */
export const rounds = <E, R>(
  options: {
    readonly watch: (seen: Seen) => Effect.Effect<unknown, E, R>
    readonly write: (value: number) => Effect.Effect<unknown, E, R>
  },
  seconds: number
) =>
  Effect.gen(function* () {
    const millis: Array<number> = []
    let newest = 0
    let resume: (() => void) | undefined
    const watcher = yield* Effect.forkChild(
      options.watch((value) => {
        newest = value
        resume?.()
      })
    )
    const seen = (value: number) =>
      Effect.callback<void>((done) => {
        if (newest >= value) return done(Effect.void)
        resume = () => {
          if (newest < value) return
          resume = undefined
          done(Effect.void)
        }
      })
    // Lets the watcher subscribe before the first write.
    for (let i = 0; i < 100; i++) yield* Effect.yieldNow
    let end = Number.POSITIVE_INFINITY
    for (let value = 1; performance.now() < end; value++) {
      if (value === WARM_UP_ROUNDS) end = performance.now() + seconds * 1000
      const started = performance.now()
      yield* options.write(value)
      yield* seen(value)
      if (value >= WARM_UP_ROUNDS) millis.push(performance.now() - started)
    }
    yield* Fiber.interrupt(watcher)
    return latencies(millis)
  })

export const subscriptionRef: Subject = {
  name: "SubscriptionRef.set to a fiber on its changes",
  run: (seconds) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const ref = yield* SubscriptionRef.make(0)
        return yield* rounds(
          {
            watch: (seen) => Stream.runForEach(SubscriptionRef.changes(ref), (value) => Effect.sync(() => seen(value))),
            write: (value) => SubscriptionRef.set(ref, value)
          },
          seconds
        )
      })
    )
}

export const txRetry: Subject = {
  name: "TxRef.set to a fiber in Effect.txRetry",
  run: (seconds) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const ref = TxRef.makeUnsafe(0)
        const waitAbove = (last: number) =>
          Effect.tx(
            Effect.gen(function* () {
              const value = yield* TxRef.get(ref)
              return value > last ? value : yield* Effect.txRetry
            })
          )
        const watch = (seen: Seen) =>
          Effect.gen(function* () {
            let last = 0
            while (true) {
              last = yield* waitAbove(last)
              seen(last)
            }
          })
        return yield* rounds({ watch, write: (value) => TxRef.set(ref, value) }, seconds)
      })
    )
}
