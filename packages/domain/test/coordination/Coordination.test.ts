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
