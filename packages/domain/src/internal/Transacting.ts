/**
 * One transaction over all of its attempts: what outlives an attempt that was lost.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Footprint } from "../core/Footprint.ts"
import type { Durability } from "../core/Commit.ts"
import type { Key } from "../core/Key.ts"
import type { Version } from "../core/Version.ts"
import type { Policy } from "../RetryPolicy.ts"
import type { Journal } from "../core/Journal.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"
import type { Guarded } from "./Guards.ts"
import { labelOf, type OperationSpec } from "./OperationSpec.ts"
import type { Progress } from "./timeLimit.ts"
import type { StoreKey } from "./StoreShape.ts"

/** What `transactWith` and `Tx.fn` take. */
export interface TransactOptions {
  readonly retry?: Policy | undefined
  readonly timeout?: Duration.Input | undefined
  readonly label?: string | undefined
  readonly escalate?: boolean | undefined
  readonly store?: StoreKey<any> | undefined
  /** Makes all other writers of the namespace wait from the first attempt on (`Store.runLocked`). */
  readonly locked?: true | undefined
}

/** An effect to run once after the commit. */
export interface CommitHook {
  readonly effect: Effect.Effect<unknown>
}

const noOptions: TransactOptions = {}

/** Steps of the slow lane, made at the first lost attempt. */
export interface Losses {
  /** Keys to take turns on: those of lost reads, and the ends of lost ranges. */
  readonly keys: Set<Key>
  /** Attempts lost to this process's transactions, and to others. */
  local: number
  foreign: number
  readonly startMillis: number
  step: ((now: number, input: never) => Effect.Effect<unknown, unknown, unknown>) | undefined
}

export class Transacting implements Guarded {
  readonly engine: Engine
  readonly fiber: Fiber.Fiber<any, any>
  private readonly named: OperationSpec<unknown> | string | undefined
  readonly options: TransactOptions
  readonly birth: number
  /** The caller's context: the body's without the transaction. */
  readonly context: Context.Context<never>
  /** Turns held now. */
  private held: Array<Key> | undefined = undefined
  tookTurn = false
  /** Counts from 1. */
  number = 1
  reason: "conflict" | "retry" | undefined = undefined
  attempt: Attempt | undefined = undefined
  /** Told of the result by a transaction with a time limit. */
  progress: Progress | undefined = undefined
  hooks: Array<CommitHook> | undefined = undefined
  /** Version of the commit once it is known, for hooks: that of the stamps of what was appended. */
  committedAt: Version = -1
  losses: Losses | undefined = undefined
  /** What it read in lost attempts, and with the guard in the running one. */
  footprint: Footprint | undefined = undefined
  /** Whether it waits for or has the local guard. */
  isGuarded = false
  /** The turn cell that makes other processes wait. */
  ticket: Key | undefined = undefined

  constructor(
    engine: Engine,
    fiber: Fiber.Fiber<any, any>,
    named: OperationSpec<unknown> | string | undefined,
    options: TransactOptions = noOptions
  ) {
    this.engine = engine
    this.fiber = fiber
    this.context = fiber.context
    this.named = named
    this.options = options
    this.birth = engine.births++
  }

  /** For messages: what was given, or the operation that is a transaction alone. */
  get label(): string | undefined {
    const { named } = this
    return typeof named === "object" ? labelOf(named) : named
  }

  /** What the operation that is this transaction alone asks of its commit. */
  get durability(): Durability | undefined {
    const { named } = this
    return typeof named === "object" ? named.durability : undefined
  }

  clock(): Clock.Clock {
    return this.fiber.getRef(Clock.Clock)
  }

  /** Runs what was given to `onCommit`, once, uninterruptible. */
  runHooks(): Effect.Effect<void> {
    const { hooks } = this
    this.hooks = undefined
    if (hooks === undefined) return Effect.void
    return Effect.uninterruptible(Effect.forEach(hooks, (hook) => reportDefects(hook.effect), { discard: true }))
  }

  /** The turns held now; few transactions ever have any. */
  get turns(): Array<Key> {
    return (this.held ??= [])
  }

  releaseTurns(): void {
    if (this.held !== undefined && this.held.length > 0) this.engine.turns.release(this, this.held)
  }

  get reads(): number {
    const journal = this.attempt?.journal
    return journal === undefined ? 0 : journal.entries.length + (journal.ranges?.length ?? 0)
  }

  /** Adds what an attempt read to the footprint. */
  widen(journal: Journal): Footprint {
    const footprint = (this.footprint ??= new Footprint())
    for (const entry of journal.entries) if (entry.read) footprint.addKey(entry.key)
    for (const { end, start } of journal.ranges ?? []) footprint.addRange(start, end)
    return footprint
  }

  /** Lets everybody go on who waited for this transaction. */
  releaseAll(): void {
    this.releaseTurns()
    if (this.isGuarded) {
      this.isGuarded = false
      this.engine.guards.release(this)
    }
    if (this.ticket !== undefined) {
      this.engine.tickets.leave(this.ticket)
      this.ticket = undefined
    }
  }

  /** Ends the present attempt: its view is dead from now on, its snapshot let go. */
  endAttempt(): void {
    const attempt = this.attempt
    if (attempt === undefined || !attempt.active) return
    attempt.active = false
    if (attempt.held) {
      attempt.held = false
      this.engine.sync!.closeSnapshot(attempt.version)
    }
  }
}

/** The transaction has committed whatever an `onCommit` does: what goes wrong there is reported, not thrown. */
const reportDefects = (effect: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.matchCauseEffect(effect, {
    onSuccess: () => Effect.void,
    onFailure: (cause) =>
      Effect.logError("An effect given to Tx.onCommit failed; the transaction has committed", Cause.squash(cause))
  })
