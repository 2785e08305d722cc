/**
 * Raw cells for tests: JSON values under plain names, as operations of a store. They go the same way through the engine as
 * the collections do, without the collections' layouts in between.
 */
import type * as Effect from "effect/Effect"
import { encodePart } from "../src/core/KeyCodec.ts"
import { type Key, prefixEnd } from "../src/core/Key.ts"
import { Value } from "../src/core/Value.ts"
import * as Operation from "../src/internal/Operation.ts"
import type { TxView } from "../src/internal/TxView.ts"
import { Store } from "../src/Store.ts"
import type { StoreError } from "../src/StoreError.ts"

const codec = Object.freeze({ codec: "test json" })
const codecByte = 0x7e

/** What cells may hold: it is shared, so it may not be changed. */
export type Json = null | boolean | number | string | ReadonlyArray<Json>

/** A value of bytes, as a store holds it. */
export const encode = (json: Json): Value => {
  const body = new TextEncoder().encode(JSON.stringify(json))
  const bytes = new Uint8Array(3 + body.length)
  bytes[0] = codecByte
  bytes.set(body, 3)
  return new Value(bytes, codec, Array.isArray(json) ? Object.freeze(json.slice()) : json)
}

/** What `encode` was given. */
export const decode = (value: Value): Json =>
  value.codec === codec
    ? (value.decoded as Json)
    : (JSON.parse(new TextDecoder().decode(value.bytes.subarray(3))) as Json)

/** The key of a name. */
export const key = (name: string): Key => encodePart("weft-test") + encodePart(name)

/** The beginning of all keys of a log. */
export const logPrefix = (name: string): Key => key(name)

const operation = <A>(label: string, run: (tx: TxView) => A): Effect.Effect<A, StoreError, Store> =>
  Operation.make(Store, label, run)

/** The value of a cell; `undefined` when absent. */
export const get = (name: string): Effect.Effect<Json | undefined, StoreError, Store> =>
  operation(`get ${name}`, (tx) => {
    const value = tx.get(key(name))
    return value === undefined ? undefined : decode(value)
  })

export const set = (name: string, json: Json): Effect.Effect<void, StoreError, Store> => {
  const value = encode(json)
  return operation(`set ${name}`, (tx) => tx.set(key(name), value))
}

export const remove = (name: string): Effect.Effect<void, StoreError, Store> =>
  operation(`remove ${name}`, (tx) => tx.delete(key(name)))

/** Adds to a counter cell without reading it. */
export const add = (name: string, delta: number): Effect.Effect<void, StoreError, Store> =>
  operation(`add ${name}`, (tx) => tx.add(key(name), delta))

export const counter = (name: string): Effect.Effect<number, StoreError, Store> =>
  operation(`counter ${name}`, (tx) => tx.counter(key(name)))

/** Appends to a log without reading it: a key of its own, stamped by the commit. */
export const append = (name: string, json: Json): Effect.Effect<void, StoreError, Store> => {
  const value = encode(json)
  return operation(`append ${name}`, (tx) => {
    tx.append(logPrefix(name), tx.nextIndex(), "", value)
  })
}

/** A log from its oldest entry on. */
export const log = (name: string, limit?: number): Effect.Effect<ReadonlyArray<Json>, StoreError, Store> =>
  operation(`log ${name}`, (tx) => {
    const start = logPrefix(name)
    return tx.range({ start, end: prefixEnd(start), limit }).map((item) => decode(item.value))
  })

/** Takes the oldest entry of a log; `undefined` when it is empty. */
export const takeFirst = (name: string): Effect.Effect<Json | undefined, StoreError, Store> =>
  operation(`takeFirst ${name}`, (tx) => {
    const start = logPrefix(name)
    const first = tx.range({ start, end: prefixEnd(start), limit: 1 })[0]
    if (first === undefined) return undefined
    tx.delete(first.key)
    return decode(first.value)
  })

/** Several cells by one range read: those present, by name, in order of their names. */
export const range = (prefix: string): Effect.Effect<ReadonlyArray<Json>, StoreError, Store> =>
  operation(`range ${prefix}`, (tx) => {
    // Without the end byte of the name: all names that begin so.
    const start = key(prefix).slice(0, -1)
    return tx.range({ start, end: prefixEnd(start) }).map((item) => decode(item.value))
  })
