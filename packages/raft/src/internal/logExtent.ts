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

/** What a work means for the extent. `runs` are the indexes of its entries: closed ranges, in order. */
export interface WorkShape {
  readonly truncateFrom: Index
  readonly compactTo: Index
  readonly runs: ReadonlyArray<DamagedRange>
}

/** Cost: O(entries). */
export const shapeOf = ({ compactTo, entries, truncateFrom }: PersistWork): WorkShape => {
  const runs: Array<{ from: Index; to: Index }> = []
  for (const { index } of entries) {
    const run = runs.at(-1)
    if (run !== undefined && run.to + 1 === index) run.to = index
    else runs.push({ from: index, to: index })
  }
  return { truncateFrom, compactTo, runs }
}

/** What no storage takes, whatever it holds. Cost: O(entries). */
export const workRefusal = (
  works: ReadonlyArray<PersistWork>,
  limits: StorageLimits
): Refused | TooLarge | undefined => {
  for (const { entries, hardState } of works) {
    let bytes = 0
    for (const { data, index, kind } of entries) {
      if (kind === "damaged") return refuse("placeholders of damaged entries are not stored", `index ${index}`)
      if (data.length > limits.entryBytesMax) {
        return new TooLarge({ limit: "entryBytesMax", bytes: data.length, bytesMax: limits.entryBytesMax })
      }
      bytes += data.length
    }
    if (bytes > limits.workBytesMax) {
      return new TooLarge({ limit: "workBytesMax", bytes, bytesMax: limits.workBytesMax })
    }
    if ((hardState?.vote?.length ?? 0) > nodeIdCharsMax) {
      return refuse(`the name of a node has at most ${nodeIdCharsMax} characters`, `${hardState!.vote!.length}`)
    }
  }
  return undefined
}

/** Longest name of a node in a vote, in characters. */
const nodeIdCharsMax = 512

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

  /** Why `work` may not be done, or `undefined`. Changes nothing. Cost: O(runs). */
  refusal({ compactTo, runs, truncateFrom }: WorkShape): Refused | undefined {
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
    let last = truncateFrom > 0 ? Math.min(this.last, truncateFrom - 1) : this.last
    for (const [at, { from, to }] of runs.entries()) {
      if (at > 0 && from !== runs[at - 1]!.to + 1) {
        return refuse("entries of a work have no holes", `${from} follows ${runs[at - 1]!.to}`)
      }
      const known = Math.min(to, last)
      if (from > last + 1 || (from <= last && !this.damaged.some((range) => range.from <= from && known <= range.to))) {
        const whole = from <= last ? " and there is a whole entry" : ""
        return refuse(
          "an entry stands after the last one, or replaces a damaged one",
          `indexes ${from} to ${to}, the log ends at ${last}${whole}`
        )
      }
      last = Math.max(last, to)
    }
    return undefined
  }

  /** Why one of `works`, done one after the other, may not be done. Changes nothing. */
  refusalOfAll(works: ReadonlyArray<WorkShape>): Refused | undefined {
    if (works.length === 1) return this.refusal(works[0]!)
    const trial = new LogExtent(this)
    for (const work of works) {
      const refusal = trial.refusal(work)
      if (refusal !== undefined) return refusal
      trial.persist(work)
    }
    return undefined
  }

  /** Takes the work's effect on the extent. It has passed `refusal`. */
  persist({ compactTo, runs, truncateFrom }: WorkShape): void {
    if (truncateFrom > 0 && truncateFrom <= this.last) {
      this.damaged = subtract(this.damaged, truncateFrom, this.last)
      this.last = truncateFrom - 1
    }
    for (const { from, to } of runs) {
      this.damaged = subtract(this.damaged, from, to)
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
  piece: { readonly meta: SnapshotMeta; readonly offset: number; readonly data: Uint8Array }
): Refused | undefined => {
  const { data, meta, offset } = piece
  const same = staged !== undefined && staged.meta.index === meta.index && staged.meta.term === meta.term
  const length = offset === 0 ? 0 : same ? staged.length : 0
  if (offset !== length) {
    const detail = `offset ${offset} of snapshot ${meta.index}, stored ${length}`
    return refuse("a piece begins where the one before ended", detail)
  }
  return offset + data.length > meta.bytes
    ? refuse("pieces stay within the length of their snapshot", `${offset + data.length} of ${meta.bytes} bytes`)
    : undefined
}

/** What no storage takes as one piece. */
export const pieceTooLarge = (data: Uint8Array, { pieceBytesMax }: StorageLimits): TooLarge | undefined =>
  data.length > pieceBytesMax
    ? new TooLarge({ limit: "pieceBytesMax", bytes: data.length, bytesMax: pieceBytesMax })
    : undefined
