/**
 * How operations and transactions run: attempts, their ends, and what comes after a lost one. The fast lane, a store in
 * memory without conflict, is one pass through `transact`, the body, `succeeded` and `commitSync`.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as StoreError from "../StoreError.ts"
import { Transaction } from "../Transaction.ts"
import { Attempt } from "./Attempt.ts"
import { NamespaceMismatch, NothingToWaitFor } from "./defects.ts"
import type { Engine } from "./Engine.ts"
import { checked, fencesOf } from "./Fences.ts"
import { lockAll, lost } from "./Lost.ts"
import { labelOf, type Opening, type OperationSpec } from "./OperationSpec.ts"
import { confirm, isMirrored, needsCheck, settleOrigins, submit } from "./commitAsync.ts"
import { commitSync } from "./commitSync.ts"
import { isSignal, restart, restartExit, retryExit, suspend } from "./signals.ts"
import type { StoreKey } from "./StoreShape.ts"
import { withTimeout, type Progress } from "./timeLimit.ts"
import { Transacting, type TransactOptions } from "./Transacting.ts"
import { retry } from "./TxView.ts"
import { waitForChange, waitsForNothing } from "./wait.ts"

type AnyFiber = Fiber.Fiber<any, any>
type AnyEffect = Effect.Effect<any, any, any>

/** The attempt that a fiber runs in, if any. */
export const attemptOf = (fiber: AnyFiber): Attempt | undefined =>
  // Only `startAttempt` puts this service there, and it puts an Attempt.
  Context.getOrUndefined(fiber.context, Transaction) as Attempt | undefined

const engineOf = (fiber: AnyFiber, store: StoreKey<any>): Engine => Context.getUnsafe(fiber.context, store).engine

// Operations -----------------------------------------------------------------------------------------------------------

/** Runs an operation in the transaction it stands in, or in one of its own. */
export const perform = <A>(spec: OperationSpec<A> & AnyEffect, fiber: AnyFiber): AnyEffect => {
  const attempt = attemptOf(fiber)
  const engine = engineOf(fiber, spec.store)
  if (spec.opening !== undefined && !engine.isOpen(spec.opening)) return open(spec, spec.opening, engine)
  if (attempt === undefined) return alone(spec, engine, fiber)
  if (attempt.engine !== engine) return Exit.die(new NamespaceMismatch(labelOf(spec), spec.store.key))
  return join(spec, attempt)
}

/** Outside of any transaction, since it must hold whatever becomes of the one the operation stands in. */
const open = (spec: AnyEffect, opening: Opening<any>, engine: Engine): AnyEffect =>
  Effect.flatMap(
    Effect.updateContext(opening.open, (context: Context.Context<any>) => Context.omit(Transaction)(context)),
    () => {
      engine.setOpen(opening)
      return spec
    }
  )

const join = <A>(spec: OperationSpec<A>, attempt: Attempt): AnyEffect => {
  const mark = attempt.journal.mark()
  try {
    return Exit.succeed(spec.run(attempt))
  } catch (thrown) {
    if (thrown === suspend) {
      attempt.journal.rollback(mark, true)
      return Effect.flatMap(attempt.suspension!, () => join(spec, attempt))
    }
    return thrownExit(thrown, attempt, mark)
  }
}

/** The exit for what an operation threw. What it wrote before is undone: a failed operation leaves no trace. */
const thrownExit = (thrown: unknown, attempt: Attempt, mark: number): Exit.Exit<never, StoreError.StoreError> => {
  if (thrown === restart) return restartExit
  if (thrown === retry) {
    attempt.retrying = true
    return retryExit
  }
  attempt.journal.rollback(mark, false)
  if (thrown instanceof StoreError.StoreError) return Exit.fail(thrown)
  throw thrown
}

