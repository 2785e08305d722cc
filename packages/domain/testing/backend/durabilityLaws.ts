/** Laws of what survives opening a store again, and of commits that need not survive a power cut. */
import * as Effect from "effect/Effect"
import { showCommit } from "./changeLaws.ts"
import { showEntry } from "./values.ts"
import {
  add,
  append,
  assert,
  changesAfter,
  changesUpTo,
  Client,
  committed,
  conflict,
  contents,
  del,
  deleteRange,
  everything,
  keysIn,
  law,
  type Law,
  set,
  tooOld,
  versionOf
} from "./World.ts"

const isVolatile: Law["skip"] = (_, { reopen }) => (reopen === undefined ? "nothing is promised to survive" : undefined)

export const durabilityLaws: ReadonlyArray<Law> = [
  law("a relaxed commit is judged, seen, told and remembered as any other", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const other = new Client(store, "two")
      const v = yield* versionOf(store)
      const request = client.request(v, { writes: [set("a", "1"), add("n", 1)], durability: "relaxed" })
      assert.equal(committed((yield* store.commit([request]))[0]), v + 1)
      assert.deepEqual(yield* contents(store, "a", "n"), ["1", 1])
      // A mixed batch, whose durable part stands on the relaxed one.
      const [relaxed, durable, late] = yield* store.commit([
        client.request(v + 1, { writes: [set("a", "2")], durability: "relaxed" }),
        client.request(v + 1, { reads: [{ key: "a", version: 0, after: 0 }], writes: [set("b", "1")] }),
        other.request(v + 1, { reads: [{ key: "a", version: v + 1 }], writes: [del("a")], durability: "relaxed" })
      ])
      assert.deepEqual([committed(relaxed), committed(durable)], [v + 2, v + 3])
      conflict(late)
      assert.equal(committed((yield* store.commit([request]))[0]), v + 1, "a double took effect")
      assert.deepEqual(yield* store.outcome(request.id!), { _tag: "Committed", version: v + 1 })
      assert.deepEqual((yield* changesAfter(store, v, 3)).map(showCommit), [
        [v + 1, ["a", undefined, ["1", v + 1]], ["n", undefined, [1, v + 1]]],
        [v + 2, ["a", ["1", v + 1], ["2", v + 2]]],
        [v + 3, ["b", undefined, ["1", v + 3]]]
      ])
    })
  ),
  {
    name: "relaxed commits are there when the store was closed and is opened again",
    skip: isVolatile,
    run: ({ reopen, store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        yield* client.write(set("a", "1"))
        yield* client.one({ writes: [set("a", "2")], durability: "relaxed" })
        const version = committed(yield* client.one({ writes: [add("n", 1)], durability: "relaxed" }))
        const again = yield* reopen!
        assert.equal(yield* versionOf(again), version)
        assert.deepEqual(yield* contents(again, "a", "n"), ["2", 1])
        assert.equal(yield* client.over(again).write(add("n", 1)), version + 1)
      })
  },
  {
    name: "what was acknowledged is there when the store is opened again, at the same version",
    skip: isVolatile,
    run: ({ reopen, store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        yield* client.write(set("a", "1"), set("b", "1"), add("n", 3), append("q", 0, "x"))
        const version = yield* client.write(del("b"), set("c", "2"))
        const before = yield* store.read({ keys: [], ranges: [everything] })
        const again = yield* reopen!
        const after = yield* again.read({ keys: [], ranges: [everything] })
        assert.equal(after.version, version)
        assert.deepEqual(after.ranges[0]!.map(showEntry), before.ranges[0]!.map(showEntry))
        const next = client.over(again)
        assert.equal(yield* next.write(add("n", 1)), version + 1)
        assert.deepEqual(yield* contents(again, "n", "b"), [4, undefined])
      })
  },
  {
    name: "a request sent again after the store was opened again takes effect once",
    skip: isVolatile,
    run: ({ reopen, store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const base = yield* versionOf(store)
        const old = client.request(base, { writes: [add("n", 1)] })
        const done = client.request(base, { writes: [add("n", 1)], resolvedBelow: 1 })
        const lost = client.request(base, { reads: [{ key: "n", version: 9 }], writes: [set("x", "1")] })
        const sealed = client.request(base, { writes: [set("x", "1")] })
        const empty = client.request(base, { writes: [del("absent")] })
        const replies = yield* store.commit([old, done, lost, empty])
        yield* store.outcome(sealed.id!)
        const again = yield* reopen!
        assert.equal(committed((yield* again.commit([done]))[0]), committed(replies[1]))
        assert.equal(committed((yield* again.commit([empty]))[0]), committed(replies[3]))
        conflict((yield* again.commit([lost]))[0])
        conflict((yield* again.commit([sealed]))[0])
        tooOld((yield* again.commit([old]))[0])
        assert.deepEqual(yield* again.outcome(done.id!), { _tag: "Committed", version: committed(replies[1]) })
        assert.deepEqual(yield* again.outcome(lost.id!), { _tag: "Rejected" })
        assert.deepEqual(yield* contents(again, "n", "x"), [2, undefined])
      })
  },
  {
    name: "a change stream goes on where it was when the store is opened again",
    skip: isVolatile,
    run: ({ reopen, store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const v = yield* versionOf(store)
        yield* client.write(set("a", "1"))
        yield* client.write(set("a", "2"), set("b", "1"))
        yield* client.write(deleteRange("a", "b"))
        const before = (yield* changesUpTo(store, v, v + 3)).map(showCommit)
        const again = yield* reopen!
        yield* client.over(again).write(set("c", "1"))
        const after = (yield* changesUpTo(again, v, v + 4)).map(showCommit)
        assert.deepEqual(after.slice(0, 3), before)
        assert.equal(after.length, 4)
        assert.deepEqual(yield* keysIn(again), ["b", "c"])
      })
  }
]
