/**
 * `Tx.retry`: wait until something the attempt read has changed since its snapshot, never since "now", so that a change
 * between the read and the wait wakes too; and not for anything else.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { StoreError } from "../StoreError.ts"
import { AsyncReader } from "./AsyncReader.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"
import { hasOrigins } from "./Pending.ts"
import { SyncReader } from "./Reader.ts"
import type { Waiter } from "./Waiters.ts"

/** Pause between tries to look again after a gap while the store is away, in milliseconds. */
const gapRetryMillis = 50

/** A blocked attempt. */
export interface AttemptWaiter extends Waiter {
  readonly attempt: Attempt
  version: number
}

/** Whether nothing can ever end a wait of this attempt: it read nothing, and nothing becomes visible by time alone. */
export const waitsForNothing = ({ journal, wakeMillis }: Attempt): boolean =>
  wakeMillis === Number.POSITIVE_INFINITY &&
  journal.ranges === undefined &&
  !journal.entries.some((entry) => entry.read)

/** Ends when something read has changed. All requests that the attempt stands on must be resolved. */
export const waitForChange = (engine: Engine, attempt: Attempt): Effect.Effect<void, StoreError> => {
  const wait = forChange(engine, attempt)
  if (attempt.wakeMillis === Number.POSITIVE_INFINITY) return wait
  // Something becomes visible by time alone (`TxView.wakeAt`): the wait ends then at the latest.
  const left = Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, attempt.wakeMillis - now))
  return Effect.raceFirst(wait, Effect.flatMap(left, Effect.sleep))
}

const forChange = (engine: Engine, attempt: Attempt): Effect.Effect<void, StoreError> => {
  if (attempt.version < 0) return Effect.never
  const { reader } = engine
  return reader instanceof AsyncReader ? waitOnFeed(engine, reader, attempt) : waitInMemory(engine, attempt)
}

const waiterOf = (attempt: Attempt, version: number, wake: () => void): AttemptWaiter => ({
  attempt,
  keys: attempt.journal.entries.filter((entry) => entry.read).map((entry) => entry.key),
  ranges: attempt.journal.ranges ?? [],
  version,
  wake
})

const waitInMemory = (engine: Engine, attempt: Attempt): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // The look and the registration are one step, so no change falls between them.
    if (engine.reader instanceof SyncReader && engine.reader.isChanged(attempt)) {
      resume(Effect.void)
      return undefined
    }
    engine.watchChanges()
    const waiter = waiterOf(attempt, engine.sync!.version(), () => resume(Effect.void))
    engine.waiters.add(waiter)
    return Effect.sync(() => {
      engine.waiters.remove(waiter)
    })
  })

const waitOnFeed = (engine: Engine, reader: AsyncReader, attempt: Attempt): Effect.Effect<void, StoreError> =>
  Effect.suspend(() => {
    const feed = engine.feed!
    feed.start(attempt.version)
    if (!hasOrigins(attempt)) {
      const isChanged = feed.hasTouched(attempt, attempt.version)
      if (isChanged === true) return Effect.void
      if (isChanged === false) return sleepUntilTold(engine, attempt, Math.max(attempt.version, feed.position))
    }
    // The feed does not remember what was told since the snapshot: one look at the store tells, and moves the snapshot.
    return Effect.flatMap(reader.checkRead(attempt), (reply) =>
      reply === undefined ? Effect.void : waitOnFeed(engine, reader, attempt)
    )
  })

const sleepUntilTold = (engine: Engine, attempt: Attempt, version: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const waiter = waiterOf(attempt, version, () => resume(Effect.void))
    engine.waiters.add(waiter)
    return Effect.sync(() => {
      engine.waiters.remove(waiter)
    })
  })

/** After a gap in the feed: each waiter's read set is compared with the store; those that changed wake. */
export const lookAgain = (engine: Engine): Effect.Effect<void> =>
  Effect.forEach(
    engine.waiters.snapshot(),
    (waiter) => {
      const { reader } = engine
      // Only `waiterOf` makes waiters.
      const blocked = waiter as AttemptWaiter
      if (!(reader instanceof AsyncReader)) return Effect.void
      return Effect.map(Effect.retry(reader.checkRead(blocked.attempt), Schedule.spaced(gapRetryMillis)), (reply) => {
        if (reply === undefined) engine.waiters.wakeNow(blocked)
        else blocked.version = reply.version
      })
    },
    { discard: true, concurrency: 16 }
  ).pipe(
    Effect.catchCause(() =>
      Effect.sync(() => engine.waiters.snapshot().forEach((waiter) => engine.waiters.wakeNow(waiter)))
    )
  )
