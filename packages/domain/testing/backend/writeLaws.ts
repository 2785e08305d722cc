/** Laws of counters, of appends, and of what is refused. */
import * as Effect from "effect/Effect"
import { stampBytes } from "../../src/core/KeyCodec.ts"
import { fromCounter } from "../../src/core/Value.ts"
import { show } from "./values.ts"
import {
  add,
  append,
  assert,
  Client,
  committed,
  contents,
  del,
  keysIn,
  law,
  type Law,
  lawOfSmallLimits,
  refused,
  set,
  versionOf
} from "./World.ts"

export const counterLaws: ReadonlyArray<Law> = [
  law("an addition to an absent cell begins at 0, and additions of one request add up", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(add("n", 5), add("n", -2), add("m", 0))
      assert.deepEqual(yield* contents(store, "n", "m"), [3, 0])
      yield* client.write(set("n", fromCounter(10)), add("n", 1), del("m"), add("m", 4))
      assert.deepEqual(yield* contents(store, "n", "m"), [11, 4])
    })
  ),
  law("additions read nothing: those on one base all count", ({ store }) =>
    Effect.gen(function* () {
      const base = yield* versionOf(store)
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => new Client(store, `c${i}`)),
        (client, i) =>
          Effect.gen(function* () {
            for (let k = 0; k < 5; k++)
              committed((yield* store.commit([client.request(base, { writes: [add("n", i)] })]))[0])
          }),
        { concurrency: "unbounded", discard: true }
      )
      assert.deepEqual(yield* contents(store, "n"), [950])
    })
  ),
  law("an addition to a cell that is no counter is refused, with all of its request", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(set("a", "text"))
      refused(yield* client.one({ writes: [set("b", "1"), add("a", 1)] }), "InvalidInput")
      refused(yield* client.one({ writes: [set("b", "text"), add("b", 1)] }), "InvalidInput")
      assert.deepEqual(yield* contents(store, "a", "b"), ["text", undefined])
    })
  ),
  law("a sum beyond the safe integers is refused, and one at their edge is exact", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(add("n", Number.MAX_SAFE_INTEGER), add("m", Number.MIN_SAFE_INTEGER))
      refused(yield* client.one({ writes: [add("n", 1)] }), "InvalidInput")
      refused(yield* client.one({ writes: [add("m", -1)] }), "InvalidInput")
      refused(yield* client.one({ writes: [add("k", Number.MAX_SAFE_INTEGER), add("k", 1)] }), "InvalidInput")
      assert.deepEqual(yield* contents(store, "n", "m", "k"), [
        Number.MAX_SAFE_INTEGER,
        Number.MIN_SAFE_INTEGER,
        undefined
      ])
      yield* client.write(add("n", -1))
      assert.deepEqual(yield* contents(store, "n"), [Number.MAX_SAFE_INTEGER - 1])
    })
  ),
  law("a delta that is no safe integer is refused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (const delta of [0.5, NaN, Infinity, 2 ** 53])
        refused(yield* client.one({ writes: [add("n", delta)] }), "InvalidInput")
      assert.deepEqual(yield* contents(store, "n"), [undefined])
    })
  )
]

export const appendLaws: ReadonlyArray<Law> = [
  law("an appended key is prefix, stamp of the request's version and index, suffix", ({ store }) =>
    Effect.gen(function* () {
      const version = yield* new Client(store, "one").write(
        append("q", 0, "a"),
        append("q", 7, "b", "s"),
        append("r", 7, "c")
      )
      const keys = [`q${stampBytes(version, 0)}`, `q${stampBytes(version, 7)}s`, `r${stampBytes(version, 7)}`]
      assert.deepEqual(yield* keysIn(store), keys)
      assert.deepEqual(yield* contents(store, ...keys), ["a", "b", "c"])
    })
  ),
  law("appends stand in the order of their commits, then of their index", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(append("q", 1, "1"), append("q", 0, "0"), append("q", 300, "2"))
      yield* client.commit(
        { writes: [append("q", 0, "3")] },
        { writes: [append("q", 0, "4"), append("q", 65_535, "5")] }
      )
      yield* client.write(append("q", 0, "6"))
      const { ranges } = yield* store.read({ keys: [], ranges: [{ start: "q", end: "r" }] })
      assert.deepEqual(
        ranges[0]!.map(({ cell }) => show(cell.value)),
        ["0", "1", "2", "3", "4", "5", "6"]
      )
    })
  ),
  law("appends conflict with nothing: those on one base all stay", ({ store }) =>
    Effect.gen(function* () {
      const base = yield* versionOf(store)
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => new Client(store, `c${i}`)),
        (client) =>
          Effect.gen(function* () {
            for (let k = 0; k < 5; k++)
              committed((yield* store.commit([client.request(base, { writes: [append("q", 0, "x")] })]))[0])
          }),
        { concurrency: "unbounded", discard: true }
      )
      assert.equal((yield* keysIn(store)).length, 100)
    })
  ),
  law("an append beside requests without number still has its own version", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* versionOf(store)
      const replies = yield* client.commit(
        { writes: [del("x")] },
        { reads: [{ key: "x", version: 9 }], writes: [append("q", 0, "no")] },
        { writes: [append("q", 0, "yes")] }
      )
      assert.equal(committed(replies[2]), begin + 1)
      assert.deepEqual(yield* keysIn(store), [`q${stampBytes(begin + 1, 0)}`])
    })
  ),
  law("an index that is no integer of 0 to 65,535 is refused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (const index of [-1, 65_536, 0.5, NaN])
        refused(yield* client.one({ writes: [append("q", index, "x")] }), "InvalidInput")
      assert.deepEqual(yield* keysIn(store), [])
    })
  ),
  law("two appends of one key in a request are refused, for one would be lost", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      refused(yield* client.one({ writes: [append("q", 0, "x"), append("q", 0, "y")] }), "InvalidInput")
      yield* client.write(append("q", 0, "x", "1"), append("q", 0, "y", "2"))
      assert.equal((yield* keysIn(store)).length, 2)
    })
  )
]

