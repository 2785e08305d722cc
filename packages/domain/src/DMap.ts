/**
 * `DMap`: a map in a store, ordered by key.
 *
 * Conflict footprint: an operation on a key conflicts with writers of that key alone; one on a range with writers within
 * the range, up to the last key it returned; `size` with everything that adds or removes a key (but not with updates);
 * writers never conflict through the size. Cost: a point operation reads one cell and writes one, a new or removed key
 * also adds to the counter of the size, an item with a time to live also writes its index cell; a range costs by what it
 * returns. Layout of keys: docs/COLLECTIONS.md.
 *
 * Time to live: the deadline is set by the writer's wall clock and judged by the reader's, so it is exact up to the skew
 * between the two. From then on no operation sees the item; `evictExpired`, run by anybody, removes it and its event is
 * `Evicted`. No clock decides inside the store.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { type Access, type Collection as CollectionOf, codecOf, Collection, isExpired_ } from "./Collection.ts"
import * as Changes from "./Changes.ts"
import { described } from "./Description.ts"
import { deadlineOf } from "./core/Envelope.ts"
import type { Key } from "./core/Key.ts"
import type { Value } from "./core/Value.ts"
import type { Version } from "./core/Version.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Item, TxView } from "./internal/TxView.ts"
import * as Items from "./Items.ts"
import { type Check, KeyOf } from "./Key.ts"
import { type Range, rangeOf } from "./KeyRange.ts"
import type { Migration } from "./SchemaRegistry.ts"
import type { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"

export { migration, type Migration } from "./SchemaRegistry.ts"

export type { Range } from "./KeyRange.ts"

/** How long this one value lives; `"Infinity"`-long Durations live for ever. Without it: the collection's. */
export interface SetOptions {
  readonly timeToLive?: Duration.Input | undefined
}

/** A value with the version of the commit that wrote it, for `compareAndSet`. */
export interface Versioned<out V> {
  readonly value: V
  readonly version: Version
}

/** A map in a store. All methods are one transaction alone and join the one they stand in. */
export interface DMap<in out K, in out V, out R = Store> {
  readonly name: string
  /** `None` when absent or expired. One read. */
  readonly get: (key: K) => Effect.Effect<Option.Option<V>, StoreError, R>
  /** Without decoding the value. One read. */
  readonly has: (key: K) => Effect.Effect<boolean, StoreError, R>
  /** The value and the version of its commit: what `compareAndSet` expects. */
  readonly getVersioned: (key: K) => Effect.Effect<Option.Option<Versioned<V>>, StoreError, R>
  /** Gives the previous value. Fails with `InvalidInput` before anything is written when the value does not fit. */
  readonly set: (key: K, value: V, options?: SetOptions) => Effect.Effect<Option.Option<V>, StoreError, R>
  /** All or nothing; a later entry of a key wins. */
  readonly setMany: (entries: Iterable<readonly [K, V]>, options?: SetOptions) => Effect.Effect<void, StoreError, R>
  /** The value there, else sets the one given and gives it. */
  readonly getOrSet: (key: K, value: () => V, options?: SetOptions) => Effect.Effect<V, StoreError, R>
  /** Sets if the key is at `expected` (`"empty"`: absent or expired); says whether it did. The version is as of the beginning of the transaction. */
  readonly compareAndSet: (
    key: K,
    expected: Version | "empty",
    value: V,
    options?: SetOptions
  ) => Effect.Effect<boolean, StoreError, R>
  /** Gives the removed value. */
  readonly remove: (key: K) => Effect.Effect<Option.Option<V>, StoreError, R>
  /** How many were there. */
  readonly removeMany: (keys: Iterable<K>) => Effect.Effect<number, StoreError, R>
  /** Replaces a value that is there; gives the previous one. Keeps its deadline. */
  readonly modify: (key: K, f: (value: V) => V) => Effect.Effect<Option.Option<V>, StoreError, R>
  /** Sets (`Some`) or removes (`None`) by what is there. A new value lives as long as the collection says. */
  readonly modifyAt: (key: K, f: (value: Option.Option<V>) => Option.Option<V>) => Effect.Effect<void, StoreError, R>
  /** In key order. A snapshot: changes while one walks it do not show. */
  readonly entries: (range?: Range<K>) => Effect.Effect<ReadonlyArray<readonly [K, V]>, StoreError, R>
  readonly keys: (range?: Range<K>) => Effect.Effect<ReadonlyArray<K>, StoreError, R>
  readonly values: (range?: Range<K>) => Effect.Effect<ReadonlyArray<V>, StoreError, R>
  /** The entry of the least key of the range (the greatest when `reverse`). */
  readonly first: (range?: Range<K>) => Effect.Effect<Option.Option<readonly [K, V]>, StoreError, R>
  /** As `first`, and removes it. */
  readonly takeFirst: (range?: Range<K>) => Effect.Effect<Option.Option<readonly [K, V]>, StoreError, R>
  /** Number of keys. One read, and one per expired item that is not evicted yet. */
  readonly size: Effect.Effect<number, StoreError, R>
  readonly isEmpty: Effect.Effect<boolean, StoreError, R>
  /** Removes everything. Reads nothing; fails with `LimitExceeded` beyond what the store deletes at once. */
  readonly clear: Effect.Effect<void, StoreError, R>
  /** Removes at most `limit` (256) items whose time is over; gives how many. Safe to run anywhere, any number of times. */
  readonly evictExpired: (limit?: number) => Effect.Effect<number, StoreError, R>
  /** Every change in commit order; from now, or after a version. */
  readonly changes: (options?: Changes.Options) => Stream.Stream<Changes.Change<K, V>, StoreError, R>
}

