/**
 * The cells that a store set since its log was last folded into the table of cells: they stand in the log alone, and go
 * before what the table says. Pure (mutable).
 *
 * Only sets wait here. A cell that is deleted leaves the table in the same transaction, so a range that was emptied costs
 * nothing: no mark of a deletion lies in anyone's way.
 *
 * Invariants: the table with these cells over it is the store as of the last batch that was applied; `isFiled` is whether
 * the table has a row of that key, so a key that is not filed never needs a deletion there. All of it follows from the
 * rows of the log after the last fold, in order, so every process has the same.
 */
import type { Cell, Entry, KeyChange, Range } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import { OrderedKeys } from "@weft/domain/core/OrderedKeys"

/** Cells that wait to be folded unless said otherwise; a fold writes them in one transaction, a few microseconds each. */
export const foldCellsDefault = 1024

/** Bytes of the log that wait to be folded, at most: what an opening reads whole. 8 MiB. */
export const tailBytesMax = 8 * 1024 * 1024

interface Slot extends Entry {
  cell: Cell
  readonly isFiled: boolean
}

export class Tail {
  private slots = new Map<Key, Slot>()
  private order = new OrderedKeys<Slot>()
  /** Bytes of the log since the last fold. */
  private logBytes = 0
  private readonly cellsMax: number

  constructor(cellsMax: number) {
    this.cellsMax = cellsMax
  }

  get size(): number {
    return this.slots.size
  }

  /** Whether the log should be folded with this batch. */
  get isFull(): boolean {
    return this.slots.size > this.cellsMax || this.logBytes > tailBytesMax
  }

  has(key: Key): boolean {
    return this.slots.has(key)
  }

  get(key: Key): Cell | undefined {
    return this.slots.get(key)?.cell
  }

  /** Takes a change over. True when the row of its key has to leave the table now. */
  apply({ after, before, key }: KeyChange): boolean {
    const slot = this.slots.get(key)
    if (after === undefined) {
      if (slot === undefined) return before !== undefined
      this.slots.delete(key)
      this.order.remove(key)
      return slot.isFiled
    }
    if (slot === undefined) {
      const made: Slot = { key, cell: after, isFiled: before !== undefined }
      this.slots.set(key, made)
      this.order.insert(key, made)
    } else slot.cell = after
    return false
  }

  /** A row of the log was added. */
  grow(bytes: number): void {
    this.logBytes += bytes
  }

  /** The cells, in key order. */
  entries(): ReadonlyArray<Entry> {
    const all: Array<Entry> = []
    // Above every key: keys are latin1.
    this.order.forEach("", "\u0100", (slot) => all.push(slot) > 0)
    return all
  }

  /** Cells that the table has no row for. */
  get unfiled(): number {
    let count = 0
    for (const { isFiled } of this.slots.values()) if (!isFiled) count++
    return count
  }

  /** They are in the table now. */
  clear(): void {
    this.logBytes = 0
    if (this.slots.size === 0) return
    this.slots = new Map()
    this.order = new OrderedKeys()
  }

  /** A range of the store: the table's rows, which `query` finds, with these cells over them. Cost: the entries found. */
  range(range: Range, query: (range: Range) => ReadonlyArray<Entry>): ReadonlyArray<Entry> {
    const { end, limit = Infinity, reverse = false, start } = range
    const own: Array<Entry> = []
    const visit = ({ cell, key }: Slot): boolean => own.push({ key, cell }) < limit
    if (limit > 0 && this.slots.size > 0) {
      if (reverse) this.order.forEachReverse(start, end, visit)
      else this.order.forEach(start, end, visit)
    }
    if (own.length === 0) return query(range)
    const last = own.at(-1)!.key
    // When these are as many as were asked for, what lies beyond their last one is not among the first.
    const isEnough = own.length === limit
    const rows = query({
      start: isEnough && reverse ? `${last}\0` : start,
      end: isEnough && !reverse ? last : end,
      reverse,
      // Enough: a row whose key has a newer cell here makes room for it.
      limit: range.limit
    })
    return merge(own, rows, reverse, limit)
  }
}

/** Two orders as one, at most `limit` of it; of two entries of a key `over` has the right one. */
const merge = (
  over: ReadonlyArray<Entry>,
  under: ReadonlyArray<Entry>,
  reverse: boolean,
  limit: number
): ReadonlyArray<Entry> => {
  const merged: Array<Entry> = []
  let i = 0
  let j = 0
  while (merged.length < limit && (i < over.length || j < under.length)) {
    const a = over[i]
    const b = under[j]
    if (a !== undefined && b !== undefined && a.key === b.key) j++
    if (a !== undefined && (b === undefined || a.key === b.key || a.key < b.key !== reverse)) {
      merged.push(a)
      i++
    } else {
      merged.push(b!)
      j++
    }
  }
  return merged
}
