/**
 * What a law is run in: a fresh store, and clients that speak to it.
 */
import { strict as assert } from "node:assert"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Backend, Capabilities } from "../../src/Backend.ts"
import type { Change, CommitRequest, Conflict, Range, Reply, Write } from "../../src/core/Commit.ts"
import type { Key } from "../../src/core/Key.ts"
import type { Value } from "../../src/core/Value.ts"
import type { Version } from "../../src/core/Version.ts"
import type { StoreError } from "../../src/StoreError.ts"
import { show, text } from "./values.ts"

/** A store, by either of its lanes. */
export type Store = Backend["Service"]

/** A law of the contract: its name says what always holds; `run` fails where it does not. */
export interface Law {
  readonly name: string
  /** Why this store is not asked, or `undefined`. */
  readonly skip?: ((capabilities: Capabilities, world: World) => string | undefined) | undefined
  readonly run: (world: World) => Effect.Effect<void, StoreError>
}

export interface World {
  readonly store: Store
  /** Closes the store and opens it again; `undefined` where nothing is promised to survive that. */
  readonly reopen: Effect.Effect<Store, StoreError> | undefined
  /** Closes the store and opens its data under a higher epoch, as after a loss. */
  readonly newEpoch: Effect.Effect<Store, StoreError> | undefined
  /** Seed of this run, for laws that draw. */
  readonly seed: number
  /** How much laws that draw or repeat do: 1 is the short form. */
  readonly scale: number
}

/** A law without conditions. */
export const law = (name: string, run: Law["run"]): Law => ({ name, run })

/** A law for stores that remember few enough commits for a test to outrun them. */
export const lawOfSmallLimits = (
  name: string,
  limit: "recentCommits" | "outcomesPerSession" | "sessions" | "deleteRangeKeys" | "batchRequests" | "requestWrites",
  run: Law["run"]
): Law => ({
  name,
  run,
  skip: ({ limits }) =>
    limits[limit] > smallMax
      ? `${limit} is ${limits[limit]}: run the suite on a store with at most ${smallMax}, too`
      : undefined
})

/** Greatest limit that a law goes beyond by doing. */
export const smallMax = 2000

export const everything: Range = { start: "", end: "\xff\xff\xff\xff" }

// ---- writes

export const set = (key: Key, value: string | Value): Write => ({
  _tag: "Set",
  key,
  value: typeof value === "string" ? text(value) : value
})
export const del = (key: Key): Write => ({ _tag: "Delete", key })
export const deleteRange = (start: Key, end: Key): Write => ({ _tag: "DeleteRange", start, end })
export const add = (key: Key, delta: number): Write => ({ _tag: "Add", key, delta })
export const append = (prefix: Key, index: number, value: string, suffix: Key = ""): Write => ({
  _tag: "Append",
  prefix,
  index,
  suffix,
  value: text(value)
})

/** What a law says of a request; the rest is filled in. */
export type Parts = Partial<CommitRequest>

/** A session with a store: makes ids and complete requests. */
export class Client {
  readonly store: Store
  readonly session: string
  sequence = 0

  constructor(store: Store, session: string) {
    this.store = store
    this.session = session.padEnd(22, "-")
  }

  /** The same session over another opening of the store. */
  over(store: Store): Client {
    const client = new Client(store, this.session)
    client.sequence = this.sequence
    return client
  }

  /** A request with the next id, on base `base`. */
  request(base: Version, parts: Parts): CommitRequest {
    return {
      id: { session: this.session, sequence: this.sequence++ },
      resolvedBelow: 0,
      base,
      atMillis: 0,
      reads: [],
      ranges: [],
      writes: [],
      ...parts
    }
  }

  /** Commits requests in one batch on the store's present version. */
  commit(...parts: ReadonlyArray<Parts>): Effect.Effect<ReadonlyArray<Reply>, StoreError> {
    return Effect.gen({ self: this }, function* () {
      const base = yield* versionOf(this.store)
      return yield* this.store.commit(parts.map((part) => this.request(base, part)))
    })
  }

