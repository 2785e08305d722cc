/**
 * One attempt of a transaction: the view that operations work on, with its snapshot.
 *
 * Opacity: all that an attempt shows is of one state, its snapshot, fixed at the first read. Where the store has moved on
 * since, the attempt either still reads at its snapshot, or checks all it has read against the present and moves forward,
 * or is doomed and thrown away. Once doomed, every further read gives the same signal, so no body gets far on it.
 *
 * An attempt is used by the fiber of the body and by fibers forked inside; when it has ended, any use is the defect
 * `TransactionEnded`.
 */
import type * as Effect from "effect/Effect"
import type { Entry, Range } from "../core/Commit.ts"
import { Journal, WriteKind, type JournalEntry } from "../core/Journal.ts"
import type { Key } from "../core/Key.ts"
import { placeholderStamp } from "../core/KeyCodec.ts"
import { fromCounter, toCounter, type Value } from "../core/Value.ts"
import type { Version } from "../core/Version.ts"
import * as StoreError from "../StoreError.ts"
import type { TransactionHandle } from "../Transaction.ts"
import type { Engine } from "./Engine.ts"
import { TransactionEnded } from "./defects.ts"
import { appendIndexMax } from "../core/Limits.ts"
import type { Reader } from "./Reader.ts"
import { restart } from "./signals.ts"
import type { Transacting } from "./Transacting.ts"
import type { Item, TxView } from "./TxView.ts"

/** Why an attempt cannot commit. */
export interface Stale {
  readonly keys: ReadonlyArray<{ readonly key: Key; readonly expected: Version; readonly actual: Version | undefined }>
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
  /** Whether a transaction of this engine is the cause, as far as it knows. */
  readonly local: boolean
}

export class Attempt implements TxView, TransactionHandle {
  readonly engine: Engine
  readonly transacting: Transacting
  readonly reader: Reader
  readonly journal: Journal = new Journal()
  /** Version of the snapshot; -1 until the first read. */
  version: Version = -1
  /** Whether the store holds the snapshot for `cellAt`. */
  held = false
  /** Whether the snapshot was taken over from the chain of local requests rather than read from the store. */
  isAdopted = false
  /** Ranges that were fetched, as of the snapshot, by their name. */
  fetchedRanges: Map<string, { readonly entries: ReadonlyArray<Entry>; readonly position: number }> | undefined =
    undefined
  /** While a range is read: the place in the local order that its pieces are as of. */
  rangePosition = Number.POSITIVE_INFINITY
  /** How often in a row this attempt waited for local requests whose write it wanted to read. */
  overlayWaits = 0
  active = true
  /** Why this attempt is thrown away whatever its body says; `undefined` while it is not. */
  stale: Stale | undefined = undefined
  /** Whether the body ran to its end, so that all it reads is known. */
  isWhole = false
  /** Whether the body asked to wait for a change of what it read. */
  retrying = false
  /** What to await before an operation that threw `suspend` is run again. */
  suspension: Effect.Effect<void, StoreError.StoreError> | undefined = undefined
  /** Wall time at which a wait of this attempt ends by itself. */
  wakeMillis = Number.POSITIVE_INFINITY
  private indices = 0
  private millis = -1

  constructor(engine: Engine, transacting: Transacting) {
    this.engine = engine
    this.transacting = transacting
    this.reader = engine.reader
  }

  get store(): object {
    return this.engine
  }

  get label(): string | undefined {
    return this.transacting.label
  }

  /** Gives the attempt up: throws the signal that unwinds the body. */
  doom(stale: Stale): never {
    this.stale ??= stale
    throw restart
  }

  private check(): void {
    if (!this.active) throw new TransactionEnded(this.label)
    if (this.stale !== undefined) throw restart
  }

  /** Makes `entry.base` known, as of the snapshot, and part of the read set. */
  private load(entry: JournalEntry): void {
    // Guarded before it is read: nothing local may change it while it is on its way here.
    if (!entry.read && this.transacting.isGuarded) this.transacting.footprint?.addKey(entry.key)
    if (!entry.known) {
      this.reader.cell(this, entry)
      this.overlayWaits = 0
    }
    this.journal.markRead(entry)
  }

