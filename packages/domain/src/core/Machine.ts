/**
 * A store in memory: the machine that `apply` describes, made to be fast. Pure (mutable, deterministic: the same batches
 * from the same start give the same replies and the same state).
 *
 * In-process stores run it, the file store mirrors its rows in it, Raft replicates it. `commit` is `apply` and `install`.
 *
 * Layout: one map of slots by key; present keys also in order; keys that are absent now but present in an open snapshot
 * in a second order, so that reading the present never meets them. Slots of absent keys stay in the map for a while: V8
 * slows down by a factor of 60 on a key that is deleted and set again and again while others are held.
 */
import type { CommitId, CommitRecord, CommitRequest, Cell, Entry, KeyChange, Outcome, Range, Reply } from "./Commit.ts"
import type { Key } from "./Key.ts"
import * as Apply from "./Apply.ts"
import { cellAt, History, Slot } from "./History.ts"
import * as Limits from "./Limits.ts"
import { OrderedKeys } from "./OrderedKeys.ts"
import { Outcomes } from "./Outcomes.ts"
import { Recent } from "./Recent.ts"
import * as Version from "./Version.ts"

export interface Options {
  readonly limits?: Partial<Limits.Limits> | undefined
  /** The version to begin after: `Version.make(epoch, 0)` for a new epoch. */
  readonly version?: Version.Version | undefined
  /** Older states kept for open snapshots; beyond it the oldest snapshot is cut. */
  readonly historyStates?: number | undefined
}

/** Older states kept for open snapshots unless said otherwise. */
export const historyStatesDefault = 200_000

/** Slots of absent keys kept beyond a quarter of the present ones. */
const absentMin = 1024

export class Machine implements Apply.View {
  readonly limits: Limits.Limits
  version: Version.Version
  private readonly slots = new Map<Key, Slot>()
  private readonly present = new OrderedKeys<Slot>()
  /** Absent now, present in an open snapshot. */
  private readonly buried = new OrderedKeys<Slot>()
  /** Slots that were absent when they were put here, from `absentFirst` on, to be removed from the map. */
  private absent: Array<Slot> = []
  private absentFirst = 0
  private readonly history: History
  private readonly outcomes: Outcomes
  private recent: Recent
  private readonly listeners: Array<(record: CommitRecord) => void> = []
  /** Commits that are being told; more than one when a listener commits. */
  private readonly untold: Array<CommitRecord> = []

  constructor(options: Options = {}) {
    this.limits = Limits.make(options.limits)
    this.version = options.version ?? Version.none
    this.history = new History(options.historyStates ?? historyStatesDefault, (slot) => {
      if (slot.cell === undefined) this.buried.remove(slot.key)
    })
    this.outcomes = new Outcomes(this.limits)
    this.recent = new Recent(this.version, this.limits.recentCommits, this.limits.batchRequests)
  }

  get horizon(): Version.Version {
    return this.outcomes.horizon
  }

  /** Present keys. */
  get size(): number {
    return this.present.size
  }

  cell(key: Key): Cell | undefined {
    return this.slots.get(key)?.cell
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    return this.range({ start, end })
  }

  range({ end, limit, reverse, start }: Range): ReadonlyArray<Entry> {
    const found: Array<Entry> = []
    const max = limit ?? Infinity
    if (max <= 0) return found
    const visit = (slot: Slot): boolean => found.push({ key: slot.key, cell: slot.cell! }) < max
    if (reverse === true) this.present.forEachReverse(start, end, visit)
    else this.present.forEach(start, end, visit)
    return found
  }

  changed(start: Key, end: Key, since: Version.Version): boolean | undefined {
    return this.recent.remembers(since) ? this.recent.changed(start, end, since) : undefined
  }

  session(session: string): Apply.SessionView | undefined {
    return this.outcomes.session(session)
  }

  /** Applies a batch. */
  commit(batch: ReadonlyArray<CommitRequest>): ReadonlyArray<Reply> {
    const { delta, replies } = Apply.apply(this, batch)
    this.install(delta)
    return replies
  }

  /** Applies one request. */
  commitOne(request: CommitRequest): Reply {
    return this.commit([request])[0]!
  }

  /** Takes over what `apply` on this machine's present state said, for stores that write it down in between. */
  install(delta: Apply.Delta): void {
    const { recent } = this
    for (const { atMillis, changes, id, version } of delta.commits) {
      this.version = version
      for (const { after, key } of changes) this.put(key, after)
      recent.push(id, atMillis, changes)
    }
    const numbered = new Set(delta.commits.map((commit) => commit.version))
    for (const { committed, id, resolvedBelow, version } of delta.outcomes) {
      this.outcomes.record(
        id.session,
        id.sequence,
        resolvedBelow,
        committed,
        version,
        committed && numbered.has(version)
      )
    }
    this.endBatch()
    if (this.listeners.length > 0) for (const commit of delta.commits) this.tell(commit)
  }

  /** What became of an id; one never seen is rejected from now on. */
  outcome(id: CommitId): Outcome {
    const reply = this.commitOne(sealRequest(id, Version.none))
    if (reply._tag === "Committed") return { _tag: "Committed", version: reply.version }
    if (reply._tag === "Conflict") return { _tag: "Rejected" }
    return { _tag: "Forgotten" }
  }

