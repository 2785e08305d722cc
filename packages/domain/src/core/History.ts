/**
 * Older states of keys, kept for open snapshots alone. Pure (mutable).
 *
 * Each key has a slot with its present cell and a chain of older states. A state is kept when it is replaced only if the
 * newest open snapshot can still see it: one comparison. States die in the order in which they were replaced, as the
 * oldest open snapshot moves on: one queue. With no snapshot open nothing is kept.
 */
import type { Cell } from "./Commit.ts"
import type { Key } from "./Key.ts"
import type { Version } from "./Version.ts"

/** A key's present cell, the version that made it so, and older states. */
export class Slot {
  readonly key: Key
  /** `undefined`: absent, since `changed`. */
  cell: Cell | undefined
  /** Version of the last commit that changed it. */
  changed: Version
  past: Past | undefined
  /** Whether it waits in the machine's queue of absent keys. */
  isQueued = false

  constructor(key: Key, cell: Cell | undefined, changed: Version) {
    this.key = key
    this.cell = cell
    this.changed = changed
    this.past = undefined
  }
}

/** A state that was replaced at `until`. */
class Past {
  readonly slot: Slot
  cell: Cell | undefined
  readonly changed: Version
  readonly until: Version
  prev: Past | undefined

  constructor(slot: Slot, until: Version, prev: Past | undefined) {
    this.slot = slot
    this.cell = slot.cell
    this.changed = slot.changed
    this.until = until
    this.prev = prev
  }
}

/** Called with a slot whose last older state went. */
export type OnDropped = (slot: Slot) => void

export class History {
  /** Greatest number of older states kept, and of bytes in their values; beyond it the oldest snapshot is cut. */
  private readonly statesMax: number
  private readonly bytesMax: number
  private bytes = 0
  private readonly onDropped: OnDropped
  /** Open snapshots, rising, from `head` on; how often each is open. Closed ones within have count 0. */
  private versions: Array<Version> = []
  private counts: Array<number> = []
  private head = 0
  /** Older states in the order of `until`, from `first` on. */
  private states: Array<Past> = []
  private first = 0

  constructor(statesMax: number, bytesMax: number, onDropped: OnDropped) {
    this.statesMax = statesMax
    this.bytesMax = bytesMax
    this.onDropped = onDropped
  }

  /** Snapshots that are open (different versions). */
  get open(): number {
    return this.versions.length - this.head
  }

  get kept(): number {
    return this.states.length - this.first
  }

  openSnapshot(version: Version): void {
    const last = this.versions.length - 1
    if (last >= this.head && this.versions[last] === version) this.counts[last]!++
    else {
      this.versions.push(version)
      this.counts.push(1)
    }
  }

  holds(at: Version): boolean {
    const i = this.find(at)
    return i >= 0 && this.counts[i]! > 0
  }

  closeSnapshot(at: Version): void {
    const i = this.find(at)
    if (i < 0 || this.counts[i] === 0) return
    this.counts[i]!--
    if (this.counts[i]! > 0) return
    while (this.versions.length > this.head && this.counts[this.counts.length - 1] === 0) {
      this.versions.pop()
      this.counts.pop()
    }
    while (this.head < this.versions.length && this.counts[this.head] === 0) this.head++
    if (this.head === this.versions.length) {
      this.head = 0
      this.versions.length = 0
      this.counts.length = 0
    } else if (this.head > 64 && this.head * 2 > this.versions.length) {
      this.versions = this.versions.slice(this.head)
      this.counts = this.counts.slice(this.head)
      this.head = 0
    }
    if (this.first < this.states.length) this.drop()
  }

  /** Closes every snapshot: what they saw may not be part of the store's present life. */
  clear(): void {
    this.head = 0
    this.versions.length = 0
    this.counts.length = 0
    this.drop()
  }

  /** To be called before `slot` changes at version `until`: keeps its present state if an open snapshot sees it. */
  replace(slot: Slot, until: Version): void {
    const last = this.versions.length - 1
    if (last < this.head) {
      slot.past = undefined
      return
    }
    if (this.versions[last]! < slot.changed) return
    const state = new Past(slot, until, slot.past)
    slot.past = state
    this.states.push(state)
    if (slot.cell !== undefined) this.bytes += slot.cell.value.size
    if (this.states.length - this.first > this.statesMax || this.bytes > this.bytesMax) this.cut()
  }

  private cut(): void {
    this.head++
    while (this.head < this.versions.length && this.counts[this.head] === 0) this.head++
    this.drop()
  }

  /** Drops the states that no open snapshot sees any more. */
  private drop(): void {
    const oldest = this.head < this.versions.length ? this.versions[this.head]! : Infinity
    const { states } = this
    while (this.first < states.length && states[this.first]!.until <= oldest) {
      const state = states[this.first++]!
      // A newer state may still point here; it finds nothing, and is never asked for so old a version.
      if (state.cell !== undefined) this.bytes -= state.cell.value.size
      state.cell = undefined
      state.prev = undefined
      if (state.slot.past === state) {
        state.slot.past = undefined
        this.onDropped(state.slot)
      }
    }
    if (this.first === states.length) {
      states.length = 0
      this.first = 0
    } else if (this.first > 1024 && this.first * 2 > states.length) {
      this.states = states.slice(this.first)
      this.first = 0
    }
  }

  private find(at: Version): number {
    let low = this.head
    let high = this.versions.length - 1
    if (high >= low && this.versions[high] === at) return high
    while (low <= high) {
      const middle = (low + high) >>> 1
      const version = this.versions[middle]!
      if (version === at) return middle
      if (version < at) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

/** The cell of a slot as of `at`, which must be held. */
export const cellAt = (slot: Slot, at: Version): Cell | undefined => {
  if (slot.changed <= at) return slot.cell
  let state = slot.past
  while (state !== undefined && state.changed > at) state = state.prev
  return state?.cell
}
