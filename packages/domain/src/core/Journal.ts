/**
 * The journal of one attempt of a transaction: what it read and what it will write, and how the two merge, so that a body
 * sees its own writes. Pure: where cells come from is the caller's business.
 *
 * Laws:
 * - A key that was read once answers the same until it is written.
 * - `writes` repeats the last word on every key: deleted ranges first, then one write per key.
 * - `rollback(mark, false)` undoes writes and keeps reads (a branch that gave up still depends on what it saw);
 *   `rollback(mark, true)` undoes both (an operation that is run again).
 */
import type { Cell, Entry, Range, RangeCheck, ReadCheck, Write } from "./Commit.ts"
import type { Key } from "./Key.ts"
import { fromCounter, toCounter, type Value } from "./Value.ts"
import type { Version } from "./Version.ts"

/** What an attempt will do to a key. */
export const WriteKind = { none: 0, set: 1, delete: 2, add: 3, append: 4 } as const
export type WriteKind = (typeof WriteKind)[keyof typeof WriteKind]

/** The halves of a key that an append completes. */
export interface Ticket {
  readonly prefix: Key
  readonly index: number
  readonly suffix: Key
}

/** A key in the journal: what was read of it and what is to be written, in one object. */
export class JournalEntry {
  readonly key: Key
  /** Whether `base` is known as of the attempt's snapshot. */
  known: boolean
  /** Whether `base` was shown to the body: then it must still hold at commit. */
  read: boolean
  base: Cell | undefined
  /** The local request, not acknowledged when it was read, that wrote `base`; `undefined` for cells of the store. */
  origin: object | undefined
  kind: WriteKind
  value: Value | undefined
  delta: number
  ticket: Ticket | undefined

  constructor(key: Key) {
    this.key = key
    this.known = false
    this.read = false
    this.base = undefined
    this.origin = undefined
    this.kind = WriteKind.none
    this.value = undefined
    this.delta = 0
    this.ticket = undefined
  }
}

/** A range that was read: footprint, entries it had, and the snapshot's position when it was read. */
export interface RangeRead {
  readonly start: Key
  readonly end: Key
  readonly entries: ReadonlyArray<Entry>
  /** Position in the local order of unacknowledged requests up to which their writes were seen; -1: none. */
  readonly position: number
}

/**
 * The undo log, flat, so that keeping it costs no object: what was done, to which entry, and its write before
 * (`undoWidth` slots a step).
 */
type UndoSlot = number | JournalEntry | Value | undefined
const undoWidth = 5
const undoWrite = 0
const undoRead = 1
const undoRange = 2
const undoDeletedRange = 3

/** The mark of a journal that holds nothing: to get back there needs no log. */
const pristine = -1

/** Entries up to here are found by a linear scan; beyond, by a map. */
const scanMax = 8

const unread = (entry: JournalEntry): void => {
  entry.read = false
  // A value of an unacknowledged request is as of a moment in the local order: not kept for later.
  if (entry.origin !== undefined) entry.known = false
}

/** Reads and writes of one attempt. Not reused between attempts. */
export class Journal {
  entries: Array<JournalEntry> = []
  private byKey: Map<Key, JournalEntry> | undefined = undefined
  ranges: Array<RangeRead> | undefined = undefined
  deletedRanges: Array<{ readonly start: Key; readonly end: Key }> | undefined = undefined
  /** Entries with a write that is not `none`. */
  writeCount = 0
  private undo: Array<UndoSlot> | undefined = undefined

  find(key: Key): JournalEntry | undefined {
    if (this.byKey !== undefined) return this.byKey.get(key)
    const entries = this.entries
    for (let i = entries.length - 1; i >= 0; i--) if (entries[i]!.key === key) return entries[i]
    return undefined
  }

  entry(key: Key): JournalEntry {
    const found = this.find(key)
    if (found !== undefined) return found
    const entry = new JournalEntry(key)
    // Most journals have one entry, and an array that grows by itself has room for 17.
    if (this.entries.length === 0) this.entries = [entry]
    else this.entries.push(entry)
    if (this.byKey !== undefined) this.byKey.set(key, entry)
    else if (this.entries.length > scanMax) this.byKey = new Map(this.entries.map((each) => [each.key, each]))
    return entry
  }

