/** Laws of cells, numbers and atomicity. */
import * as Effect from "effect/Effect"
import { fromCounter } from "../../src/core/Value.ts"
import { next } from "../../src/core/Version.ts"
import { raw, show, showCell } from "./values.ts"
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
  everything,
  keysIn,
  law,
  type Law,
  set,
  versionAt,
  versionOf
} from "./World.ts"

export const cellLaws: ReadonlyArray<Law> = [
  law("an empty store has no cells", ({ store }) =>
    Effect.gen(function* () {
      const reply = yield* store.read({ keys: ["", "a"], ranges: [everything] })
      assert.deepEqual(reply.cells, [undefined, undefined])
      assert.deepEqual(reply.ranges, [[]])
    })
  ),
  law("a committed cell is read back with the version of its commit", ({ store }) =>
    Effect.gen(function* () {
      const version = yield* new Client(store, "one").write(set("a", "1"))
      const reply = yield* store.read({ keys: ["a"], ranges: [] })
      assert.equal(reply.version, version)
      assert.deepEqual(reply.cells.map(showCell), [["1", version]])
    })
  ),
  law("each request that changes a cell takes the next number, and all its cells share it", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* versionOf(store)
      for (let i = 1; i <= 5; i++)
        assert.equal(yield* client.write(set("a", "x"), set(`b${i}`, "y"), add("n", 1)), begin + i)
      const reply = yield* store.read({ keys: ["a", "b5", "n", "b1"], ranges: [] })
      assert.deepEqual(
        reply.cells.map((cell) => cell?.version),
        [begin + 5, begin + 5, begin + 5, begin + 1]
      )
    })
  ),
  law("a batch of n requests that change cells takes n numbers, in order", ({ store }) =>
    Effect.gen(function* () {
      const begin = yield* versionOf(store)
      const replies = yield* new Client(store, "one").commit(
        { writes: [set("a", "1")] },
        { writes: [set("b", "2")] },
        { writes: [set("a", "3")] }
      )
      assert.deepEqual(replies.map(committed), [begin + 1, begin + 2, begin + 3])
      assert.deepEqual((yield* store.read({ keys: ["a", "b"], ranges: [] })).cells.map(showCell), [
        ["3", begin + 3],
        ["2", begin + 2]
      ])
    })
  ),
  law("a request that changes no cell takes no number and is committed at the present version", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* client.write(set("a", "1"))
      const replies = yield* client.commit(
        { id: undefined },
        {},
        { writes: [del("x")] },
        { writes: [deleteRange("x", "z")] },
        { writes: [set("x", "1"), del("x")] },
        { writes: [append("x", 0, "1"), deleteRange("x", "y")] }
      )
      assert.deepEqual(replies.map(committed), [begin, begin, begin, begin, begin, begin])
      assert.equal(yield* versionOf(store), begin)
      assert.deepEqual(yield* keysIn(store), ["a"])
    })
  ),
  law("a request that is not committed takes no number and writes nothing", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* client.write(set("a", "1"))
      conflict(
        yield* client.one({
          reads: [{ key: "a", version: begin + 5 }],
          writes: [set("b", "2"), del("a"), add("n", 1), append("q", 0, "x")]
        })
      )
      assert.equal((yield* client.one({ writes: [set("b", "2"), add("a", 1)] }))._tag, "Refused")
      assert.equal(yield* versionOf(store), begin)
      assert.deepEqual(yield* keysIn(store), ["a"])
      assert.equal(yield* client.write(set("c", "3")), next(begin))
    })
  ),
  law("a request that is refused leaves the others of its batch alone", ({ store }) =>
    Effect.gen(function* () {
      const replies = yield* new Client(store, "one").commit(
        { writes: [set("a", "1")] },
        { reads: [{ key: "a", version: 0 }], writes: [set("b", "2")] },
        { writes: [add("a", 1)] },
        { writes: [set("c", "3")] }
      )
      assert.deepEqual(
        replies.map(({ _tag }) => _tag),
        ["Committed", "Conflict", "Refused", "Committed"]
      )
      assert.deepEqual(yield* contents(store, "a", "b", "c"), ["1", undefined, "3"])
    })
  ),
  law("a request is judged on the requests before it in its batch", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* client.write(set("a", "1"))
      const replies = yield* client.commit(
        { reads: [{ key: "a", version: begin }], writes: [set("a", "2")] },
        { reads: [{ key: "a", version: begin }], writes: [set("a", "3")] }
      )
      assert.equal(committed(replies[0]), begin + 1)
      assert.deepEqual(conflict(replies[1]).keys, [{ key: "a", expected: begin, actual: begin + 1 }])
      assert.deepEqual(yield* contents(store, "a"), ["2"])
    })
  ),
  law("the last write of a key within a request wins", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      yield* client.write(set("old", "x"))
      yield* client.write(
        set("a", "1"),
        set("a", "2"),
        set("b", "1"),
        del("b"),
        del("old"),
        set("old", "y"),
        add("n", 4),
        set("n", fromCounter(1))
      )
      assert.deepEqual(yield* contents(store, "a", "b", "old", "n"), ["2", undefined, "y", 1])
    })
  ),
  law("a deleted cell is absent, and deleting it took a number", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* client.write(set("a", "1"), set("b", "2"))
      assert.equal(yield* client.write(del("a")), next(begin))
      assert.deepEqual(yield* contents(store, "a", "b"), [undefined, "2"])
      assert.deepEqual(yield* keysIn(store), ["b"])
    })
  ),
  law("a key that is deleted and written again is there again, at its new version", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (let i = 0; i < 5; i++) {
        const version = yield* client.write(set("a", `${i}`))
        assert.equal(yield* versionAt(store, "a"), version)
        yield* client.write(del("a"))
        assert.equal(yield* versionAt(store, "a"), 0)
      }
      assert.deepEqual(yield* keysIn(store), [])
    })
  ),
  law("bytes come back as they were written", ({ store }) =>
    Effect.gen(function* () {
      const all = raw(Array.from({ length: 256 }, (_, i) => i))
      const long = raw(Array.from({ length: 70_000 }, (_, i) => (i * 31) % 251))
      yield* new Client(store, "one").write(
        set("all", all),
        set("empty", raw([])),
        set("long", long),
        set("counter", fromCounter(-7))
      )
      const { cells } = yield* store.read({ keys: ["all", "empty", "long", "counter"], ranges: [] })
      assert.deepEqual(
        cells.map((cell) => cell && Buffer.from(cell.value.bytes).toString("hex")),
        [all, raw([]), long, fromCounter(-7)].map(({ bytes }) => Buffer.from(bytes).toString("hex"))
      )
      assert.equal(cells[3] && show(cells[3].value), -7)
    })
  ),
  law("keys of any bytes are told apart and kept in byte order", ({ store }) =>
    Effect.gen(function* () {
      const keys = [
        "\0",
        "\0\0",
        "\0\x01",
        ...Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)),
        "a\0",
        "a\xff",
        "\x7fz",
        "\x80a",
        "\xffz"
      ]
      yield* new Client(store, "one").write(...keys.map((key, i) => set(key, `${i}`)))
      assert.deepEqual(
        yield* keysIn(store),
        keys.toSorted((a, b) => (a < b ? -1 : 1))
      )
      assert.deepEqual(
        yield* contents(store, ...keys),
        keys.map((_, i) => `${i}`)
      )
    })
  ),
  law("a write without reads does not conflict", ({ store }) =>
    Effect.gen(function* () {
      const [a, b] = [new Client(store, "one"), new Client(store, "two")]
      const base = yield* versionOf(store)
      yield* a.write(set("k", "1"))
      const [reply] = yield* store.commit([b.request(base, { writes: [set("k", "2")] })])
      committed(reply)
      assert.deepEqual(yield* contents(store, "k"), ["2"])
    })
  ),
  law("every committed request of concurrent batches has a number of its own", ({ store }) =>
    Effect.gen(function* () {
      const begin = yield* versionOf(store)
      const versions = yield* Effect.forEach(
        Array.from({ length: 16 }, (_, i) => i),
        (i) =>
          new Client(store, `c${i}`).commit(
            ...Array.from({ length: 4 }, (_, j) => ({ writes: [set(`k${i}`, `${j}`)] }))
          ),
        { concurrency: "unbounded" }
      )
      const sorted = versions
        .flat()
        .map(committed)
        .sort((a, b) => a - b)
      assert.deepEqual(
        sorted,
        Array.from({ length: 64 }, (_, i) => begin + 1 + i)
      )
      for (const batch of versions)
        assert.deepEqual(
          batch.map(committed),
          batch.map(committed).toSorted((a, b) => a - b)
        )
      assert.equal(yield* versionOf(store), begin + 64)
    })
  )
]
