/** Tree locks in a store: the suite on the store in memory, with its synchronous lane and without. */
import { Layer } from "effect"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as StoreLock from "../../src/StoreLock.ts"
import * as LockSuite from "../../testing/LockSuite.ts"
import { overStore } from "../../testing/overStore.ts"

let trees = 0
const asynchronous = Layer.sync(Backend, () => {
  const { sync: _, ...rest } = MemoryBackend.make()
  return Backend.of(rest)
})

for (const [name, backend, settleMillis] of [
  ["the store in memory", MemoryBackend.layer(), undefined],
  ["a store that answers later", asynchronous, 10]
] as const) {
  LockSuite.suite(`locks in ${name}`, {
    settleMillis,
    tree: () => overStore(StoreLock.make(`tree ${++trees}`), Store.layer(backend))
  })
}
