/**
 * Numbers of schemas: the store keeps the schemas that each collection was ever written under, as `(null, "schema", name,
 * number)`, and every value names the number it was written by. Opening a collection compares them, once per store and
 * before the first read or write: known, compatible by the rule of `core/Shape.ts`, migrated, or `SchemaMismatch` with the
 * difference. A number is never changed nor removed, and is acknowledged before the first value under it is written.
 */
import type * as Effect from "effect/Effect"
import * as EffectModule from "effect/Effect"
import type * as Schema from "effect/Schema"
import { Codec } from "./Codec.ts"
import { type Key, prefixEnd } from "./core/Key.ts"
import { encode } from "./core/KeyCodec.ts"
import { decode as decodeKey, format } from "./core/KeyDecode.ts"
import type * as Shape from "./core/Shape.ts"
import { differences } from "./core/ShapeDifference.ts"
import { Value } from "./core/Value.ts"
import * as Bytes from "./core/ValueCodec.ts"
import * as Operation from "./internal/Operation.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { TxView } from "./internal/TxView.ts"
import { Corrupt, LimitExceeded, make as storeError, SchemaMismatch, type StoreError } from "./StoreError.ts"

/** How values of an old Schema become values of the present one. */
export interface Migration<in out From, out To> {
  readonly from: Schema.Constraint
  readonly up: (value: From) => To
}

/** A migration: `from` is the Schema that stored values were written by, `up` makes them values of the collection's Schema. */
export const migration = <S extends Schema.Constraint, B>(
  from: S,
  up: (value: S["Type"]) => B
): Migration<S["Type"], B> => ({
  from,
  up
})

/** What is stored of a collection's schemas. */
interface Description {
  readonly format: 1
  readonly kind: string
  readonly key: Shape.Shape | undefined
  readonly value: Shape.Shape | undefined
}

/** Reads values of one schema number. */
export type Reader = (value: Value, key: Key) => unknown

/** A collection as one store knows it. */
export interface Opened {
  /** The number that values are written under. */
  readonly number: number
  /** For values of other numbers: `undefined` where the collection's own codec reads them. */
  readonly readers: Map<number, Reader | undefined>
}

export interface RegistrationOptions {
  readonly name: string
  /** `DMap`, `DQueue`...: a collection is opened by the kind it was made by. */
  readonly kind: string
  readonly store: StoreKey<any>
  readonly key?: Shape.Shape | undefined
  readonly value?: Shape.Shape | undefined
  readonly migrations?: ReadonlyArray<Migration<any, unknown>> | undefined
}

/** One collection's registration: opens it once per store, and knows what each store said. */
export class Registration {
  readonly name: string
  readonly #description: Description
  readonly #text: string
  readonly #migrations: ReadonlyArray<{ readonly shape: Shape.Shape; readonly reader: Reader }>
  readonly #opened = new WeakMap<object, Opened>()
  #lastStore: object | undefined = undefined
  #last: Opened | undefined = undefined
  /** Runs before the first operation on a store, in a transaction of its own (`Operation.Opening`). */
  readonly open: Effect.Effect<void, StoreError, any>

