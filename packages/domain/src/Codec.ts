/**
 * Codecs of values: a Schema on one side, the bytes of a cell on the other. Encoding happens once, at set, and validates;
 * decoding is skipped while the decoded form is remembered beside the bytes (`core/Value.ts`).
 *
 * Numbers, strings, booleans and bigints have their own short codecs; everything else is `SchemaBinary` in its default mode
 * (half the size and the time of JSON, see docs/COLLECTIONS.md). A decoded form is shared only when nobody can change
 * stored state through it: primitives, and plain structs and arrays that were copied or decoded here and then frozen. What
 * a caller hands in is never frozen nor kept.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { SchemaBinary } from "effect/encoding"
import { isEnveloped, stripped } from "./core/Envelope.ts"
import type { Key } from "./core/Key.ts"
import { format } from "./core/KeyDecode.ts"
import * as Shape from "./core/Shape.ts"
import { type Encoder, encoderOf, testOf } from "./core/PlainCodec.ts"
import { Value } from "./core/Value.ts"
import * as Bytes from "./core/ValueCodec.ts"
import { type Copier, copierOf, deepFreeze, isShareable } from "./core/Sharing.ts"
import { hasReplacement, illFormedAt } from "./core/WellFormed.ts"
import { InvalidInput, make as storeError, type StoreError, Undecodable } from "./StoreError.ts"

/**
 * Thrown by `encode` and `decode` where a Schema cannot answer at once (it suspends or needs services): run `effect`
 * outside of the operation and come again with its result.
 */
export class NeedsEffect {
  readonly effect: Effect.Effect<unknown, Schema.SchemaError, unknown>
  constructor(effect: Effect.Effect<unknown, Schema.SchemaError, unknown>) {
    this.effect = effect
  }
}

/** How the encoded side of a Schema becomes bytes. */
interface Format {
  readonly schema: Schema.Constraint
  readonly toBytes: (encoded: any, number: number) => Uint8Array
  readonly fromBytes: (bytes: Uint8Array) => unknown
}

type Run = (input: unknown) => Effect.Effect<unknown, Schema.SchemaError, unknown>

/** The codec of one Schema. Cheap to use, costly to make (some 100 µs): make one per collection. */
export class Codec<A> {
  /** What the store keeps of the Schema. */
  readonly shape: Shape.Shape
  /** Whether the Schema has a transformation that may suspend or need services; without one `NeedsEffect` is never thrown. */
  readonly mayNeedEffect: boolean
  readonly #encode: Run | undefined
  readonly #decode: Run | undefined
  readonly #is: ((input: unknown) => boolean) | undefined
  /** Says yes to most values of a primitive with checks. */
  readonly #fits: ((input: unknown) => boolean) | undefined
  /** For common values of plain structs. */
  readonly #short: Encoder | undefined
  readonly #format: Format
  readonly #copy: Copier | undefined
  readonly #shareable: boolean
  readonly #primitive: boolean
  /** Primitive and stored as it is. */
  readonly #bare: boolean
  /** A bare number: it cannot but have bytes, so they need not be made before somebody wants them. */
  readonly #isNumber: boolean
  /** A bare text: the same, when it is all of ASCII. */
  readonly #isText: boolean

  constructor(schema: Schema.Constraint) {
    this.shape = Shape.of(schema)
    this.mayNeedEffect = hasTransformation(schema.ast, new Set())
    this.#format = formatOf(schema)
    this.#is = bareTypeof(schema.ast)
    const encodable = this.#format.schema as Schema.Codec<unknown, unknown, never, never>
    this.#fits = testOf(schema.ast)
    this.#short = encoderOf(schema.ast)
    this.#encode = this.#is === undefined ? (Schema.encodeUnknownEffect(encodable) as Run) : undefined
    this.#decode = this.#is === undefined ? (Schema.decodeUnknownEffect(encodable) as Run) : undefined
    this.#primitive = isPrimitive(SchemaAST.toType(schema.ast))
    this.#bare = this.#primitive && !hasTransformation(schema.ast, new Set())
    this.#isNumber = this.#bare && this.#format.toBytes === Bytes.encodeNumber
    this.#isText = this.#bare && this.#format.toBytes === Bytes.encodeString
    this.#copy = copierOf(schema.ast)
    this.#shareable = this.#primitive || isShareable(schema.ast)
  }

