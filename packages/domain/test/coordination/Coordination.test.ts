/** Coordination in a store: the suite on the store in memory, with its synchronous lane and without. */
import { Effect, Layer } from "effect"
import { Backend } from "../../src/Backend.ts"
import * as Coordination from "../../src/Coordination.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as CoordinationSuite from "../../testing/CoordinationSuite.ts"
import { coordinationOverStore } from "../../testing/overStore.ts"

const asynchronous = () =>
  Layer.sync(Backend, () => {
    const { sync: _, ...rest } = MemoryBackend.make()
    return Backend.of(rest)
  })

for (const [name, backend, settleMillis] of [
  ["the store in memory", MemoryBackend.layer, undefined],
  ["a store that answers later", asynchronous, 5]
] as const) {
  CoordinationSuite.suite(`coordination in ${name}`, {
    settleMillis,
    // A store of its own each time.
    coordination: () =>
      Effect.suspend(() => coordinationOverStore(Coordination.make(), Store.layer(backend() as Layer.Layer<Backend>)))
  })
}

for (const isSync of [true, false]) {
  CoordinationSuite.lossSuite(`coordination, ${isSync ? "on the synchronous lane" : "on a store that answers later"}`, {
    processes: Effect.suspend(() => {
      const { sync, ...rest } = MemoryBackend.make()
      const layer = () =>
        Store.layer(Layer.sync(Backend, () => Backend.of(isSync && sync !== undefined ? { ...rest, sync } : rest)))
      return Effect.all([Layer.build(layer()), Layer.build(layer())])
    })
  })
}
