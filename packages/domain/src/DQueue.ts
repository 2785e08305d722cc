/**
 * `DQueue`: a queue in a store, oldest first.
 *
 * Conflict footprint: offers read nothing and conflict with nothing (bounded ones with one in 16 of the other offers, more
 * when nearly full); a take reads up to the first item it returns, so takers conflict with takers alone; a take or peek of
 * an empty queue, `size` and `isEmpty` also with offers. Cost: an offer is one append and one addition (bounded: one more
 * read and addition), a take two reads and two writes, whatever the length. Layout of keys: docs/COLLECTIONS.md.
 *
 * Acknowledged takes (`process`, `takeAcknowledged`) hang on the session of this process (`Sessions.ts`): an item that was
 * not acknowledged comes back to its old place when the handler fails, is interrupted, or its process dies, and goes to
 * the dead letters after `deliveriesMax` deliveries. At least once: make handlers idempotent, or do their work and the
 * plain `take` in one transaction, which is exactly once.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Changes from "./Changes.ts"
import { codecOf, Collection } from "./Collection.ts"
import type { Stamp } from "./core/Key.ts"
import { described } from "./Description.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import { QueueImpl } from "./QueueImpl.ts"
import type { Migration } from "./SchemaRegistry.ts"
import type { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"

export { migration, type Migration } from "./SchemaRegistry.ts"

export interface OfferOptions {
  /** Not taken before this time has passed, by the wall clocks of offerer and taker. Due items come before all others. */
  readonly delay?: Duration.Input | undefined
  /** Dropped unseen if it is still there after this time. */
  readonly timeToLive?: Duration.Input | undefined
}

/** An item that was taken and must be acknowledged. */
export interface Delivery<out A> {
  readonly value: A
  /** How often it was delivered, this time included. */
  readonly deliveries: number
  /** Its place in the order of the queue, which identifies it for ever. */
  readonly stamp: Stamp
}

/** A queue in a store. All methods but the acknowledged takes are one transaction alone and join the one they stand in. */
export interface DQueue<in out A, out R = Store> {
  readonly name: string
  /**
   * Appends. A full queue: `suspend` waits for room, `dropping` gives `false`, `sliding` drops the oldest. Otherwise `true`.
   */
  readonly offer: (value: A, options?: OfferOptions) => Effect.Effect<boolean, StoreError, R>
  /** As `offer`, but never waits and never drops: `false` when there is no room. */
  readonly offerIfRoom: (value: A, options?: OfferOptions) => Effect.Effect<boolean, StoreError, R>
  /** Appends in order, as one; gives what found no room (only `dropping`). Waits until all have room (`suspend`). */
  readonly offerAll: (values: Iterable<A>, options?: OfferOptions) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** The oldest; waits for one. */
  readonly take: Effect.Effect<A, StoreError, R>
  /** Exactly so many; waits for them. */
  readonly takeN: (count: number) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** Between `min` and `max`; waits for the least. */
  readonly takeBetween: (min: number, max: number) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** The oldest, or `None`. */
  readonly poll: Effect.Effect<Option.Option<A>, StoreError, R>
  /** Up to so many, without waiting. */
  readonly pollUpTo: (max: number) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** The oldest without taking it, or `None`. */
  readonly peek: Effect.Effect<Option.Option<A>, StoreError, R>
  /** All that may be taken now, oldest first, without taking them. */
  readonly values: (limit?: number) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** Items waiting, delayed ones and ones past their time to live included; not those in flight. */
  readonly size: Effect.Effect<number, StoreError, R>
  /** Whether nothing may be taken now. */
  readonly isEmpty: Effect.Effect<boolean, StoreError, R>
  /** Whether an offer would find no room. `false` for unbounded queues. */
  readonly isFull: Effect.Effect<boolean, StoreError, R>
  /** Removes everything that waits, delayed ones included. Blind for unbounded queues, by reading for bounded ones. */
  readonly clear: Effect.Effect<void, StoreError, R>
  /** Items as they are taken, each in a transaction of its own. */
  readonly stream: Stream.Stream<A, StoreError, R>
  /** Takes one (waits for it), runs `handler` and acknowledges; gives back when it fails or is interrupted. */
  readonly process: <B, E, R2>(
    handler: (value: A, delivery: Delivery<A>) => Effect.Effect<B, E, R2>
  ) => Effect.Effect<B, E | StoreError, R | R2>
  /** As `process`, for the lifetime of the scope: closing it with success acknowledges, otherwise gives back. */
  readonly takeAcknowledged: Effect.Effect<Delivery<A>, StoreError, R | Scope.Scope>
  /** Items that were delivered `deliveriesMax` times in vain, oldest first. */
  readonly deadLetters: (limit?: number) => Effect.Effect<ReadonlyArray<A>, StoreError, R>
  /** Puts up to `limit` (256) dead letters back to their old places, as if never delivered; gives how many. */
  readonly reviveDeadLetters: (limit?: number) => Effect.Effect<number, StoreError, R>
  /** Removes up to `limit` (256) dead letters; gives how many. */
  readonly clearDeadLetters: (limit?: number) => Effect.Effect<number, StoreError, R>
  /** Items becoming ready (`Added`) and being taken (`Deleted`), in commit order; the key is the stamp. */
  readonly changes: (options?: Changes.Options) => Stream.Stream<Changes.Change<Stamp, A>, StoreError, R>
}

export interface MakeOptions<S extends Schema.Constraint, Id> {
  readonly value: S
  readonly store?: StoreKey<Id> | undefined
  /** Items that may be in it, those in flight and dead letters included. Unbounded when left out. */
  readonly capacity?: number | undefined
  /** What a full queue does with an offer. Default `suspend`. */
  readonly strategy?: "suspend" | "dropping" | "sliding" | undefined
  /** Deliveries after which an item is a dead letter. Default 5. */
  readonly deliveriesMax?: number | undefined
  readonly timeToLive?: Duration.Input | undefined
  readonly migrations?: ReadonlyArray<Migration<any, S["Type"]>> | undefined
}

/** A queue called `name`. Pure: nothing is read before the first operation. Capacity and strategy are this handle's: give all users of the queue the same. */
export const make = <S extends Schema.Constraint, Id = Store>(
  name: string,
  options: MakeOptions<S, Id>
): DQueue<S["Type"], Id | S["DecodingServices"] | S["EncodingServices"]> => {
  const { capacity, deliveriesMax = 5, strategy = "suspend" } = options
  if (capacity !== undefined && !(Number.isSafeInteger(capacity) && capacity > 0)) {
    throw new RangeError(
      `the capacity of queue ${JSON.stringify(name)} must be a whole number above 0, not ${capacity}`
    )
  }
  if (!(Number.isSafeInteger(deliveriesMax) && deliveriesMax > 0)) {
    throw new RangeError(
      `deliveriesMax of queue ${JSON.stringify(name)} must be a whole number above 0, not ${deliveriesMax}`
    )
  }
  const base = new Collection<S["Type"]>({
    ...options,
    name,
    kind: capacity === undefined ? "DQueue" : "DQueue bounded",
    value: codecOf(options.value)
  })
  const { store, value } = options
  return described(new QueueImpl<S["Type"]>(base, capacity, strategy, deliveriesMax), { kind: "DQueue", store, value })
}
