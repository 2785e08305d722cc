/**
 * What happens after a lost race: a `Schedule` over typed conflicts, or a function that builds one.
 *
 * The default retries for ever: a loss to a transaction of the same process waits for its turn without delay, a loss to
 * another process backs off with jitter. A schedule given by the user counts and stops; its delays apply to losses to
 * other processes alone, since local ones have their turns.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Key } from "./core/Key.ts"
import type { Version } from "./core/Version.ts"

/** A lost race, as a policy sees it. It never fails a program by itself. */
export interface Conflict {
  /** What no longer held: keys with the version read and the present one (`undefined`: not known). */
  readonly keys: ReadonlyArray<{ readonly key: Key; readonly expected: Version; readonly actual: Version | undefined }>
  /** Ranges in which something was written or deleted. */
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
  /** The attempt that was lost, counted from 1. */
  readonly attempt: number
  /** Milliseconds since the first attempt was lost. */
  readonly elapsedMillis: number
  /** Whether the race was lost to a transaction of this process. */
  readonly local: boolean
}

/** Builds a schedule whose callbacks see conflicts: `($) => $(Schedule.recurs(5)).pipe(Schedule.while(({ input }) => ...))`. */
export type Builder = (
  $: <O, E, R>(schedule: Schedule.Schedule<O, Conflict, E, R>) => Schedule.Schedule<O, Conflict, E, R>
) => Schedule.Schedule<unknown, Conflict>

/** A retry policy. When it ends, the transaction fails with `RetriesExhausted`. */
export type Policy = Schedule.Schedule<unknown, Conflict> | Builder

/** At most so many retries, with no delay of its own. */
export const times = (retries: number): Policy => Schedule.recurs(retries)

/** Waits 10, 20, ... up to 100 ms between attempts, for ever unless `times` is given: the policy that TOSC had. */
export const linear = (options?: { readonly times?: number }): Policy => {
  const grow = Schedule.addDelay(Schedule.forever, ({ attempt }) => Effect.succeed(Math.min(10 * attempt, 100)))
  return options?.times === undefined ? grow : Schedule.upTo(grow, { times: options.times })
}

/** The schedule behind a policy. */
export const toSchedule = (policy: Policy): Schedule.Schedule<unknown, Conflict> =>
  Schedule.isSchedule(policy) ? policy : policy((schedule) => schedule)
