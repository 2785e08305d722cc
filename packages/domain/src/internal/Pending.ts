/**
 * A request of this process on its way to the store, and the overlay of what such requests will have written.
 */
import type { CommitRequest, Durability, RangeCheck, ReadCheck, Write } from "../core/Commit.ts"
import { keyAndVersion, type Journal, type JournalEntry, type RangeRead } from "../core/Journal.ts"
import { prefixEnd, type Key } from "../core/Key.ts"
import type { Value } from "../core/Value.ts"
import type { Version } from "../core/Version.ts"
import type { StoreError } from "../StoreError.ts"
import type { Attempt, Stale } from "./Attempt.ts"

/** What became of a request, as its transaction hears it. */
export type Resolution =
  | { readonly _tag: "Committed"; readonly version: Version }
  | { readonly _tag: "Stale"; readonly stale: Stale }
  | { readonly _tag: "Failed"; readonly error: StoreError }

type Observer = (resolution: Resolution) => void

const none: ReadonlyArray<never> = []

/** A request that waits for its batch, is sent, or is resolved. */
export class Pending {
  /** Place in the local order, from 0. */
  readonly position: number
  /** Version of the snapshot that its body read at; -1 when it read nothing. */
  readonly base: Version
  /** Empty once it is resolved: what it stood on is not held by what stands on it. */
  reads: ReadonlyArray<JournalEntry>
  readonly ranges: ReadonlyArray<RangeRead>
  readonly writes: ReadonlyArray<Write>
  /** Negative: when its batch is made, by the clock of the store. */
  readonly atMillis: number
  readonly durability: Durability | undefined
  /** Of its commit id, and its place in its batch; given when that is made. */
  sequence = -1
  place = -1
  status: "queued" | "sent" | "committed" | "failed" = "queued"
  /** When committed. */
  version: Version = 0
  /** The chain it was published on; -1 when bodies may not read its writes. */
  lineage = -1
  resolution: Resolution | undefined = undefined
  private observer: Observer | undefined = undefined
  private others: Array<Observer> | undefined = undefined

  constructor(
    position: number,
    base: Version,
    journal: Journal,
    writes: ReadonlyArray<Write>,
    atMillis: number,
    durability?: Durability | undefined
  ) {
    this.position = position
    this.base = base
    this.reads = journal.reads()
    this.ranges = journal.ranges ?? none
    this.writes = writes
    this.atMillis = atMillis
    this.durability = durability
  }

  get isResolved(): boolean {
    return this.resolution !== undefined
  }

  /** Calls back when resolved, at once if it is. */
  observe(observer: Observer): void {
    if (this.resolution !== undefined) observer(this.resolution)
    else if (this.observer === undefined) this.observer = observer
    else (this.others ??= []).push(observer)
  }

  /** Calls it back no more. */
  forget(observer: Observer): void {
    if (this.observer === observer) this.observer = undefined
    const index = this.others?.indexOf(observer) ?? -1
    if (index >= 0) this.others!.splice(index, 1)
  }

  /** Records the outcome; observers are told by `tell`, when all of a batch are recorded. */
  resolve(resolution: Resolution): void {
    this.resolution = resolution
    this.reads = none
    if (resolution._tag === "Committed") {
      this.status = "committed"
      this.version = resolution.version
    } else this.status = "failed"
  }

  tell(): void {
    const { observer, others } = this
    this.observer = undefined
    this.others = undefined
    observer?.(this.resolution!)
    if (others !== undefined) for (const other of others) other(this.resolution!)
  }
}

/** The request behind a read that came from the overlay, if it did. */
export const originOf = (entry: JournalEntry): Pending | undefined => entry.origin as Pending | undefined

/** The version a read cell has in the store once its origin has committed. */
export const versionOf = (entry: JournalEntry): Version => {
  if (entry.base === undefined) return 0
  return originOf(entry)?.version ?? entry.base.version
}

/** Whether a body that ended with this attempt saw anything that is not known to have been the present meanwhile. */
export const hasOrigins = (attempt: Attempt): boolean =>
  attempt.journal.entries.some((entry) => entry.read && entry.origin !== undefined)

/** What an attempt read that a local request overwrites. */
export type Overwritten = { readonly key: Key } | { readonly start: Key; readonly end: Key }

export const overwrittenBy = (where: Overwritten): Stale =>
  "key" in where
    ? { keys: [{ key: where.key, expected: 0, actual: undefined }], ranges: [], local: true }
    : { keys: [], ranges: [where], local: true }

/** The requests, not resolved yet, that an attempt's reads stand on. */
export const unresolvedOrigins = (attempt: Attempt): ReadonlyArray<Pending> => {
  const found = new Set<Pending>()
  for (const entry of attempt.journal.entries) {
    const origin = entry.read ? originOf(entry) : undefined
    if (origin !== undefined && !origin.isResolved) found.add(origin)
  }
  return [...found]
}

/** What of a request is known when its batch is made. */
export interface Sending {
  readonly id: CommitRequest["id"]
  readonly resolvedBelow: number
  readonly base: Version
  readonly nowMillis: number
}

/**
 * The request for the store, or the reads that make it hopeless. One batch is made at a time, so whatever is sent and not
 * resolved that it stands on is in the same.
 */
