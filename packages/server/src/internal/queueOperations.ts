/** The calls of a queue. What may have to wait is two calls (`Calls.ts`). */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tx from "@weft/domain/Tx"
import type { Stamp } from "@weft/domain/core/Key"
import { changeOf, timeToLive, wire, type Wire } from "../Wire.ts"
import { call, limited, living, since, type Table } from "./call.ts"

/** Ends a transaction that would have gone through, so that it leaves no trace. */
class Ready extends Data.TaggedError("Ready")<{}> {}

/** Does it, or answers `None` where it would have to wait. Inside a transaction. */
const orNone = (operation: Effect.Effect<any, any, any>): Effect.Effect<any, any, any> =>
  Tx.orElse(Effect.asSome(operation), () => Effect.succeedNone)

/** Waits until it would go through, and does nothing. Inside a transaction, which it fails with `Ready`. */
const untilReady = (operation: Effect.Effect<any, any, any>): Effect.Effect<never, any, any> =>
  Effect.andThen(operation, new Ready())

/** The end of a call that waits: `Ready` is its success. */
export const answered = <E, R>(waited: Effect.Effect<never, E | Ready, R>): Effect.Effect<void, Exclude<E, Ready>, R> =>
  Effect.catchIf(
    waited as Effect.Effect<never, E | Ready, R>,
    (error): error is E & Ready => error instanceof Ready,
    () => Effect.void
  ) as Effect.Effect<void, Exclude<E, Ready>, R> // `catchIf` narrows a type parameter no further

export const queue = (schema: Schema.Constraint, stamp: Wire<Stamp>): Table => {
  const value = wire<any>(schema)
  const values = Schema.Array(value)
  const offering = { delayMillis: Schema.optionalKey(Schema.Number), ...timeToLive }
  const between = { min: Schema.Int, max: Schema.Int }
  return {
    offer: call(
      "write",
      { value, ...offering },
      Schema.Option(Schema.Boolean),
      (h, p) => orNone(h.offer(p.value, living(p))),
      true
    ),
    offerReady: call("wait", {}, Schema.Void, (h) =>
      Effect.flatMap(h.isFull as Effect.Effect<boolean>, (full) => untilReady(Tx.check(!full)))
    ),
    offerIfRoom: call("write", { value, ...offering }, Schema.Boolean, (h, p) => h.offerIfRoom(p.value, living(p))),
    offerAll: call(
      "write",
      { values, ...offering },
      Schema.Option(values),
      (h, p) => orNone(h.offerAll(p.values, living(p))),
      true
    ),
    offerAllReady: call("wait", { values }, Schema.Void, (h, p) => untilReady(h.offerAll(p.values))),
    takeBetween: call("write", between, Schema.Option(values), (h, p) => orNone(h.takeBetween(p.min, p.max)), true),
    takeBetweenReady: call("wait", between, Schema.Void, (h, p) => untilReady(h.takeBetween(p.min, p.max))),
    pollUpTo: call("write", { max: Schema.Int }, values, (h, p) => h.pollUpTo(p.max)),
    peek: call("read", {}, Schema.Option(value), (h) => h.peek),
    values: call("read", limited, values, (h, p) => h.values(p.limit)),
    size: call("read", {}, Schema.Int, (h) => h.size),
    isEmpty: call("read", {}, Schema.Boolean, (h) => h.isEmpty),
    isFull: call("read", {}, Schema.Boolean, (h) => h.isFull),
    clear: call("write", {}, Schema.Void, (h) => h.clear),
    deadLetters: call("read", limited, values, (h, p) => h.deadLetters(p.limit)),
    reviveDeadLetters: call("write", limited, Schema.Int, (h, p) => h.reviveDeadLetters(p.limit)),
    clearDeadLetters: call("write", limited, Schema.Int, (h, p) => h.clearDeadLetters(p.limit)),
    changes: call("feed", since, changeOf(stamp, value), (h, p) => h.changes(p))
  }
}
