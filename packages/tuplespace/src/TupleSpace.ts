/**
 * Tuple spaces (Linda) typed by Schema: `out` puts a tuple in, `take` and `read` match it by a template and wait if there is
 * none. This module has the words that the local form (`LocalTupleSpace.ts`) and the one in a store share.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { StoreError } from "@weft/domain/StoreError"
import type { Match, Predicates, Template } from "./core/Template.ts"

export { any, is, where } from "./core/Template.ts"
export type { Any, Is, Match, Template, Where } from "./core/Template.ts"

/** A tuple taken on trial: given back, with its age, if the scope closes before `done`. */
export interface Leased<A> {
  readonly tuple: A
  /** Times it was leased and given back before. */
  readonly returns: number
  /** The work is done: the tuple is gone for good. */
  readonly done: Effect.Effect<void, StoreError>
}

/** Someone who waits. */
export interface Interest {
  readonly takes: boolean
  /** The template, formals printed: `any`, `is`, `where(name)`. */
  readonly template: ReadonlyArray<unknown>
  /** Place in line: smaller came first. */
  readonly stamp: number
}

/** What a listener hears: a tuple that was put out, or that it was too slow and missed some. */
export type Notice<A> =
  | { readonly _tag: "Out"; readonly tuple: A }
  | { readonly _tag: "Missed"; readonly count: number }

/** A space of tuples `T`, with predicates `Ps`, living in `R`. */
export interface TupleSpace<T extends ReadonlyArray<unknown>, Ps = {}, out R = never> {
  readonly name: string
  /** Puts a tuple in: all waiting readers that match see it, the first waiting taker gets it, else it is kept. Never waits. */
  readonly out: (tuple: T, options?: { readonly timeToLive?: Duration.Input }) => Effect.Effect<void, StoreError, R>
  /** The oldest match, taken out; waits for one in line. Interrupted while it waits, it has taken nothing. */
  readonly take: <const P extends Template<T, Ps>>(template: P) => Effect.Effect<Match<T, P>, StoreError, R>
  /** The oldest match, left in; waits for one, and sees every tuple put out meanwhile, also one taken at once. */
  readonly read: <const P extends Template<T, Ps>>(template: P) => Effect.Effect<Match<T, P>, StoreError, R>
  readonly takeIfPresent: <const P extends Template<T, Ps>>(
    template: P
  ) => Effect.Effect<Option.Option<Match<T, P>>, StoreError, R>
  readonly readIfPresent: <const P extends Template<T, Ps>>(
    template: P
  ) => Effect.Effect<Option.Option<Match<T, P>>, StoreError, R>
  /** All matches at this moment, oldest first. */
  readonly takeAll: <const P extends Template<T, Ps>>(
    template: P
  ) => Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError, R>
  readonly readAll: <const P extends Template<T, Ps>>(
    template: P
  ) => Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError, R>
  readonly count: <const P extends Template<T, Ps>>(template: P) => Effect.Effect<number, StoreError, R>
  /** As `take`, given back if the scope closes without `done`; after the space's `returnsMax` it is a dead letter. */
  readonly takeLeased: <const P extends Template<T, Ps>>(
    template: P
  ) => Effect.Effect<Leased<Match<T, P>>, StoreError, R | Scope.Scope>
  /** Moves all matches into another space, in one step; how many. */
  readonly collect: <const P extends Template<T, Ps>>(
    template: P,
    into: TupleSpace<T, any, any>
  ) => Effect.Effect<number, StoreError, R>
  /** Copies all matches into another space, in one step; how many. */
  readonly copyCollect: <const P extends Template<T, Ps>>(
    template: P,
    into: TupleSpace<T, any, any>
  ) => Effect.Effect<number, StoreError, R>
  /** Every matching tuple put out from now on. A listener that falls behind by `listenerBuffer` hears `Missed`. */
  readonly notify: <const P extends Template<T, Ps>>(template: P) => Stream.Stream<Notice<Match<T, P>>, StoreError, R>
  /** Who waits, oldest first. */
  readonly interests: Effect.Effect<ReadonlyArray<Interest>, StoreError, R>
  /** Tuples that were leased and given back too often; taken out by this. */
  readonly takeDeadLetters: Effect.Effect<ReadonlyArray<T>, StoreError, R>
}

/** What defines a space. */
export interface Definition<TS extends Schema.Constraint, Ps extends Predicates> {
  /** A `Schema.Tuple`, or a `Schema.Union` of some. */
  readonly tuple: TS
  /** Predicates that templates may name by `where`. */
  readonly predicates?: Ps | undefined
  /** Times a leased tuple may come back before it is a dead letter: 5 when left out. */
  readonly returnsMax?: number | undefined
  /** Waiting takes and reads: the next one fails with `LimitExceeded`. 100,000 when left out. */
  readonly waitersMax?: number | undefined
  /**
   * Tuples kept, those in flight and dead letters included: an `out` into a full space fails with `LimitExceeded`, also one
   * that somebody waits for. What comes back from a taker is never refused. When left out: 10,000,000 in a local space,
   * unbounded in a store.
   */
  readonly tuplesMax?: number | undefined
  /** Notices that a listener may be behind: 1,024 when left out. */
  readonly listenerBuffer?: number | undefined
}

export const defaults = { returnsMax: 5, waitersMax: 100_000, tuplesMax: 10_000_000, listenerBuffer: 1024 } as const
