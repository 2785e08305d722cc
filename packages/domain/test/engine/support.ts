/** Raw cells for tests of the engine: operations without collections between. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import type { StoreKey } from "../../src/internal/StoreShape.ts"
import type { TxView } from "../../src/internal/TxView.ts"
import * as Operation from "../../src/internal/Operation.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import { Value } from "../../src/core/Value.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const text = (s: string): Value => new Value(encoder.encode(s))
export const number = (n: number): Value => text(String(n))
export const toNumber = (value: Value | undefined): number =>
  value === undefined ? 0 : Number(decoder.decode(value.bytes))

export interface Raw {
  readonly get: (key: string) => Effect.Effect<number, StoreError, Store>
  readonly set: (key: string, n: number) => Effect.Effect<void, StoreError, Store>
  readonly remove: (key: string) => Effect.Effect<void, StoreError, Store>
  readonly add: (key: string, n: number) => Effect.Effect<void, StoreError, Store>
  readonly keys: (
    start: string,
    end: string,
    limit?: number,
    reverse?: boolean
  ) => Effect.Effect<ReadonlyArray<string>, StoreError, Store>
  readonly run: <A>(f: (tx: TxView) => A) => Effect.Effect<A, StoreError, Store>
}

const make = (store: StoreKey<any>): Raw => {
  const run = <A>(f: (tx: TxView) => A): Effect.Effect<A, StoreError, Store> => Operation.make(store, "raw", f)
  return {
    run,
    get: (key) => run((tx) => toNumber(tx.get(key))),
    set: (key, n) => run((tx) => tx.set(key, number(n))),
    remove: (key) => run((tx) => tx.delete(key)),
    add: (key, n) => run((tx) => tx.add(key, n)),
    keys: (start, end, limit, reverse) => run((tx) => tx.range({ start, end, limit, reverse }).map((item) => item.key))
  }
}

export const raw: Raw = make(Store)
export const rawOn = make

/** A backend without its synchronous lane, each call answered after a turn of the event loop. */
export const later = (backend: Backend["Service"]): Backend["Service"] => ({
  capabilities: backend.capabilities,
  read: (request) => Effect.andThen(Effect.yieldNow, backend.read(request)),
  commit: (requests) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.tap(backend.commit(requests), () => Effect.yieldNow)
    ),
  changes: backend.changes,
  outcome: backend.outcome
})

export const lanes: ReadonlyArray<{ readonly name: string; readonly layer: () => Layer.Layer<Store, StoreError> }> = [
  { name: "in memory", layer: () => Store.layer(MemoryBackend.layer()) },
  { name: "answering later", layer: () => Store.layer(Layer.sync(Backend, () => later(MemoryBackend.make()))) }
]
