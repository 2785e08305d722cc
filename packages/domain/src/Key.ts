/**
 * Keys by Schema: which Schemas may be keys (decided by the compiler), and the codec between a collection's own keys and
 * the store's (docs/KEYS.md).
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { checkLength, encodePart } from "./core/KeyCodec.ts"
import { decodePart, format } from "./core/KeyDecode.ts"
import { type Key, KeyError, type Part, Stamp } from "./core/Key.ts"
import * as Shape from "./core/Shape.ts"
import { Corrupt, InvalidInput, LimitExceeded, make as storeError, type StoreError } from "./StoreError.ts"

export { type Part, Stamp } from "./core/Key.ts"

type IsAny<A> = 0 extends 1 & A ? true : false

/**
 * `unknown` for a Schema that may be a key, else a sentence that the compiler prints where the Schema stands: it must need
 * no services and encode to a part (string, number, bigint, boolean, null, bytes, stamp) or an array of parts.
 */
export type Check<S extends Schema.Constraint> = [S["DecodingServices"] | S["EncodingServices"]] extends [never]
  ? IsAny<S["Encoded"]> extends true
    ? "This Schema may not be a key: it encodes to any"
    : [S["Encoded"]] extends [Part | ReadonlyArray<Part>]
      ? unknown
      : "This Schema may not be a key: it must encode to a string, number, bigint, boolean, null, bytes or a tuple of these"
  : "This Schema may not be a key: it needs services to encode or decode"

/** A Schema for stamps, e.g. in keys of one's own indexes. */
export const StampSchema: Schema.declare<Stamp> = Schema.declare((input): input is Stamp => input instanceof Stamp, {
  identifier: "Stamp"
})

/** Entries of the memo of user key to stored key, per collection; it is emptied when full. */
const memoMax = 2048

/** Between the keys of a Schema and the part that stands for them in stored keys. */
export class KeyOf<K> {
  readonly shape: Shape.Shape
  readonly #bare: string | undefined
  readonly #encode: (input: unknown) => Exit.Exit<unknown, Schema.SchemaError>
  readonly #decode: (input: unknown) => Exit.Exit<unknown, Schema.SchemaError>
  readonly #memo = new Map<unknown, Key>()
  readonly #label: string

  constructor(schema: Schema.Constraint, label: string) {
    this.shape = Shape.of(schema)
    this.#bare = bareType(schema.ast)
    // `Check` has made sure that it needs no services.
    const codec = schema as Schema.Codec<unknown, unknown, never, never>
    this.#encode = Schema.encodeUnknownExit(codec)
    this.#decode = Schema.decodeUnknownExit(codec)
    this.#label = label
  }

  /** The encoded part after `prefix`. Throws `StoreError` (`InvalidInput`, `LimitExceeded`). About 20 ns for a hot key. */
  encode(prefix: Key, key: K): Key {
    const memo = this.#memo.get(key)
    if (memo !== undefined) return memo
    const encoded = this.#encodePlain(prefix, key)
    if (typeof key === "string" || typeof key === "number") {
      if (this.#memo.size >= memoMax) this.#memo.clear()
      this.#memo.set(key, encoded)
    }
    return encoded
  }

  #encodePlain(prefix: Key, key: K): Key {
    if (typeof key === this.#bare) return this.#part(prefix, key as Part)
    const exit = this.#bare === undefined ? this.#encode(key) : undefined
    if (exit === undefined) throw this.#invalid(`expected a ${this.#bare}, got ${typeof key}`)
    if (Exit.isFailure(exit)) throw this.#invalid(messageOf(exit))
    return this.#part(prefix, exit.value as Part)
  }

  /** The same for a key in its encoded form. */
  #part(prefix: Key, part: Part): Key {
    try {
      return checkLength(prefix + encodePart(part))
    } catch (error) {
      throw fromKeyError(error, this.#label)
    }
  }

  #invalid(why: string): StoreError {
    return storeError(
      new InvalidInput({
        message: `a key of ${this.#label} does not fit its Schema: ${why}. Nothing was read or written`
      })
    )
  }

  /** The user key whose part begins at `offset` of a stored key. Throws `StoreError` (`Corrupt`). */
  decode(key: Key, offset: number): K {
    let part: Part
    try {
      part = decodePart(key, offset).part
    } catch (error) {
      throw fromKeyError(error, this.#label, key)
    }
    if (typeof part === this.#bare) return part as K
    const exit = this.#bare === undefined ? this.#decode(part) : undefined
    if (exit !== undefined && Exit.isSuccess(exit)) return exit.value as K
    const why = exit === undefined ? `a ${this.#bare} was expected` : messageOf(exit as Exit.Failure<unknown, unknown>)
    throw storeError(
      new Corrupt({
        message: `a stored key of ${this.#label} does not decode: ${why}. It is untouched`,
        key: format(key)
      })
    )
  }
}

const bareType = (ast: SchemaAST.AST): string | undefined => {
  if (ast.encoding !== undefined || ast.checks !== undefined) return undefined
  return { String: "string", Number: "number", Boolean: "boolean", BigInt: "bigint" }[ast._tag as string]
}

const messageOf = (exit: Exit.Failure<unknown, unknown>): string => {
  const reason = exit.cause.reasons[0]
  if (reason?._tag === "Fail") return reason.error instanceof Error ? reason.error.message : String(reason.error)
  return reason?._tag === "Die" ? String(reason.defect) : "its Schema did not answer at once"
}

/** A `KeyError` as the `StoreError` it means; anything else is thrown on. */
export const fromKeyError = (error: unknown, label: string, key?: Key): StoreError => {
  if (!(error instanceof KeyError)) throw error
  if (error.limit !== undefined) {
    const { actual, max, name } = error.limit
    return storeError(
      new LimitExceeded({ message: `${label}: ${error.message}. Nothing was written`, limit: name, max, actual })
    )
  }
  if (error.reason === "BadBytes") {
    return storeError(
      new Corrupt({ message: `${label}: ${error.message}`, ...(key === undefined ? {} : { key: format(key) }) })
    )
  }
  return storeError(new InvalidInput({ message: `${label}: ${error.message}. Nothing was read or written` }))
}
