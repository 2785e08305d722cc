/** Sessions by their suite, on the store in memory, with its synchronous lane and without. In virtual time: collections/sessions.test.ts. */
import { Effect, Layer } from "effect"
import { Backend } from "../src/Backend.ts"
import * as MemoryBackend from "../src/MemoryBackend.ts"
import { Store } from "../src/Store.ts"
import * as SessionSuite from "../testing/SessionSuite.ts"

for (const isSync of [true, false]) {
  SessionSuite.suite(`sessions ${isSync ? "on the synchronous lane" : "on a store that answers later"}`, {
    processes: Effect.suspend(() => {
      const { sync, ...rest } = MemoryBackend.make()
      const backend = () =>
        Layer.sync(Backend, () => Backend.of(isSync && sync !== undefined ? { ...rest, sync } : rest))
      return Effect.all([Layer.build(Store.layer(backend())), Layer.build(Store.layer(backend()))])
    })
  })
}
