/**
 * What an operation of a collection sees of the transaction it runs in: a synchronous view with the transaction's own
 * writes on top. The seam between the engine (Transaction.ts) and the collections.
 *
 * An operation is one synchronous function `(tx: TxView) => A`. Where the store has no synchronous lane, the first read
 * that is not in memory makes the view throw its private miss signal; the engine fetches what was asked and calls the
 * function again, with the journal as it was before. So an operation must be repeatable: reads before writes where it
 * can, no effects outside of `tx`, and never a `try` around `tx` calls. `tx.prefetch` asks for several things in one trip.
 *
 * It fails by throwing a `StoreError` (which becomes the failure of the operation) and waits by throwing `retry`.
 */
import type { Key } from "../core/Key.ts"
import type { Range } from "../core/Commit.ts"
import type { Value } from "../core/Value.ts"
import type { Version } from "../core/Version.ts"

export interface Item {
  readonly key: Key
  readonly value: Value
}

export interface TxView {
  /** The value of a key; own writes, own appends and own counter additions included. Enters the read set. */
  readonly get: (key: Key) => Value | undefined
  /**
   * The version of a key's cell before this transaction's own writes, 0 when absent. Enters the read set. Where the newest
   * write is not acknowledged yet, its version is not known: the engine waits for it.
   */
  readonly versionOf: (key: Key) => Version
  /** As `get` for a counter cell, 0 when absent. Throws `StoreError(Corrupt)` when the cell is no counter. */
  readonly counter: (key: Key) => number
  /** Items of a range with own writes merged in. Its footprint (cut at the last key returned) enters the read set. */
  readonly range: (range: Range) => ReadonlyArray<Item>
  /** Asks for keys and ranges ahead, so that a store over a network answers them in one trip. Puts nothing into the read set. */
  readonly prefetch: (keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>) => void
  readonly set: (key: Key, value: Value) => void
  readonly delete: (key: Key) => void
  readonly deleteRange: (start: Key, end: Key) => void
  /** Commutative: reads nothing, conflicts with no other `add`. */
  readonly add: (key: Key, delta: number) => void
  /** Appends at `prefix + stamp + suffix`; the result is a placeholder key, ordered after all stored ones, valid in this transaction only. */
  readonly append: (prefix: Key, index: number, suffix: Key, value: Value) => Key
  /** A number that no other append of this transaction has: the `index` of a ticket. */
  readonly nextIndex: () => number
  /** Wall clock of this attempt in milliseconds since 1970, read once per attempt. */
  readonly nowMillis: () => number
  /**
   * If this attempt comes to wait (`retry`), it wakes by the clock at this wall time at the latest, in milliseconds since
   * 1970, as if something it read had changed. For items that become visible by time alone.
   */
  readonly wakeAt: (millis: number) => void
  /** Identity of the engine (one per opened store): a key for what a collection remembers per store. */
  readonly store: object
}

/** Thrown by an operation to wait until something it read changes (as `Tx.retry`). */
export const retry: unique symbol = Symbol.for("@weft/domain/retry")
