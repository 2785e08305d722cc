/** The ways to a store in memory that checks run over. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "../../../src/Backend.ts"
import { Store } from "../../../src/Store.ts"
import * as FaultyBackend from "../../../testing/FaultyBackend.ts"

export type Service = Backend["Service"]

export interface Lane {
  readonly name: string
  /** A store of its own (an engine of its own) on the shared backend, each time it is called. */
  readonly store: (shared: Service, seed: number) => Layer.Layer<Store>
}

/** A store on a service; each call makes another engine. */
export const storeOn = (backend: Service): Layer.Layer<Store> => Store.layer(Layer.succeed(Backend, { ...backend }))

/** Faults begin when the store is open. */
const faulty = (rates: Partial<Record<FaultyBackend.Fault, number>>) => (shared: Service, seed: number) => {
  const faults = FaultyBackend.make({ seed, rates })
  faults.heal()
  const store = Store.layer(faults.layer(Layer.succeed(Backend, { ...shared })))
  return Layer.tap(store, () => Effect.sync(() => faults.resume()))
}

export const inProcess: Lane = { name: "in process", store: (shared) => storeOn(shared) }
export const byBatches: Lane = { name: "by batches", store: faulty({}) }
export const delayed: Lane = {
  name: "by batches with delays",
  store: faulty({ delayRequest: 0.2, delayReply: 0.2, delayChange: 0.2, reorder: 0.05 })
}
/** Only the change feed suffers: elements are lost (and said to be), it breaks, it lags. */
export const brokenFeed: Lane = {
  name: "by batches with a feed that breaks",
  store: faulty({ loseWakeup: 0.25, cutFeed: 0.1, delayChange: 0.2 })
}

/** Builds stores side by side, each from its Layer, for as long as the scope. */
export const open = (layers: ReadonlyArray<Layer.Layer<Store>>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const memo = yield* Layer.makeMemoMap
    return yield* Effect.forEach(layers, (layer) => Layer.buildWithMemoMap(layer, memo, scope))
  })
