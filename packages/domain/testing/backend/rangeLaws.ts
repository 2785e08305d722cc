/** Laws of ranges: what they return, what their checks see, what deleting them does. */
import * as Effect from "effect/Effect"
import type { Range, RangeCheck, Write } from "../../src/core/Commit.ts"
import type { Version } from "../../src/core/Version.ts"
import type { StoreError } from "../../src/StoreError.ts"
import {
  append,
  assert,
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
  lawOfSmallLimits,
  refused,
  set,
  type Store,
  versionOf
} from "./World.ts"

const fill = (client: Client, keys: ReadonlyArray<string>): Effect.Effect<Version, StoreError> =>
  client.write(...keys.map((key) => set(key, key)))

/** The check of a range as it is now, with its entries. */
const checkOf = (store: Store, { end, start }: Range, withEntries: boolean): Effect.Effect<RangeCheck, StoreError> =>
  Effect.map(store.read({ keys: [], ranges: [{ start, end }] }), ({ ranges, version }) => ({
    start,
    end,
    version,
    ...(withEntries ? { entries: ranges[0]!.map(({ cell, key }) => ({ key, version: cell.version })) } : {})
  }))

/** What a checked range [b, d) says to writes since, of another batch or of its own: a law for each. */
const since = (what: string, expected: "holds" | "conflicts", ...writes: ReadonlyArray<Write>): Law =>
  law(`a checked range ${expected} when ${what}`, ({ store }) =>
    Effect.gen(function* () {
      for (const [withEntries, isSameBatch] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true]
      ] as const) {
        const client = new Client(store, `c${withEntries}${isSameBatch}`)
        yield* client.write(deleteRange("a", "z"))
        yield* fill(client, ["a", "b", "c", "cc", "d"])
        const base = yield* versionOf(store)
        const range = yield* checkOf(store, { start: "b", end: "d" }, withEntries)
        const change = client.request(base, { writes })
        const check = client.request(base, { ranges: [range], writes: [set("x", "1")] })
        const replies = isSameBatch
          ? yield* store.commit([change, check])
          : [...(yield* store.commit([change])), ...(yield* store.commit([check]))]
        const changed = committed(replies[0])
        if (expected === "holds") committed(replies[1])
        else {
          const { keys, ranges, version } = conflict(replies[1])
          assert.deepEqual(ranges, [{ start: "b", end: "d", expected: range.version }])
          assert.deepEqual(keys, [])
          assert.equal(version, changed)
        }
      }
    })
  )

/** Makes the store forget every commit there is. */
const forget = (client: Client): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const { recentCommits } = client.store.capabilities.limits
    for (let i = 0; i <= recentCommits; i++) yield* client.write(set("z", `${i}`))
  })