  /** Holds the present version for `cellAt` and `rangeAt`. */
  openSnapshot(): Version.Version {
    this.history.openSnapshot(this.version)
    return this.version
  }

  closeSnapshot(at: Version.Version): void {
    this.history.closeSnapshot(at)
  }

  holds(at: Version.Version): boolean {
    return at === this.version || this.history.holds(at)
  }

  cellAt(key: Key, at: Version.Version): Cell | undefined {
    const slot = this.slots.get(key)
    if (at !== this.version) this.checkHeld(at)
    return slot === undefined ? undefined : cellAt(slot, at)
  }

  rangeAt(range: Range, at: Version.Version): ReadonlyArray<Entry> {
    if (at === this.version) return this.range(range)
    this.checkHeld(at)
    const { end, limit, reverse, start } = range
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

  /** Whether every commit after `since` is kept. */
  remembers(since: Version.Version): boolean {
    return this.recent.remembers(since)
  }

  /** What the commit at a kept version changed. */
  changesOf(version: Version.Version): ReadonlyArray<KeyChange> {
    return this.recent.changes(version)
  }

  /** The commit at a kept version. */
  record(version: Version.Version): CommitRecord {
    return this.recent.record(version)
  }

  /** Calls `listener` after each commit, in order. Returns its own removal. */
  watch(listener: (record: CommitRecord) => void): () => void {
    this.listeners.push(listener)
    return () => {
      const i = this.listeners.indexOf(listener)
      if (i >= 0) this.listeners.splice(i, 1)
    }
  }

  /** Goes on in a new epoch: bases of the old one are refused, snapshots are closed, recent commits are forgotten. */
  raiseEpoch(version: Version.Version = Version.nextEpoch(this.version)): void {
    if (Version.epochOf(version) <= Version.epochOf(this.version)) {
      throw new RangeError(`epoch ${Version.epochOf(version)} is not above ${Version.epochOf(this.version)}`)
    }
    this.version = version
    this.history.clear()
    this.recent = new Recent(version, this.limits.recentCommits, this.limits.batchRequests)
  }

  /** Tells the listeners in commit order, also when one of them commits. */
  private tell(record: CommitRecord): void {
    this.untold.push(record)
    if (this.untold.length > 1) return
    for (let i = 0; i < this.untold.length; i++) {
      for (const listener of [...this.listeners]) listener(this.untold[i]!)
    }
    this.untold.length = 0
  }

  private checkHeld(at: Version.Version): void {
    if (!this.history.holds(at)) {
      throw new RangeError(
        `version ${Version.format(at)} is not held by an open snapshot; the store is at ${Version.format(this.version)}`
      )
    }
  }

  /** Sets the state of a key at the present version. */
  private put(key: Key, cell: Cell | undefined): void {
    const slot = this.slots.get(key)
    if (slot === undefined) {
      if (cell === undefined) return
      const made = new Slot(key, cell, this.version)
      this.slots.set(key, made)
      this.present.insert(key, made)
      return
    }
    this.change(slot, cell)
  }

  private change(slot: Slot, cell: Cell | undefined): void {
    const { key } = slot
    const was = slot.cell
    this.history.replace(slot, this.version)
    slot.cell = cell
    slot.changed = this.version
    if (was === undefined) {
      if (cell === undefined) return
      this.buried.remove(key)
      this.present.insert(key, slot)
    } else if (cell === undefined) {
      this.present.remove(key)
      if (slot.past !== undefined) this.buried.insert(key, slot)
      if (!slot.isQueued) {
        slot.isQueued = true
        this.absent.push(slot)
      }
    }
  }

  private endBatch(): void {
    this.recent.trim()
    this.outcomes.trim()
    if (this.absent.length - this.absentFirst > absentMin + (this.present.size >>> 2)) this.sweep()
  }

  /** Removes slots of keys that have been absent longest. Amortised O(1) per deletion. */
  private sweep(): void {
    const { absent } = this
    const keep = (absentMin + (this.present.size >>> 2)) >>> 1
    while (absent.length - this.absentFirst > keep) {
      const slot = absent[this.absentFirst++]!
      slot.isQueued = false
      if (slot.cell !== undefined) continue
      if (slot.past === undefined) this.slots.delete(slot.key)
      else {
        // An open snapshot sees it: it waits for its turn again, behind the others.
        slot.isQueued = true
        absent.push(slot)
        if (this.absentFirst > absent.length / 2) break
      }
    }
    this.absent = absent.slice(this.absentFirst)
    this.absentFirst = 0
  }
}

/**
 * Closes an id without writing. `base` is that of the request it belongs to; `Version.none` when it is not known: then a
 * store that has forgotten sessions answers `TooOld` for one it does not know.
 */
export const sealRequest = (id: CommitId, base: Version.Version): CommitRequest => ({
  id,
  resolvedBelow: 0,
  base,
  atMillis: 0,
  reads: [],
  ranges: [],
  writes: [],
  seal: true
})

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