/** An operation that is its own transaction: on a store in memory one step, no frame, no context. */
const alone = <A>(spec: OperationSpec<A> & AnyEffect, engine: Engine, fiber: AnyFiber): AnyEffect => {
  const fences = fencesOf(fiber.context, engine)
  if (fences.length > 0) return transactOn(checked(spec, spec.store, fences), engine, fiber, spec, {})
  return inOneStep(spec, engine, fiber) ?? transactOn(spec, engine, fiber, spec, {})
}

/**
 * An operation without a lock that is its own transaction on a store in memory; `undefined` where it cannot be done in one
 * step, or has to wait. `result` makes the value of what was committed.
 */
const inOneStep = <A>(
  spec: OperationSpec<A>,
  engine: Engine,
  fiber: AnyFiber,
  result?: (value: A, attempt: Attempt) => unknown
): AnyEffect | undefined => {
  if (engine.sync === undefined || isGuarding(engine)) return undefined
  const transacting = new Transacting(engine, fiber, spec)
  transacting.tookTurn = true
  const attempt = new Attempt(engine, transacting)
  transacting.attempt = attempt
  try {
    const value = spec.run(attempt)
    const settled = settleSync(transacting, attempt, Exit.succeed(value))
    if (result === undefined || !Exit.isExit(settled) || Exit.isFailure(settled)) return settled
    return Exit.succeed(result(value, attempt))
  } catch (thrown) {
    if (thrown === retry) return undefined
    if (thrown instanceof StoreError.StoreError) return Exit.fail(thrown)
    throw thrown
  } finally {
    transacting.endAttempt()
  }
}

/** Whether an operation that stands alone is one step of its fiber now: there is nothing to wait for before it, and none after. */
export const isOneStep = (fiber: AnyFiber, store: StoreKey<any>, opening: Opening<any>): boolean => {
  const engine = engineOf(fiber, store)
  if (engine.sync === undefined || !engine.isOpen(opening)) return false
  return fencesOf(fiber.context, engine).length === 0 && !isGuarding(engine)
}

/** As `perform` of an operation outside of any transaction, in one step; `undefined` where that cannot be. */
export const performInOneStep = <A>(
  spec: OperationSpec<A>,
  fiber: AnyFiber,
  result: (value: A, attempt: Attempt) => unknown
): AnyEffect | undefined => {
  const engine = engineOf(fiber, spec.store)
  if (spec.opening !== undefined || isTraced(fiber) || fencesOf(fiber.context, engine).length > 0) return undefined
  return inOneStep(spec, engine, fiber, result)
}

const isGuarding = (engine: Engine): boolean => {
  engine.tickets.refreshSync()
  return engine.guards.any
}

// Transactions ---------------------------------------------------------------------------------------------------------

/** Runs `self` as a transaction, or as a part of the one it stands in. */
export const transact = (self: AnyEffect, store: StoreKey<any>, options: TransactOptions): AnyEffect =>
  Effect.withFiber((fiber: AnyFiber): AnyEffect => {
    const attempt = attemptOf(fiber)
    const engine = engineOf(fiber, store)
    if (attempt === undefined) {
      const fences = fencesOf(fiber.context, engine)
      const body = fences.length === 0 ? self : checked(self, store, fences)
      const { label } = options
      if (label !== undefined && isTraced(fiber)) {
        const traced = Effect.withFiber((inner: AnyFiber) => start(body, engine, inner, options))
        return Effect.withSpan(traced, label, { attributes: { "weft.store": store.key } })
      }
      return start(body, engine, fiber, options)
    }
    if (attempt.engine !== engine) return Exit.die(new NamespaceMismatch(options.label ?? "transaction", store.key))
    return joinBody(self, attempt)
  })

/** Spans are made where somebody collects them and there is a name for them: one costs more than a transaction. */
const isTraced = (fiber: AnyFiber): boolean => fiber.cache.tracer !== undefined && fiber.cache.tracerEnabled

const start = (self: AnyEffect, engine: Engine, fiber: AnyFiber, options: TransactOptions): AnyEffect =>
  options.timeout === undefined
    ? transactOn(self, engine, fiber, options.label, options)
    : limited(self, engine, options, options.timeout)

