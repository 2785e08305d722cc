/** Laws of `mirror`: what a store has in memory, for who can do with the past. What two stores on one place make of it is the engine's. */
import * as Effect from "effect/Effect"
import type { Key } from "../../src/core/Key.ts"
import { Prng } from "../Prng.ts"
import type { Cell, Entry, Range } from "../../src/core/Commit.ts"
import { show } from "./values.ts"
import { add, assert, Client, committed, del, deleteRange, type Law, set, versionOf, type Store } from "./World.ts"

const hasNone: Law["skip"] = (_, { store }) => (store.mirror === undefined ? "the store has no mirror" : undefined)

const keys: ReadonlyArray<Key> = Array.from({ length: 12 }, (_, i) => `m${i}`)

const ranges: ReadonlyArray<Range> = [
  { start: "m", end: "n" },
  { start: "m2", end: "m7", limit: 2 },
  { start: "m2", end: "m7", limit: 2, reverse: true },
  { start: "m3", end: "m6" },
  { start: "o", end: "p" }
]

const drawWrites = (prng: Prng) => {
  const key = () => keys[prng.below(keys.length - 1)]!
  const draw = prng.below(10)
  if (draw < 5) return [set(key(), `${prng.below(1000)}`)]
  if (draw < 7) return [del(key())]
  if (draw < 8) return [deleteRange("m3", "m6")]
  // The last key has a counter alone.
  return [add("m11", 1), set(key(), "x")]
}

const shown = (key: Key, cell: Cell | undefined): string =>
  cell === undefined ? `${key} is absent` : `${key}: ${show(cell.value)} at ${cell.version}`

const shownRange = ({ end, start }: Range, entries: ReadonlyArray<Entry>): string =>
  `${start} to ${end}: ${entries.map(({ cell, key }) => shown(key, cell)).join(", ")}`

/** What is told and what is read must be the same, where both are of one version; how many cells and ranges were told. */
const compare = (store: Store) =>
  Effect.gen(function* () {
    const mirror = store.mirror!
    const told = mirror.version()
    const known = keys.filter((key) => told >= 0 && mirror.has(key))
    const cells = known.map((key) => shown(key, mirror.cell(key)))
    const knownRanges = ranges.filter((range) => told >= 0 && mirror.hasRange(range))
    const entries = knownRanges.map((range) => shownRange(range, mirror.range(range)))
    const reply = yield* store.read({ keys: known, ranges: knownRanges })
    assert.ok(told <= reply.version, `the mirror is of version ${told}, ahead of the store at ${reply.version}`)
    if (told !== reply.version) return { cells: 0, ranges: 0 }
    assert.deepEqual(
      cells,
      known.map((key, i) => shown(key, reply.cells[i]))
    )
    assert.deepEqual(
      entries,
      knownRanges.map((range, i) => shownRange(range, reply.ranges[i]!))
    )
    return { cells: known.length, ranges: knownRanges.length }
  })

export const mirrorLaws: ReadonlyArray<Law> = [
  {
    name: "what a mirror tells of a version, cells and ranges, is what the store has at it, and what is not there is told as absent",
    skip: hasNone,
    run: (world) =>
      Effect.gen(function* () {
        const prng = new Prng(world.seed)
        let { store } = world
        const sessions = [new Client(store, "one"), new Client(store, "two")]
        const told = { cells: 0, ranges: 0 }
        const look = Effect.suspend(() =>
          Effect.map(compare(store), ({ cells, ranges }) => {
            told.cells += cells
            told.ranges += ranges
          })
        )
        for (let i = 0; i < 40 * world.scale; i++) {
          // Who has just opened a store knows little but its version.
          if (i % 10 === 9 && world.reopen !== undefined) {
            store = yield* world.reopen
            yield* versionOf(store)
            yield* look
          }
          const k = prng.below(sessions.length)
          sessions[k] = sessions[k]!.over(store)
          const parts = Array.from({ length: prng.between(1, 3) }, () => ({ writes: drawWrites(prng) }))
          yield* sessions[k].commit(...parts)
          yield* look
          // What a mirror does not know it may learn by being asked.
          yield* store.read({ keys, ranges })
          yield* look
        }
        assert.ok(told.cells > 0, "the mirror never told a cell of the present: nothing was compared")
        assert.ok(told.ranges > 0, "the mirror never told a range of the present: nothing was compared")
      })
  },
  {
    name: "a mirror does not go back, and is never ahead of the store",
    skip: hasNone,
    run: ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        let last = 0
        for (let i = 0; i < 20; i++) {
          yield* client.one({ writes: [set("a", `${i}`)] })
          const told = store.mirror!.version()
          if (told < 0) continue
          assert.ok(told >= last, `the mirror is of version ${told} after it was of ${last}`)
          last = told
          const version = yield* versionOf(store)
          assert.ok(told <= version, `the mirror is of version ${told}, ahead of the store at ${version}`)
        }
      })
  },
  {
    name: "a mirror tells nothing of a request that was not committed",
    skip: hasNone,
    run: ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const version = committed(yield* client.one({ writes: [set("a", "1")] }))
        yield* client.one({ reads: [{ key: "a", version: version - 1 }], writes: [set("a", "2"), set("b", "2")] })
        yield* client.one({ writes: [] })
        const mirror = store.mirror!
        if (mirror.version() < 0) return
        if (mirror.has("a")) assert.equal(mirror.cell("a")?.version, version)
        if (mirror.has("b")) assert.equal(mirror.cell("b"), undefined)
        const only = { start: "a", end: "c" }
        if (mirror.hasRange(only)) {
          assert.deepEqual(
            mirror.range(only).map(({ cell, key }) => [key, cell.version]),
            [["a", version]]
          )
        }
      })
  }
]
