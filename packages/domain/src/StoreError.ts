/**
 * The one error of a store: `StoreError` with a `reason` that says which of eight things happened, to which key, what it
 * means for the data and what to do. Catch one kind by `Effect.catchReason("StoreError", "Unavailable", ...)`. Pure data.
 *
 * Conflicts are not here: they are what the retry policy reads and never fail a program by themselves.
 */
import * as Schema from "effect/Schema"

/** The store cannot be reached or is closed. Nothing was written by this call. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The commit was sent and its answer was lost: it may have taken effect or not, once at most. `Store.outcome(id)` tells. */
export class CommitUnknown extends Schema.TaggedError<CommitUnknown>()("CommitUnknown", {
  message: Schema.String,
  session: Schema.String,
  sequence: Schema.Int,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The caller may not do this. Nothing was written. */
export class Denied extends Schema.TaggedError<Denied>()("Denied", {
  message: Schema.String,
  key: Schema.optionalKey(Schema.String)
}) {}

/** A named limit would be passed. Nothing was written. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  message: Schema.String,
  limit: Schema.String,
  max: Schema.Number,
  actual: Schema.Number,
  key: Schema.optionalKey(Schema.String)
}) {}

/** What was given cannot be stored or asked: refused before it was proposed. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()("InvalidInput", {
  message: Schema.String,
  key: Schema.optionalKey(Schema.String)
}) {}

/** Stored bytes do not decode by the collection's schema. The data is untouched. */
export class Undecodable extends Schema.TaggedError<Undecodable>()("Undecodable", {
  message: Schema.String,
  key: Schema.String
}) {}

/** Stored bytes are damaged (a checksum or a format does not hold). They are not served. */
export class Corrupt extends Schema.TaggedError<Corrupt>()("Corrupt", {
  message: Schema.String,
  key: Schema.optionalKey(Schema.String)
}) {}

/** The collection was stored under a schema that this program's is not compatible with. Nothing was read or written. */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>()("SchemaMismatch", {
  message: Schema.String,
  collection: Schema.String
}) {}

export const Reason = Schema.Union([
  Unavailable,
  CommitUnknown,
  Denied,
  LimitExceeded,
  InvalidInput,
  Undecodable,
  Corrupt,
  SchemaMismatch
])
export type Reason = typeof Reason.Type

/** Any failure of a store, with its reason. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", { reason: Reason }) {
  override get message(): string {
    return `${this.reason._tag}: ${this.reason.message}`
  }
  /** Whether the same call may succeed later without a change by the caller. `CommitUnknown` is not: ask `Store.outcome`. */
  get isRetryable(): boolean {
    return this.reason._tag === "Unavailable"
  }
}

/** Wraps a reason: `fail(new Unavailable({ ... }))`. */
export const make = (reason: Reason): StoreError => new StoreError({ reason })