/** With a time limit the attempts run in a fiber of their own. */
const limited = (self: AnyEffect, engine: Engine, options: TransactOptions, timeout: Duration.Input): AnyEffect => {
  const progress: Progress = { attempts: 0, result: undefined }
  const run = Effect.withFiber((fiber: AnyFiber): AnyEffect => {
    const attempts = Effect.withFiber((inner: AnyFiber): AnyEffect => {
      progress.attempts = attemptOf(inner)!.transacting.number
      return self
    })
    return transactOn(attempts, engine, fiber, options.label, options, progress)
  })
  return withTimeout(run, timeout, options.label, progress)
}

/** A nested transaction joins; when it fails and the failure is handled outside of it, it left no trace. */
const joinBody = (self: AnyEffect, attempt: Attempt): AnyEffect => {
  const mark = attempt.journal.mark()
  const hooks = attempt.transacting.hooks?.length ?? 0
  return Effect.onExit(self, (exit) => {
    if (Exit.isFailure(exit) && attempt.active) {
      attempt.journal.rollback(mark, false)
      if (attempt.transacting.hooks !== undefined) attempt.transacting.hooks.length = hooks
    }
    return Effect.void
  })
}

const transactOn = (
  self: AnyEffect,
  engine: Engine,
  fiber: AnyFiber,
  named: OperationSpec<unknown> | string | undefined,
  options: TransactOptions,
  progress?: Progress
): AnyEffect => {
  const transacting = new Transacting(engine, fiber, named, options)
  transacting.progress = progress
  // Begun within the frame that ends it: a fiber interrupted before that would go on with an attempt that nobody commits.
  const begin = () => startAttempt(transacting, self)
  const first = options.locked === undefined ? Effect.suspend(begin) : Effect.flatMap(lockAll(transacting), begin)
  return Effect.onExitPrimitive(first, () => {
    fiber.setContext(transacting.context)
    transacting.endAttempt()
    transacting.releaseAll()
    return options.label !== undefined && isTraced(fiber)
      ? Effect.annotateCurrentSpan("weft.attempts", transacting.number)
      : undefined
  })
}

const startAttempt = (transacting: Transacting, self: AnyEffect): AnyEffect => {
  const attempt = new Attempt(transacting.engine, transacting)
  transacting.attempt = attempt
  transacting.hooks = undefined
  transacting.engine.stats.attempts++
  transacting.fiber.setContext(Context.add(transacting.context, Transaction, attempt))
  return Effect.matchCauseEffect(self, {
    onSuccess: (value) => ended(transacting, attempt, self, Exit.succeed(value)),
    onFailure: (cause) => ended(transacting, attempt, self, Exit.failCause(cause))
  })
}

/** The body has ended: commit, wait, or run again. Its context has no transaction from here on. */
const ended = (transacting: Transacting, attempt: Attempt, self: AnyEffect, exit: Exit.Exit<any, any>): AnyEffect => {
  transacting.fiber.setContext(transacting.context)
  if (attempt.stale !== undefined) return again(transacting, attempt, self)
  attempt.isWhole = true
  if (transacting.engine.pipeline !== undefined) return endedAsync(transacting, attempt, self, exit)
  if (attempt.retrying) return blocked(transacting, attempt, self)
  if (Exit.isFailure(exit)) return isSignal(exit.cause) ? again(transacting, attempt, self) : exit
  return settleGuarded(transacting, attempt, self, exit)
}

const settleGuarded = (
  transacting: Transacting,
  attempt: Attempt,
  self: AnyEffect,
  exit: Exit.Exit<any, any>
): AnyEffect => {
  if (isHeldBack(transacting, attempt)) {
    transacting.releaseTurns()
    return Effect.flatMap(transacting.engine.guards.changed, () => settleGuarded(transacting, attempt, self, exit))
  }
  const settled = settleSync(transacting, attempt, exit)
  return attempt.stale === undefined ? settled : again(transacting, attempt, self)
}

