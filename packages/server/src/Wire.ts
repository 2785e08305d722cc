/**
 * What collections say over a wire, as Schemas: built from the Schemas of their keys and values, so that every transport of
 * `effect/rpc` can carry them.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import { type Key, KeyError, type Part, Stamp } from "@weft/domain/core/Key"
import { encode } from "@weft/domain/core/KeyCodec"
import { decode } from "@weft/domain/core/KeyDecode"
import type { Change } from "@weft/domain/Changes"
import type { Range } from "@weft/domain/KeyRange"

/**
 * A Schema of values `A` as an RPC carries them. Its constructor input is `A` itself: with `Schema.Codec<A>` alone a raw
 * client's payload would be unknown to the types.
 */
export interface Wire<A> extends Schema.Codec<A, any> {
  readonly Rebuild: Wire<A>
  readonly "~type.make.in": A
  readonly "~type.make": A
}

/** A Schema that is known to decode to `A`. */
export const wire = <A>(schema: Schema.Constraint): Wire<A> => schema as unknown as Wire<A> // one name for what `Schema.*` builds

/** Key parts as the one string of their codec, so that a bigint stays a bigint and bytes stay bytes. */
const Parts: Wire<ReadonlyArray<Part>> = wire(
  Schema.String.pipe(
    Schema.decodeTo(
      Schema.declare((input): input is ReadonlyArray<Part> => Array.isArray(input), { identifier: "Parts" }),
      {
        decode: SchemaGetter.transformEffect((text: string) => attempt(text, () => decode(text))),
        encode: SchemaGetter.transformEffect((parts: ReadonlyArray<Part>) => attempt(parts, (): Key => encode(parts)))
      }
    )
  )
)

const attempt = <A>(input: unknown, run: () => A): Effect.Effect<A, SchemaIssue.Issue> =>
  Effect.try({
    try: run,
    catch: (error) => {
      if (!(error instanceof KeyError)) throw error
      return new SchemaIssue.InvalidValue({ message: error.message }, input)
    }
  })

/** A place in the order of a queue. */
export const StampWire: Wire<Stamp> = wire(
  Schema.Tuple([Schema.Int, Schema.Int]).pipe(
    Schema.decodeTo(
      Schema.declare((input): input is Stamp => input instanceof Stamp, { identifier: "Stamp" }),
      {
        decode: SchemaGetter.transform(([version, index]: readonly [number, number]) => new Stamp(version, index)),
        encode: SchemaGetter.transform((stamp: Stamp) => [stamp.version, stamp.index] as const)
      }
    )
  )
)

/** Milliseconds; `Infinity` is for ever. */
export const timeToLive = { timeToLiveMillis: Schema.optionalKey(Schema.Number) }

export const rangeOf = <K>(key: Schema.Constraint): Wire<Range<K>> => {
  const bound = Schema.optional(wire<K>(key))
  return wire(
    Schema.Struct({
      from: bound,
      after: bound,
      until: bound,
      through: bound,
      prefix: Schema.optional(Parts),
      limit: Schema.optional(Schema.Int),
      reverse: Schema.optional(Schema.Boolean)
    })
  )
}

/** A change of a collection. */
export const changeOf = <K, V>(key: Schema.Constraint, value: Schema.Constraint): Wire<Change<K, V>> => {
  const base = {
    key: wire<K>(key),
    version: Schema.Int,
    origin: Schema.Struct({ session: Schema.String, sequence: Schema.Int }),
    isLocal: Schema.Boolean,
    atMillis: Schema.Number
  }
  const now = { value: wire<V>(value) }
  const before = { oldValue: wire<V>(value) }
  return wire(
    Schema.Union([
      Schema.TaggedStruct("Added", { ...base, ...now }),
      Schema.TaggedStruct("Updated", { ...base, ...now, ...before }),
      Schema.TaggedStruct("Deleted", { ...base, ...before }),
      Schema.TaggedStruct("Evicted", { ...base, ...before }),
      Schema.TaggedStruct("Gap", {
        from: Schema.Int,
        to: Schema.Int,
        reason: Schema.Literals(["trimmed", "epoch", "overrun"])
      })
    ])
  )
}
