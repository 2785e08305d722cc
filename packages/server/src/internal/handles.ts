/**
 * Remote handles: the methods of a collection, each one call. What takes a function reads, runs the function here, and
 * writes only if what it read still stands; after `swapAttemptsMax` lost races it fails by name.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Description } from "@weft/domain/Description"
import type { DCounter } from "@weft/domain/DCounter"
import type { DMap, SetOptions } from "@weft/domain/DMap"
import type { DRef } from "@weft/domain/DRef"
import type { DSet } from "@weft/domain/DSet"
import type { DStruct } from "@weft/domain/DStruct"
import { LimitExceeded, make as storeError, type StoreError } from "@weft/domain/StoreError"
import { Remote } from "../Remote.ts"
import type { Mode } from "./call.ts"
import { queueHandle } from "./queueHandle.ts"

/** Attempts of an operation that takes a function. */
const swapAttemptsMax = 1_000

export type Send = (operation: string, mode: Mode, payload?: object) => Effect.Effect<any, StoreError, Remote>
export type Listen = (payload?: object) => Stream.Stream<any, StoreError, Remote>

const livingOf = (options: SetOptions | undefined) =>
  options?.timeToLive === undefined
    ? {}
    : { timeToLiveMillis: Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive)) }

const inRange = (range: object | undefined) => (range === undefined ? {} : { range })
export const upTo = (limit: number | undefined) => (limit === undefined ? {} : { limit })

/** Repeats `attempt` until it has won. */
const swap = <A>(
  name: string,
  attempt: Effect.Effect<Option.Option<A>, StoreError, Remote>
): Effect.Effect<A, StoreError, Remote> =>
  Effect.gen(function* () {
    for (let i = 0; i < swapAttemptsMax; i++) {
      const won = yield* attempt
      if (Option.isSome(won)) return won.value
    }
    return yield* storeError(
      new LimitExceeded({
        message: `${name} changed under each of ${swapAttemptsMax} attempts to replace it. Nothing was written; do this in a transaction on the server`,
        limit: "swapAttemptsMax",
        max: swapAttemptsMax,
        actual: swapAttemptsMax + 1
      })
    )
  })

/** What `attempt` gives for a race that was won, by the answer of the server. */
const ifWon = <A>(replaced: Effect.Effect<boolean, StoreError, Remote>, result: A) =>
  Effect.map(replaced, (won) => (won ? Option.some(result) : Option.none<A>()))

const mapHandle = (name: string, send: Send, changes: Listen): DMap<any, any, Remote> => {
  const getVersioned = (key: unknown) => send("getVersioned", "read", { key })
  const entries = (range?: object) => send("entries", "read", inRange(range))
  return {
    name,
    get: (key) => send("get", "read", { key }),
    has: (key) => send("has", "read", { key }),
    getVersioned,
    set: (key, value, options) => send("set", "write", { key, value, ...livingOf(options) }),
    setMany: (given, options) => send("setMany", "write", { entries: Array.from(given), ...livingOf(options) }),
    getOrSet: (key, value, options) =>
      Effect.suspend(() => send("getOrSet", "write", { key, value: value(), ...livingOf(options) })),
    compareAndSet: (key, expected, value, options) =>
      send("compareAndSet", "write", { key, expected, value, ...livingOf(options) }),
    remove: (key) => send("remove", "write", { key }),
    removeMany: (keys) => send("removeMany", "write", { keys: Array.from(keys) }),
    modify: (key, f) =>
      swap(
        name,
        Effect.flatMap(getVersioned(key), (seen) =>
          Option.isNone(seen)
            ? Effect.succeedSome(Option.none())
            : Effect.suspend(() => {
                const { value, version } = seen.value as { readonly value: unknown; readonly version: number }
                return ifWon(send("replace", "write", { key, version, value: f(value) }), Option.some(value))
              })
        )
      ),
    modifyAt: (key, f) =>
      swap<void>(
        name,
        Effect.flatMap(
          getVersioned(key),
          (seen: Option.Option<{ readonly value: unknown; readonly version: number }>) => {
            const next = f(Option.map(seen, ({ value }) => value))
            const expected = Option.isSome(seen) ? seen.value.version : ("empty" as const)
            if (Option.isSome(next)) {
              return ifWon(send("compareAndSet", "write", { key, expected, value: next.value }), undefined)
            }
            if (expected === "empty") return Effect.succeedSome(undefined)
            return ifWon(send("compareAndRemove", "write", { key, version: expected }), undefined)
          }
        )
      ),
    entries,
    keys: (range) => send("keys", "read", inRange(range)),
    values: (range) =>
      Effect.map(entries(range), (all: ReadonlyArray<readonly [unknown, unknown]>) => all.map(([, value]) => value)),
    first: (range) => send("first", "read", inRange(range)),
    takeFirst: (range) => send("takeFirst", "write", inRange(range)),
    size: send("size", "read"),
    isEmpty: Effect.map(send("first", "read"), Option.isNone),
    clear: send("clear", "write"),
    evictExpired: (limit) => send("evictExpired", "write", upTo(limit)),
    changes
  }
}

