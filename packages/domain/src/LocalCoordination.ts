/**
 * Coordination of one process, without a store: `LocalLock` and `ModeQueue` with fibers that wait. The same words and the
 * same suite as the form in a store (`Coordination.ts`).
 */
import type { Coordination } from "./CoordinationModel.ts"
import { mutexOf, permitModes, readWriteLockOf, semaphoreOf } from "./internal/coordinating.ts"
import * as Gatherings from "./internal/LocalGatherings.ts"
import { LocalModeLock, Queues } from "./internal/LocalModes.ts"
import { waitersMax as waitersMaxDefault } from "./internal/lockErrors.ts"
import * as LocalLock from "./LocalLock.ts"

export interface Options {
  /**
   * Requests that may wait at once: for one lock with modes or semaphore, and for all mutexes and read-write locks
   * together. The next one fails with `LimitExceeded`. 100,000 when left out.
   */
  readonly waitersMax?: number | undefined
}

/**
 * Coordination in this process. Two of them know nothing of each other; names count within one. Names of latches, barriers
 * and elections are remembered as long as it is: a few numbers each.
 */
export const make = ({ waitersMax = waitersMaxDefault }: Options = {}): Coordination => {
  const tree = LocalLock.make("coordination", { waitersMax })
  const elections = LocalLock.make("elections", { waitersMax })
  const queues = new Queues()
  const latches = new Map<string, Gatherings.Counted>()
  const barriers = new Map<string, Gatherings.Arrivals>()
  const terms = new Map<string, Gatherings.TermRegister>()
  return {
    mutex: (name, options) => mutexOf(tree, name, options),
    readWriteLock: (name, options) => readWriteLockOf(tree, name, options),
    semaphore: (name, { permits }) =>
      semaphoreOf(
        new LocalModeLock(name, "semaphore", permitModes(permits), {
          queues,
          waitersMax,
          definition: `${permits} permits`
        }),
        permits
      ),
    modes: (name, modes) => new LocalModeLock(name, "lock with modes", modes, { queues, waitersMax }),
    latch: (name, { count }) => new Gatherings.LocalLatch(name, count, at(latches, name, Gatherings.Counted)),
    barrier: (name, { parties }) => new Gatherings.LocalBarrier(name, parties, at(barriers, name, Gatherings.Arrivals)),
    election: (name) => new Gatherings.LocalElection(name, elections, at(terms, name, Gatherings.TermRegister))
  }
}

const at = <V>(map: Map<string, V>, name: string, Kind: new () => V): V => {
  let value = map.get(name)
  if (value === undefined) map.set(name, (value = new Kind()))
  return value
}
