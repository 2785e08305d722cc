/**
 * The store that collections live in: an engine on a backend. Change the backend's Layer and the program runs elsewhere.
 *
 * `Store.layer` is a function of the backend's Layer and memoised by it, never a constant: Layers are shared by reference,
 * so a constant that needs a `Backend` would hand the first tenant's store to the second.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "./Backend.ts"
import * as Engine from "./internal/Engine.ts"
import type { StoreKey, StoreShape } from "./internal/StoreShape.ts"
import * as MemoryBackend from "./MemoryBackend.ts"

/** The default store. */
export class Store extends Context.Service<Store, StoreShape>()("@weft/Store/default") {
  /** A store on a backend: the same Layer for the same backend Layer, so that all of a program shares one engine. */
  static layer<E, R>(backend: Layer.Layer<Backend, E, R>): Layer.Layer<Store, E, R> {
    return layerFor(Store, backend)
  }

  /** A store in memory, nothing to install: one for the whole program. */
  static readonly layerMemory: Layer.Layer<Store> = Layer.suspend(() => Store.layer(memory))
}

const memory = MemoryBackend.layer()

const memo = new WeakMap<object, WeakMap<object, Layer.Layer<any, any, any>>>()

/** One Layer per store key and backend Layer. */
const layerFor = <Id, E, R>(key: StoreKey<Id>, backend: Layer.Layer<Backend, E, R>): Layer.Layer<Id, E, R> => {
  let byBackend = memo.get(key)
  if (byBackend === undefined) memo.set(key, (byBackend = new WeakMap()))
  let layer = byBackend.get(backend)
  if (layer === undefined) {
    layer = Layer.provide(Layer.effect(key as Context.Service<Id, StoreShape>, makeShape), backend)
    byBackend.set(backend, layer)
  }
  return layer
}

const makeShape = Effect.gen(function* () {
  const backend = yield* Backend
  const engine = yield* Engine.make(backend)
  const shape: StoreShape = { capabilities: backend.capabilities, engine }
  return shape
})

export declare namespace Store {
  /** The service behind a store key. */
  type Shape = StoreShape
  /** `Store` itself, or a class made by `Store.named`. */
  type Key<Id> = StoreKey<Id>
}