export const rangeLaws: ReadonlyArray<Law> = [
  law("a range has the keys from start, included, to end, excluded, in byte order", ({ store }) =>
    Effect.gen(function* () {
      yield* fill(new Client(store, "one"), ["c", "a", "b\0", "b", "d", "ba"])
      assert.deepEqual(yield* keysIn(store, { start: "b", end: "d" }), ["b", "b\0", "ba", "c"])
      assert.deepEqual(yield* keysIn(store, { start: "b\0", end: "c" }), ["b\0", "ba"])
      assert.deepEqual(yield* keysIn(store, { start: "", end: "a" }), [])
      assert.deepEqual(yield* keysIn(store, { start: "a", end: "a\0" }), ["a"])
    })
  ),
  law("a range whose end is not above its start is empty", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* fill(client, ["a", "b", "c"])
      for (const range of [
        { start: "b", end: "b" },
        { start: "c", end: "a" }
      ]) {
        assert.deepEqual(yield* keysIn(store, range), [])
        assert.deepEqual(yield* keysIn(store, { ...range, reverse: true }), [])
        yield* client.write(deleteRange(range.start, range.end))
      }
      assert.deepEqual(yield* keysIn(store), ["a", "b", "c"])
    })
  ),
  law("a range has at most its limit of keys, from the end when it is reversed", ({ store }) =>
    Effect.gen(function* () {
      yield* fill(new Client(store, "one"), ["a", "b", "c", "d"])
      assert.deepEqual(yield* keysIn(store, { start: "a", end: "d", limit: 2 }), ["a", "b"])
      assert.deepEqual(yield* keysIn(store, { start: "a", end: "d", reverse: true }), ["c", "b", "a"])
      assert.deepEqual(yield* keysIn(store, { start: "a", end: "d", reverse: true, limit: 2 }), ["c", "b"])
      assert.deepEqual(yield* keysIn(store, { start: "b", end: "z", limit: 100 }), ["b", "c", "d"])
      assert.deepEqual(yield* keysIn(store, { start: "a", end: "z", limit: 0 }), [])
    })
  ),
  law("a long range stays in order through inserts and deletes all over it", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const key = (i: number): string => `k${`${i}`.padStart(5, "0")}`
      const count = Math.min(2000, store.capabilities.limits.requestWrites)
      const order = Array.from({ length: count }, (_, i) => (i * 7919) % count)
      yield* fill(client, [...new Set(order)].map(key))
      yield* client.write(...order.filter((i) => i % 3 === 0).map((i) => del(key(i))))
      const expected = [...new Set(order)]
        .filter((i) => i % 3 !== 0)
        .sort((a, b) => a - b)
        .map(key)
      assert.deepEqual(yield* keysIn(store), expected)
      assert.deepEqual(yield* keysIn(store, { ...everything, reverse: true }), expected.toReversed())
      assert.deepEqual(
        yield* keysIn(store, { start: key(900), end: key(1100), limit: 10 }),
        expected.filter((k) => k >= key(900) && k < key(1100)).slice(0, 10)
      )
    })
  ),
  since("a key was made in it", "conflicts", set("bb", "1")),
  since("its first key was written", "conflicts", set("b", "1")),
  since("a key in it was deleted", "conflicts", del("cc")),
  since("a range over it was deleted", "conflicts", deleteRange("a", "z")),
  since("a stamped key was appended in it", "conflicts", append("c", 0, "1")),
  since("a key at its end was written", "holds", set("d", "1"), set("a", "1"), del("e")),
  since("nothing in it was written", "holds", set("y", "1")),
  since("an absent key of it was deleted", "holds", del("bb"), set("y", "1")),
  law("a range check with several changed ranges names each", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* fill(client, ["a", "b", "c"])
      yield* client.write(set("a", "2"), set("c", "2"))
      const ranges = [
        { start: "a", end: "b", version },
        { start: "b", end: "c", version },
        { start: "c", end: "d", version }
      ]
      const reply = conflict(yield* client.one({ ranges, writes: [set("x", "1")] }))
      assert.deepEqual(reply.ranges, [
        { start: "a", end: "b", expected: version },
        { start: "c", end: "d", expected: version }
      ])
    })
  ),
  law("of two concurrent requests that read one range and write in it, one conflicts", ({ store }) =>
    Effect.gen(function* () {
      const clients = [new Client(store, "one"), new Client(store, "two")]
      const base = yield* fill(clients[0]!, ["a"])
      const requests = clients.map((client, i) =>
        client.request(base, { ranges: [{ start: "a", end: "z", version: base }], writes: [set(`n${i}`, "1")] })
      )
      const replies = yield* store.commit(requests)
      assert.deepEqual(
        replies.map(({ _tag }) => _tag),
        ["Committed", "Conflict"]
      )
    })
  ),
  lawOfSmallLimits(
    "a range read before the store's memory holds by its entries, and conflicts without them or with others",
    "recentCommits",
    ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        yield* fill(client, ["a", "b"])
        const exact = yield* checkOf(store, { start: "a", end: "c" }, true)
        const bare = yield* checkOf(store, { start: "a", end: "c" }, false)
        yield* forget(client)
        committed(yield* client.one({ ranges: [exact], writes: [set("x", "1")] }))
        conflict(yield* client.one({ ranges: [bare], writes: [set("x", "2")] }))
        yield* client.write(set("b", "2"))
        yield* forget(client)
        conflict(yield* client.one({ ranges: [exact], writes: [set("x", "3")] }))
        yield* client.write(del("b"))
        yield* forget(client)
        conflict(yield* client.one({ ranges: [exact], writes: [set("x", "4")] }))
        assert.deepEqual(yield* contents(store, "x"), ["1"])
      })
  ),
  law("deleting a range deletes all of its keys and no others", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* fill(client, ["a", "b", "b\0", "c", "d"])
      yield* client.write(deleteRange("b", "d"))
      assert.deepEqual(yield* keysIn(store), ["a", "d"])
    })
  ),
  law("deleting a range reads nothing: keys made in it since the base go, too", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const base = yield* fill(client, ["a", "b"])
      yield* client.write(set("c", "1"))
      committed((yield* store.commit([client.request(base, { writes: [deleteRange("a", "d")] })]))[0])
      assert.deepEqual(yield* keysIn(store), [])
    })
  ),
  law("a deleted range covers own writes before it and earlier requests, not own writes after it", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* fill(client, ["a", "b"])
      const replies = yield* client.commit(
        { writes: [set("c", "1")] },
        { writes: [set("d", "1"), append("b", 0, "x"), deleteRange("a", "z"), set("e", "1"), set("a", "2")] }
      )
      replies.forEach(committed)
      assert.deepEqual(yield* keysIn(store), ["a", "e"])
      assert.deepEqual(yield* contents(store, "a"), ["2"])
    })
  ),
  lawOfSmallLimits(
    "deleting more keys than deleteRangeKeys is refused and deletes none",
    "deleteRangeKeys",
    ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const { deleteRangeKeys, requestWrites } = store.capabilities.limits
        const keys = Array.from({ length: deleteRangeKeys + 1 }, (_, i) => `k${`${i}`.padStart(6, "0")}`)
        for (let i = 0; i < keys.length; i += requestWrites) yield* fill(client, keys.slice(i, i + requestWrites))
        refused(yield* client.one({ writes: [deleteRange("k", "l"), set("x", "1")] }), "LimitExceeded")
        assert.deepEqual(yield* keysIn(store), keys)
        yield* client.write(deleteRange("k000001", "l"))
        assert.deepEqual(yield* keysIn(store), ["k000000"])
      })
  )
]
