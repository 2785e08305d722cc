/**
 * What follows a lost attempt: the policy is asked, a foreign loss backs off, and the keys that were lost on are taken in
 * turns, in key order, before the next snapshot. Nothing here runs on the fast lane.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { Footprint } from "../core/Footprint.ts"
import type { Key } from "../core/Key.ts"
import { toSchedule, type Conflict } from "../RetryPolicy.ts"
import type { StoreError } from "../StoreError.ts"
import { RetriesExhausted } from "../TxError.ts"
import type { Attempt, Stale } from "./Attempt.ts"
import type { Losses, Transacting } from "./Transacting.ts"

/** Back-off after foreign losses: doubles from the first to the second, in milliseconds, times a random 0.5 to 1.5. */
const backOffFirstMillis = 1
const backOffMaxMillis = 64

/** Keys a transaction takes turns on at most; beyond, conflicts are so wide that turns no longer order them. */
const turnKeysMax = 64

/** Lost attempts after which the local guard is taken; fewer when turns cannot help, since too many keys were lost on. */
const guardAfter = 3
const guardAfterWide = 2

/** Attempts lost to other processes after which they are made to wait by a turn cell. */
const ticketAfter = 2

/**
 * Age of the first of these losses from which on this is done where the store gives processes their turns: a short
 * transaction commits in the next one, and whoever has lost for this long does not fit in one. In milliseconds.
 */
const ticketMillis = 100

export const lost = (transacting: Transacting, attempt: Attempt): Effect.Effect<void, any> =>
  Effect.suspend(() => {
    const stale: Stale = attempt.stale ?? { keys: [], ranges: [], local: true }
    const { engine } = transacting
    const losses = (transacting.losses ??= makeLosses(transacting))
    if (stale.local) {
      losses.local++
      engine.stats.localConflicts++
    } else {
      losses.foreign++
      engine.stats.foreignConflicts++
    }
    engine.metrics.conflict(stale.keys, stale.local)
    const policy = transacting.options.retry
    const after = policy === undefined ? backOff(transacting, stale, losses) : step(transacting, losses, stale)
    transacting.number++
    transacting.reason = "conflict"
    const next = Effect.suspend(() => goAhead(transacting, attempt, losses, stale))
    return after === undefined ? next : Effect.andThen(after, next)
  })

/** Turns on the keys lost on; after more losses the local guard; after foreign ones a turn cell for the other processes. */
const goAhead = (
  transacting: Transacting,
  attempt: Attempt,
  losses: Losses,
  stale: Stale
): Effect.Effect<void, StoreError> => {
  const { engine, options } = transacting
  const footprint = transacting.widen(attempt.journal)
  const lostCount = losses.local + losses.foreign
  const isWide = losses.keys.size > turnKeysMax
  const isForeign = losses.foreign >= ticketAfter && options.escalate !== false && isLate(transacting, losses)
  if (!isForeign && lostCount < (isWide ? guardAfterWide : guardAfter)) return takeTurns(transacting, losses, stale)
  transacting.releaseTurns()
  transacting.isGuarded = true
  const guarded = engine.guards.acquire(transacting)
  if (!isForeign) return guarded
  // What else it will read is not known, or what it guarded was not all of it: then the whole namespace.
  if (!attempt.isWhole || transacting.ticket !== undefined) footprint.addAll()
  if (transacting.ticket !== undefined) {
    engine.tickets.leave(transacting.ticket)
    transacting.ticket = undefined
  }
  return Effect.andThen(guarded, enter(transacting, footprint))
}

const isLate = (transacting: Transacting, { startMillis }: Losses): boolean =>
  transacting.engine.backend.hasTurn === undefined ||
  transacting.clock().currentTimeMillisUnsafe() - startMillis >= ticketMillis

const enter = (transacting: Transacting, footprint: Footprint): Effect.Effect<void, StoreError> =>
  Effect.map(transacting.engine.tickets.enter(footprint), (ticket) => {
    transacting.ticket = ticket
  })

/** Makes all other writers wait: the local guard and a turn cell, both over the whole namespace. */
export const lockAll = (transacting: Transacting): Effect.Effect<void, StoreError> => {
  const footprint = (transacting.footprint = new Footprint())
  footprint.addAll()
  transacting.tookTurn = true
  transacting.isGuarded = true
  return Effect.andThen(transacting.engine.guards.acquire(transacting), enter(transacting, footprint))
}

const makeLosses = (transacting: Transacting): Losses => ({
  keys: new Set(),
  local: 0,
  foreign: 0,
  startMillis: transacting.clock().currentTimeMillisUnsafe(),
  step: undefined
})

/** The default policy: no delay after a local loss or in this process's turn, jittered exponential after a foreign one. */
const backOff = (transacting: Transacting, stale: Stale, losses: Losses): Effect.Effect<void> | undefined => {
  if (stale.local || transacting.engine.backend.hasTurn?.() === true) return undefined
  const millis = Math.min(backOffFirstMillis * 2 ** (losses.foreign - 1), backOffMaxMillis)
  return Effect.flatMap(Random.next, (random) => Effect.sleep(millis * (0.5 + random)))
}

/** A policy given by the user counts every loss; its delay is waited after foreign ones. */
const step = (transacting: Transacting, losses: Losses, stale: Stale): Effect.Effect<void, any> => {
  const attempt = transacting.number
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const conflict: Conflict = {
      keys: stale.keys,
      ranges: stale.ranges,
      attempt,
      elapsedMillis: now - losses.startMillis,
      local: stale.local
    }
    losses.step ??= yield* Schedule.toStep(toSchedule(transacting.options.retry!))
    const next = yield* Effect.result(losses.step(now, conflict as never) as Effect.Effect<unknown, unknown>)
    if (next._tag === "Failure") {
      return yield* new RetriesExhausted({ label: transacting.label, conflict })
    }
    const [, delay] = next.success as [unknown, Duration.Duration]
    if (!stale.local && Duration.toMillis(delay) > 0) yield* Effect.sleep(delay)
  })
}

/** All keys this transaction ever lost on, one after another in key order, so that nobody waits in a circle. */
const takeTurns = (transacting: Transacting, losses: Losses, stale: Stale): Effect.Effect<void> => {
  const { turns } = transacting.engine
  const before = losses.keys.size
  for (const { key } of stale.keys) losses.keys.add(key)
  for (const { end, start } of stale.ranges) losses.keys.add(start).add(end)
  if (losses.keys.size > turnKeysMax) {
    transacting.releaseTurns()
    return Effect.void
  }
  transacting.tookTurn = true
  for (const key of losses.keys) turns.heat(key)
  if (losses.keys.size === before && transacting.turns.length === before) return Effect.void
  transacting.releaseTurns()
  return takeNext(transacting, [...losses.keys].sort(), 0)
}

const takeNext = (transacting: Transacting, keys: ReadonlyArray<Key>, from: number): Effect.Effect<void> => {
  const { engine } = transacting
  for (let i = from; i < keys.length; i++) {
    const key = keys[i]!
    if (engine.turns.tryTake(key, transacting, transacting.turns)) continue
    const waiting = Effect.callback<void>((resume) => {
      const leave = engine.turns.wait(key, transacting, transacting.turns, () => resume(Effect.void))
      return Effect.sync(leave)
    })
    return Effect.flatMap(waiting, () => takeNext(transacting, keys, i + 1))
  }
  return Effect.void
}
