/**
 * Coordination in a store, across processes: `Coordination.mutex("nightly").withLock(work)`. The words are in
 * `CoordinationModel.ts`; `LocalCoordination.make` is the form of one process, without a store.
 *
 * What is done under a lock of any kind is safe under pauses: every transaction inside it has the record of its request in
 * its read set. Costs and how each is kept: docs/COORDINATION.md.
 */
import type { Coordination } from "./CoordinationModel.ts"
import { mutexOf, permitModes, readWriteLockOf, semaphoreOf } from "./internal/coordinating.ts"
import { waitersMax as waitersMaxDefault } from "./internal/lockErrors.ts"
import { StoreBarrier, StoreElection, StoreLatch } from "./internal/StoreGatherings.ts"
import { StoreModeLock } from "./internal/StoreModes.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import { Store } from "./Store.ts"
import * as StoreLock from "./StoreLock.ts"

export type * from "./CoordinationModel.ts"

export interface Options<Id = Store> {
  /** The store that it lives in: that of the data it guards. Default: `Store`. */
  readonly store?: StoreKey<Id> | undefined
  /** Most requests that may wait at once, over all processes of the store, for one lock with modes, and for all mutexes and read-write locks together; the next one fails with `LimitExceeded`. 100,000 when left out. */
  readonly waitersMax?: number | undefined
}

/** Coordination in a store. Names are one namespace for all processes on it. */
export const make = <Id = Store>(options: Options<Id> = {}): Coordination<Id> => {
  // Without a store among the options, Id is Store.
  const store = options.store ?? (Store as StoreKey<any>)
  const waitersMax = options.waitersMax ?? waitersMaxDefault
  const tree = StoreLock.make("coordination", { store, waitersMax })
  const elections = StoreLock.make("elections", { store, waitersMax })
  return {
    mutex: (name, asked) => mutexOf(tree, name, asked),
    readWriteLock: (name, asked) => readWriteLockOf(tree, name, asked),
    semaphore: (name, { permits }) => {
      const definition = `${permits} permits`
      return semaphoreOf(
        new StoreModeLock(name, "semaphore", permitModes(permits), { store, waitersMax, definition }),
        permits
      )
    },
    modes: (name, modes) => new StoreModeLock(name, "lock with modes", modes, { store, waitersMax }),
    latch: (name, { count }) => new StoreLatch(name, count, store),
    barrier: (name, { parties }) => new StoreBarrier(name, parties, store),
    election: (name) => new StoreElection(name, elections, store)
  }
}

const { barrier, election, latch, modes, mutex, readWriteLock, semaphore } = make()
export { barrier, election, latch, modes, mutex, readWriteLock, semaphore }
