/**
 * Conflict footprints as docs/COLLECTIONS.md states them: `mine` runs in a transaction, `theirs` commits before that one
 * does. A conflict shows as a second attempt.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as DCounter from "../../src/DCounter.ts"
import * as DMap from "../../src/DMap.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as DRef from "../../src/DRef.ts"
import * as DSet from "../../src/DSet.ts"
import * as DStruct from "../../src/DStruct.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import { withoutSyncLane } from "../../testing/CollectionSuite.ts"

const map = DMap.make("map", { key: Schema.String, value: Schema.Number })
const set = DSet.make("set", { value: Schema.String })
const ref = DRef.make("ref", { value: Schema.Number, initial: 0 })
const counter = DCounter.make("counter")
const struct = DStruct.make("struct", { fields: { a: Schema.Number, b: Schema.Number }, initial: { a: 0, b: 0 } })
const queue = DQueue.make("queue", { value: Schema.Number })
const empty = DQueue.make("empty", { value: Schema.Number })
const bounded = DQueue.make("bounded", { value: Schema.Number, capacity: 160 })

type Op = Effect.Effect<unknown, unknown, Store>
/** A write of its own, so that reads alone are validated by a commit too. */
const other = DCounter.make("other").increment

const apart: ReadonlyArray<readonly [string, Op, Op]> = [
  ["map set and set of another key", map.set("new1", 1), map.set("new2", 2)],
  ["map set of a new key and removal of another", map.set("new1", 1), map.remove("b")],
  ["map removal of a key and set of a new one", map.remove("b"), map.set("new1", 1)],
  ["map removal of a key and removal of another", map.remove("a"), map.remove("b")],
  ["map get and set of another key", map.get("a"), map.set("b", 9)],
  ["map entries up to a key and set beyond it", map.entries({ through: "b" }), map.set("c", 9)],
  ["map entries with a limit and set behind the last returned", map.entries({ limit: 2 }), map.set("bb", 9)],
  ["map first and set of a later key", map.first(), map.set("z", 9)],
  ["map isEmpty and set of a later key", map.isEmpty, map.set("z", 9)],
  ["map size and update of a key", map.size, map.set("a", 9)],
  ["set add and add of another", set.add("x"), set.add("y")],
  ["set add of what is there, by both", set.add("a"), set.add("a")],
  ["ref set and set", ref.set(1), ref.set(2)],
  ["counter add and add", counter.add(1), counter.add(2)],
  ["struct fields", struct.modifyField("a", (n) => n + 1), struct.setField("b", 1)],
  ["struct patch and patch", struct.patch({ a: 1 }), struct.patch({ a: 2 })],
  ["queue offer and offer", queue.offer(8), queue.offer(9)],
  ["queue offerAll and take", queue.offerAll([8, 9]), queue.take],
  ["queue take and offer", queue.take, queue.offer(9)],
  ["queue take and delayed offer", queue.take, queue.offer(9, { delay: "1 hour" })],
  ["queue peek and offer", queue.peek, queue.offer(9)],
  ["bounded queue, offers next to each other", bounded.offer(8), bounded.offer(9)]
]

const meeting: ReadonlyArray<readonly [string, Op, Op]> = [
  ["map get and set of the key", map.get("a"), map.set("a", 9)],
  ["map set and set of the key", map.set("a", 8), map.set("a", 9)],
  ["map has of an absent key and set of it", map.has("new"), map.set("new", 9)],
  ["map entries and set within", map.entries({ from: "a", until: "c" }), map.set("bb", 9)],
  ["map entries with a limit and set before the last returned", map.entries({ limit: 2 }), map.set("aa", 9)],
  ["map size and set of a new key", map.size, map.set("new", 9)],
  ["map get and clear", map.get("a"), map.clear],
  ["set add of an absent element, by both", set.add("x"), set.add("x")],
  ["ref update and set", ref.update((n) => n + 1), ref.set(2)],
  ["counter get and add", counter.get, counter.add(2)],
  ["counter addAndGet and add", counter.addAndGet(1), counter.add(2)],
  ["struct get and a field", struct.get, struct.setField("b", 1)],
  ["queue take and take", queue.take, queue.take],
  ["queue poll of an empty one and offer", empty.poll, empty.offer(9)],
  ["queue size and offer", queue.size, queue.offer(9)]
]

const attempts = (mine: Op, theirs: Op, wrap: boolean): Promise<number> =>
  Effect.gen(function* () {
    yield* map.setMany([
      ["a", 1],
      ["b", 2],
      ["c", 3]
    ])
    yield* set.addMany(["a", "b"])
    yield* queue.offerAll([1, 2, 3])
    // Everything is opened before, so that no schema is written on the way.
    yield* Effect.all([ref.get, counter.get, struct.get, empty.size, bounded.size, other], { discard: true })
    const context = yield* Effect.context<Store>()
    let number = 0
    yield* Tx.transact(
      Effect.gen(function* () {
        ;({ number } = yield* Tx.attempt)
        yield* mine
        yield* other
        if (number === 1) yield* Effect.promise(() => Effect.runPromiseWith(context)(theirs))
      })
    )
    return number
  }).pipe(
    Effect.provide(Store.layer(wrap ? withoutSyncLane(MemoryBackend.layer()) : MemoryBackend.layer())),
    Effect.runPromise
  )

for (const wrap of [false, true]) {
  describe(`footprints ${wrap ? "without" : "with"} the synchronous lane`, () => {
    for (const [name, mine, theirs] of apart) {
      it(`apart: ${name}`, async () => expect(await attempts(mine, theirs, wrap)).toBe(1))
    }
    for (const [name, mine, theirs] of meeting) {
      it(`conflict: ${name}`, async () => expect(await attempts(mine, theirs, wrap)).toBe(2))
    }
  })
}
