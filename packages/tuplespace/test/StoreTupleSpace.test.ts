/** Tuple spaces in a store: the suite on the store in memory, with its synchronous lane and without. */
import { Effect, Layer } from "effect"
import { Backend } from "@weft/domain/Backend"
import * as MemoryBackend from "@weft/domain/MemoryBackend"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "../src/StoreTupleSpace.ts"
import { overStore, wakeUpsOf } from "../testing/overStore.ts"
import * as TupleSpaceSuite from "../testing/TupleSpaceSuite.ts"

const later = () =>
  Layer.sync(Backend, () => {
    const { sync: _, ...rest } = MemoryBackend.make()
    return Backend.of(rest)
  })

for (const [name, backend, settleMillis] of [
  ["the store in memory", MemoryBackend.layer, 3],
  ["a store that answers later", later, 6]
] as const) {
  TupleSpaceSuite.suite(`a tuple space in ${name}`, {
    settleMillis,
    chain: 200,
    steps: 400,
    make: (definition) =>
      Effect.map(Layer.build(Store.layer(backend())), (context) => ({
        space: overStore(StoreTupleSpace.make("jobs", definition), context),
        other: overStore(StoreTupleSpace.make("other", definition), context),
        wakeUps: wakeUpsOf(context)
      }))
  })
}