  get hasWrites(): boolean {
    return this.writeCount > 0 || this.deletedRanges !== undefined
  }

  // Reads ------------------------------------------------------------------------------------------------------------

  markRead(entry: JournalEntry): void {
    if (entry.read) return
    entry.read = true
    this.log(undoRead, entry, 0, undefined, 0)
  }

  addRange(range: RangeRead): void {
    if (this.ranges === undefined) this.ranges = [range]
    else this.ranges.push(range)
    this.log(undoRange, undefined, 0, undefined, 0)
  }

  /** Whether an own deleted range covers a key, so that its stored cell is not seen. */
  isCovered(key: Key): boolean {
    const deleted = this.deletedRanges
    if (deleted === undefined) return false
    for (const range of deleted) if (key >= range.start && key < range.end) return true
    return false
  }

  // Writes -----------------------------------------------------------------------------------------------------------

  private write(entry: JournalEntry, kind: WriteKind, value: Value | undefined, delta: number): void {
    this.log(undoWrite, entry, entry.kind, entry.value, entry.delta)
    if (entry.kind === WriteKind.none) {
      if (kind !== WriteKind.none) this.writeCount++
    } else if (kind === WriteKind.none) this.writeCount--
    entry.kind = kind
    entry.value = value
    entry.delta = delta
  }

  set(key: Key, value: Value): void {
    const entry = this.entry(key)
    // A ticket of this transaction that is set again stays an append: only its value changes.
    this.write(entry, entry.ticket === undefined ? WriteKind.set : WriteKind.append, value, 0)
  }

  delete(key: Key): void {
    const entry = this.entry(key)
    this.write(entry, entry.ticket === undefined ? WriteKind.delete : WriteKind.none, undefined, 0)
  }

  deleteRange(start: Key, end: Key): void {
    for (const entry of this.entries) {
      if (entry.kind !== WriteKind.none && entry.key >= start && entry.key < end)
        this.write(entry, WriteKind.none, undefined, 0)
    }
    if (this.deletedRanges === undefined) this.deletedRanges = []
    this.deletedRanges.push({ start, end })
    this.log(undoDeletedRange, undefined, 0, undefined, 0)
  }

  /** `undefined` when it was added up; else the sum or delta that is no safe integer, or that the cell is no counter. */
  add(key: Key, delta: number): "overflow" | "not a counter" | undefined {
    if (!Number.isSafeInteger(delta)) return "overflow"
    const entry = this.entry(key)
    if (entry.kind === WriteKind.set || entry.kind === WriteKind.append) {
      const before = entry.value === undefined ? undefined : toCounter(entry.value)
      if (before === undefined) return "not a counter"
      if (!Number.isSafeInteger(before + delta)) return "overflow"
      this.write(entry, entry.kind, fromCounter(before + delta), 0)
      return undefined
    }
    if (entry.kind === WriteKind.delete) {
      this.write(entry, WriteKind.set, fromCounter(delta), 0)
      return undefined
    }
    if (!Number.isSafeInteger(entry.delta + delta)) return "overflow"
    this.write(entry, WriteKind.add, undefined, entry.delta + delta)
    return undefined
  }

  /** `placeholder` is the key under which this transaction alone sees the item. */
  append(placeholder: Key, ticket: Ticket, value: Value): void {
    const entry = this.entry(placeholder)
    entry.ticket = ticket
    this.write(entry, WriteKind.append, value, 0)
  }

  // Undoing ----------------------------------------------------------------------------------------------------------

  private log(
    step: number,
    entry: JournalEntry | undefined,
    kind: WriteKind,
    value: Value | undefined,
    delta: number
  ): void {
    const { undo } = this
    if (undo === undefined) return
    if (undo.length === 0) this.undo = [step, entry, kind, value, delta]
    else undo.push(step, entry, kind, value, delta)
  }

  /** A mark to roll back to. The first one beyond nothing begins to keep the undo log. */
  mark(): number {
    if (this.undo === undefined) {
      if (this.entries.length === 0 && this.ranges === undefined && this.deletedRanges === undefined) return pristine
      this.undo = []
    }
    return this.undo.length
  }

