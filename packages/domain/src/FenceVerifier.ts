/**
 * The check of fencing tokens in front of what no transaction of the store can guard: a file, a device, a service of others.
 * Who uses it shows the token of the lock held (`Held.token`); whoever was paused, taken for dead and overtaken is refused.
 *
 * It stands where the resource is, once per resource: two verifiers that do not know of each other protect nothing. What it
 * has seen must live as long as the resource does: `seen` to keep it, `make({ seen })` to go on from there.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { admit, type Maxima, none, type Use } from "./core/FenceRules.ts"
import * as StoreError from "./StoreError.ts"

export type { Maxima, Use } from "./core/FenceRules.ts"

/** A later holder has used the resource: the lock of this token was lost. Nothing was done. */
export class StaleToken extends Schema.TaggedError<StaleToken>()("StaleToken", {
  message: Schema.String,
  resource: Schema.String,
  token: Schema.Number
}) {}

export interface FenceVerifier {
  /**
   * Lets pass and remembers, or fails with `StaleToken`. A synchronous step: call it in the same turn as the use, or under
   * whatever makes the resource do one thing at a time. A token that is no safe integer is `InvalidInput`, one resource too
   * many `LimitExceeded`.
   */
  readonly admit: (resource: string, use: Use, token: number) => Effect.Effect<void, StaleToken | StoreError.StoreError>
  /** What was seen, by resource. */
  readonly seen: Effect.Effect<ReadonlyMap<string, Maxima>>
}

export interface Options {
  /** What an earlier life of the verifier has seen. */
  readonly seen?: Iterable<readonly [resource: string, maxima: Maxima]> | undefined
  /** Resources it may remember; forgetting one would let the stale pass. 1,000,000 when left out. */
  readonly resourcesMax?: number | undefined
}

/** A verifier, of all resources that it will see the names of. Cost: one look-up. */
export const make = ({ resourcesMax = 1_000_000, seen }: Options = {}): FenceVerifier => {
  const maxima = new Map<string, Maxima>(seen)
  return {
    admit: (resource, use, token) =>
      Effect.suspend((): Effect.Effect<void, StaleToken | StoreError.StoreError> => {
        if (!Number.isSafeInteger(token) || token < 0) {
          const message = `a fencing token is a whole number of a lock that is held, not ${token}: nothing was let pass`
          return Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
        }
        const known = maxima.get(resource)
        const next = admit(known ?? none, use, token)
        if (next === undefined) return Effect.fail(stale(resource, use, token, known!))
        if (known === undefined && maxima.size >= resourcesMax) {
          const message = `the verifier remembers ${resourcesMax} resources already, "${resource}" would be one more: nothing was let pass`
          const actual = maxima.size + 1
          return Effect.fail(
            StoreError.make(new StoreError.LimitExceeded({ message, limit: "resourcesMax", max: resourcesMax, actual }))
          )
        }
        if (next !== known) maxima.set(resource, next)
        return Effect.void
      }),
    seen: Effect.sync(() => new Map(maxima))
  }
}

const stale = (resource: string, use: Use, token: number, { read, write }: Maxima): StaleToken => {
  const message = `a ${use} of "${resource}" with token ${token} came too late: a writer had ${write}, a reader ${read}; take the lock again`
  return new StaleToken({ message, resource, token })
}
