/** Laws of requests that stand on earlier, not yet acknowledged requests of their batch. */
import * as Effect from "effect/Effect"
import type { ReadCheck } from "../../src/core/Commit.ts"
import { fromCounter } from "../../src/core/Value.ts"
import {
  add,
  append,
  assert,
  Client,
  committed,
  conflict,
  contents,
  del,
  deleteRange,
  keysIn,
  law,
  type Law,
  type Parts,
  refused,
  set,
  versionOf
} from "./World.ts"

const after = (index: number, ...keys: ReadonlyArray<string>): ReadonlyArray<ReadCheck> =>
  keys.map((key) => ({ key, version: 0, after: index }))

export const chainLaws: ReadonlyArray<Law> = [
  law("a read stands on an earlier request that wrote, added to or deleted its key", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(set("d", "1"), set("r", "1"))
      const replies = yield* client.commit(
        { writes: [set("a", "1"), add("n", 2), del("d"), del("never"), deleteRange("r", "s")] },
        { reads: after(0, "a", "n", "d", "never", "r"), writes: [set("b", "2")] }
      )
      replies.forEach(committed)
      assert.deepEqual(yield* contents(store, "a", "n", "d", "r", "b"), ["1", 2, undefined, undefined, "2"])
    })
  ),
  law("a read conflicts when another request wrote its key after the one it stands on", ({ store }) =>
    Effect.gen(function* () {
      const replies = yield* new Client(store, "one").commit(
        { writes: [set("a", "1")] },
        { writes: [set("a", "2")] },
        { reads: after(0, "a"), writes: [set("b", "1")] },
        { reads: after(1, "a"), writes: [set("c", "1")] }
      )
      const [first, second] = [committed(replies[0]), committed(replies[1])]
      const lost = conflict(replies[2])
      assert.deepEqual(lost.keys, [{ key: "a", expected: first, actual: second }])
      assert.equal(lost.dependsOn, undefined)
      committed(replies[3])
      assert.deepEqual(yield* contents(store, "b", "c"), [undefined, "1"])
    })
  ),
  law("a read conflicts when the key it stands on was deleted, or made, in between", ({ store }) =>
    Effect.gen(function* () {
      const replies = yield* new Client(store, "one").commit(
        { writes: [set("a", "1"), del("b")] },
        { writes: [del("a"), set("b", "1")] },
        { reads: after(0, "a"), writes: [set("x", "1")] },
        { reads: after(0, "b"), writes: [set("x", "2")] }
      )
      assert.deepEqual(conflict(replies[2]).keys, [{ key: "a", expected: committed(replies[0]), actual: 0 }])
      assert.deepEqual(conflict(replies[3]).keys, [{ key: "b", expected: 0, actual: committed(replies[1]) }])
    })
  ),
  law("a request that stands on one that did not take effect is refused, and says on which", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(set("a", "0"))
      const replies = yield* client.commit(
        { writes: [set("ok", "1")] },
        { reads: [{ key: "a", version: 0 }], writes: [set("a", "1")] },
        { writes: [add("a", 1)] },
        { reads: after(1, "a"), writes: [set("b", "1")] },
        { reads: after(2, "a"), writes: [set("c", "1")] },
        { reads: [...after(3, "b"), ...after(0, "ok")], writes: [set("d", "1")] },
        { reads: after(0, "ok"), writes: [set("e", "1")] }
      )
      assert.deepEqual(
        replies.map(({ _tag }) => _tag),
        ["Committed", "Conflict", "Refused", "Conflict", "Conflict", "Conflict", "Committed"]
      )
      assert.deepEqual(
        [3, 4, 5].map((i) => conflict(replies[i]).dependsOn),
        [1, 2, 3]
      )
      assert.deepEqual(
        [3, 4, 5].map((i) => conflict(replies[i]).keys),
        [[], [], []]
      )
      assert.deepEqual(yield* contents(store, "a", "b", "c", "d", "e"), ["0", undefined, undefined, undefined, "1"])
    })
  ),
  law("a chain of many requests on one key takes effect whole", ({ store }) =>
    Effect.gen(function* () {
      const length = Math.min(50, store.capabilities.limits.batchRequests)
      const chain = Array.from({ length }, (_, i): Parts => ({
        reads: i === 0 ? [{ key: "n", version: 0 }] : after(i - 1, "n"),
        writes: [set("n", fromCounter(i + 1))]
      }))
      const begin = yield* versionOf(store)
      const replies = yield* new Client(store, "one").commit(...chain)
      assert.deepEqual(
        replies.map(committed),
        chain.map((_, i) => begin + 1 + i)
      )
      assert.deepEqual(yield* contents(store, "n"), [length])
    })
  ),
  law("a broken link breaks the whole chain behind it, and nothing else", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const links = Array.from({ length: 10 }, (_, i): Parts => ({
        reads: i === 0 ? [] : after(i - 1, "n"),
        writes: [set("n", `${i}`), set(`k${i}`, "1")]
      }))
      const broken = links.map((link, i): Parts =>
        i === 4 ? { ...link, reads: [...link.reads!, { key: "n", version: 0 }] } : link
      )
      const replies = yield* client.commit(...broken, { writes: [set("other", "1")] })
      assert.deepEqual(
        replies.map(({ _tag }) => _tag === "Committed"),
        [true, true, true, true, false, false, false, false, false, false, true]
      )
      assert.deepEqual(yield* contents(store, "n", "other"), ["3", "1"])
    })
  ),
  law("a check that stands on itself, a later request or none is refused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (const bad of [1, 2, -1, 0.5]) {
        const replies = yield* client.commit(
          { writes: [set("a", "1")] },
          { reads: after(bad, "a"), writes: [set("b", "1")] },
          {
            ranges: [{ start: "a", end: "b", version: 0, after: bad === 1 ? 2 : bad === 2 ? 3 : bad }],
            writes: [set("b", "1")]
          }
        )
        refused(replies[1], "InvalidInput")
        refused(replies[2], "InvalidInput")
      }
      assert.deepEqual(yield* keysIn(store), ["a"])
    })
  ),
  law("a range stands on the earlier requests of its batch and sees their writes as its own past", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("q1", "1"))
      const replies = yield* client.commit(
        { writes: [set("q2", "1"), append("q", 0, "x")] },
        { writes: [del("q1")] },
        { ranges: [{ start: "q", end: "r", version, after: 1 }], writes: [set("q3", "1")] },
        { ranges: [{ start: "q", end: "r", version, after: 2 }], writes: [set("done", "1")] }
      )
      replies.forEach(committed)
    })
  ),
  law("a range that stands on a request conflicts with writes in it after that request", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("q1", "1"))
      const replies = yield* client.commit(
        { writes: [set("q2", "1")] },
        { writes: [set("q3", "1")] },
        { ranges: [{ start: "q", end: "r", version, after: 0 }], writes: [set("x", "1")] },
        { ranges: [{ start: "q", end: "q3", version, after: 0 }], writes: [set("y", "1")] }
      )
      assert.deepEqual(conflict(replies[2]).ranges, [{ start: "q", end: "r", expected: version }])
      committed(replies[3])
    })
  ),
  law("a range that stands on a request conflicts with what others wrote in it before the batch", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("q1", "1"))
      const entries = [{ key: "q1", version }]
      yield* new Client(store, "other").write(set("q5", "1"))
      const replies = yield* client.commit(
        { writes: [set("q2", "1")] },
        { ranges: [{ start: "q", end: "r", version, after: 0, entries }], writes: [set("x", "1")] },
        { ranges: [{ start: "q", end: "q5", version, after: 0, entries }], writes: [set("y", "1")] }
      )
      conflict(replies[1])
      committed(replies[2])
    })
  ),
  law("a range that stands on a request needs every writer in it up to there to have taken effect", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("q1", "1"))
      const no = [{ key: "q1", version: 0 }]
      const replies = yield* client.commit(
        { reads: no, writes: [set("elsewhere", "1")] },
        { writes: [set("q2", "1")] },
        { ranges: [{ start: "q", end: "r", version, after: 1 }], writes: [set("x", "1")] },
        { reads: no, writes: [set("q3", "1")] },
        { ranges: [{ start: "q", end: "r", version, after: 3 }], writes: [set("y", "1")] },
        { ranges: [{ start: "q", end: "q3", version, after: 3 }], writes: [set("z", "1")] },
        { reads: no, writes: [deleteRange("p", "q2")] },
        { ranges: [{ start: "q", end: "q3", version, after: 6 }], writes: [set("z", "2")] },
        { reads: no, writes: [append("q", 0, "1")] },
        { ranges: [{ start: "q", end: "q3", version, after: 8 }], writes: [set("z", "3")] }
      )
      committed(replies[2])
      assert.equal(conflict(replies[4]).dependsOn, 3)
      committed(replies[5])
      assert.equal(conflict(replies[7]).dependsOn, 6)
      assert.equal(conflict(replies[9]).dependsOn, 6)
      assert.deepEqual(yield* contents(store, "x", "y", "z"), ["1", undefined, "1"])
    })
  ),
  law("a chain that is sent again gives the same replies and changes nothing", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const base = yield* versionOf(store)
      const chain = [
        client.request(base, { writes: [set("a", "1"), add("n", 1)] }),
        client.request(base, { reads: after(0, "a"), writes: [set("a", "2"), add("n", 1)] }),
        client.request(base, { reads: after(1, "a"), writes: [del("a"), add("n", 1)] })
      ]
      const first = yield* store.commit(chain)
      const again = yield* store.commit(chain)
      assert.deepEqual(again, first)
      assert.deepEqual(yield* contents(store, "a", "n"), [undefined, 3])
      assert.equal(yield* versionOf(store), committed(first[2]))
    })
  ),
  law("a link sent again behind links that had taken effect takes effect once", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const base = yield* versionOf(store)
      const first = client.request(base, { writes: [set("a", "1"), add("n", 1)] })
      const second = client.request(base, { reads: after(0, "a"), writes: [set("b", "1"), add("n", 1)] })
      const [lost] = yield* store.commit([first])
      const replies = yield* store.commit([first, second])
      assert.equal(committed(replies[0]), committed(lost))
      committed(replies[1])
      assert.deepEqual(yield* contents(store, "a", "b", "n"), ["1", "1", 2])
    })
  )
]
