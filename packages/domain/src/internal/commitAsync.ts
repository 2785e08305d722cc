/**
 * The end of an attempt on a store that answers later: its request joins the next batch and its transaction waits for the
 * outcome, whatever becomes of the fiber that waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Write } from "../core/Commit.ts"
import type { StoreError } from "../StoreError.ts"
import { AsyncReader } from "./AsyncReader.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"
import { hasOrigins, originOf, overwrittenBy, Pending, unresolvedOrigins, type Resolution } from "./Pending.ts"
import { unknownCommit } from "./Pipeline.ts"
import type { Transacting } from "./Transacting.ts"

/**
 * Whether a result without writes must be checked by the store: not when all was read from the store at one version, in
 * this attempt, since then it is of a state that was the present while the transaction ran.
 */
export const needsCheck = (attempt: Attempt): boolean => attempt.isAdopted || hasOrigins(attempt)

/** Whether such a check is one look at the store, which is cheaper than a place in a batch. */
export const isMirrored = (attempt: Attempt): boolean =>
  attempt.isAdopted && attempt.engine.backend.mirror !== undefined && !hasOrigins(attempt)

/** Looks whether what a mirrored attempt read still is the present; when not, `attempt.stale` says so. */
export const confirm = (attempt: Attempt): Effect.Effect<void, StoreError> => {
  const { reader } = attempt.engine
  return reader instanceof AsyncReader ? reader.confirm(attempt) : Effect.void
}

/** Waits until all requests that an attempt stands on are resolved. When one failed, the attempt is stale. */
export const settleOrigins = (engine: Engine, attempt: Attempt): Effect.Effect<void> => {
  const [open] = unresolvedOrigins(attempt)
  if (open !== undefined) return Effect.flatMap(engine.pipeline!.resolved(open), () => settleOrigins(engine, attempt))
  const failed = attempt.journal.entries.find((entry) => entry.read && originOf(entry)?.status === "failed")
  if (failed !== undefined) attempt.stale ??= overwrittenBy({ key: failed.key })
  return Effect.void
}

/** Not sent: a transaction that is let through guards what this one would write. Wait until guards change. */
export interface HeldBack {
  readonly _tag: "HeldBack"
}

/**
 * Sends what an attempt came to and waits for what becomes of it. An interrupted caller: a request not sent yet is taken
 * back; one that was sent is waited for, at most `commitGraceMillis`, then the interruption is joined by `CommitUnknown`.
 */
export const submit = (
  transacting: Transacting,
  attempt: Attempt,
  writes: ReadonlyArray<Write>,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<Resolution | HeldBack> => {
  const { engine } = transacting
  const pipeline = engine.pipeline!
  return Effect.callback<Resolution | HeldBack>((resume) => {
    // Looked at in the same step as the request is queued, so that a guard that was taken before holds for it.
    if (engine.guards.any && engine.guards.blocks(transacting, writes)) {
      transacting.releaseTurns()
      resume(Effect.succeed({ _tag: "HeldBack" }))
      return undefined
    }
    const { overload } = pipeline
    if (overload !== undefined) {
      resume(Effect.succeed({ _tag: "Failed", error: overload }))
      return undefined
    }
    const clock = transacting.clock()
    const atMillis = clock === engine.clock() ? -1 : clock.currentTimeMillisUnsafe()
    const pending = pipeline.enqueue(attempt, writes, atMillis)
    // The next in turn may build on the overlay from here on.
    transacting.releaseTurns()
    if (!(pending instanceof Pending)) {
      resume(Effect.succeed({ _tag: "Stale", stale: pending }))
      return undefined
    }
    pending.observe((resolution) => resume(Exit.succeed(resolution)))
    return Effect.suspend(() => (pipeline.withdraw(pending) ? Effect.void : abandoned(transacting, pending, exit)))
  })
}

/** The caller was interrupted while its request was on the way. */
const abandoned = (
  transacting: Transacting,
  pending: Pending,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> => {
  const { engine } = transacting
  if (pending.writes.length === 0) return Effect.void
  const outcome = Effect.callback<Resolution>((resume) => {
    const told = (resolution: Resolution): void => resume(Exit.succeed(resolution))
    pending.observe(told)
    return Effect.sync(() => pending.forget(told))
  })
  // The error joins the interruption in the cause; the type of a finalizer has no room for it.
  const unknown = Effect.suspend(() => Effect.fail(unknownCommit(engine, pending.sequence))) as Effect.Effect<never>
  return Effect.flatMap(
    Effect.timeoutOrElse(outcome, { duration: engine.options.commitGraceMillis, orElse: () => unknown }),
    (resolution): Effect.Effect<void> => {
      if (resolution._tag === "Committed") {
        transacting.committedAt = resolution.version
        if (transacting.progress !== undefined) transacting.progress.result = exit
        return transacting.runHooks()
      }
      if (resolution._tag === "Failed") return Effect.fail(resolution.error) as Effect.Effect<never>
      return Effect.void
    }
  )
}
