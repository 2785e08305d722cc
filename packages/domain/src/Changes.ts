/**
 * Changes of a collection as a Stream: in commit order, each with old and new value and version, resumable from a version.
 * Never a silent gap: where the store no longer knows the commits between, an explicit `Gap` element says so; read the
 * collection again and go on. Delivery is push where the store can.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Access, Collection } from "./Collection.ts"
import type { CommitId, CommitRecord, KeyChange } from "./core/Commit.ts"
import { isExpired } from "./core/Envelope.ts"
import { type Key, prefixEnd, successor } from "./core/Key.ts"
import { toCounter, type Value } from "./core/Value.ts"
import type { Version } from "./core/Version.ts"
import type { StoreShape } from "./internal/StoreShape.ts"
import type { KeyOf } from "./Key.ts"
import type { StoreError } from "./StoreError.ts"

export interface Options {
  /** Changes after this version; from now when left out. Keep the `version` of the last element to resume. */
  readonly from?: Version | undefined
}

interface Base<out K> {
  readonly key: K
  /** Version of the commit. */
  readonly version: Version
  /** The commit, and whether this very engine made it. */
  readonly origin: CommitId
  readonly isLocal: boolean
  /** The proposer's wall clock, milliseconds since 1970: information only. */
  readonly atMillis: number
}

export interface Added<out K, out V> extends Base<K> {
  readonly _tag: "Added"
  readonly value: V
}

export interface Updated<out K, out V> extends Base<K> {
  readonly _tag: "Updated"
  readonly value: V
  readonly oldValue: V
}

export interface Deleted<out K, out V> extends Base<K> {
  readonly _tag: "Deleted"
  readonly oldValue: V
}

/** Removed because its time was over. */
export interface Evicted<out K, out V> extends Base<K> {
  readonly _tag: "Evicted"
  readonly oldValue: V
}

/** Changes between the two versions are not known any more: read the collection again at `to` or later. */
export interface Gap {
  readonly _tag: "Gap"
  readonly from: Version
  readonly to: Version
  readonly reason: "trimmed" | "epoch" | "overrun"
}

export type Change<K, V> = Added<K, V> | Updated<K, V> | Deleted<K, V> | Evicted<K, V> | Gap

interface Source<K, V> {
  readonly start: Key
  readonly end: Key
  readonly keyOf: (key: Key) => K
  readonly valueOf: (access: Access, value: Value, key: Key) => V
}

/** One key's change as its collection tells it; an expired old value counts as absent. */
const changeOf = <K, V>(
  source: Source<K, V>,
  access: Access,
  record: CommitRecord,
  isLocal: boolean,
  { after, before, key }: KeyChange
): ReadonlyArray<Change<K, V>> => {
  const base = {
    key: source.keyOf(key),
    version: record.version,
    origin: record.id,
    isLocal,
    atMillis: record.atMillis
  }
  const over = before !== undefined && isExpired(before.value, record.atMillis)
  const value = after === undefined ? undefined : source.valueOf(access, after.value, key)
  if (before === undefined || (over && after !== undefined)) {
    return after === undefined ? [] : [{ _tag: "Added", ...base, value: value as V }]
  }
  const oldValue = source.valueOf(access, before.value, key)
  if (after !== undefined) return [{ _tag: "Updated", ...base, value: value as V, oldValue }]
  return [{ _tag: over ? "Evicted" : "Deleted", ...base, oldValue }]
}

const stream = <K, V>(
  base: Collection<any>,
  source: Source<K, V>,
  options: Options | undefined
): Stream.Stream<Change<K, V>, StoreError, any> => {
  const { end, start } = source
  const started = Effect.gen(function* () {
    const { engine }: StoreShape = yield* base.store
    const from = options?.from ?? (yield* engine.backend.read({ keys: [], ranges: [] })).version
    const told = (record: CommitRecord) =>
      base.operation("changes", (access) =>
        record.changes
          .filter(({ key }) => key >= start && key < end)
          .flatMap((change) => changeOf(source, access, record, record.id.session === engine.session, change))
      )
    return engine.backend.changes({ from, ranges: [{ start, end }], values: true }).pipe(
      Stream.mapEffect((change): Effect.Effect<ReadonlyArray<Change<K, V>>, StoreError, any> => {
        if (change._tag === "Commit") return told(change)
        return Effect.succeed(change._tag === "Gap" ? [change] : [])
      }),
      Stream.flattenIterable
    )
  })
  return Stream.unwrap(started)
}

/** Changes of the items of a map or set. */
export const entries = <K, V>(
  base: Collection<V>,
  key: KeyOf<K>,
  options: Options | undefined
): Stream.Stream<Change<K, V>, StoreError, any> => {
  const { items } = base
  return stream(
    base,
    {
      start: items,
      end: prefixEnd(items),
      keyOf: (at) => key.decode(at, items.length),
      valueOf: (access, value, at) => base.decode(access, value, at)
    },
    options
  )
}

/** Changes of the items of a collection whose keys are not by Schema. */
export const items = <K, V>(
  base: Collection<V>,
  keyOf: (key: Key) => K,
  valueOf: (access: Access, value: Value, key: Key) => V,
  options: Options | undefined
): Stream.Stream<Change<K, V>, StoreError, any> =>
  stream(base, { start: base.items, end: prefixEnd(base.items), keyOf, valueOf }, options)

/** Changes of a single cell. */
export const cell = <A>(
  base: Collection<A>,
  options: Options | undefined
): Stream.Stream<Change<void, A>, StoreError, any> =>
  stream(
    base,
    {
      start: base.items,
      end: successor(base.items),
      keyOf: () => undefined,
      valueOf: (access, value, key) => base.decode(access, value, key)
    },
    options
  )

/** Changes of a counter's cell. */
export const counter = (
  base: Collection<any>,
  options: Options | undefined
): Stream.Stream<Change<void, number>, StoreError, any> =>
  stream(
    base,
    {
      start: base.items,
      end: successor(base.items),
      keyOf: () => undefined,
      valueOf: (_, value) => toCounter(value) ?? 0
    },
    options
  )
