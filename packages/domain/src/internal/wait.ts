/**
 * `Tx.retry`: wait until something the attempt read has changed since its snapshot, never since "now", so that a change
 * between the read and the wait wakes too.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../StoreError.ts"
import type { Attempt } from "./Attempt.ts"
import { SyncReader } from "./Reader.ts"
import type { Transacting } from "./Transacting.ts"
import type { Waiter } from "./Waiters.ts"

export const waitForChange = (transacting: Transacting, attempt: Attempt): Effect.Effect<void, StoreError> => {
  const wait = forChange(transacting, attempt)
  if (attempt.wakeMillis === Number.POSITIVE_INFINITY) return wait
  // Something becomes visible by time alone (`TxView.wakeAt`): the wait ends then at the latest.
  const millis = Math.max(0, attempt.wakeMillis - transacting.clock().currentTimeMillisUnsafe())
  return Effect.raceFirst(wait, Effect.sleep(millis))
}

const forChange = (transacting: Transacting, attempt: Attempt): Effect.Effect<void, StoreError> => {
  const { engine } = transacting
  return Effect.callback<void>((resume) => {
    const { reader } = engine
    if (reader instanceof SyncReader && reader.isChanged(attempt)) {
      resume(Effect.void)
      return undefined
    }
    engine.watchChanges()
    const waiter: Waiter = {
      keys: attempt.journal.entries.filter((entry) => entry.read).map((entry) => entry.key),
      ranges: attempt.journal.ranges ?? [],
      version: engine.sync!.version(),
      wake: () => resume(Effect.void)
    }
    engine.waiters.add(waiter)
    return Effect.sync(() => {
      engine.waiters.remove(waiter)
    })
  })
}