  constructor(options: RegistrationOptions) {
    const { key, kind, name, value } = options
    this.name = name
    this.#description = { format: 1, kind, key, value }
    this.#text = JSON.stringify(this.#description)
    this.#migrations = (options.migrations ?? []).map(({ from, up }) => {
      const codec = new Codec<unknown>(from)
      return { shape: codec.shape, reader: (value, key) => up(codec.decode(value, key)) }
    })
    this.open = EffectModule.map(
      Operation.make(options.store, `${name}.open`, (tx) => ({ store: tx.store, opened: this.#register(tx) })),
      ({ opened, store }) => {
        this.#opened.set(store, opened)
        // Opened again, e.g. because the store came back in another life: what it said before is void.
        this.#lastStore = undefined
      }
    )
  }

  /** What `store` said when it was opened. About 2 ns for the store used last. */
  at(store: object): Opened {
    if (store === this.#lastStore) return this.#last!
    const opened = this.#opened.get(store)
    if (opened === undefined) throw new Error(`collection ${JSON.stringify(this.name)} was used before it was opened`)
    this.#lastStore = store
    this.#last = opened
    return opened
  }

  #register(tx: TxView): Opened {
    const prefix = encode([null, "schema", this.name])
    const readers = new Map<number, Reader | undefined>()
    let own: number | undefined
    let last = 0
    for (const item of tx.range({ start: prefix, end: prefixEnd(prefix) })) {
      const number = Number(decodeKey(item.key)[3])
      const text = textOf(item.value, item.key)
      if (text === this.#text) own = number
      readers.set(number, this.#readerOf(number, JSON.parse(text) as Description))
      last = Math.max(last, number)
    }
    if (own === undefined) {
      own = last + 1
      if (own > Bytes.schemaNumberMax) throw tooMany(this.name, own)
      tx.set(prefix + encode([own]), new Value(Bytes.encodeString(this.#text, 0, Bytes.codecBytes.json)))
      readers.set(own, undefined)
    }
    return { number: own, readers }
  }

  /** The reader of values of `number`, looked up in the store where it was registered after this process opened. */
  reader(tx: TxView, opened: Opened, number: number): Reader | undefined {
    if (opened.readers.has(number)) return opened.readers.get(number)
    const key = encode([null, "schema", this.name, number])
    const stored = tx.get(key)
    if (stored === undefined) {
      throw storeError(
        new Corrupt({
          message: `a value of ${JSON.stringify(this.name)} names schema number ${number}, which the store does not know. It is untouched`,
          key: format(key)
        })
      )
    }
    const reader = this.#readerOf(number, JSON.parse(textOf(stored, key)) as Description)
    opened.readers.set(number, reader)
    return reader
  }

  #readerOf(number: number, stored: Description): Reader | undefined {
    const own = this.#description
    if (stored.format !== 1 || stored.kind !== own.kind) {
      throw this.#mismatch(number, [`it is a ${stored.kind} (format ${stored.format}), not a ${own.kind}`])
    }
    const keys = between(stored.key, own.key, "key")
    if (keys.length > 0) throw this.#mismatch(number, keys)
    const values = between(stored.value, own.value, "value")
    if (values.length === 0) return undefined
    const migration = this.#migrations.find(({ shape }) => between(stored.value, shape, "value").length === 0)
    if (migration === undefined) throw this.#mismatch(number, values)
    return migration.reader
  }

  #mismatch(number: number, why: ReadonlyArray<string>): StoreError {
    return storeError(
      new SchemaMismatch({
        collection: this.name,
        message:
          `collection ${JSON.stringify(this.name)} was stored under another schema (number ${number}):\n` +
          why.map((line) => `  - ${line}`).join("\n") +
          "\nNothing was read or written. Give the old Schema in `migrations`, keep the change compatible (only new optional " +
          "fields), or use another name"
      })
    )
  }
}

const between = (old: Shape.Shape | undefined, next: Shape.Shape | undefined, path: string): ReadonlyArray<string> => {
  if (old === undefined || next === undefined) return old === next ? [] : [`${path}: only one of the two has one`]
  return differences(old, next, path)
}

const textOf = (value: Value, key: Key): string => {
  try {
    return Bytes.decodeString(value.bytes, Bytes.codecBytes.json)
  } catch (error) {
    throw storeError(
      new Corrupt({
        message: `a stored schema is damaged: ${String(error)}. The collection is not opened`,
        key: format(key)
      })
    )
  }
}

const tooMany = (name: string, actual: number): StoreError =>
  storeError(
    new LimitExceeded({
      message: `collection ${JSON.stringify(name)} was stored under ${Bytes.schemaNumberMax} schemas; it takes no more`,
      limit: "schemasPerCollection",
      max: Bytes.schemaNumberMax,
      actual
    })
  )