export interface MakeOptions<KS extends Schema.Constraint, VS extends Schema.Constraint, Id> {
  readonly key: KS & Check<KS>
  readonly value: VS
  readonly store?: StoreKey<Id> | undefined
  readonly timeToLive?: Duration.Input | undefined
  readonly migrations?: ReadonlyArray<Migration<any, VS["Type"]>> | undefined
}

/** A map called `name`. Pure: nothing is read before the first operation. */
export const make = <KS extends Schema.Constraint, VS extends Schema.Constraint, Id = Store>(
  name: string,
  options: MakeOptions<KS, VS, Id>
): DMap<KS["Type"], VS["Type"], Id | VS["DecodingServices"] | VS["EncodingServices"]> => {
  const key = new KeyOf<KS["Type"]>(options.key, `map ${JSON.stringify(name)}`)
  const base = new Collection<VS["Type"]>({ ...options, name, kind: "DMap", key, value: codecOf(options.value) })
  const { store, value } = options
  return described(new Impl<KS["Type"], VS["Type"]>(base, key), { kind: "DMap", store, key: options.key, value })
}

type Base<V> = CollectionOf<V>

class Impl<K, V> implements DMap<K, V, any> {
  readonly name: string
  readonly #base: Base<V>
  readonly #key: KeyOf<K>

  constructor(base: Base<V>, key: KeyOf<K>) {
    this.name = base.name
    this.#base = base
    this.#key = key
  }