  rollback(mark: number, reads: boolean): void {
    if (mark === pristine) return this.rollbackAll(reads)
    const { undo } = this
    // Another fiber of the body has rolled all of it back.
    if (undo === undefined) return
    const kept: Array<UndoSlot> = []
    // What undoing does is not itself to be undone.
    this.undo = undefined
    while (undo.length > mark) {
      const step = undo.splice(undo.length - undoWidth, undoWidth)
      const entry = step[1] as JournalEntry
      if (step[0] === undoWrite)
        this.write(entry, step[2] as WriteKind, step[3] as Value | undefined, step[4] as number)
      else if (step[0] === undoDeletedRange) {
        this.deletedRanges!.pop()
        if (this.deletedRanges!.length === 0) this.deletedRanges = undefined
      } else if (!reads) kept.unshift(...step)
      else if (step[0] === undoRange) {
        this.ranges!.pop()
        if (this.ranges!.length === 0) this.ranges = undefined
      } else unread(entry)
    }
    this.undo = undo
    for (const slot of kept) undo.push(slot)
  }

  private rollbackAll(reads: boolean): void {
    this.undo = undefined
    this.deletedRanges = undefined
    for (const entry of this.entries) {
      this.write(entry, WriteKind.none, undefined, 0)
      if (reads && entry.read) unread(entry)
    }
    if (reads) this.ranges = undefined
  }

  // Merging and output -----------------------------------------------------------------------------------------------

  /** Own writes within a range, in its order. */
  ownIn(range: Range): ReadonlyArray<JournalEntry> {
    if (this.writeCount === 0) return none
    const own: Array<JournalEntry> = []
    for (const entry of this.entries) {
      if (entry.kind !== WriteKind.none && entry.key >= range.start && entry.key < range.end) own.push(entry)
    }
    const sign = range.reverse === true ? -1 : 1
    if (own.length > 1) own.sort((a, b) => (a.key < b.key ? -sign : sign))
    return own
  }

  writes(): Array<Write> {
    const { deletedRanges, entries } = this
    if (deletedRanges === undefined && this.writeCount === 1) {
      for (const entry of entries) if (entry.kind !== WriteKind.none) return [writeOf(entry)]
    }
    // As long as it will be: an array that grows has room for 17.
    const writes: Array<Write> = new Array((deletedRanges?.length ?? 0) + this.writeCount)
    let count = 0
    for (const { start, end } of deletedRanges ?? none) writes[count++] = { _tag: "DeleteRange", start, end }
    for (const entry of entries) if (entry.kind !== WriteKind.none) writes[count++] = writeOf(entry)
    return writes
  }

  /** Entries that were read. */
  reads(): ReadonlyArray<JournalEntry> {
    const { entries } = this
    if (entries.length === 1 && entries[0]!.read) return [entries[0]!]
    return entries.filter(isRead)
  }

  /** The read set of keys, for an attempt that stands on stored cells alone. */
  readChecks(): ReadonlyArray<ReadCheck> {
    return this.reads().map(({ base, key }) => ({ key, version: base === undefined ? 0 : base.version }))
  }

  /** The read set of ranges, for an attempt that stands on stored cells alone, as of `version`. */
  rangeChecks(version: Version): Array<RangeCheck> {
    if (this.ranges === undefined) return []
    return this.ranges.map(({ start, end, entries }) => ({ start, end, version, entries: entries.map(keyAndVersion) }))
  }
}

const none: ReadonlyArray<never> = []

const isRead = (entry: JournalEntry): boolean => entry.read

/** The last word on a key that is written. */
const writeOf = ({ delta, key, kind, ticket, value }: JournalEntry): Write => {
  switch (kind) {
    case WriteKind.set:
      return { _tag: "Set", key, value: value! }
    case WriteKind.add:
      return { _tag: "Add", key, delta }
    case WriteKind.append:
      return { _tag: "Append", ...ticket!, value: value! }
    default:
      return { _tag: "Delete", key }
  }
}

/** An entry as a range check lists it. */
export const keyAndVersion = (entry: Entry): { readonly key: Key; readonly version: Version } => ({
  key: entry.key,
  version: entry.cell.version
})