  // Reads ------------------------------------------------------------------------------------------------------------

  get(key: Key): Value | undefined {
    this.check()
    const entry = this.journal.entry(key)
    switch (entry.kind) {
      case WriteKind.set:
      case WriteKind.append:
        return entry.value
      case WriteKind.delete:
        return undefined
      case WriteKind.add:
        return fromCounter(this.sum(entry))
      default:
        if (entry.ticket !== undefined || this.journal.isCovered(key)) return undefined
        this.load(entry)
        return entry.base?.value
    }
  }

  versionOf(key: Key): Version {
    this.check()
    const entry = this.journal.entry(key)
    if (entry.ticket !== undefined) return 0
    this.load(entry)
    if (entry.origin !== undefined) this.reader.settle(this, entry)
    return entry.base === undefined ? 0 : entry.base.version
  }

  counter(key: Key): number {
    const value = this.get(key)
    return value === undefined ? 0 : this.numberOf(key, value)
  }

  private numberOf(key: Key, value: Value): number {
    const number = toCounter(value)
    if (number !== undefined) return number
    throw StoreError.make(
      new StoreError.Corrupt({
        message: "the cell is used as a counter but holds another kind of value; it is untouched",
        key
      })
    )
  }

  private sum(entry: JournalEntry): number {
    if (this.journal.isCovered(entry.key)) return entry.delta
    this.load(entry)
    const sum = (entry.base === undefined ? 0 : this.numberOf(entry.key, entry.base.value)) + entry.delta
    if (Number.isSafeInteger(sum)) return sum
    throw this.overflow(entry.key, sum)
  }

  private overflow(key: Key, sum: number): StoreError.StoreError {
    return StoreError.make(
      new StoreError.InvalidInput({
        message: `${sum} is no safe integer: a counter holds whole numbers up to 2^53 - 1`,
        key
      })
    )
  }

  range(range: Range): ReadonlyArray<Item> {
    this.check()
    const limit = range.limit ?? Number.POSITIVE_INFINITY
    if (!(range.start < range.end) || limit <= 0) return []
    this.rangePosition = Number.POSITIVE_INFINITY
    if (this.transacting.isGuarded) this.transacting.footprint?.addRange(range.start, range.end)
    const own = this.journal.ownIn(range)
    if (own.length === 0 && this.journal.deletedRanges === undefined) {
      const entries = this.reader.range(this, range)
      this.addFootprint(range, entries, entries.length >= limit ? entries[entries.length - 1]!.key : undefined)
      return itemsOf(entries)
    }
    return this.merge(range, own, limit)
  }

  /** Stored entries with own writes on top, read piece by piece until the limit is reached. */
  private merge(range: Range, own: ReadonlyArray<JournalEntry>, limit: number): ReadonlyArray<Item> {
    const reverse = range.reverse === true
    const items: Array<Item> = []
    const entries: Array<Entry> = []
    let { end, start } = range
    let at = 0
    let last: Key | undefined
    for (let more = true; more && items.length < limit;) {
      const want = limit - items.length + (own.length - at)
      const piece = this.reader.range(this, { start, end, reverse, limit: Number.isFinite(want) ? want : undefined })
      more = piece.length >= want
      const bound = more ? piece[piece.length - 1]!.key : undefined
      let i = 0
      while (items.length < limit) {
        const stored = piece[i]
        let mine = own[at]
        if (mine !== undefined && bound !== undefined && (reverse ? mine.key < bound : mine.key > bound))
          mine = undefined
        if (stored === undefined && mine === undefined) break
        const takeMine =
          stored === undefined || (mine !== undefined && (reverse ? mine.key >= stored.key : mine.key <= stored.key))
        if (takeMine && stored?.key === mine!.key) entries.push(piece[i++]!)
        if (takeMine) {
          at++
          last = mine!.key
          if (mine!.kind !== WriteKind.delete) items.push({ key: mine!.key, value: this.ownValue(mine!) })
        } else {
          i++
          last = stored.key
          entries.push(stored)
          if (!this.journal.isCovered(stored.key)) items.push(itemOf(stored))
        }
      }
      if (bound !== undefined && reverse) end = bound
      else if (bound !== undefined) start = `${bound}\0`
    }
    this.addFootprint(range, entries, items.length >= limit ? last : undefined)
    return items
  }

