/** Laws of reads and of the checks of keys. */
import * as Effect from "effect/Effect"
import type { StoreError } from "../../src/StoreError.ts"
import { Prng } from "../Prng.ts"
import { show, showCell } from "./values.ts"
import {
  add,
  assert,
  Client,
  committed,
  conflict,
  contents,
  del,
  everything,
  law,
  type Law,
  set,
  versionAt,
  versionOf
} from "./World.ts"

/** Numbers of the cells of a read, as integers. */
const numbers = (
  cells: ReadonlyArray<{ readonly value: Parameters<typeof show>[0] } | undefined>
): ReadonlyArray<number> => cells.map((cell) => (cell === undefined ? 0 : Number(show(cell.value))))

export const readLaws: ReadonlyArray<Law> = [
  law("cells come in the order asked, the same key as often as asked", ({ store }) =>
    Effect.gen(function* () {
      yield* new Client(store, "one").write(set("a", "1"), set("b", "2"))
      const { cells, ranges } = yield* store.read({
        keys: ["b", "x", "a", "b"],
        ranges: [everything, { start: "b", end: "c" }]
      })
      assert.deepEqual(
        cells.map((cell) => cell && show(cell.value)),
        ["2", undefined, "1", "2"]
      )
      assert.deepEqual(
        ranges.map((range) => range.map(({ key }) => key)),
        [["a", "b"], ["b"]]
      )
    })
  ),
  law("everything of one read is at the one version that it names", ({ scale, store }) =>
    Effect.gen(function* () {
      const writer = new Client(store, "writer")
      yield* writer.write(set("a", "0"), set("z", "0"))
      const rounds = 50 * scale
      const writing = Effect.gen(function* () {
        for (let i = 1; i <= rounds; i++) {
          yield* writer.write(set("a", `${i}`), set("z", `${i}`))
          yield* Effect.yieldNow
        }
      })
      const reading = Effect.gen(function* () {
        for (let i = 1; i <= rounds; i++) {
          const { cells, ranges, version } = yield* store.read({ keys: ["a", "z"], ranges: [everything] })
          const [a, z] = numbers(cells)
          assert.equal(a, z, "one read saw two states")
          assert.deepEqual(
            ranges[0]!.map(({ cell }) => show(cell.value)),
            [`${a}`, `${z}`]
          )
          assert.equal(cells[0]!.version <= version, true)
          yield* Effect.yieldNow
        }
      })
      yield* Effect.all([writing, reading, reading], { concurrency: "unbounded" })
    })
  ),
  law("a read sees every commit that was answered before it", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (let i = 0; i < 20; i++) {
        const version = yield* client.write(set("a", `${i}`))
        const reply = yield* store.read({ keys: ["a"], ranges: [] })
        assert.deepEqual(reply.cells.map(showCell), [[`${i}`, version]])
        assert.equal(reply.version >= version, true)
      }
    })
  ),
  law("a read at the present version is exact and names nothing as changed", ({ store }) =>
    Effect.gen(function* () {
      const version = yield* new Client(store, "one").write(set("a", "1"))
      const reply = yield* store.read({ keys: ["a"], ranges: [everything], at: version })
      assert.equal(reply.version, version)
      assert.equal(reply.changed, undefined)
      assert.deepEqual(reply.cells.map(showCell), [["1", version]])
    })
  ),
  law("a read at an older version is as of it, or newer and names at least the keys changed since", ({ seed, store }) =>
    Effect.gen(function* () {
      const draw = new Prng(seed)
      const client = new Client(store, "one")
      const keys = ["a", "b", "c", "d"]
      const states: Array<{ readonly version: number; readonly cells: ReadonlyMap<string, string> }> = []
      const state = new Map<string, string>()
      for (let i = 0; i < 30; i++) {
        const key = draw.pick(keys)
        if (state.has(key) && draw.chance(0.3)) {
          state.delete(key)
          states.push({ version: yield* client.write(del(key)), cells: new Map(state) })
        } else {
          state.set(key, `${i}`)
          states.push({ version: yield* client.write(set(key, `${i}`)), cells: new Map(state) })
        }
        const asked = draw.pick(states)
        const reply = yield* store.read({
          keys,
          ranges: [everything, { ...everything, reverse: true, limit: 2 }],
          at: asked.version
        })
        const seen = states.find(({ version }) => version === reply.version)
        assert.ok(
          seen !== undefined && reply.version >= asked.version,
          "the version of the reply is one that was, not older than asked"
        )
        assert.deepEqual(
          reply.cells.map((cell) => cell && show(cell.value)),
          keys.map((k) => seen.cells.get(k))
        )
        const sorted = [...seen.cells.keys()].sort()
        assert.deepEqual(
          reply.ranges[0]!.map((entry) => entry.key),
          sorted
        )
        assert.deepEqual(
          reply.ranges[1]!.map((entry) => entry.key),
          sorted.toReversed().slice(0, 2)
        )
        if (reply.version === asked.version) continue
        assert.notEqual(reply.changed, undefined, "a reply at another version says what changed")
        if (reply.changed === "unknown") continue
        for (const k of keys)
          if (seen.cells.get(k) !== asked.cells.get(k)) assert.ok(reply.changed!.includes(k), `${k} changed`)
      }
    })
  ),
  law("a read ahead of the store is answered at the store's version, what changed is unknown", ({ store }) =>
    Effect.gen(function* () {
      const version = yield* new Client(store, "one").write(set("a", "1"))
      const reply = yield* store.read({ keys: ["a"], ranges: [], at: version + 10 })
      assert.equal(reply.version, version)
      assert.equal(reply.changed, "unknown")
    })
  ),
  law("a check at the present version holds, of an absent key at 0", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("a", "1"))
      committed(
        yield* client.one({
          reads: [
            { key: "a", version },
            { key: "x", version: 0 }
          ],
          writes: [set("b", "2")]
        })
      )
      assert.deepEqual(yield* contents(store, "b"), ["2"])
    })
  ),
  law("a key that was written, deleted or made since conflicts, with what was expected and what is", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const begin = yield* client.write(set("w", "1"), set("d", "1"), set("same", "1"))
      const base = yield* versionOf(store)
      const written = yield* client.write(set("w", "2"))
      yield* client.write(del("d"))
      const made = yield* client.write(set("m", "1"))
      const reads = ["w", "same", "d", "m"].map((key) => ({ key, version: key === "m" ? 0 : begin }))
      const [reply] = yield* store.commit([client.request(base, { reads, writes: [set("same", "2")] })])
      const { keys, ranges, version } = conflict(reply)
      assert.deepEqual(
        keys.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
        [
          { key: "d", expected: begin, actual: 0 },
          { key: "m", expected: 0, actual: made },
          { key: "w", expected: begin, actual: written }
        ]
      )
      assert.deepEqual(ranges, [])
      assert.equal(version, made, "a conflict names the version to go on from")
      assert.deepEqual(yield* contents(store, "same"), ["1"])
    })
  ),
  law("a key that was deleted and made again conflicts, though its value is the same", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("a", "1"))
      yield* client.write(del("a"))
      yield* client.write(set("a", "1"))
      conflict(yield* client.one({ reads: [{ key: "a", version }], writes: [set("b", "1")] }))
    })
  ),
  law("a read-only request is judged as any other", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(set("a", "1"))
      assert.equal(committed(yield* client.one({ id: undefined, reads: [{ key: "a", version }] })), version)
      yield* client.write(set("a", "2"))
      conflict(yield* client.one({ id: undefined, reads: [{ key: "a", version }] }))
    })
  ),
  law("requests on different keys do not conflict, whatever their base", ({ store }) =>
    Effect.gen(function* () {
      const clients = Array.from({ length: 10 }, (_, i) => new Client(store, `c${i}`))
      yield* Effect.forEach(clients, (client, i) => client.write(set(`k${i}`, "0")))
      const base = yield* versionOf(store)
      const versions = yield* Effect.forEach(clients, (_, i) => versionAt(store, `k${i}`))
      for (const [i, client] of clients.entries()) {
        const request = client.request(base, {
          reads: [{ key: `k${i}`, version: versions[i]! }],
          writes: [set(`k${i}`, "1")]
        })
        committed((yield* store.commit([request]))[0])
      }
    })
  ),
  law("no update is lost between concurrent writers of one key", ({ store }) =>
    Effect.gen(function* () {
      const increment = (client: Client): Effect.Effect<void, StoreError> =>
        Effect.gen(function* () {
          for (;;) {
            const { cells, version } = yield* store.read({ keys: ["n"], ranges: [] })
            yield* Effect.yieldNow
            const request = client.request(version, {
              reads: [{ key: "n", version: cells[0]?.version ?? 0 }],
              writes: [set("n", `${numbers(cells)[0]! + 1}`)]
            })
            if ((yield* store.commit([request]))[0]!._tag === "Committed") return
          }
        })
      const work = (i: number) =>
        Effect.gen(function* () {
          const client = new Client(store, `c${i}`)
          for (let k = 0; k < 10; k++) yield* increment(client)
        })
      yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], work, { concurrency: "unbounded", discard: true })
      assert.deepEqual(yield* contents(store, "n"), ["100"])
    })
  ),
  law("write skew is refused: of two that each read what the other writes, one conflicts", ({ store }) =>
    Effect.gen(function* () {
      const [a, b] = [new Client(store, "one"), new Client(store, "two")]
      const version = yield* a.write(set("x", "1"), set("y", "1"))
      const reads = [
        { key: "x", version },
        { key: "y", version }
      ]
      const replies = yield* store.commit([
        a.request(version, { reads, writes: [set("x", "0")] }),
        b.request(version, { reads, writes: [set("y", "0")] })
      ])
      assert.deepEqual(
        replies.map(({ _tag }) => _tag),
        ["Committed", "Conflict"]
      )
    })
  ),
  law("a check of a counter conflicts with additions since", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const version = yield* client.write(add("n", 1))
      const now = yield* client.write(add("n", 1))
      const { keys } = conflict(yield* client.one({ reads: [{ key: "n", version }], writes: [set("a", "1")] }))
      assert.deepEqual(keys, [{ key: "n", expected: version, actual: now }])
    })
  )
]
