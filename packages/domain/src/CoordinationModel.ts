/**
 * Coordination between fibers and processes: mutex, read-write lock, weighted semaphore, locks with modes of your own,
 * countdown latch, cyclic barrier and leader election. This module has the words that the local form
 * (`LocalCoordination.ts`) and the one in a store (`Coordination.ts`) share; both pass one suite (`CoordinationSuite`).
 *
 * All are named: two handles of one name are one thing, for everyone on the same store, or in the same local form.
 * Everything that waits is first come, first served and leaves nothing behind when it is interrupted. What is held or
 * waited for in a store hangs on the process's session: when the process dies, it is given back.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { Compatible } from "./core/ModeRules.ts"
import type { AnyLock, LockError, RequestOptions } from "./LockModel.ts"
import type { StoreError } from "./StoreError.ts"

export type { Compatible, Holds } from "./core/ModeRules.ts"

/** Many may read at once, one alone may write. */
export interface ReadWriteLock<out R = never> {
  readonly name: string
  readonly read: AnyLock<R>
  readonly write: AnyLock<R>
}

/** A number of permits, held some at a time. */
export interface Semaphore<out R = never> {
  readonly name: string
  /** Permits that there are. The same in all processes. */
  readonly permits: number
  /** Holds `weight` of them, 1 when left out. More than there are, none, or a fraction: `InvalidInput`. */
  readonly take: (weight?: number, options?: RequestOptions) => AnyLock<R>
  /** Permits that nobody holds. Someone who waits may want more than these. */
  readonly available: Effect.Effect<number, StoreError, R>
}

export interface ModeOptions extends RequestOptions {
  /** What the request weighs, for compatibility functions that count. 1 when left out; a positive safe integer. */
  readonly weight?: number | undefined
}

/** A holder of a lock with modes, or one that waits. */
export interface ModeStanding<out M extends string = string> {
  readonly mode: M
  readonly weight: number
  readonly owner: string
  readonly state: "holds" | "waits"
  /** Place in line: smaller came first. */
  readonly stamp: number
}

/** A lock with modes of your own. */
export interface ModeLock<in out M extends string, out R = never> {
  readonly name: string
  /**
   * A lock in one of the modes. A request that its flow can never be granted, since the flow itself holds this lock, is a
   * `Deadlock`; a compatibility function that throws is an `InvalidInput` of the request it was asked for alone.
   */
  readonly lock: (mode: M, options?: ModeOptions) => AnyLock<R>
  /** Everyone in line, holders first. */
  readonly standings: Effect.Effect<ReadonlyArray<ModeStanding<M>>, StoreError, R>
}

/** Opens once it was counted down to zero, and stays open. */
export interface Latch<out R = never> {
  readonly name: string
  /** Counts down by `by`, 1 when left out; beyond zero without effect. In a store it joins the transaction it is called in, and conflicts with no other count. */
  readonly countDown: (by?: number) => Effect.Effect<void, StoreError, R>
  /** What is left to count. */
  readonly count: Effect.Effect<number, StoreError, R>
  /** Waits until it is open. In a store it is looked at again at each count. */
  readonly await: Effect.Effect<void, StoreError, R>
  /** Closes it again, with its full count. Who waits goes on waiting. */
  readonly reset: Effect.Effect<void, StoreError, R>
}

/** One passage of a barrier. */
export interface Passage {
  /** 0 for the first, one more each time. */
  readonly generation: number
  /** Who arrived first has 0; who arrived last, and let all go, has `parties - 1`. */
  readonly index: number
}

/** Lets its parties go on when all of them have arrived, again and again. */
export interface Barrier<out R = never> {
  readonly name: string
  /** The same in all processes. */
  readonly parties: number
  /** Arrives and waits for the others. Who is interrupted, or dies, before the last has arrived has not arrived. */
  readonly await: Effect.Effect<Passage, LockError | StoreError, R>
  /** Parties that wait now. */
  readonly waiting: Effect.Effect<number, StoreError, R>
}

/** The time of one leader. */
export interface Term {
  /** 1 for the first, one more each time: who sees a step of two has missed one. */
  readonly number: number
  readonly leader: string
  /** Fencing token, greater than that of every earlier term: for a `FenceVerifier`. */
  readonly token: number
}

/** Who leads. */
export interface Election<out R = never> {
  readonly name: string
  /**
   * Stands for election, waits to be elected, runs under the term, resigns at its end. While it leads, its transactions are
   * checked as under any lock; when it is taken for dead it is interrupted with `LockLost`. Candidates are elected in the
   * order in which they stood. `owner` is the leader's name.
   */
  readonly lead: <A, E, R2>(
    self: (term: Term) => Effect.Effect<A, E, R2>,
    options?: RequestOptions
  ) => Effect.Effect<A, E | LockError | StoreError, R | R2>
  /** Who leads now. */
  readonly leader: Effect.Effect<Option.Option<Term>, StoreError, R>
  /** The present state and each later one, `None` while nobody leads. A slow reader sees the newest: `number` tells what it missed. */
  readonly terms: Stream.Stream<Option.Option<Term>, StoreError, R>
}

/** Makes all of them, by name. */
export interface Coordination<out R = never> {
  /** One holder at a time. A mutex and a read-write lock of one name are one lock. Locks taken in opposite order: `Deadlock` for the one that closes the cycle. */
  readonly mutex: (name: string, options?: RequestOptions) => AnyLock<R>
  readonly readWriteLock: (name: string, options?: RequestOptions) => ReadWriteLock<R>
  /** `permits`: a positive safe integer; else each use fails with `InvalidInput`. */
  readonly semaphore: (name: string, options: { readonly permits: number }) => Semaphore<R>
  /** Modes with their compatibility functions, as `{ read: (holds) => holds.count("write") === 0, ... }`. */
  readonly modes: <M extends string>(
    name: string,
    modes: { readonly [K in M]: Compatible<NoInfer<M>> }
  ) => ModeLock<M, R>
  /** `count`: a safe integer, not negative. */
  readonly latch: (name: string, options: { readonly count: number }) => Latch<R>
  /** `parties`: a positive safe integer, at most 1,000. */
  readonly barrier: (name: string, options: { readonly parties: number }) => Barrier<R>
  readonly election: (name: string) => Election<R>
}

/** Parties of a barrier, at most: each of them is looked at when one arrives. */
export const partiesMax = 1000