  private ownValue(entry: JournalEntry): Value {
    return entry.kind === WriteKind.add ? fromCounter(this.sum(entry)) : entry.value!
  }

  /** The footprint ends at the last key shown when the limit was reached, else at the range's end. */
  private addFootprint(range: Range, entries: ReadonlyArray<Entry>, last: Key | undefined): void {
    const { end, start } = range
    const position = this.rangePosition
    if (last === undefined) this.journal.addRange({ start, end, entries, position })
    else if (range.reverse === true) this.journal.addRange({ start: last, end, entries, position })
    else this.journal.addRange({ start, end: `${last}\0`, entries, position })
  }

  prefetch(keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>): void {
    this.check()
    this.reader.prefetch(this, keys, ranges)
  }

  // Writes -----------------------------------------------------------------------------------------------------------

  private checkKey(key: Key, length: number = key.length): void {
    this.check()
    const max = this.engine.limits.keyBytes
    if (length <= max) return
    throw StoreError.make(
      new StoreError.LimitExceeded({
        message: `a key has ${length} bytes, this store takes ${max}; nothing was written`,
        limit: "keyBytes",
        max,
        actual: length,
        key: key.slice(0, 64)
      })
    )
  }

  private checkValue(key: Key, value: Value): void {
    const max = this.engine.limits.valueBytes
    if (value.size <= max) return
    throw StoreError.make(
      new StoreError.LimitExceeded({
        message: `a value has ${value.size} bytes, this store takes ${max}; nothing was written`,
        limit: "valueBytes",
        max,
        actual: value.size,
        key
      })
    )
  }

  set(key: Key, value: Value): void {
    this.checkKey(key)
    this.checkValue(key, value)
    this.journal.set(key, value)
  }

  delete(key: Key): void {
    this.checkKey(key)
    this.journal.delete(key)
  }

  deleteRange(start: Key, end: Key): void {
    this.check()
    if (start < end) this.journal.deleteRange(start, end)
  }

  add(key: Key, delta: number): void {
    this.checkKey(key)
    const failed = this.journal.add(key, delta)
    if (failed === "overflow") throw this.overflow(key, delta)
    if (failed !== undefined) this.numberOf(key, this.journal.entry(key).value!)
  }

  append(prefix: Key, index: number, suffix: Key, value: Value): Key {
    const placeholder = prefix + placeholderStamp(index) + suffix
    this.checkKey(prefix, placeholder.length)
    this.checkValue(prefix, value)
    this.journal.append(placeholder, { prefix, index, suffix }, value)
    return placeholder
  }

  nextIndex(): number {
    this.check()
    if (this.indices <= appendIndexMax) return this.indices++
    throw StoreError.make(
      new StoreError.LimitExceeded({
        message: `one transaction appends at most ${appendIndexMax + 1} tickets; nothing was written; use several transactions`,
        limit: "appendIndexMax",
        max: appendIndexMax + 1,
        actual: this.indices + 1
      })
    )
  }

  wakeAt(millis: number): void {
    if (millis < this.wakeMillis) this.wakeMillis = millis
  }

  nowMillis(): number {
    if (this.millis < 0) this.millis = this.transacting.clock().currentTimeMillisUnsafe()
    return this.millis
  }
}

const nothing: ReadonlyArray<Item> = []

const itemOf = (entry: Entry): Item => ({ key: entry.key, value: entry.cell.value })

const itemsOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Item> => {
  switch (entries.length) {
    case 0:
      return nothing
    case 1:
      return [itemOf(entries[0]!)]
    default:
      return entries.map(itemOf)
  }
}
