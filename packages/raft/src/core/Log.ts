/**
 * The log of one node in memory: everything after the compacted prefix. Entries are immutable and shared with messages and
 * the storage's queue. Pure data structure, mutable in place.
 *
 * Laws: indexes are contiguous from `base + 1` to `lastIndex`; terms never fall along the log (paper, 5.3) but for entries
 * of kind "damaged", whose term is unknown (-1).
 */
import { invariant } from "./invariant.ts"
import type { Entry, EntryKind, Index, Term } from "./Types.ts"

/** Bytes that an entry costs beside its data, in every limit that counts bytes. */
export const ENTRY_OVERHEAD_BYTES = 48

/** Term of an entry that is not known: compacted, damaged or not there. */
export const TERM_UNKNOWN: Term = -1

export const entryBytes = (entry: Entry): number => entry.data.length + ENTRY_OVERHEAD_BYTES

export const noData = new Uint8Array(0)

export const makeEntry = (index: Index, term: Term, kind: EntryKind, data: Uint8Array = noData): Entry => ({
  index,
  term,
  kind,
  session: 0,
  sequence: 0,
  resolved: 0,
  data
})

/** Stands in memory for an entry that the disk has lost. */
export const damagedEntry = (index: Index): Entry => makeEntry(index, TERM_UNKNOWN, "damaged")

/** The usual part is one entry: a literal of it costs no call. */
const part = (list: ReadonlyArray<Entry>, start: number, end: number): ReadonlyArray<Entry> =>
  end === start + 1 ? [list[start] as Entry] : list.slice(start, end)

export class Log {
  /** Index of the last compacted entry: the log begins after it. */
  base: Index
  /** Term at `base`; `TERM_UNKNOWN` if a restart has forgotten it. */
  baseTerm: Term
  lastIndex: Index
  /** Term of the last entry, kept beside it because it may be damaged while its term is known (`Restored.tail`). */
  lastTerm: Term
  /** Bytes of all entries in memory, `ENTRY_OVERHEAD_BYTES` included. */
  bytes = 0
  private list: Array<Entry> = []
  /** The last slice made: followers of one turn ask for the same one, as does the disk. */
  private cachedFrom: Index = 0
  private cached: ReadonlyArray<Entry> | undefined = undefined
  private cachedEntriesMax = 0
  private cachedBytesMax = 0

  constructor(base: Index, baseTerm: Term) {
    this.base = base
    this.baseTerm = baseTerm
    this.lastIndex = base
    this.lastTerm = baseTerm
  }

  get(index: Index): Entry | undefined {
    return index > this.base ? this.list[index - this.base - 1] : undefined
  }

  /** Entry that must be there. */
  at(index: Index): Entry {
    const entry = this.get(index)
    invariant(
      entry !== undefined,
      "an entry in range is in memory",
      () => `${index} of ${this.base + 1}..${this.lastIndex}`
    )
    return entry
  }

  termAt(index: Index): Term {
    if (index === this.lastIndex) return this.lastTerm
    if (index === this.base) return this.baseTerm
    const entry = this.get(index)
    return entry === undefined ? TERM_UNKNOWN : entry.term
  }

  append(entry: Entry): void {
    invariant(
      entry.index === this.lastIndex + 1,
      "the log has no holes",
      () => `${entry.index} after ${this.lastIndex}`
    )
    invariant(
      entry.kind === "damaged" || entry.term >= this.lastTerm,
      "terms never fall along the log (5.3)",
      () => `${entry.index}: term ${entry.term} after ${this.lastTerm}`
    )
    this.list.push(entry)
    this.lastIndex = entry.index
    this.lastTerm = entry.term
    this.bytes += entry.data.length + ENTRY_OVERHEAD_BYTES
    this.cached = undefined
  }

  /** Puts a repaired entry in the place of a damaged one, or the same one again. */
  fill(entry: Entry): void {
    const old = this.at(entry.index)
    invariant(old.kind === "damaged", "only a damaged entry is replaced in place", () => `${entry.index} (${old.kind})`)
    this.list[entry.index - this.base - 1] = entry
    this.bytes += entryBytes(entry) - entryBytes(old)
    if (entry.index === this.lastIndex) this.lastTerm = entry.term
    this.cached = undefined
  }

  /** Deletes all entries from `from` on. */
  truncateFrom(from: Index): void {
    invariant(from > this.base, "a compacted entry is never truncated", () => `${from} <= ${this.base}`)
    for (let index = from; index <= this.lastIndex; index++) this.bytes -= entryBytes(this.at(index))
    this.list.length = from - this.base - 1
    this.lastIndex = from - 1
    const last = this.list[this.list.length - 1]
    this.lastTerm = last === undefined ? this.baseTerm : last.term
    this.cached = undefined
  }

  /** Forgets the entries up to `index`. Cost O(entries that stay). */
  compactTo(index: Index): void {
    if (index <= this.base) return
    const term = this.termAt(index)
    const dropped = index - this.base
    const stays = this.list.slice(dropped)
    if (stays.length < dropped) {
      this.bytes = 0
      for (const entry of stays) this.bytes += entryBytes(entry)
    } else for (let at = this.base + 1; at <= index; at++) this.bytes -= entryBytes(this.at(at))
    this.list = stays
    this.base = index
    this.baseTerm = term
    this.cached = undefined
  }

  /** Starts again after a snapshot that the log does not contain. */
  reset(base: Index, baseTerm: Term): void {
    this.base = base
    this.baseTerm = baseTerm
    this.lastIndex = base
    this.lastTerm = baseTerm
    this.list = []
    this.bytes = 0
    this.cached = undefined
  }

  /**
   * Entries from `from` on, within both limits, at least one if there is one. The array is shared between callers and
   * never changes. Cost O(entries given), once for all callers that ask for the same.
   */
  slice(from: Index, entriesMax: number, bytesMax: number): ReadonlyArray<Entry> {
    if (
      this.cached !== undefined &&
      this.cachedFrom === from &&
      this.cachedEntriesMax === entriesMax &&
      this.cachedBytesMax === bytesMax
    ) {
      return this.cached
    }
    const start = from - this.base - 1
    const list = this.list
    const end = Math.min(list.length, start + entriesMax)
    let bytes = 0
    let stop = start
    while (stop < end) {
      bytes += (list[stop] as Entry).data.length + ENTRY_OVERHEAD_BYTES
      if (bytes > bytesMax && stop > start) break
      stop++
    }
    const entries = part(list, start, stop)
    this.cached = entries
    this.cachedFrom = from
    this.cachedEntriesMax = entriesMax
    this.cachedBytesMax = bytesMax
    return entries
  }

  /** Entries `from` to `to`, closed. */
  range(from: Index, to: Index): ReadonlyArray<Entry> {
    invariant(
      from > this.base && to <= this.lastIndex,
      "a range is in memory",
      () => `${from}..${to} of ${this.base + 1}..${this.lastIndex}`
    )
    return part(this.list, from - this.base - 1, to - this.base)
  }
}