export const limitLaws: ReadonlyArray<Law> = [
  law("a key or value beyond its limit is refused, one at the limit is taken", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const { keyBytes, requestBytes, valueBytes } = store.capabilities.limits
      const key = "k".repeat(keyBytes)
      committed(yield* client.one({ writes: [set(key, "1"), append("a".repeat(keyBytes - 11), 0, "x")] }))
      for (const bad of [
        set(`${key}k`, "1"),
        del(`${key}k`),
        add(`${key}k`, 1),
        append("a".repeat(keyBytes - 11), 0, "x", "y")
      ]) {
        refused(yield* client.one({ writes: [set("other", "1"), bad] }), "LimitExceeded")
      }
      refused(
        yield* client.one({ reads: [{ key: `${key}k`, version: 0 }], writes: [set("other", "1")] }),
        "LimitExceeded"
      )
      assert.deepEqual(yield* contents(store, "other"), [undefined])
      if (valueBytes + 10 > requestBytes) return
      committed(yield* client.one({ writes: [set("v", "x".repeat(valueBytes - 3))] }))
      refused(yield* client.one({ writes: [set("v", "x".repeat(valueBytes - 2))] }), "LimitExceeded")
      assert.equal((yield* contents(store, "v"))[0], "x".repeat(valueBytes - 3))
    })
  ),
  lawOfSmallLimits("more writes than requestWrites are refused, so many are taken", "requestWrites", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const writes = Array.from({ length: store.capabilities.limits.requestWrites + 1 }, (_, i) => set(`k${i}`, "1"))
      refused(yield* client.one({ writes }), "LimitExceeded")
      assert.deepEqual(yield* keysIn(store), [])
      committed(yield* client.one({ writes: writes.slice(1) }))
    })
  ),
  lawOfSmallLimits("a batch beyond batchRequests is refused whole", "batchRequests", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const parts = Array.from({ length: store.capabilities.limits.batchRequests + 1 }, (_, i) => ({
        writes: [set(`k${i}`, "1")]
      }))
      for (const reply of yield* client.commit(...parts)) refused(reply, "LimitExceeded")
      assert.deepEqual(yield* keysIn(store), [])
      for (const reply of yield* client.commit(...parts.slice(1))) committed(reply)
    })
  ),
  law("a request beyond requestBytes is refused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const { keyBytes, requestBytes, requestWrites } = store.capabilities.limits
      // Reads share one long key, so that the request is large only to the limit.
      const reads = Array.from({ length: Math.ceil(requestBytes / keyBytes) + 1 }, () => ({
        key: "k".repeat(keyBytes),
        version: 0
      }))
      if (reads.length > 10 * requestWrites) return
      refused(yield* client.one({ reads, writes: [set("a", "1")] }), "LimitExceeded")
      assert.deepEqual(yield* keysIn(store), [])
    })
  ),
  law("a kind of write unknown to the store's rules is refused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      // A kind of a later version of the rules.
      const unknown = { _tag: "Multiply", key: "a", factor: 2 } as never
      refused(yield* client.one({ writes: [set("b", "1"), unknown] }), "InvalidInput")
      assert.deepEqual(yield* keysIn(store), [])
    })
  ),
  law("a request refused for what it is leaves its id unused", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const base = yield* versionOf(store)
      const bad = client.request(base, { writes: [append("q", -1, "x")] })
      refused((yield* store.commit([bad]))[0], "InvalidInput")
      committed((yield* store.commit([{ ...bad, writes: [set("a", "1")] }]))[0])
    })
  )
]
