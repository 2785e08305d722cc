/**
 * All cells of a store in memory: by key, in order, and as open snapshots see them. Pure (mutable).
 *
 * Layout: one map of slots by key; present keys also in order; keys that are absent now but present in an open snapshot
 * in a second order, so that reading the present never meets them. Slots of absent keys stay in the map for a while: V8
 * slows down by a factor of 60 on a key that is deleted and set again and again while others are held.
 *
 * Invariants: a slot is in `present` exactly when its cell is there; in `buried` exactly when its cell is absent and it
 * has a past; in `absent` when `isQueued`.
 */
import type { Cell, Entry, Range } from "./Commit.ts"
import { cellAt, History, Slot } from "./History.ts"
import type { Key } from "./Key.ts"
import { OrderedKeys } from "./OrderedKeys.ts"
import type { Version } from "./Version.ts"

/** Older states kept for open snapshots unless said otherwise. */
export const historyStatesDefault = 200_000

/** Bytes in the values of older states kept for open snapshots unless said otherwise: 256 MiB. */
export const historyBytesDefault = 256 * 1024 * 1024

/** Slots of absent keys kept beyond a quarter of the present ones. */
const absentMin = 1024

const nothing: ReadonlyArray<Entry> = []

export class Cells {
  private readonly slots = new Map<Key, Slot>()
  private readonly present = new OrderedKeys<Slot>()
  /** Absent now, present in an open snapshot. */
  private readonly buried = new OrderedKeys<Slot>()
  /** Slots that were absent when they were put here, to be removed from the map. */
  private absent: Array<Slot> = []
  /** Length of `absent` at which it is looked through again. */
  private sweepAt = absentMin
  readonly history: History

  constructor(historyStates: number, historyBytes: number) {
    this.history = new History(historyStates, historyBytes, (slot) => {
      if (slot.cell === undefined) this.buried.remove(slot.key)
    })
  }

  /** Present keys. */
  get size(): number {
    return this.present.size
  }

  /** Slots in the map, those of absent keys included. */
  get held(): number {
    return this.slots.size
  }

  slot(key: Key): Slot | undefined {
    return this.slots.get(key)
  }

  range({ end, limit, reverse, start }: Range): ReadonlyArray<Entry> {
    const found: Array<Entry> = []
    const max = limit ?? Infinity
    if (max <= 0) return found
    if (max === 1 && reverse !== true) {
      // Most looks are for the first: an array that grows has room for 17.
      const slot = this.present.first(start, end)
      return slot === undefined ? nothing : [{ key: slot.key, cell: slot.cell! }]
    }
    const visit = (slot: Slot): boolean => found.push({ key: slot.key, cell: slot.cell! }) < max
    if (reverse === true) this.present.forEachReverse(start, end, visit)
    else this.present.forEach(start, end, visit)
    return found
  }

  /** Visits the present slots of [start, end) in order until `visit` returns false. */
  forEach(start: Key, end: Key, visit: (slot: Slot) => boolean): void {
    this.present.forEach(start, end, visit)
  }

  /** As `range`, at a version that is held. */
  rangeAt({ end, limit, reverse, start }: Range, at: Version): ReadonlyArray<Entry> {
    const found: Array<Entry> = []
    const max = limit ?? Infinity
    if (max <= 0) return found
    const visit = (slot: Slot): boolean => {
      const cell = cellAt(slot, at)
      return cell === undefined || found.push({ key: slot.key, cell }) < max
    }
    const order = this.buried.size === 0 ? this.present : new Merged(this.present, this.buried)
    if (reverse === true) order.forEachReverse(start, end, visit)
    else order.forEach(start, end, visit)
    return found
  }

  /** Sets the state of a key at `version`. `slot` is that of the key, if there is one. */
  put(key: Key, slot: Slot | undefined, cell: Cell | undefined, version: Version): void {
    if (slot === undefined) {
      if (cell === undefined) return
      const made = new Slot(key, cell, version)
      this.slots.set(key, made)
      this.present.insert(key, made)
      return
    }
    const was = slot.cell
    this.history.replace(slot, version)
    slot.cell = cell
    slot.changed = version
    if (was === undefined) {
      if (cell !== undefined) this.appear(slot)
    } else if (cell === undefined) this.vanish(slot)
  }

  private appear(slot: Slot): void {
    if (this.buried.size > 0) this.buried.remove(slot.key)
    this.present.insert(slot.key, slot)
  }

  private vanish(slot: Slot): void {
    this.present.remove(slot.key)
    if (slot.past !== undefined) this.buried.insert(slot.key, slot)
    if (slot.isQueued) return
    slot.isQueued = true
    this.absent.push(slot)
  }

  /** Removes slots of keys that have been absent longest, when there are many. Amortised O(1) per deletion. */
  sweep(): void {
    if (this.absent.length <= this.sweepAt) return
    const { absent } = this
    const stay: Array<Slot> = []
    const end = absent.length - (this.sweepAt >>> 1)
    for (let i = 0; i < end; i++) {
      const slot = absent[i]!
      if (slot.cell !== undefined) slot.isQueued = false
      else if (slot.past === undefined) this.slots.delete(slot.key)
      else stay.push(slot)
    }
    // What an open snapshot still sees waits for another turn, behind the others.
    this.absent = absent.slice(end).concat(stay)
    this.sweepAt = Math.max(absentMin + (this.present.size >>> 2), 2 * this.absent.length)
  }
}

/** Two disjoint orders as one. */
class Merged {
  private readonly a: OrderedKeys<Slot>
  private readonly b: OrderedKeys<Slot>

  constructor(a: OrderedKeys<Slot>, b: OrderedKeys<Slot>) {
    this.a = a
    this.b = b
  }

  forEach(start: Key, end: Key, visit: (slot: Slot) => boolean): void {
    let from = start
    let isEnded = false
    this.b.forEach(start, end, (buried) => {
      this.a.forEach(from, buried.key, (slot) => {
        isEnded = !visit(slot)
        return !isEnded
      })
      from = buried.key
      if (!isEnded) isEnded = !visit(buried)
      return !isEnded
    })
    if (!isEnded) this.a.forEach(from, end, visit)
  }

  forEachReverse(start: Key, end: Key, visit: (slot: Slot) => boolean): void {
    let to = end
    let isEnded = false
    this.b.forEachReverse(start, end, (buried) => {
      this.a.forEachReverse(buried.key, to, (slot) => {
        isEnded = !visit(slot)
        return !isEnded
      })
      to = buried.key
      if (!isEnded) isEnded = !visit(buried)
      return !isEnded
    })
    if (!isEnded) this.a.forEachReverse(start, to, visit)
  }
}