  one(parts: Parts): Effect.Effect<Reply, StoreError> {
    return Effect.map(this.commit(parts), (replies) => replies[0]!)
  }

  /** Commits writes that nothing stands against; their version. */
  write(...writes: ReadonlyArray<Write>): Effect.Effect<Version, StoreError> {
    return Effect.map(this.one({ writes }), committed)
  }
}

// ---- reading

export const versionOf = (store: Store): Effect.Effect<Version, StoreError> =>
  Effect.map(store.read({ keys: [], ranges: [] }), (reply) => reply.version)

/** What keys hold now, for comparison: texts and numbers. */
export const contents = (
  store: Store,
  ...keys: ReadonlyArray<Key>
): Effect.Effect<ReadonlyArray<string | number | undefined>, StoreError> =>
  Effect.map(store.read({ keys, ranges: [] }), ({ cells }) => cells.map((cell) => cell && show(cell.value)))

/** The version of a key now; 0 when absent. */
export const versionAt = (store: Store, key: Key): Effect.Effect<Version, StoreError> =>
  Effect.map(store.read({ keys: [key], ranges: [] }), ({ cells }) => cells[0]?.version ?? 0)

/** Keys of a range now. */
export const keysIn = (store: Store, range: Range = everything): Effect.Effect<ReadonlyArray<Key>, StoreError> =>
  Effect.map(store.read({ keys: [], ranges: [range] }), ({ ranges }) => ranges[0]!.map(({ key }) => key))

/** The first `count` elements of a change stream. A store that is silent for 20 s has lost them. */
export const changesAfter = (
  store: Store,
  from: Version,
  count: number,
  options: {
    readonly ranges?: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
    readonly values?: boolean
  } = {}
): Effect.Effect<ReadonlyArray<Change>, StoreError> =>
  store.changes({ from, ranges: options.ranges, values: options.values ?? true }).pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () =>
        Effect.die(
          new assert.AssertionError({
            message: `the change stream after ${from} did not give ${count} elements within 20 s`
          })
        )
    })
  )

/** Elements of a change stream up to and including version `to`; `Progress` left out. */
export const changesUpTo = (
  store: Store,
  from: Version,
  to: Version,
  options: {
    readonly ranges?: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
    readonly values?: boolean
  } = {}
): Effect.Effect<ReadonlyArray<Change>, StoreError> => {
  if (from >= to) return Effect.succeed([])
  return store.changes({ from, ranges: options.ranges, values: options.values ?? true }).pipe(
    Stream.takeUntil((change) => (change._tag === "Gap" ? change.to : change.version) >= to),
    Stream.filter((change) => change._tag !== "Progress"),
    Stream.runCollect,
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () =>
        Effect.die(
          new assert.AssertionError({ message: `the change stream after ${from} did not reach ${to} within 20 s` })
        )
    })
  )
}

// ---- judging

/** The version of a reply that must be `Committed`. */
export const committed = (reply: Reply | undefined): Version => {
  assert.equal(reply?._tag, "Committed", `expected Committed, got ${JSON.stringify(reply)}`)
  return (reply as { readonly version: Version }).version
}

export const conflict = (reply: Reply | undefined): Conflict => {
  assert.equal(reply?._tag, "Conflict", `expected Conflict, got ${JSON.stringify(reply)}`)
  return reply as Conflict
}

/** Asserts a refusal for a reason. */
export const refused = (reply: Reply | undefined, reason: "InvalidInput" | "LimitExceeded"): void => {
  assert.equal(reply?._tag, "Refused", `expected Refused, got ${JSON.stringify(reply)}`)
  assert.equal((reply as { readonly reason: string }).reason, reason)
}

export const tooOld = (reply: Reply | undefined): void => {
  assert.equal(reply?._tag, "TooOld", `expected TooOld, got ${JSON.stringify(reply)}`)
}

export { strict as assert } from "node:assert"
