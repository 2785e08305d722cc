/**
 * `DRef`: one value in a store. A ref that was never set has the initial value, which is not stored.
 *
 * Conflict footprint: its one cell. `set` alone reads nothing, so two of them never conflict (the later one wins); `update`
 * and the like read and write it. Cost: one cell.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Changes from "./Changes.ts"
import { type Access, codecOf, Collection } from "./Collection.ts"
import { withDeadline } from "./core/Envelope.ts"
import type { Version } from "./core/Version.ts"
import { described } from "./Description.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Migration } from "./SchemaRegistry.ts"
import type { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"

export { migration, type Migration } from "./SchemaRegistry.ts"

/** One value in a store. All methods are one transaction alone and join the one they stand in. */
export interface DRef<in out A, out R = Store> {
  readonly name: string
  /** The value, the initial one where there is none (or its time is over). */
  readonly get: Effect.Effect<A, StoreError, R>
  /** The value and the version of its commit; 0 where it was never set. */
  readonly getVersioned: Effect.Effect<{ readonly value: A; readonly version: Version }, StoreError, R>
  /** Reads nothing. */
  readonly set: (value: A) => Effect.Effect<void, StoreError, R>
  /** Sets it and gives the previous value. */
  readonly getAndSet: (value: A) => Effect.Effect<A, StoreError, R>
  readonly update: (f: (value: A) => A) => Effect.Effect<void, StoreError, R>
  readonly updateAndGet: (f: (value: A) => A) => Effect.Effect<A, StoreError, R>
  readonly getAndUpdate: (f: (value: A) => A) => Effect.Effect<A, StoreError, R>
  /** Gives the first part and sets the second. */
  readonly modify: <B>(f: (value: A) => readonly [result: B, next: A]) => Effect.Effect<B, StoreError, R>
  /** Sets if the ref is at `expected` (`"empty"`: never set or reset); says whether it did. */
  readonly compareAndSet: (expected: Version | "empty", value: A) => Effect.Effect<boolean, StoreError, R>
  /** Back to the initial value. */
  readonly reset: Effect.Effect<void, StoreError, R>
  /** Every change in commit order. `Deleted` is a reset. */
  readonly changes: (options?: Changes.Options) => Stream.Stream<Changes.Change<void, A>, StoreError, R>
}

export interface MakeOptions<S extends Schema.Constraint, Id> {
  readonly value: S
  readonly initial: S["Type"]
  readonly store?: StoreKey<Id> | undefined
  /** Time after a set until the initial value stands again. */
  readonly timeToLive?: Duration.Input | undefined
  readonly migrations?: ReadonlyArray<Migration<any, S["Type"]>> | undefined
}

/** A ref called `name`. Pure: nothing is read before the first operation. */
export const make = <S extends Schema.Constraint, Id = Store>(
  name: string,
  options: MakeOptions<S, Id>
): DRef<S["Type"], Id | S["DecodingServices"] | S["EncodingServices"]> => {
  const { initial, store, value } = options
  const base = new Collection<S["Type"]>({ ...options, name, kind: "DRef", value: codecOf(value) })
  return described(new Impl<S["Type"]>(base, initial), { kind: "DRef", store, value })
}

class Impl<A> implements DRef<A, any> {
  readonly name: string
  readonly #base: Collection<A>
  readonly #initial: A

  constructor(base: Collection<A>, initial: A) {
    this.name = base.name
    this.#base = base
    this.#initial = initial
  }

  #read(access: Access): A {
    const value = this.#base.live(access.tx, this.#base.items)
    return value === undefined ? this.#initial : this.#base.decode(access, value, this.#base.items)
  }

  #write(access: Access, value: A): void {
    const { items } = this.#base
    const encoded = this.#base.encode(access, value, items)
    const deadline = this.#base.deadline(access.tx, undefined)
    access.tx.set(items, deadline === undefined ? encoded : withDeadline(encoded, deadline))
  }

  get get() {
    return this.#base.operation("get", (access) => this.#read(access))
  }

  get getVersioned() {
    return this.#base.operation("getVersioned", (access) => ({
      value: this.#read(access),
      version: access.tx.versionOf(this.#base.items)
    }))
  }

  set(value: A) {
    return this.#base.operation("set", (access) => this.#write(access, value))
  }

  #update<B>(label: string, f: (value: A) => readonly [B, A]): Effect.Effect<B, StoreError, any> {
    return this.#base.operation(label, (access) => {
      const before = this.#read(access)
      const [result, next] = this.#base.once(access, () => f(before))
      this.#write(access, next)
      return result
    })
  }

  getAndSet(value: A) {
    return this.#update("getAndSet", (before) => [before, value])
  }

  update(f: (value: A) => A) {
    return this.#update<void>("update", (before) => [undefined, f(before)])
  }

  updateAndGet(f: (value: A) => A) {
    return this.#update("updateAndGet", (before) => {
      const next = f(before)
      return [next, next]
    })
  }

  getAndUpdate(f: (value: A) => A) {
    return this.#update("getAndUpdate", (before) => [before, f(before)])
  }

  modify<B>(f: (value: A) => readonly [B, A]) {
    return this.#update("modify", f)
  }

  compareAndSet(expected: Version | "empty", value: A) {
    return this.#base.operation("compareAndSet", (access) => {
      const { items } = this.#base
      const seen = this.#base.live(access.tx, items)
      const holds =
        expected === "empty" ? seen === undefined : seen !== undefined && access.tx.versionOf(items) === expected
      if (holds) this.#write(access, value)
      return holds
    })
  }

  get reset() {
    return this.#base.operation("reset", ({ tx }) => tx.delete(this.#base.items))
  }

  changes(options?: Changes.Options) {
    return Changes.cell(this.#base, options)
  }
}
