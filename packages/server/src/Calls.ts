/**
 * The types of the calls that a collection has over RPC: for every operation what it is asked with and what it answers.
 * `Rpcs<C>` is the group of a record of collections, `Client<C>` the same record with handles that call it.
 */
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcSchema from "effect/rpc/RpcSchema"
import type { Change, Options as ChangesOptions } from "@weft/domain/Changes"
import type { Stamp } from "@weft/domain/core/Key"
import type { Version } from "@weft/domain/core/Version"
import type { DCounter } from "@weft/domain/DCounter"
import type { DMap, Versioned } from "@weft/domain/DMap"
import type { DQueue } from "@weft/domain/DQueue"
import type { DRef } from "@weft/domain/DRef"
import type { DSet } from "@weft/domain/DSet"
import type { DStruct } from "@weft/domain/DStruct"
import type { Range } from "@weft/domain/KeyRange"
import type { StoreError } from "@weft/domain/StoreError"
import type { Remote } from "./Remote.ts"
import type { Wire } from "./Wire.ts"

/** One answer. */
interface Call<out P, out A> {
  readonly payload: P
  readonly success: A
}

/** A stream of answers. */
interface Feed<out P, out A> {
  readonly payload: P
  readonly element: A
}

interface Living {
  readonly timeToLiveMillis?: number
}

interface MapCalls<K, V> {
  readonly get: Call<{ readonly key: K }, Option.Option<V>>
  readonly has: Call<{ readonly key: K }, boolean>
  readonly getVersioned: Call<{ readonly key: K }, Option.Option<Versioned<V>>>
  readonly set: Call<{ readonly key: K; readonly value: V } & Living, Option.Option<V>>
  readonly setMany: Call<{ readonly entries: ReadonlyArray<readonly [K, V]> } & Living, void>
  readonly getOrSet: Call<{ readonly key: K; readonly value: V } & Living, V>
  readonly compareAndSet: Call<
    { readonly key: K; readonly expected: Version | "empty"; readonly value: V } & Living,
    boolean
  >
  /** Replaces the value if it is at `version`, keeping its deadline. */
  readonly replace: Call<{ readonly key: K; readonly version: Version; readonly value: V }, boolean>
  /** Removes the value if it is at `version`. */
  readonly compareAndRemove: Call<{ readonly key: K; readonly version: Version }, boolean>
  readonly remove: Call<{ readonly key: K }, Option.Option<V>>
  readonly removeMany: Call<{ readonly keys: ReadonlyArray<K> }, number>
  readonly entries: Call<{ readonly range?: Range<K> }, ReadonlyArray<readonly [K, V]>>
  readonly first: Call<{ readonly range?: Range<K> }, Option.Option<readonly [K, V]>>
  readonly takeFirst: Call<{ readonly range?: Range<K> }, Option.Option<readonly [K, V]>>
  readonly keys: Call<{ readonly range?: Range<K> }, ReadonlyArray<K>>
  readonly size: Call<{}, number>
  readonly clear: Call<{}, void>
  readonly evictExpired: Call<{ readonly limit?: number }, number>
  readonly changes: Feed<ChangesOptions, Change<K, V>>
}

interface SetCalls<A> {
  readonly has: Call<{ readonly value: A }, boolean>
  readonly add: Call<{ readonly value: A } & Living, boolean>
  readonly addMany: Call<{ readonly values: ReadonlyArray<A> }, number>
  readonly remove: Call<{ readonly value: A }, boolean>
  readonly removeMany: Call<{ readonly values: ReadonlyArray<A> }, number>
  readonly values: Call<{ readonly range?: Range<A> }, ReadonlyArray<A>>
  readonly first: Call<{ readonly range?: Range<A> }, Option.Option<A>>
  readonly takeFirst: Call<{ readonly range?: Range<A> }, Option.Option<A>>
  readonly size: Call<{}, number>
  readonly clear: Call<{}, void>
  readonly evictExpired: Call<{ readonly limit?: number }, number>
  readonly changes: Feed<ChangesOptions, Change<A, void>>
}

interface RefCalls<A> {
  readonly get: Call<{}, A>
  readonly getVersioned: Call<{}, { readonly value: A; readonly version: Version }>
  readonly set: Call<{ readonly value: A }, void>
  readonly getAndSet: Call<{ readonly value: A }, A>
  readonly compareAndSet: Call<{ readonly expected: Version | "empty"; readonly value: A }, boolean>
  /** Replaces what `getVersioned` gave under `version`, the initial value included. */
  readonly replace: Call<{ readonly version: Version; readonly value: A }, boolean>
  readonly reset: Call<{}, void>
  readonly changes: Feed<ChangesOptions, Change<void, A>>
}

interface CounterCalls {
  readonly get: Call<{}, number>
  readonly add: Call<{ readonly delta: number }, void>
  readonly addAndGet: Call<{ readonly delta: number }, number>
  readonly set: Call<{ readonly value: number }, void>
  readonly reset: Call<{}, void>
  readonly changes: Feed<ChangesOptions, Change<void, number>>
}

