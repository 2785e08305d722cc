/** What a call of a collection is, and what all tables of calls share. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { wire } from "../Wire.ts"

/**
 * `read`: may be asked again; `write`: must take effect once; `wait`: may be asked again and answers when it is time;
 * `feed`: a stream.
 */
export type Mode = "read" | "write" | "wait" | "feed"

export interface OperationOf {
  readonly mode: Mode
  readonly payload: Schema.Struct.Fields
  readonly success: Schema.Top
  /** Whether the server must run it inside of a transaction even when it is asked for without an id. */
  readonly transact?: boolean
  // One table for all kinds: what `handle` is stands in the description that chose the table.
  readonly run: (handle: any, payload: any) => Effect.Effect<any, any, any> | Stream.Stream<any, any, any>
}

export type Table = Readonly<Record<string, OperationOf>>

export const none = {}
export const limited = { limit: Schema.optionalKey(Schema.Int) }
export const Version = Schema.Int
export const Expected = Schema.Union([Schema.Literal("empty"), Version])
export const since = { from: Schema.optional(Version) }

/** A `SetOptions` of what came over the wire. */
export const living = (payload: { readonly timeToLiveMillis?: number; readonly delayMillis?: number }) => ({
  ...(payload.timeToLiveMillis === undefined ? {} : { timeToLive: payload.timeToLiveMillis }),
  ...(payload.delayMillis === undefined ? {} : { delay: payload.delayMillis })
})

export const call = (
  mode: Mode,
  payload: Schema.Struct.Fields,
  success: Schema.Constraint,
  run: OperationOf["run"],
  transact = false
): OperationOf => ({ mode, payload, success: wire<any>(success), run, transact })