const setHandle = (name: string, send: Send, changes: Listen): DSet<any, Remote> => ({
  name,
  has: (value) => send("has", "read", { value }),
  add: (value, options) => send("add", "write", { value, ...livingOf(options) }),
  addMany: (values) => send("addMany", "write", { values: Array.from(values) }),
  remove: (value) => send("remove", "write", { value }),
  removeMany: (values) => send("removeMany", "write", { values: Array.from(values) }),
  values: (range) => send("values", "read", inRange(range)),
  first: (range) => send("first", "read", inRange(range)),
  takeFirst: (range) => send("takeFirst", "write", inRange(range)),
  size: send("size", "read"),
  isEmpty: Effect.map(send("first", "read"), Option.isNone),
  clear: send("clear", "write"),
  evictExpired: (limit) => send("evictExpired", "write", upTo(limit)),
  changes
})

const refHandle = (name: string, send: Send, changes: Listen): DRef<any, Remote> => {
  const update = <B>(f: (value: any) => readonly [B, unknown]) =>
    swap<B>(
      name,
      Effect.flatMap(send("getVersioned", "read"), ({ value, version }: { value: unknown; version: number }) => {
        const [result, next] = f(value)
        return ifWon(send("replace", "write", { version, value: next }), result)
      })
    )
  return {
    name,
    get: send("get", "read"),
    getVersioned: send("getVersioned", "read"),
    set: (value) => send("set", "write", { value }),
    getAndSet: (value) => send("getAndSet", "write", { value }),
    update: (f) => update((value) => [undefined, f(value)]),
    updateAndGet: (f) =>
      update((value) => {
        const next = f(value)
        return [next, next]
      }),
    getAndUpdate: (f) => update((value) => [value, f(value)]),
    modify: update,
    compareAndSet: (expected, value) => send("compareAndSet", "write", { expected, value }),
    reset: send("reset", "write"),
    changes
  }
}

const counterHandle = (name: string, send: Send, changes: Listen): DCounter<Remote> => ({
  name,
  get: send("get", "read"),
  add: (delta) => send("add", "write", { delta }),
  increment: send("add", "write", { delta: 1 }),
  decrement: send("add", "write", { delta: -1 }),
  addAndGet: (delta) => send("addAndGet", "write", { delta }),
  set: (value) => send("set", "write", { value }),
  reset: send("reset", "write"),
  changes
})

const structHandle = (name: string, send: Send, changes: Listen): DStruct<any, Remote> => {
  const get = send("get", "read")
  const getField = (field: string) => Effect.map(get, (whole: Record<string, any>) => whole[field])
  return {
    name,
    get,
    getField,
    setField: (field, value) => send("patch", "write", { fields: { [field]: value } }),
    patch: (fields) => send("patch", "write", { fields }),
    modifyField: (field, f) =>
      swap(
        name,
        Effect.flatMap(getField(field), (value) =>
          ifWon(send("patchIf", "write", { expected: { [field]: value }, fields: { [field]: f(value) } }), value)
        )
      ),
    reset: send("reset", "write"),
    changes
  }
}

/** The remote handle of a collection called `name` whose calls are tagged `tag.operation`. */
export const handleOf = (tag: string, name: string, { kind }: Description): unknown => {
  const send: Send = (operation, mode, payload = {}) =>
    Effect.flatMap(Remote, ({ call }) => call(`${tag}.${operation}`, mode, payload))
  const changes: Listen = (payload = {}) =>
    Stream.unwrap(Effect.map(Remote, ({ feed }) => feed(`${tag}.changes`, payload)))
  switch (kind) {
    case "DMap":
      return mapHandle(name, send, changes)
    case "DSet":
      return setHandle(name, send, changes)
    case "DRef":
      return refHandle(name, send, changes)
    case "DCounter":
      return counterHandle(name, send, changes)
    case "DStruct":
      return structHandle(name, send, changes)
    case "DQueue":
      return queueHandle(name, send, changes)
  }
}