interface StructCalls<A extends object> {
  readonly get: Call<{}, A>
  readonly patch: Call<{ readonly fields: Partial<A> }, void>
  /** Sets `fields` if those of `expected` hold these values. */
  readonly patchIf: Call<{ readonly expected: Partial<A>; readonly fields: Partial<A> }, boolean>
  readonly reset: Call<{}, void>
  readonly changes: Feed<ChangesOptions, Change<keyof A & string, A[keyof A]>>
}

/**
 * Operations that may have to wait are two calls: one that does it, or answers `None` where it would have to wait, and one
 * ending in `Ready` that waits until it would not. So a caller that is interrupted while it waits has taken nothing.
 */
interface QueueCalls<A> {
  readonly offer: Call<{ readonly value: A; readonly delayMillis?: number } & Living, Option.Option<boolean>>
  readonly offerReady: Call<{}, void>
  readonly offerIfRoom: Call<{ readonly value: A; readonly delayMillis?: number } & Living, boolean>
  readonly offerAll: Call<
    { readonly values: ReadonlyArray<A>; readonly delayMillis?: number } & Living,
    Option.Option<ReadonlyArray<A>>
  >
  readonly offerAllReady: Call<{ readonly values: ReadonlyArray<A> }, void>
  readonly takeBetween: Call<{ readonly min: number; readonly max: number }, Option.Option<ReadonlyArray<A>>>
  readonly takeBetweenReady: Call<{ readonly min: number; readonly max: number }, void>
  readonly pollUpTo: Call<{ readonly max: number }, ReadonlyArray<A>>
  readonly peek: Call<{}, Option.Option<A>>
  readonly values: Call<{ readonly limit?: number }, ReadonlyArray<A>>
  readonly size: Call<{}, number>
  readonly isEmpty: Call<{}, boolean>
  readonly isFull: Call<{}, boolean>
  readonly clear: Call<{}, void>
  readonly deadLetters: Call<{ readonly limit?: number }, ReadonlyArray<A>>
  readonly reviveDeadLetters: Call<{ readonly limit?: number }, number>
  readonly clearDeadLetters: Call<{ readonly limit?: number }, number>
  readonly changes: Feed<ChangesOptions, Change<Stamp, A>>
}

/** The calls of one handle. */
type CallsOf<H> =
  H extends DMap<infer K, infer V, any>
    ? MapCalls<K, V>
    : H extends DQueue<infer A, any>
      ? QueueCalls<A>
      : H extends DSet<infer A, any>
        ? SetCalls<A>
        : H extends DRef<infer A, any>
          ? RefCalls<A>
          : H extends DCounter<any>
            ? CounterCalls
            : H extends DStruct<infer A, any>
              ? StructCalls<A>
              : never

type RpcOf<Tag extends string, C> =
  C extends Call<infer P, infer A>
    ? Rpc.Rpc<Tag, Wire<P>, Wire<A>, typeof StoreError>
    : C extends Feed<infer P, infer A>
      ? Rpc.Rpc<Tag, Wire<P>, RpcSchema.Stream<Wire<A>, typeof StoreError>, typeof Schema.Never>
      : never

type RpcsOfHandle<N extends string, Calls> = {
  [O in keyof Calls & string]: RpcOf<`${N}.${O}`, Calls[O]>
}[keyof Calls & string]

/** The RPCs of a record of collections: `"users.get"`, `"inbox.offer"` and so on, all failing with `StoreError` alone. */
export type Rpcs<C> = { [N in keyof C & string]: RpcsOfHandle<N, CallsOf<C[N]>> }[keyof C & string]

type RemoteOf<H> =
  H extends DMap<infer K, infer V, any>
    ? DMap<K, V, Remote>
    : H extends DQueue<infer A, any>
      ? Omit<DQueue<A, Remote>, "process" | "takeAcknowledged">
      : H extends DSet<infer A, any>
        ? DSet<A, Remote>
        : H extends DRef<infer A, any>
          ? DRef<A, Remote>
          : H extends DCounter<any>
            ? DCounter<Remote>
            : H extends DStruct<infer A, any>
              ? DStruct<A, Remote>
              : never

/**
 * The same handles, in `Remote`. Acknowledged takes hang on a session of the process that has the store, so a remote queue
 * has none.
 */
export type Client<C> = { readonly [N in keyof C]: RemoteOf<C[N]> }

type ServicesOfHandle<H> = H extends
  | DMap<any, any, infer R>
  | DQueue<any, infer R>
  | DSet<any, infer R>
  | DRef<any, infer R>
  | DStruct<any, infer R>
  | DCounter<infer R>
  ? R
  : never

/** What the handlers of a record of collections need: its stores. */
export type Services<C> = { [N in keyof C]: ServicesOfHandle<C[N]> }[keyof C]

type StoreId = { readonly key: `@weft/Store/${string}` }

/** Refuses, by a sentence, what is no collection and collections whose values need services to be encoded. */
export type Check<C> = {
  readonly [N in keyof C]: [CallsOf<C[N]>] extends [never]
    ? "This is no collection: give the handles that DMap.make and the like return"
    : [Exclude<ServicesOfHandle<C[N]>, StoreId>] extends [never]
      ? C[N]
      : "The values of this collection need services to be encoded: they cannot go over RPC"
}
