/**
 * Which indexes a log holds, and what a work may do to it: the rules that every log storage shares. Pure but for the
 * object's own fields; no I/O.
 *
 * Invariants: `first <= last + 1`; `damaged` is sorted, disjoint, not touching, and within `[first, last]`;
 * `snapshot <= last` once a snapshot is there, so the log never ends before it.
 */
import type { DamagedRange, Index, Install, PersistWork, SnapshotMeta } from "../core/Types.ts"
import { Refused, type StorageLimits, TooLarge } from "../LogStorage.ts"

/** `ranges` without `[from, to]`. Cost: O(ranges). */
export const subtract = (ranges: ReadonlyArray<DamagedRange>, from: Index, to: Index): ReadonlyArray<DamagedRange> => {
  if (from > to || ranges.length === 0) return ranges
  return ranges.flatMap((range) => {
    if (range.to < from || range.from > to) return [range]
    const left = range.from < from ? [{ from: range.from, to: from - 1 }] : []
    const right = range.to > to ? [{ from: to + 1, to: range.to }] : []
    return [...left, ...right]
  })
}

/** `ranges` with `[from, to]`, merged where they touch. Cost: O(ranges). */
export const unite = (ranges: ReadonlyArray<DamagedRange>, from: Index, to: Index): ReadonlyArray<DamagedRange> => {
  if (from > to) return ranges
  const apart = ranges.filter((range) => range.to < from - 1 || range.from > to + 1)
  const met = ranges.filter((range) => range.to >= from - 1 && range.from <= to + 1)
  const merged = {
    from: Math.min(from, ...met.map((range) => range.from)),
    to: Math.max(to, ...met.map((range) => range.to))
  }
  return [...apart, merged].sort((a, b) => a.from - b.from)
}

export const contains = (ranges: ReadonlyArray<DamagedRange>, index: Index): boolean =>
  ranges.some(({ from, to }) => from <= index && index <= to)

export interface ExtentFields {
  readonly first: Index
  readonly last: Index
  readonly snapshot: Index
  readonly damaged: ReadonlyArray<DamagedRange>
}

export const emptyExtent: ExtentFields = { first: 1, last: 0, snapshot: 0, damaged: [] }

const refuse = (rule: string, detail: string): Refused => new Refused({ rule, detail })

export class LogExtent {
  /** Lowest index that is stored; `last + 1` when none is. */
  first: Index
  last: Index
  /** Index of the node's snapshot, 0 for none. */
  snapshot: Index
  damaged: ReadonlyArray<DamagedRange>

  constructor(fields: ExtentFields) {
    this.first = fields.first
    this.last = fields.last
    this.snapshot = fields.snapshot
    this.damaged = fields.damaged
  }

  /** Why `work` may not be done, or `undefined`. Changes nothing. Cost: O(entries). */
  refusal(work: PersistWork, limits: StorageLimits): Refused | TooLarge | undefined {
    const { compactTo, entries, truncateFrom } = work
    if (truncateFrom > 0 && truncateFrom < this.first) {
      return refuse(
        "a truncation stays above the dropped prefix",
        `from ${truncateFrom}, the log begins at ${this.first}`
      )
    }
    if (truncateFrom > 0 && truncateFrom <= this.snapshot) {
      return refuse(
        "a truncation stays above the snapshot",
        `from ${truncateFrom}, the snapshot covers ${this.snapshot}`
      )
    }
    if (compactTo > this.snapshot) {
      return refuse("a snapshot covers what is dropped", `up to ${compactTo}, the snapshot covers ${this.snapshot}`)
    }
    const last = truncateFrom > 0 ? Math.min(this.last, truncateFrom - 1) : this.last
    let bytes = 0
    for (let at = 0; at < entries.length; at++) {
      const { data, index, kind } = entries[at]!
      if (at > 0 && index !== entries[at - 1]!.index + 1) {
        return refuse("entries of a work have no holes", `${index} follows ${entries[at - 1]!.index}`)
      }
      if (index > last ? at === 0 && index !== last + 1 : !contains(this.damaged, index)) {
        return refuse(
          "an entry stands after the last one, or replaces a damaged one",
          `index ${index}, the log ends at ${last}${index <= last ? " and this entry is whole" : ""}`
        )
      }
      if (kind === "damaged") return refuse("placeholders of damaged entries are not stored", `index ${index}`)
      if (data.length > limits.entryBytesMax) {
        return new TooLarge({ limit: "entryBytesMax", bytes: data.length, bytesMax: limits.entryBytesMax })
      }
      bytes += data.length
    }
    return bytes > limits.workBytesMax
      ? new TooLarge({ limit: "workBytesMax", bytes, bytesMax: limits.workBytesMax })
      : undefined
  }

  /** Takes the work's effect on the extent. The work has passed `refusal`. */
  persist({ compactTo, entries, truncateFrom }: PersistWork): void {
    if (truncateFrom > 0 && truncateFrom <= this.last) {
      this.damaged = subtract(this.damaged, truncateFrom, this.last)
      this.last = truncateFrom - 1
    }
    if (entries.length > 0) {
      const to = entries[entries.length - 1]!.index
      this.damaged = subtract(this.damaged, entries[0]!.index, to)
      this.last = Math.max(this.last, to)
    }
    if (compactTo >= this.first) this.dropTo(Math.min(compactTo, this.last))
  }

  install({ keepLog, meta }: Install): void {
    if (keepLog && this.last >= meta.index) this.dropTo(meta.index)
    else {
      this.first = meta.index + 1
      this.last = meta.index
      this.damaged = []
    }
    this.snapshot = meta.index
  }

  adopt(meta: SnapshotMeta): void {
    this.snapshot = meta.index
  }

  /** Why the snapshot `meta` may not become the node's own, beside the state of its pieces. */
  snapshotRefusal(meta: SnapshotMeta, made: boolean): Refused | undefined {
    if (meta.index < this.snapshot) {
      return refuse("a snapshot is not older than the one before", `${meta.index} after ${this.snapshot}`)
    }
    return made && meta.index > this.last
      ? refuse("a snapshot made here ends within the log", `${meta.index}, the log ends at ${this.last}`)
      : undefined
  }

  private dropTo(index: Index): void {
    if (index < this.first) return
    this.first = index + 1
    this.damaged = subtract(this.damaged, 0, index)
  }
}

/** What is known of the pieces on one stage. */
export interface Staged {
  readonly meta: SnapshotMeta
  /** Bytes stored so far, from 0 on without holes. */
  readonly length: number
}

/** Why a piece does not fit what is staged, or `undefined`. */
export const pieceRefusal = (
  staged: Staged | undefined,
  piece: { readonly meta: SnapshotMeta; readonly offset: number; readonly data: Uint8Array },
  limits: StorageLimits
): Refused | TooLarge | undefined => {
  const { data, meta, offset } = piece
  if (data.length > limits.pieceBytesMax) {
    return new TooLarge({ limit: "pieceBytesMax", bytes: data.length, bytesMax: limits.pieceBytesMax })
  }
  if (offset === 0) return undefined
  const same = staged !== undefined && staged.meta.index === meta.index && staged.meta.term === meta.term
  const length = same ? staged.length : 0
  return offset === length
    ? undefined
    : refuse(
        "a piece begins where the one before ended",
        `offset ${offset} of snapshot ${meta.index}, stored ${length}`
      )
}
