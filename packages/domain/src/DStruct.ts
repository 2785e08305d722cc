/**
 * `DStruct`: a record in a store, one cell per field, so that writers of different fields never conflict. A field that was
 * never set has its initial value, which is not stored.
 *
 * Conflict footprint: `getField` and `setField` one cell each, of which `setField` reads nothing; `get` all fields; `patch`
 * writes the given fields and reads nothing. Cost: one cell per field touched; `get` is one range.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Changes from "./Changes.ts"
import { type Access, codecOf, Collection } from "./Collection.ts"
import type { Codec } from "./Codec.ts"
import { type Key, prefixEnd } from "./core/Key.ts"
import { encodePart } from "./core/KeyCodec.ts"
import { decodePart } from "./core/KeyDecode.ts"
import { described } from "./Description.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Store } from "./Store.ts"
import { InvalidInput, make as storeError, type StoreError } from "./StoreError.ts"

/** A record in a store. All methods are one transaction alone and join the one they stand in. */
export interface DStruct<in out A extends object, out R = Store> {
  readonly name: string
  readonly get: Effect.Effect<A, StoreError, R>
  readonly getField: <F extends keyof A & string>(field: F) => Effect.Effect<A[F], StoreError, R>
  /** Reads nothing. */
  readonly setField: <F extends keyof A & string>(field: F, value: A[F]) => Effect.Effect<void, StoreError, R>
  /** Sets the given fields, all or none. Reads nothing. */
  readonly patch: (fields: Partial<A>) => Effect.Effect<void, StoreError, R>
  /** Replaces one field; gives its previous value. */
  readonly modifyField: <F extends keyof A & string>(
    field: F,
    f: (value: A[F]) => A[F]
  ) => Effect.Effect<A[F], StoreError, R>
  /** All fields back to their initial values. */
  readonly reset: Effect.Effect<void, StoreError, R>
  /** Every change of a field in commit order; the `key` is the field. `Deleted` is a reset. */
  readonly changes: (
    options?: Changes.Options
  ) => Stream.Stream<Changes.Change<keyof A & string, A[keyof A]>, StoreError, R>
}

type Fields = { readonly [name: string]: Schema.Constraint }
type TypeOf<F extends Fields> = { readonly [N in keyof F]: F[N]["Type"] }
type ServicesOf<F extends Fields> = {
  readonly [N in keyof F]: F[N]["DecodingServices"] | F[N]["EncodingServices"]
}[keyof F]

export interface MakeOptions<F extends Fields, Id> {
  readonly fields: F
  readonly initial: { readonly [N in keyof F]: F[N]["Type"] }
  readonly store?: StoreKey<Id> | undefined
}

/** A record called `name`. Pure: nothing is read before the first operation. */
export const make = <const F extends Fields, Id = Store>(
  name: string,
  options: MakeOptions<F, Id>
): DStruct<TypeOf<F>, Id | ServicesOf<F>> =>
  described(new Impl<TypeOf<F>>(name, options), { kind: "DStruct", store: options.store, fields: options.fields })

interface FieldCell {
  readonly name: string
  readonly at: Key
  readonly codec: Codec<any>
}

/** The fields in key order, each with its cell and codec. */
const cellsOf = (items: Key, fields: Fields): ReadonlyArray<FieldCell> =>
  Object.entries(fields)
    .map(([field, schema]) => ({ name: field, at: items + encodePart(field), codec: codecOf(schema) }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))

class Impl<A extends object> implements DStruct<A, any> {
  readonly name: string
  readonly #base: Collection<any>
  readonly #initial: Record<string, unknown>
  readonly #cells: ReadonlyArray<FieldCell>
  readonly #byName: ReadonlyMap<string, FieldCell>

  constructor(name: string, options: MakeOptions<any, any>) {
    this.name = name
    // Only its shape is used, and whether it may need effects: the cells have codecs of their own.
    const optional = Object.fromEntries(
      Object.entries(options.fields as Fields).map(([field, schema]) => [
        field,
        Schema.optionalKey(schema as Schema.Top)
      ])
    )
    this.#base = new Collection<any>({
      name,
      kind: "DStruct",
      store: options.store,
      value: codecOf(Schema.Struct(optional))
    })
    this.#initial = options.initial as Record<string, unknown>
    this.#cells = cellsOf(this.#base.items, options.fields)
    this.#byName = new Map(this.#cells.map((cell) => [cell.name, cell]))
  }

  #cell(field: string): FieldCell {
    const cell = this.#byName.get(field)
    if (cell !== undefined) return cell
    throw storeError(
      new InvalidInput({
        message: `${JSON.stringify(this.name)} has no field ${JSON.stringify(field)}, only ${[...this.#byName.keys()].join(", ")}. Nothing was written`
      })
    )
  }

  #read(access: Access, { at, codec, name }: FieldCell): any {
    const value = access.tx.get(at)
    return value === undefined ? this.#initial[name] : this.#base.decode(access, value, at, codec)
  }

  get get() {
    return this.#base.operation("get", (access) => {
      access.tx.prefetch(
        this.#cells.map(({ at }) => at),
        []
      )
      const out: Record<string, unknown> = {}
      for (const cell of this.#cells) out[cell.name] = this.#read(access, cell)
      return out as A
    })
  }

  getField<F extends keyof A & string>(field: F) {
    return this.#base.operation("getField", (access): A[F] => this.#read(access, this.#cell(field)))
  }

  setField<F extends keyof A & string>(field: F, value: A[F]) {
    return this.#base.operation("setField", (access) => {
      const { at, codec } = this.#cell(field)
      access.tx.set(at, this.#base.encode(access, value, at, codec))
    })
  }

  patch(fields: Partial<A>) {
    const given = Object.entries(fields)
    return this.#base.operation("patch", (access) => {
      const writes = given.map(([field, value]) => {
        const { at, codec } = this.#cell(field)
        return [at, this.#base.encode(access, value, at, codec)] as const
      })
      for (const [at, value] of writes) access.tx.set(at, value)
    })
  }

  modifyField<F extends keyof A & string>(field: F, f: (value: A[F]) => A[F]) {
    return this.#base.operation("modifyField", (access): A[F] => {
      const cell = this.#cell(field)
      const before = this.#read(access, cell)
      const next = this.#base.once(access, () => f(before))
      access.tx.set(cell.at, this.#base.encode(access, next, cell.at, cell.codec))
      return before
    })
  }

  get reset() {
    return this.#base.operation("reset", ({ tx }) => tx.deleteRange(this.#base.items, prefixEnd(this.#base.items)))
  }

  changes(options?: Changes.Options) {
    const { items } = this.#base
    return Changes.items<keyof A & string, A[keyof A]>(
      this.#base,
      (key) => decodePart(key, items.length).part as keyof A & string,
      (access, value, key) => {
        const cell = this.#cells.find(({ at }) => at === key)
        return cell === undefined ? undefined : this.#base.decode(access, value, key, cell.codec)
      },
      options
    )
  }
}
