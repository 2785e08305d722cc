/** Which commits say that they need not be on the disk when they are answered: those that give back what is held, alone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Backend } from "../../src/Backend.ts"
import * as Coordination from "../../src/Coordination.ts"
import type { CommitRequest } from "../../src/core/Commit.ts"
import * as DRef from "../../src/DRef.ts"
import * as Operation from "../../src/internal/Operation.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as StoreLock from "../../src/StoreLock.ts"
import * as Tx from "../../src/Tx.ts"

/** Runs on a store that answers later; the requests with writes that it was sent since `begin`. */
const recorded = <E>(program: (begin: () => void) => Effect.Effect<unknown, E, Store>) => {
  const sent: Array<CommitRequest> = []
  const memory = MemoryBackend.make()
  const backend = Backend.of({
    ...memory,
    sync: undefined,
    commit: (requests) => {
      sent.push(...requests.filter((request) => request.writes.length > 0))
      return memory.commit(requests)
    }
  })
  // As it stands at the program's end: then the store is closed, and its session.
  const run = Effect.map(
    Effect.suspend(() => program(() => (sent.length = 0))),
    () => sent.slice()
  )
  return Effect.provide(run, Store.layer(Layer.succeed(Backend, backend)))
}

const durabilities = (sent: ReadonlyArray<CommitRequest>) => sent.map(({ durability }) => durability)

describe("relaxed commits", () => {
  it.effect("a tree lock is acquired and written under durably, and given back relaxed", () =>
    Effect.gen(function* () {
      const cell = DRef.make("cell", { value: Schema.Int, initial: 0 })
      const sent = yield* recorded((begin) =>
        Effect.gen(function* () {
          const tree = StoreLock.make("tree")
          // The session is opened by the first.
          yield* cell.set(1)
          yield* tree.read("/a").withLock(Effect.void)
          begin()
          yield* tree.write("/a/b").withLock(cell.set(2))
        })
      )
      assert.deepStrictEqual(durabilities(sent), [undefined, undefined, "relaxed"])
      assert.isTrue(sent[2]!.writes.every(({ _tag }) => _tag === "Delete"))
    })
  )

  it.effect("a mutex and a semaphore are given back relaxed", () =>
    Effect.gen(function* () {
      const { mutex, semaphore } = Coordination.make()
      const sent = yield* recorded((begin) =>
        Effect.gen(function* () {
          yield* mutex("first").withLock(Effect.void)
          begin()
          yield* mutex("m").withLock(Effect.void)
          yield* semaphore("s", { permits: 2 }).take().withLock(Effect.void)
        })
      )
      assert.deepStrictEqual(durabilities(sent).filter((d) => d === "relaxed").length, 2)
      assert.strictEqual(durabilities(sent)[0], undefined)
      assert.strictEqual(durabilities(sent).at(-1), "relaxed")
    })
  )

  it.effect("a downgrade is durable", () =>
    Effect.gen(function* () {
      const sent = yield* recorded((begin) =>
        Effect.scoped(
          Effect.gen(function* () {
            const held = yield* StoreLock.make("tree").write("/a").scoped
            begin()
            yield* held.downgrade({ read: ["/a"] })
          })
        )
      )
      assert.deepStrictEqual(durabilities(sent), [undefined, "relaxed"])
    })
  )

  it.effect("what joins a transaction is as durable as that", () =>
    Effect.gen(function* () {
      const part = Operation.makeRelaxed(Store, "part", (tx) => tx.add("n", 1))
      const sent = yield* recorded(() => Effect.andThen(Tx.transact(part), part))
      assert.deepStrictEqual(durabilities(sent), [undefined, "relaxed"])
    })
  )
})