  /** Validates and encodes. Throws `StoreError` (`InvalidInput`) or `NeedsEffect`. */
  encode(input: unknown, number: number, key: Key): Value {
    if (this.#is !== undefined) {
      if (!this.#is(input))
        throw invalid(key, `expected a ${this.shape.t === "leaf" ? this.shape.kind : "value"}`, input)
      return this.#toValue(input, input, number, key)
    }
    if (this.#fits?.(input) === true) return this.#toValue(input, input, number, key)
    const plain = this.#short?.(input, number)
    if (plain !== undefined) return new Value(plain.bytes, this, plain.copy)
    const exit = this.#atOnce(this.#encode!(input))
    if (Exit.isFailure(exit)) throw invalid(key, reasonOf(exit), input)
    return this.#toValue(input, exit.value, number, key)
  }

  /** As `encode`, for what a `NeedsEffect` brought. */
  encoded(input: unknown, encoded: unknown, number: number, key: Key): Value {
    return this.#toValue(input, encoded, number, key)
  }

  #toValue(input: unknown, encoded: unknown, number: number, key: Key): Value {
    if (this.#isNumber) return new Value(undefined, this, input as number, number)
    if (this.#isText && Bytes.isAscii(input as string)) return new Value(undefined, this, input as string, number)
    let bytes: Uint8Array
    try {
      bytes = this.#format.toBytes(encoded, number)
    } catch (error) {
      throw invalid(key, error instanceof Error ? error.message : String(error), input)
    }
    // Only then an encoder may have written it in the place of what is no text.
    if (bytes[0] === Bytes.codecBytes.binary && hasReplacement(bytes)) {
      const at = illFormedAt(input)
      if (at !== undefined) throw invalid(key, `the string at ${at} has a lone surrogate: it is no Unicode text`, input)
    }
    // What a transformation gives back may differ from what was put in, so only the bytes can tell.
    if (this.#bare) return new Value(bytes, this, input)
    return this.#copy === undefined ? new Value(bytes) : new Value(bytes, this, this.#copy(input))
  }

  /** The decoded value, remembered where it may be shared. Throws `StoreError` (`Undecodable`) or `NeedsEffect`. */
  decode(value: Value, key: Key): A {
    if (value.codec === this) return value.decoded as A
    let raw: unknown
    try {
      raw = this.#format.fromBytes(isEnveloped(value.bytes) ? stripped(value.bytes) : value.bytes)
    } catch (error) {
      throw undecodable(key, error instanceof Error ? error.message : String(error))
    }
    if (this.#is !== undefined) return this.decoded(value, raw)
    const exit = this.#atOnce(this.#decode!(raw))
    if (Exit.isFailure(exit)) throw undecodable(key, reasonOf(exit))
    return this.decoded(value, exit.value)
  }

  /** Successes come as an Exit; failures, and what really needs an effect, do not. */
  #atOnce(effect: Effect.Effect<unknown, Schema.SchemaError, unknown>): Exit.Exit<unknown, Schema.SchemaError> {
    // The test tells that it is an Exit, but loses the types of its sides.
    if (Exit.isExit(effect)) return effect as Exit.Exit<unknown, Schema.SchemaError>
    if (this.mayNeedEffect) throw new NeedsEffect(effect)
    return Effect.runSyncExit(effect as Effect.Effect<unknown, Schema.SchemaError>)
  }

  /** As `decode`, for what a `NeedsEffect` brought. */
  decoded(value: Value, decoded: unknown): A {
    if (this.#shareable && !isEnveloped(value.bytes)) {
      value.decoded = this.#primitive ? decoded : deepFreeze(decoded)
      value.codec = this
    }
    return decoded as A
  }
}

/** The codec of a Schema. Throws for Schemas that have no binary form (symbols as property names, members of a union that nothing tells apart). */
export const make = <S extends Schema.Constraint>(schema: S): Codec<S["Type"]> => new Codec(schema)

const formatOf = (schema: Schema.Constraint): Format => {
  const encoded = SchemaAST.toEncoded(schema.ast)
  switch (encoded._tag) {
    case "Number":
      return { schema, toBytes: Bytes.encodeNumber, fromBytes: Bytes.decodeNumber }
    case "String":
      return { schema, toBytes: Bytes.encodeString, fromBytes: Bytes.decodeString }
    case "Boolean":
      return { schema, toBytes: Bytes.encodeBoolean, fromBytes: Bytes.decodeBoolean }
    case "BigInt":
      return { schema, toBytes: Bytes.encodeBigint, fromBytes: Bytes.decodeBigint }
    default:
      return {
        schema: SchemaBinary.toCodec(schema),
        toBytes: (bytes: Uint8Array, number) => Bytes.withHeader(Bytes.codecBytes.binary, number, bytes),
        fromBytes: binaryBody
      }
  }
}

const binaryBody = (bytes: Uint8Array): Uint8Array => {
  if (bytes[0] !== Bytes.codecBytes.binary) {
    throw new RangeError(`codec byte ${bytes[0]} where ${Bytes.codecBytes.binary} was expected`)
  }
  return bytes.subarray(Bytes.headerBytes)
}

/** A `typeof` test that says all there is to say of a bare primitive Schema. */
const bareTypeof = (ast: SchemaAST.AST): ((input: unknown) => boolean) | undefined => {
  if (ast.encoding !== undefined || ast.checks !== undefined) return undefined
  switch (ast._tag) {
    case "Number":
      return (input) => typeof input === "number"
    case "String":
      return (input) => typeof input === "string"
    case "Boolean":
      return (input) => typeof input === "boolean"
    case "BigInt":
      return (input) => typeof input === "bigint"
    default:
      return undefined
  }
}

const isPrimitive = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
    case "Literal":
    case "Null":
    case "Undefined":
    case "TemplateLiteral":
    case "Enum":
      return true
    case "Union":
      return ast.types.every(isPrimitive)
    default:
      return false
  }
}

const hasTransformation = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  if (ast.encoding !== undefined) return true
  const go = (inner: SchemaAST.AST) => hasTransformation(inner, seen)
  switch (ast._tag) {
    case "Objects":
      return (
        ast.propertySignatures.some((p) => go(p.type)) || ast.indexSignatures.some((i) => go(i.parameter) || go(i.type))
      )
    case "Arrays":
      return ast.elements.some(go) || ast.rest.some(go)
    case "Union":
      return ast.types.some(go)
    case "Declaration":
      // Its parser is the user's own code; those of Effect itself answer at once.
      return (
        !String((ast.annotations?.["representation"] as { readonly id?: string } | undefined)?.id).startsWith(
          "effect/"
        ) || ast.typeParameters.some(go)
      )
    case "Suspend":
      return go(ast.thunk())
    default:
      return false
  }
}

const reasonOf = (exit: Exit.Failure<unknown, unknown>): string => {
  const reason = exit.cause.reasons[0]
  const what =
    reason === undefined
      ? "no reason given"
      : reason._tag === "Fail"
        ? reason.error
        : reason._tag === "Die"
          ? reason.defect
          : reason._tag
  return what instanceof Error ? what.message : String(what)
}

const show = (input: unknown): string => {
  try {
    const text =
      typeof input === "string"
        ? JSON.stringify(input)
        : typeof input === "object"
          ? JSON.stringify(input)
          : String(input)
    return text.length <= 100 ? text : text.slice(0, 99) + "…"
  } catch {
    return Object.prototype.toString.call(input)
  }
}

const invalid = (key: Key, why: string, input: unknown): StoreError =>
  storeError(
    new InvalidInput({
      message: `the value for ${format(key)} does not fit its Schema: ${why} (given: ${show(input)}). Nothing was written`,
      key: format(key)
    })
  )

/** The error for stored bytes that do not decode. */
export const undecodable = (key: Key, why: string): StoreError =>
  storeError(
    new Undecodable({
      message:
        `the value of ${format(key)} does not decode by the collection's Schema: ${why}. It is untouched: ` +
        "read it with the Schema it was written by, or repair it with a migration",
      key: format(key)
    })
  )

/** `InvalidInput` from a failed Schema effect. */
export const invalidFrom = (key: Key, error: unknown, input: unknown): StoreError =>
  invalid(key, error instanceof Error ? error.message : String(error), input)
