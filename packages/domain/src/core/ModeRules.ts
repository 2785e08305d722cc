/**
 * Locks by user-defined modes: a queue of requests, each in a mode, and per mode a function that says whether it goes
 * together with what is held. Strictly first come, first served: a request that could be granted but stands behind one that
 * waits, waits. Mutex, read-write lock and semaphore are a mode or two each. Pure.
 */

/** What is held, as a compatibility function sees it. */
export interface Holds<in M extends string = string> {
  /** Requests that hold in a mode. */
  readonly count: (mode: M) => number
  /** Sum of their weights. */
  readonly weight: (mode: M) => number
  /** Requests that hold, in any mode. */
  readonly total: number
}

/**
 * Whether a request of `weight` in this mode may be granted beside what is held. Asked once per request and change of what
 * is held, when everyone before it is granted. It must say the same in all processes that share the lock.
 */
export type Compatible<out M extends string = string> = (holds: Holds<M>, weight: number) => boolean

/** The modes of a lock by name. */
export type Modes<M extends string = string> = { readonly [K in M]: Compatible<M> }

/** One request in the queue of a lock, in the order of their stamps. */
export interface Place<Id> {
  readonly id: Id
  readonly mode: string
  readonly weight: number
  readonly granted: boolean
  /** Requests of this same lock that the flow held when it asked. */
  readonly holding: ReadonlyArray<Id>
}

/** What is held, counted. */
export class Tally implements Holds {
  private readonly counts = new Map<string, number>()
  private readonly weights = new Map<string, number>()
  total = 0

  count = (mode: string): number => this.counts.get(mode) ?? 0
  weight = (mode: string): number => this.weights.get(mode) ?? 0

  add(mode: string, weight: number): void {
    this.counts.set(mode, this.count(mode) + 1)
    this.weights.set(mode, this.weight(mode) + weight)
    this.total++
  }

  remove(mode: string, weight: number): void {
    this.counts.set(mode, this.count(mode) - 1)
    this.weights.set(mode, this.weight(mode) - weight)
    this.total--
  }
}

/** What a set of requests holds together. */
export const tally = (holders: Iterable<{ readonly mode: string; readonly weight: number }>): Tally => {
  const holds = new Tally()
  for (const { mode, weight } of holders) holds.add(mode, weight)
  return holds
}

/**
 * Whether a request that waits while its own flow holds this lock will never be granted, and is the one to give way: the
 * youngest of those in that situation. Supposes the best: everyone who holds and does not wait here gives back, and so on
 * until nothing moves (Holt 1972, "Some deadlock properties of computer systems"). What throws is taken for a "no".
 *
 * Cost: (requests) x (rounds), for nested requests that wait alone.
 */
export const mustGiveWay = <Id>(queue: ReadonlyArray<Place<Id>>, modes: Modes, id: Id): boolean => {
  let left = queue
  for (let moved = true; moved;) {
    const stuck = new Set(left.flatMap((place) => (place.granted ? [] : place.holding)))
    const kept = left.filter((place) => !place.granted || stuck.has(place.id))
    const next = grantFromHead(kept, modes)
    moved = kept.length < left.length || next.some((place, i) => place.granted !== kept[i]!.granted)
    left = next
  }
  return left.findLast((place) => !place.granted && place.holding.length > 0)?.id === id
}

const grantFromHead = <Id>(queue: ReadonlyArray<Place<Id>>, modes: Modes): ReadonlyArray<Place<Id>> => {
  const holds = new Tally()
  let isOpen = true
  return queue.map((place) => {
    if (!isOpen) return place
    if (!place.granted && !isCompatible(modes, place, holds)) {
      isOpen = false
      return place
    }
    holds.add(place.mode, place.weight)
    return place.granted ? place : { ...place, granted: true }
  })
}

const isCompatible = (modes: Modes, { mode, weight }: Place<unknown>, holds: Holds): boolean => {
  try {
    return modes[mode]?.(holds, weight) ?? false
  } catch {
    return false
  }
}

/** Names a definition, so that two processes that give one lock other modes notice. */
export const definitionOf = (modes: Modes): string => Object.keys(modes).toSorted().join(" ")