/** Whether this commit has to wait for a transaction that is let through. */
const isHeldBack = (transacting: Transacting, attempt: Attempt): boolean => {
  const { engine } = transacting
  if (engine.sync !== undefined) engine.tickets.refreshSync()
  return engine.guards.any && engine.guards.blocks(transacting, attempt.journal.writes())
}

/** The next attempt, after what `lost` makes of this one. */
const again = (transacting: Transacting, attempt: Attempt, self: AnyEffect): AnyEffect => {
  transacting.endAttempt()
  return Effect.flatMap(lost(transacting, attempt), () => startAttempt(transacting, self))
}

/** The body asked to wait. All requests that it stands on are resolved. */
const blocked = (transacting: Transacting, attempt: Attempt, self: AnyEffect): AnyEffect => {
  if (waitsForNothing(attempt)) return Exit.die(new NothingToWaitFor(attempt.label))
  transacting.engine.stats.waits++
  transacting.releaseAll()
  return Effect.flatMap(waitForChange(transacting.engine, attempt), () => {
    transacting.endAttempt()
    transacting.number++
    transacting.reason = "retry"
    return startAttempt(transacting, self)
  })
}

/** The end of a body on a store in memory. When the commit was lost, `attempt.stale` says why and the result means nothing. */
const settleSync = (transacting: Transacting, attempt: Attempt, exit: Exit.Exit<any, any>): AnyEffect => {
  const failure = commitSync(transacting.engine, attempt)
  if (failure !== undefined) return Exit.fail(failure)
  return transacting.hooks === undefined || attempt.stale !== undefined ? exit : runHooks(transacting, exit)
}

/** The end of a body on a store that answers later. No result leaves while it stands on anything not acknowledged. */
const endedAsync = (
  transacting: Transacting,
  attempt: Attempt,
  self: AnyEffect,
  exit: Exit.Exit<any, any>
): AnyEffect => {
  const { engine } = transacting
  if (attempt.retrying) {
    return Effect.flatMap(settleOrigins(engine, attempt), () =>
      attempt.stale === undefined ? blocked(transacting, attempt, self) : again(transacting, attempt, self)
    )
  }
  if (Exit.isFailure(exit)) {
    if (isSignal(exit.cause)) return again(transacting, attempt, self)
    if (Cause.hasInterruptsOnly(exit.cause)) return exit
  }
  attempt.active = false
  const writes = Exit.isSuccess(exit) && attempt.journal.hasWrites ? attempt.journal.writes() : []
  if (writes.length === 0 && !needsCheck(attempt)) {
    engine.stats.readOnly++
    return transacting.hooks === undefined || Exit.isFailure(exit) ? exit : runHooks(transacting, exit)
  }
  if (writes.length === 0 && isMirrored(attempt)) {
    return Effect.flatMap(confirm(attempt), () =>
      attempt.stale === undefined ? endedAsync(transacting, attempt, self, exit) : again(transacting, attempt, self)
    )
  }
  return Effect.flatMap(submit(transacting, attempt, writes, exit), (resolution): AnyEffect => {
    switch (resolution._tag) {
      case "Committed":
        transacting.committedAt = resolution.version
        return transacting.hooks === undefined || Exit.isFailure(exit) ? exit : runHooks(transacting, exit)
      case "HeldBack":
        return Effect.flatMap(engine.guards.changed, () => endedAsync(transacting, attempt, self, exit))
      case "Stale":
        attempt.stale = resolution.stale
        return again(transacting, attempt, self)
      case "Failed":
        return Exit.fail(resolution.error)
    }
  })
}

/** Runs what was given to `onCommit`, then ends with the body's result. */
const runHooks = (transacting: Transacting, exit: Exit.Exit<any, any>): AnyEffect => {
  transacting.endAttempt()
  return Effect.andThen(transacting.runHooks(), exit)
}
