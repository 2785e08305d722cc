/** Tree locks in a store: the suite on the store in memory, with its synchronous lane and without. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
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
    tree: (options) => overStore(StoreLock.make(`tree ${++trees}`, options), Store.layer(backend))
  })

  it.live(`a lock that is free is one commit, its release another, and nothing is read for it alone in ${name}`, () =>
    Effect.gen(function* () {
      const { stats } = (yield* Store).engine
      const tree = StoreLock.make(`tree ${++trees}`)
      yield* tree.write("/a/b").withLock(Effect.void)
      const before = { ...stats }
      for (let i = 0; i < 10; i++) yield* tree.write("/a/b").withLock(Effect.void)
      assert.strictEqual(stats.commits - before.commits, 20)
      assert.strictEqual(stats.readOnly - before.readOnly, 0)
    }).pipe(Effect.provide(Store.layer(backend)))
  )

  it.live(`64 waiting writers in ${name}: a release wakes at most two`, () =>
    Effect.gen(function* () {
      const tree = StoreLock.make(`tree ${++trees}`)
      const standing = Effect.map(tree.standings, (all) => all.filter(({ path }) => path.length === 1).length)
      const woken = yield* LockSuite.wakeUpsPerRelease(tree.write("/a"), { writers: 64, standing })
      assert.strictEqual(woken.length, 64)
      assert.isAtMost(Math.max(...woken), 2)
    }).pipe(Effect.provide(Store.layer(backend)))
  )
}
