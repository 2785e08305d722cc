/**
 * `DSet`: a set in a store, ordered by element. Elements are keys (docs/KEYS.md), so equal means: encodes equally.
 *
 * Conflict footprint: `add`, `remove` and `has` of an element conflict with writers of that element alone, and only where it
 * was really added or removed (adding what is there writes nothing); `size` with everything that adds or removes; writers
 * never conflict through the size. Cost and time to live as `DMap`.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Changes from "./Changes.ts"
import { Collection, isExpired_, marker } from "./Collection.ts"
import { deadlineOf } from "./core/Envelope.ts"
import type { Key } from "./core/Key.ts"
import { described } from "./Description.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Item, TxView } from "./internal/TxView.ts"
import * as Items from "./Items.ts"
import { type Check, KeyOf } from "./Key.ts"
import { type Range, rangeOf } from "./KeyRange.ts"
import type { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"

export type { Range } from "./KeyRange.ts"

/** A set in a store. All methods are one transaction alone and join the one they stand in. */
export interface DSet<in out A, out R = Store> {
  readonly name: string
  readonly has: (value: A) => Effect.Effect<boolean, StoreError, R>
  /** Whether it was not there before. With a time to live, one that is there lives anew. */
  readonly add: (
    value: A,
    options?: { readonly timeToLive?: Duration.Input | undefined }
  ) => Effect.Effect<boolean, StoreError, R>
  /** How many were not there before. */
  readonly addMany: (values: Iterable<A>) => Effect.Effect<number, StoreError, R>
  /** Whether it was there. */
  readonly remove: (value: A) => Effect.Effect<boolean, StoreError, R>
  /** How many were there. */
  readonly removeMany: (values: Iterable<A>) => Effect.Effect<number, StoreError, R>
  /** In order. */
  readonly values: (range?: Range<A>) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  readonly first: (range?: Range<A>) => Effect.Effect<Option.Option<A>, StoreError, R>
  /** As `first`, and removes it. */
  readonly takeFirst: (range?: Range<A>) => Effect.Effect<Option.Option<A>, StoreError, R>
  readonly size: Effect.Effect<number, StoreError, R>
  readonly isEmpty: Effect.Effect<boolean, StoreError, R>
  /** Removes everything. Reads nothing; fails with `LimitExceeded` beyond what the store deletes at once. */
  readonly clear: Effect.Effect<void, StoreError, R>
  /** As `DMap.evictExpired`. */
  readonly evictExpired: (limit?: number) => Effect.Effect<number, StoreError, R>
  /** Every change in commit order; the element is the `key`, there is no value. */
  readonly changes: (options?: Changes.Options) => Stream.Stream<Changes.Change<A, void>, StoreError, R>
}

export interface MakeOptions<S extends Schema.Constraint, Id> {
  readonly value: S & Check<S>
  readonly store?: StoreKey<Id> | undefined
  readonly timeToLive?: Duration.Input | undefined
}

/** A set called `name`. Pure: nothing is read before the first operation. */
export const make = <S extends Schema.Constraint, Id = Store>(
  name: string,
  options: MakeOptions<S, Id>
): DSet<S["Type"], Id> => {
  const key = new KeyOf<S["Type"]>(options.value, `set ${JSON.stringify(name)}`)
  const { store, timeToLive } = options
  const base = new Collection<void>({ name, kind: "DSet", store, timeToLive, key })
  return described(new Impl<S["Type"]>(base, key), { kind: "DSet", store, key: options.value })
}

class Impl<A> implements DSet<A, any> {
  readonly name: string
  readonly #base: Collection<void>
  readonly #key: KeyOf<A>

  constructor(base: Collection<void>, key: KeyOf<A>) {
    this.name = base.name
    this.#base = base
    this.#key = key
  }

  #at(value: A): Key {
    return this.#key.encode(this.#base.items, value)
  }

  #valueOf(item: Item): A {
    return this.#key.decode(item.key, this.#base.items.length)
  }

  has(value: A) {
    return this.#base.operation("has", ({ tx }) => this.#base.live(tx, this.#at(value)) !== undefined)
  }

  #add(tx: TxView, at: Key, timeToLive: Duration.Input | undefined): boolean {
    const raw = tx.get(at)
    const isNew = raw === undefined || isExpired_(tx, raw)
    const deadline = this.#base.deadline(tx, timeToLive)
    if (isNew || deadline !== deadlineOf(raw)) Items.write(this.#base, tx, at, raw, marker, deadline)
    return isNew
  }

  add(value: A, options?: { readonly timeToLive?: Duration.Input | undefined }) {
    return this.#base.operation("add", ({ tx }) => this.#add(tx, this.#at(value), options?.timeToLive))
  }

  addMany(values: Iterable<A>) {
    const given = Array.from(values)
    return this.#base.operation("addMany", ({ tx }) => {
      const list = given.map((value) => this.#at(value))
      tx.prefetch(list, [])
      let count = 0
      for (const at of list) if (this.#add(tx, at, undefined)) count++
      return count
    })
  }

  #remove(tx: TxView, at: Key): boolean {
    const raw = tx.get(at)
    if (raw === undefined) return false
    Items.remove(this.#base, tx, at, raw)
    return !isExpired_(tx, raw)
  }

  remove(value: A) {
    return this.#base.operation("remove", ({ tx }) => this.#remove(tx, this.#at(value)))
  }

  removeMany(values: Iterable<A>) {
    const given = Array.from(values)
    return this.#base.operation("removeMany", ({ tx }) => {
      const list = given.map((value) => this.#at(value))
      tx.prefetch(list, [])
      let count = 0
      for (const at of list) if (this.#remove(tx, at)) count++
      return count
    })
  }

  #range(tx: TxView, range: Range<A> | undefined): ReadonlyArray<Item> {
    return Items.live(tx, rangeOf(this.#base.items, this.#key, range))
  }

  values(range?: Range<A>) {
    return this.#base.operation("values", ({ tx }) => this.#range(tx, range).map((item) => this.#valueOf(item)))
  }

  #first(tx: TxView, range: Range<A> | undefined, take: boolean): Option.Option<A> {
    const item = this.#range(tx, { ...range, limit: 1 })[0]
    if (item === undefined) return Option.none()
    if (take) Items.remove(this.#base, tx, item.key, item.value)
    return Option.some(this.#valueOf(item))
  }

  first(range?: Range<A>) {
    return this.#base.operation("first", ({ tx }) => this.#first(tx, range, false))
  }

  takeFirst(range?: Range<A>) {
    return this.#base.operation("takeFirst", ({ tx }) => this.#first(tx, range, true))
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
