/**
 * `DCounter`: a whole number in a store, whose additions commute.
 *
 * Conflict footprint: `add`, `increment` and `decrement` read nothing and conflict with nothing but `set`-and-read
 * transactions of others that read it; `get`, `addAndGet` and `set` are its one cell. Cost: one cell. Numbers are safe
 * integers; what would leave them fails with `InvalidInput`.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as Changes from "./Changes.ts"
import { Collection } from "./Collection.ts"
import { fromCounter } from "./core/Value.ts"
import { described } from "./Description.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Store } from "./Store.ts"
import { InvalidInput, make as storeError, type StoreError } from "./StoreError.ts"

/** A whole number in a store. All methods are one transaction alone and join the one they stand in. */
export interface DCounter<out R = Store> {
  readonly name: string
  /** 0 when it was never set. */
  readonly get: Effect.Effect<number, StoreError, R>
  /** Commutative: reads nothing. */
  readonly add: (delta: number) => Effect.Effect<void, StoreError, R>
  readonly increment: Effect.Effect<void, StoreError, R>
  readonly decrement: Effect.Effect<void, StoreError, R>
  /** The new value, at the price of a read: it conflicts with other writers. */
  readonly addAndGet: (delta: number) => Effect.Effect<number, StoreError, R>
  readonly set: (value: number) => Effect.Effect<void, StoreError, R>
  /** Back to 0. */
  readonly reset: Effect.Effect<void, StoreError, R>
  /** Every change in commit order. */
  readonly changes: (options?: Changes.Options) => Stream.Stream<Changes.Change<void, number>, StoreError, R>
}

/** A counter called `name`. Pure: nothing is read before the first operation. */
export const make = <Id = Store>(
  name: string,
  options?: { readonly store?: StoreKey<Id> | undefined }
): DCounter<Id> => {
  const store = options?.store
  return described(new Impl(new Collection<number>({ name, kind: "DCounter", store })), { kind: "DCounter", store })
}

class Impl implements DCounter<any> {
  readonly name: string
  readonly #base: Collection<number>

  constructor(base: Collection<number>) {
    this.name = base.name
    this.#base = base
  }

  #integer(value: number): number {
    if (Number.isSafeInteger(value)) return value
    throw storeError(
      new InvalidInput({
        message: `counter ${JSON.stringify(this.name)} holds whole numbers of at most 2^53 - 1, not ${value}. Nothing was written`
      })
    )
  }

  get get() {
    return this.#base.operation("get", ({ tx }) => tx.counter(this.#base.items))
  }

  add(delta: number) {
    return this.#base.operation("add", ({ tx }) => tx.add(this.#base.items, this.#integer(delta)))
  }

  get increment() {
    return this.add(1)
  }

  get decrement() {
    return this.add(-1)
  }

  addAndGet(delta: number) {
    return this.#base.operation("addAndGet", ({ tx }) => {
      const sum = this.#integer(tx.counter(this.#base.items) + this.#integer(delta))
      tx.set(this.#base.items, fromCounter(sum))
      return sum
    })
  }

  set(value: number) {
    return this.#base.operation("set", ({ tx }) => tx.set(this.#base.items, fromCounter(this.#integer(value))))
  }

  get reset() {
    return this.#base.operation("reset", ({ tx }) => tx.delete(this.#base.items))
  }

  changes(options?: Changes.Options) {
    return Changes.counter(this.#base, options)
  }
}