  #at(key: K): Key {
    return this.#key.encode(this.#base.items, key)
  }

  #option(access: Access, value: Value | undefined, at: Key): Option.Option<V> {
    return value === undefined ? Option.none() : Option.some(this.#base.decode(access, value, at))
  }

  /** The value of a raw cell unless its time is over. */
  #seen(tx: TxView, raw: Value | undefined): Value | undefined {
    return raw === undefined || isExpired_(tx, raw) ? undefined : raw
  }

  get(key: K) {
    return this.#base.operation("get", (access) => {
      const at = this.#at(key)
      return this.#option(access, this.#base.live(access.tx, at), at)
    })
  }

  has(key: K) {
    return this.#base.operation("has", ({ tx }) => this.#base.live(tx, this.#at(key)) !== undefined)
  }

  getVersioned(key: K) {
    return this.#base.operation("getVersioned", (access): Option.Option<Versioned<V>> => {
      const at = this.#at(key)
      const version = access.tx.versionOf(at)
      return Option.map(this.#option(access, this.#base.live(access.tx, at), at), (value) => ({ value, version }))
    })
  }

  set(key: K, value: V, options?: SetOptions) {
    return this.#base.operation("set", (access) => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const next = this.#base.encode(access, value, at)
      const before = this.#option(access, this.#seen(access.tx, raw), at)
      Items.write(this.#base, access.tx, at, raw, next, this.#base.deadline(access.tx, options?.timeToLive))
      return before
    })
  }

  setMany(entries: Iterable<readonly [K, V]>, options?: SetOptions) {
    const given = Array.from(entries)
    return this.#base.operation("setMany", (access) => {
      const { tx } = access
      const list = given.map(([key, value]) => [this.#at(key), value] as const)
      tx.prefetch(
        list.map(([at]) => at),
        []
      )
      const writes = list.map(([at, value]) => [at, this.#base.encode(access, value, at)] as const)
      const deadline = this.#base.deadline(tx, options?.timeToLive)
      for (const [at, value] of writes) Items.write(this.#base, tx, at, tx.get(at), value, deadline)
    })
  }

  getOrSet(key: K, value: () => V, options?: SetOptions) {
    return this.#base.operation("getOrSet", (access) => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const seen = this.#seen(access.tx, raw)
      if (seen !== undefined) return this.#base.decode(access, seen, at)
      const given = this.#base.once(access, value)
      const next = this.#base.encode(access, given, at)
      Items.write(this.#base, access.tx, at, raw, next, this.#base.deadline(access.tx, options?.timeToLive))
      return given
    })
  }

  compareAndSet(key: K, expected: Version | "empty", value: V, options?: SetOptions) {
    return this.#base.operation("compareAndSet", (access) => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const seen = this.#seen(access.tx, raw)
      const holds =
        expected === "empty" ? seen === undefined : seen !== undefined && access.tx.versionOf(at) === expected
      if (!holds) return false
      const next = this.#base.encode(access, value, at)
      Items.write(this.#base, access.tx, at, raw, next, this.#base.deadline(access.tx, options?.timeToLive))
      return true
    })
  }

  remove(key: K) {
    return this.#base.operation("remove", (access) => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const before = this.#option(access, this.#seen(access.tx, raw), at)
      if (raw !== undefined) Items.remove(this.#base, access.tx, at, raw)
      return before
    })
  }

  removeMany(keys: Iterable<K>) {
    const given = Array.from(keys)
    return this.#base.operation("removeMany", ({ tx }) => {
      const list = given.map((key) => this.#at(key))
      tx.prefetch(list, [])
      let count = 0
      for (const at of list) {
        const raw = tx.get(at)
        if (raw === undefined) continue
        if (!isExpired_(tx, raw)) count++
        Items.remove(this.#base, tx, at, raw)
      }
      return count
    })
  }

  modify(key: K, f: (value: V) => V) {
    return this.#base.operation("modify", (access): Option.Option<V> => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const seen = this.#seen(access.tx, raw)
      if (seen === undefined) return Option.none()
      const before = this.#base.decode(access, seen, at)
      const next = this.#base.encode(
        access,
        this.#base.once(access, () => f(before)),
        at
      )
      Items.write(this.#base, access.tx, at, raw, next, deadlineOf(seen))
      return Option.some(before)
    })
  }

  modifyAt(key: K, f: (value: Option.Option<V>) => Option.Option<V>) {
    return this.#base.operation("modifyAt", (access) => {
      const at = this.#at(key)
      const raw = access.tx.get(at)
      const before = this.#option(access, this.#seen(access.tx, raw), at)
      const after = this.#base.once(access, () => f(before))
      if (Option.isNone(after)) {
        if (raw !== undefined) Items.remove(this.#base, access.tx, at, raw)
        return
      }
      const next = this.#base.encode(access, after.value, at)
      Items.write(this.#base, access.tx, at, raw, next, this.#base.deadline(access.tx, undefined))
    })
  }

  #range(tx: TxView, range: Range<K> | undefined): ReadonlyArray<Item> {
    return Items.live(tx, rangeOf(this.#base.items, this.#key, range))
  }

  #keyOf(item: Item): K {
    return this.#key.decode(item.key, this.#base.items.length)
  }

  #valuesOf(access: Access, items: ReadonlyArray<Item>): ReadonlyArray<V> {
    return this.#base.decodeAll(access, items, (item) => this.#base.decode(access, item.value, item.key))
  }

  entries(range?: Range<K>) {
    return this.#base.operation("entries", (access): ReadonlyArray<readonly [K, V]> => {
      const items = this.#range(access.tx, range)
      const values = this.#valuesOf(access, items)
      return items.map((item, i) => [this.#keyOf(item), values[i]!] as const)
    })
  }

  keys(range?: Range<K>) {
    return this.#base.operation("keys", ({ tx }) => this.#range(tx, range).map((item) => this.#keyOf(item)))
  }

  values(range?: Range<K>) {
    return this.#base.operation("values", (access) => this.#valuesOf(access, this.#range(access.tx, range)))
  }

  #first(access: Access, range: Range<K> | undefined, take: boolean): Option.Option<readonly [K, V]> {
    const item = this.#range(access.tx, { ...range, limit: 1 })[0]
    if (item === undefined) return Option.none()
    const value = this.#base.decode(access, item.value, item.key)
    if (take) Items.remove(this.#base, access.tx, item.key, item.value)
    return Option.some([this.#keyOf(item), value] as const)
  }

  first(range?: Range<K>) {
    return this.#base.operation("first", (access) => this.#first(access, range, false))
  }

  takeFirst(range?: Range<K>) {
    return this.#base.operation("takeFirst", (access) => this.#first(access, range, true))
  }

  get size() {
    return this.#base.operation("size", ({ tx }) => Items.size(this.#base, tx))
  }

  get isEmpty() {
    return this.#base.operation("isEmpty", ({ tx }) => this.#range(tx, { limit: 1 }).length === 0)
  }

  get clear() {
    return this.#base.operation("clear", ({ tx }) => Items.clear(this.#base, tx))
  }

  evictExpired(limit?: number) {
    return this.#base.operation("evictExpired", ({ tx }) => Items.evictExpired(this.#base, tx, limit))
  }

  changes(options?: Changes.Options) {
    return Changes.entries(this.#base, this.#key, options)
  }
}
