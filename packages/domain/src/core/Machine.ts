/**
 * A store in memory: the machine that `apply` describes, made to be fast. Pure (mutable, deterministic: the same batches
 * from the same start give the same replies and the same state).
 *
 * In-process stores run it, the file store mirrors its rows in it, Raft replicates it.
 *
 * Law: `commit(batch)` is `apply(this, batch)` and `install(delta)`. Requests of the common kind take a shorter way to the
 * same end (`commitOne`: 0.1 us for a read and a write); random histories hold the two against each other.
 */
import type { CommitId, CommitRecord, CommitRequest, Cell, Entry, KeyChange, Outcome, Range, Reply } from "./Commit.ts"
import type { Key } from "./Key.ts"
import * as Apply from "./Apply.ts"
import { Cells, historyBytesDefault, historyStatesDefault } from "./Cells.ts"
import { cellAt } from "./History.ts"
import * as Limits from "./Limits.ts"
import { Outcomes } from "./Outcomes.ts"
import { Recent, recentBytesDefault } from "./Recent.ts"
import * as Short from "./ShortWay.ts"
import * as Version from "./Version.ts"

export interface Options {
  readonly limits?: Partial<Limits.Limits> | undefined
  /** The version to begin after: `Version.make(epoch, 0)` for a new epoch. */
  readonly version?: Version.Version | undefined
  /** Older states kept for open snapshots; beyond it the oldest snapshot is cut. */
  readonly historyStates?: number | undefined
  /** Bytes in their values, with the same consequence. */
  readonly historyBytes?: number | undefined
  /** Bytes of keys and values that the kept commits may hold; beyond it the oldest are forgotten. */
  readonly recentBytes?: number | undefined
}

/** Commits that are looked through before the cells of a range are. */
const nearCommits = 32

export class Machine implements Apply.View {
  readonly limits: Limits.Limits
  version: Version.Version
  readonly cells: Cells
  readonly outcomes: Outcomes
  recent: Recent
  private readonly listeners: Array<(record: CommitRecord) => void> = []
  /** Version of the last commit that the listeners heard of. */
  private told: Version.Version = Version.none
  private isTelling = false
  private readonly recentBytes: number

  /** Throws `RangeError` for a limit that is no whole number of at least 1. */
  constructor(options: Options = {}) {
    this.limits = Limits.make(options.limits)
    this.version = options.version ?? Version.none
    this.cells = new Cells(options.historyStates ?? historyStatesDefault, options.historyBytes ?? historyBytesDefault)
    this.outcomes = new Outcomes(this.limits)
    this.recentBytes = options.recentBytes ?? recentBytesDefault
    this.recent = this.makeRecent()
  }

  get horizon(): Version.Version {
    return this.outcomes.horizon
  }

  /** Present keys. */
  get size(): number {
    return this.cells.size
  }

  cell(key: Key): Cell | undefined {
    return this.cells.slot(key)?.cell
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    return this.cells.range({ start, end })
  }

  range(range: Range): ReadonlyArray<Entry> {
    return this.cells.range(range)
  }

  /** Cost: the commits since, or the entries of the range and the deletions since, whichever is less. */
  changed(start: Key, end: Key, since: Version.Version): boolean | undefined {
    const { recent } = this
    if (!recent.remembers(since)) return undefined
    const commits = recent.countAfter(since)
    if (commits <= nearCommits) return recent.changed(start, end, since)
    let left = commits
    let isWritten = false
    this.cells.forEach(start, end, (slot) => {
      isWritten = slot.changed > since
      return !isWritten && --left > 0
    })
    if (isWritten) return true
    return left > 0 ? recent.deleted(start, end, since) : recent.changed(start, end, since)
  }

  session(session: string): Apply.SessionView | undefined {
    return this.outcomes.session(session)
  }

  /** Applies a batch. */
  commit(batch: ReadonlyArray<CommitRequest>): ReadonlyArray<Reply> {
    if (batch.length > this.limits.batchRequests || !batch.every(Short.isShort)) {
      const { delta, replies } = Apply.apply(this, batch)
      this.install(delta)
      return replies
    }
    const replies: Array<Reply> = []
    for (const request of batch) replies.push(Short.commit(this, request, batch, replies))
    this.endBatch()
    return replies
  }

  /** Applies one request. */
  commitOne(request: CommitRequest): Reply {
    if (!Short.isShort(request)) return this.commit([request])[0]!
    const reply = Short.commit(this, request, none, none)
    this.endBatch()
    return reply
  }

  /** Takes over what `apply` on this machine's present state said, for stores that write it down in between. */
  install(delta: Apply.Delta): void {
    for (const { atMillis, changes, id, version } of delta.commits) {
      this.version = version
      for (const { after, key } of changes) this.cells.put(key, this.cells.slot(key), after, version)
      this.recent.push(id, atMillis, changes)
    }
    for (const { committed, id, resolvedBelow, tookNumber, version } of delta.outcomes) {
      this.outcomes.record(id.session, id.sequence, resolvedBelow, committed, version, tookNumber)
    }
    this.endBatch()
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
    this.cells.history.openSnapshot(this.version)
    return this.version
  }

  closeSnapshot(at: Version.Version): void {
    this.cells.history.closeSnapshot(at)
  }

  holds(at: Version.Version): boolean {
    return at === this.version || this.cells.history.holds(at)
  }

  /** Throws `RangeError` when `at` is neither the present version nor held. */
  cellAt(key: Key, at: Version.Version): Cell | undefined {
    const slot = this.cells.slot(key)
    if (at !== this.version) this.checkHeld(at)
    return slot === undefined ? undefined : cellAt(slot, at)
  }

  /** Throws as `cellAt`. */
  rangeAt(range: Range, at: Version.Version): ReadonlyArray<Entry> {
    if (at === this.version) return this.cells.range(range)
    this.checkHeld(at)
    return this.cells.rangeAt(range, at)
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
    if (this.listeners.length === 0) this.told = this.version
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
    this.told = version
    this.cells.history.clear()
    this.recent = this.makeRecent()
  }

  /** Tells the listeners of new commits, in commit order also when one of them commits. */
  private tell(): void {
    if (this.isTelling) return
    this.isTelling = true
    try {
      while (this.told < this.version && this.listeners.length > 0) {
        const record = this.recent.record(++this.told)
        for (const listener of this.listeners.slice()) listener(record)
      }
    } finally {
      this.isTelling = false
    }
  }

  private makeRecent(): Recent {
    const { batchRequests, recentCommits } = this.limits
    return new Recent(this.version, recentCommits, batchRequests, this.recentBytes)
  }

  private checkHeld(at: Version.Version): void {
    if (this.cells.history.holds(at)) return
    throw new RangeError(
      `version ${Version.format(at)} is not held by an open snapshot (the store is at ${Version.format(this.version)}): read at a newer one`
    )
  }

  private endBatch(): void {
    this.outcomes.trim()
    this.cells.sweep()
    if (this.listeners.length === 0) this.recent.trim()
    else {
      this.tell()
      this.recent.trim(this.told)
    }
  }
}

const none: ReadonlyArray<never> = []

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
