/**
 * The commit of an attempt on a store in memory: one call, no suspension, so nothing can come between or interrupt it.
 */
import * as Effect from "effect/Effect"
import type { CommitRequest, Refused, Reply } from "../core/Commit.ts"
import type { Journal } from "../core/Journal.ts"
import type { Version } from "../core/Version.ts"
import * as StoreError from "../StoreError.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"

const none: ReadonlyArray<never> = []

/**
 * Commits. The failure of the transaction, or `undefined` when it committed or when `attempt.stale` was set because
 * something it read has changed. A read-only attempt stands on one state that was the present during the transaction.
 */
export const commitSync = (engine: Engine, attempt: Attempt): StoreError.StoreError | undefined => {
  const { journal } = attempt
  if (!journal.hasWrites) {
    engine.stats.readOnly++
    return undefined
  }
  const sync = engine.sync!
  const sequence = ++engine.sequence
  const present = sync.version()
  // Nothing was committed since the snapshot: all that was read holds, and need not be told.
  const isPresent = attempt.version === present
  const request: CommitRequest = {
    id: { session: engine.session, sequence },
    resolvedBelow: sequence,
    base: attempt.version < 0 ? present : attempt.version,
    atMillis: engine.clock().currentTimeMillisUnsafe(),
    reads: isPresent ? none : journal.readChecks(),
    ranges: isPresent ? none : journal.rangeChecks(attempt.version),
    writes: journal.writes()
  }
  return settle(engine, attempt, sync.commitOne(request))
}

const settle = (engine: Engine, attempt: Attempt, reply: Reply): StoreError.StoreError | undefined => {
  switch (reply._tag) {
    case "Committed":
      engine.advance(reply.version)
      engine.stats.commits++
      engine.metrics.committed()
      attempt.transacting.committedAt = reply.version
      return undefined
    case "Conflict":
      attempt.stale = { keys: reply.keys, ranges: reply.ranges, local: engine.isLocalSince(attempt.version) }
      return undefined
    case "TooOld":
      engine.noticeEpoch(reply.version)
      attempt.stale = { keys: [], ranges: [], local: false }
      return undefined
    case "Refused":
      return refusedError(reply)
  }
}

/** Commits a request of the engine itself on a store in memory. */
export const commitJournalSync = (
  engine: Engine,
  journal: Journal
): Effect.Effect<Version | undefined, StoreError.StoreError> => {
  const sync = engine.sync!
  const sequence = ++engine.sequence
  const reply = sync.commitOne({
    id: { session: engine.session, sequence },
    resolvedBelow: sequence,
    base: sync.version(),
    atMillis: engine.clock().currentTimeMillisUnsafe(),
    reads: journal.readChecks(),
    ranges: [],
    writes: journal.writes()
  })
  if (reply._tag === "Refused") return Effect.fail(refusedError(reply))
  if (reply._tag !== "Committed") return Effect.succeed(undefined)
  engine.advance(reply.version)
  return Effect.succeed(reply.version)
}

/** A request that the store will never take, as the failure of its transaction. */
export const refusedError = (reply: Refused): StoreError.StoreError => {
  const key = reply.key === undefined ? {} : { key: reply.key }
  return StoreError.make(
    reply.reason === "InvalidInput"
      ? new StoreError.InvalidInput({ message: reply.message, ...key })
      : new StoreError.LimitExceeded({ message: reply.message, limit: "request", max: 0, actual: 0, ...key })
  )
}
