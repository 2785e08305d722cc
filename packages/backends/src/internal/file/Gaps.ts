/**
 * Stretches of the table of cells that are known to have no row: what lies in one needs no query. Only a fold puts rows
 * into the table, so what is known holds until the next one. Pure (mutable).
 *
 * Most of what locks, queues and tuple spaces look at is empty, or stands in the log alone (`Tail.ts`).
 *
 * Invariant: stretches do not overlap, and rise.
 */
import type { Entry, Range } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"

/** The table of cells. */
interface Table {
  readonly entries: (range: Range) => ReadonlyArray<Entry>
  /** The stretch without a row that an empty one lies in. */
  readonly gapAround: (start: Key, end: Key) => readonly [Key, Key]
}

/** Stretches kept; one more forgets all. */
export const gapsMax = 4096

export class Gaps {
  private starts: Array<Key> = []
  private ends: Array<Key> = []

  get size(): number {
    return this.starts.length
  }

  /** Whether nothing of [start, end) has a row, as far as is known. */
  covers(start: Key, end: Key): boolean {
    const at = this.placeOf(start)
    return at >= 0 && end <= this.ends[at]!
  }

  /** Whether a key has no row, as far as is known. */
  has(key: Key): boolean {
    const at = this.placeOf(key)
    return at >= 0 && key < this.ends[at]!
  }

  /** Nothing of [start, end) has a row. The rows next to it are best its ends: then few stretches say much. */
  add(start: Key, end: Key): void {
    if (!(start < end)) return
    if (this.starts.length >= gapsMax) this.clear()
    // Those that it meets become a part of it.
    let first = this.placeOf(start)
    if (first < 0 || this.ends[first]! < start) first++
    let after = first
    let from = start
    let to = end
    for (; after < this.starts.length && this.starts[after]! <= to; after++) {
      if (this.starts[after]! < from) from = this.starts[after]!
      if (this.ends[after]! > to) to = this.ends[after]!
    }
    this.starts.splice(first, after - first, from)
    this.ends.splice(first, after - first, to)
  }

  /** The table's rows of a range. Where there are none, nobody has to look again before the next fold. */
  rows(range: Range, table: Table): ReadonlyArray<Entry> {
    const { end, start } = range
    if (this.covers(start, end)) return []
    const rows = table.entries(range)
    if (rows.length === 0 && start < end && (range.limit ?? 1) > 0) this.add(...table.gapAround(start, end))
    return rows
  }

  /** Rows may have come anywhere. */
  clear(): void {
    this.starts = []
    this.ends = []
  }

  /** The last stretch that begins at `key` or below; -1 when there is none. */
  private placeOf(key: Key): number {
    const { starts } = this
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