export const toRequest = (pending: Pending, { base, id, nowMillis, resolvedBelow }: Sending): CommitRequest | Stale => {
  const { atMillis, durability, ranges, writes } = pending
  const reads: Array<ReadCheck> = []
  for (const entry of pending.reads) {
    const { key } = entry
    const origin = originOf(entry)
    if (origin === undefined || origin.status === "committed") reads.push({ key, version: versionOf(entry) })
    else if (origin.status === "sent") reads.push({ key, version: 0, after: origin.place })
    else return { keys: [{ key, expected: 0, actual: undefined }], ranges: [], local: true }
  }
  return {
    id,
    resolvedBelow,
    base,
    atMillis: atMillis < 0 ? nowMillis : atMillis,
    reads,
    ranges: ranges.length === 0 ? none : ranges.map((read) => toCheck(read, pending.base)),
    writes,
    durability
  }
}

const toCheck = ({ end, entries, start }: RangeRead, version: Version): RangeCheck => ({
  start,
  end,
  version,
  entries: entries.map(keyAndVersion)
})

/** What the newest local request will have made of a key. */
export interface Overlaid {
  readonly pending: Pending
  /** Whether `value` is what the key will hold; not so after blind additions. */
  readonly isPlain: boolean
  readonly value: Value | undefined
  /** What the one before it will have made of it: shown again when this one is withdrawn or refused. */
  below: Overlaid | undefined
}

/** Of a key, whoever writes it. */
interface Place {
  newest: Overlaid | undefined
}

/** Additions between two walks that cut off what is resolved below. */
const pruneEvery = 64

/** Keys that nobody writes any more and that stay in the overlay, beyond as many as are written. */
const emptyMax = 256

interface OverlaidRange {
  readonly start: Key
  readonly end: Key
  readonly pending: Pending
}

/**
 * Writes of requests that are not resolved, by key, the newest winning; and the ranges in which others will fall.
 *
 * Keys that are written again and again are not taken out between: a map that loses and gains keys is copied every so
 * often, and each of its old copies holds what it held and the copy after it, until the old generation is collected. That
 * was a sixth of all time of a busy store.
 */
export class Overlay {
  private byKey = new Map<Key, Place>()
  /** Keys of the map that are not empty. */
  private written = 0
  private ranges: Array<OverlaidRange> = []

  get size(): number {
    return this.written + this.ranges.length
  }

  /** Keys in memory, those that nobody writes any more among them. */
  get held(): number {
    return this.byKey.size
  }

  add(pending: Pending): void {
    for (const write of pending.writes) {
      if (write._tag === "Set") this.put(write.key, pending, true, write.value)
      else if (write._tag === "Delete") this.put(write.key, pending, true, undefined)
      else if (write._tag === "Add") this.put(write.key, pending, false, undefined)
      else if (write._tag === "DeleteRange") this.ranges.push({ start: write.start, end: write.end, pending })
      else this.ranges.push({ start: write.prefix, end: prefixEnd(write.prefix), pending })
    }
  }

  private put(key: Key, pending: Pending, isPlain: boolean, value: Value | undefined): void {
    let place = this.byKey.get(key)
    if (place === undefined) this.byKey.set(key, (place = { newest: undefined }))
    const below = place.newest
    place.newest = { pending, isPlain, value, below }
    if (below === undefined) this.written++
    if (below === undefined || pending.position % pruneEvery !== 0) return
    let last = below
    while (last.below !== undefined && !last.below.pending.isResolved) last = last.below
    last.below = undefined
  }

  /** A request is resolved: what stands below it shows again, unless that is resolved too. */
  remove(pending: Pending): void {
    let hasRanges = false
    for (const write of pending.writes) {
      if (write._tag === "Append" || write._tag === "DeleteRange") hasRanges = true
      else {
        const place = this.byKey.get(write.key)
        let next = place?.newest
        if (place === undefined || next?.pending !== pending) continue
        while (next?.pending.isResolved === true) next = next.below
        place.newest = next
        if (next === undefined) this.written--
      }
    }
    if (hasRanges) this.ranges = this.ranges.filter((range) => range.pending !== pending)
    if (this.byKey.size > 2 * this.written + emptyMax) this.sweep()
  }

  /** Amortised O(1) per key that was written. */
  private sweep(): void {
    const { byKey } = this
    this.byKey = new Map()
    for (const [key, place] of byKey) if (place.newest !== undefined) this.byKey.set(key, place)
  }

  get(key: Key): Overlaid | undefined {
    const found = this.byKey.get(key)?.newest
    if (this.ranges.length === 0) return found
    for (let i = this.ranges.length - 1; i >= 0; i--) {
      const { end, pending, start } = this.ranges[i]!
      if (key < start || key >= end) continue
      return found === undefined || found.pending.position < pending.position
        ? { pending, isPlain: false, value: undefined, below: found }
        : found
    }
    return found
  }

  /** The newest request that may write in a range. */
  newestIn(start: Key, end: Key): Pending | undefined {
    let newest: Pending | undefined
    const consider = (pending: Pending): void => {
      if (newest === undefined || pending.position > newest.position) newest = pending
    }
    if (this.written > 0) {
      for (const [key, { newest: overlaid }] of this.byKey)
        if (overlaid !== undefined && key >= start && key < end) consider(overlaid.pending)
    }
    for (const range of this.ranges) if (range.start < end && start < range.end) consider(range.pending)
    return newest
  }
}
