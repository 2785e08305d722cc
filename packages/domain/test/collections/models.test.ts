/** All collections against plain JavaScript, on the store in memory, with and without its synchronous lane. */
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as CollectionSuite from "../../testing/CollectionSuite.ts"

CollectionSuite.suite("in memory", { layer: () => MemoryBackend.layer(), steps: 3000 })
CollectionSuite.suite("in memory, without the synchronous lane", {
  layer: () => CollectionSuite.withoutSyncLane(MemoryBackend.layer()),
  steps: 1000
})
