/**
 * What is held in a store by a record of the process's session, whatever kind of lock it is: the record is the fence of
 * everything that runs under it, and its end interrupts that.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Key } from "../core/Key.ts"
import type { Version } from "../core/Version.ts"
import * as Lock from "../LockModel.ts"
import type * as Sessions from "../Sessions.ts"
import type * as StoreError from "../StoreError.ts"
import type { Engine } from "./Engine.ts"
import { type Fence, Fences } from "./Fences.ts"
import { lost, notHeld } from "./lockErrors.ts"
import type { StoreKey, StoreShape } from "./StoreShape.ts"

export interface HeldAs<Id> {
  /** Names the lock for people: `lock tree "desk"`. */
  readonly what: string
  readonly store: StoreKey<Id>
  readonly engine: Engine
  readonly session: Sessions.Session
  readonly stamp: Key
  readonly owner: string
}

export abstract class HeldRecord<Id> implements Fence {
  readonly what: string
  readonly engine: Engine
  readonly store: StoreKey<Id>
  readonly session: Sessions.Session
  readonly stamp: Key
  readonly recordKey: Key
  readonly owner: string
  token: Version = -1
  private over = false
  private isGone = false
  /** What runs under it, told when it is lost. */
  private guarded: Set<() => void> | undefined = undefined

  constructor(held: HeldAs<Id>, recordPrefix: Key) {
    this.what = held.what
    this.engine = held.engine
    this.store = held.store
    this.session = held.session
    this.stamp = held.stamp
    this.owner = held.owner
    this.recordKey = recordPrefix + held.stamp
  }

  isOver(): boolean {
    return this.over
  }

  private get isLost(): boolean {
    return this.isGone || this.session.isLost()
  }

  lose(): void {
    this.isGone = true
    for (const tell of this.guarded ?? []) tell()
  }

  /** Calls `tell` when it is lost, now if it is already; the result takes that back. */
  private whenLost(tell: () => void): () => void {
    if (this.isGone) tell()
    const guarded = (this.guarded ??= new Set())
    guarded.add(tell)
    const leave = this.session.whenLost(tell)
    return () => {
      guarded.delete(tell)
      leave()
    }
  }

  /** Takes record and tickets away. */
  protected abstract giveBack(): Effect.Effect<unknown, StoreError.StoreError, Id>

  /** Gives back. Never fails: what the store does not answer now is tried again until the session's end does it. */
  get release(): Effect.Effect<void, never, Id> {
    return Effect.suspend(() => {
      this.over = true
      return dropped(this.engine, this.store, this.giveBack())
    })
  }

  /** Runs with the lock among what the flow holds; interrupted when it is lost; gives back at the end. */
  run<A, E, R>(
    self: Effect.Effect<A, E, R>,
    restore: <A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A, E | Lock.LockError, R | Id> {
    return Effect.onExit(restore(this.guard(self)), () => this.release)
  }

  /** Runs with the lock among what the flow holds, in a fiber of its own that is interrupted when it is lost. */
  guard<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Lock.LockError, R> {
    return Effect.suspend((): Effect.Effect<A, E | Lock.LockError, R> => {
      if (this.over) return Effect.fail(notHeld(this.what))
      let isTold = false
      const inside = Effect.withFiber((child) => {
        child.addObserver(
          this.whenLost(() => {
            isTold = true
            child.interruptUnsafe()
          })
        )
        return Effect.updateContext(self, (context: Context.Context<R>) =>
          context.pipe(
            Context.add(Fences, [...Context.get(context, Fences), this]),
            Context.add(Lock.Holding, [...Context.get(context, Lock.Holding), this])
          )
        )
      })
      // A race of one: whoever interrupts this fiber interrupts and awaits that one.
      return Effect.matchCauseEffect(Effect.raceAllFirst([inside]), {
        onSuccess: (value): Effect.Effect<A, E | Lock.LockError> =>
          isTold ? Effect.fail(lost(this.what)) : Effect.succeed(value),
        // A transaction that finds the lock gone ends as if interrupted, wherever it runs.
        onFailure: (cause): Effect.Effect<A, E | Lock.LockError> =>
          isTold || (this.isLost && Cause.hasInterruptsOnly(cause))
            ? Effect.fail(lost(this.what))
            : Effect.failCause(cause)
      })
    })
  }
}

/** What a lock does to its own cells is not under the locks that the flow holds. */
export const unfenced = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) =>
    Context.get(context, Fences).length === 0 ? self : Effect.provideService(self, Fences, [])
  )

const dropRetry = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")])

/** Does what gives something back; when the store does not answer, goes on trying in the store's scope. */
export const dropped = <Id>(
  engine: Engine,
  store: StoreKey<Id>,
  self: Effect.Effect<unknown, StoreError.StoreError, Id>
): Effect.Effect<void, never, Id> =>
  Effect.uninterruptible(
    unfenced(
      Effect.matchEffect(self, {
        onSuccess: () => Effect.void,
        onFailure: () =>
          Effect.map(store, (shape: StoreShape) => {
            // R is the store's key alone, which is given here.
            const later = Effect.provideService(Effect.retry(self, dropRetry), store, shape) as Effect.Effect<unknown>
            engine.fork(unfenced(later))
          })
      })
    )
  )
