/** Laws of the synchronous lane alone: snapshots and watching. */
import * as Effect from "effect/Effect"
import type { SyncLane } from "../../src/Backend.ts"
import type { CommitRecord, CommitRequest, Write } from "../../src/core/Commit.ts"
import { Prng } from "../Prng.ts"
import { show } from "./values.ts"
import { assert, committed, del, deleteRange, everything, type Law, set, type Store } from "./World.ts"

/** A law over the lane, without suspension. */
const laneLaw = (name: string, run: (lane: SyncLane, store: Store, seed: number) => void): Law => ({
  name,
  skip: (_, { store }) => (store.sync === undefined ? "the store has no synchronous lane" : undefined),
  run: ({ seed, store }) => Effect.sync(() => run(store.sync!, store, seed))
})

const writer = (lane: SyncLane) => {
  let sequence = 0
  return (...writes: ReadonlyArray<Write>) => {
    const request: CommitRequest = {
      id: { session: "lane".padEnd(22), sequence: sequence++ },
      resolvedBelow: 0,
      base: lane.version(),
      atMillis: 0,
      reads: [],
      ranges: [],
      writes
    }
    return committed(lane.commitOne(request))
  }
}

export const laneLaws: ReadonlyArray<Law> = [
  laneLaw("a commit is visible to the next call", (lane) => {
    const write = writer(lane)
    for (let i = 0; i < 10; i++) {
      const version = write(set("a", `${i}`))
      assert.equal(lane.version(), version)
      assert.equal(show(lane.cell("a")!.value), `${i}`)
      assert.deepEqual(
        lane.range(everything).map(({ cell }) => cell.version),
        [version]
      )
    }
  }),
  laneLaw("an open snapshot sees its version, whatever is written, deleted or made again later", (lane, _, seed) => {
    const write = writer(lane)
    const draw = new Prng(seed)
    const state = new Map<string, string>()
    const open: Array<{ readonly at: number; readonly cells: ReadonlyMap<string, string> }> = []
    const keys = ["a", "b", "c", "d", "e"]
    for (let i = 0; i < 300; i++) {
      const key = draw.pick(keys)
      if (draw.chance(0.1)) {
        write(deleteRange("b", "d"))
        for (const k of ["b", "c"]) state.delete(k)
      } else if (draw.chance(0.4)) {
        write(del(key))
        state.delete(key)
      } else {
        write(set(key, `${i}`))
        state.set(key, `${i}`)
      }
      if (draw.chance(0.3)) open.push({ at: lane.openSnapshot(), cells: new Map(state) })
      for (const { at, cells } of open) {
        assert.ok(lane.holds(at))
        const sorted = [...cells.keys()].sort()
        for (const k of keys) {
          const cell = lane.cellAt(k, at)
          assert.equal(cell && show(cell.value), cells.get(k))
        }
        assert.deepEqual(
          lane.rangeAt(everything, at).map((entry) => [entry.key, show(entry.cell.value)]),
          sorted.map((k) => [k, cells.get(k)])
        )
        assert.deepEqual(
          lane.rangeAt({ start: "b", end: "e", reverse: true, limit: 2 }, at).map((entry) => entry.key),
          sorted
            .filter((k) => k >= "b" && k < "e")
            .toReversed()
            .slice(0, 2)
        )
      }
      while (open.length > 4) lane.closeSnapshot(open.splice(draw.below(open.length), 1)[0]!.at)
    }
    for (const { at } of open) lane.closeSnapshot(at)
  }),
  laneLaw("a snapshot opened twice is held until it is closed twice", (lane) => {
    const write = writer(lane)
    write(set("a", "1"))
    const at = lane.openSnapshot()
    assert.equal(lane.openSnapshot(), at)
    write(set("a", "2"))
    lane.closeSnapshot(at)
    assert.equal(show(lane.cellAt("a", at)!.value), "1")
    lane.closeSnapshot(at)
    write(set("a", "3"))
    assert.equal(lane.holds(at), false)
    assert.throws(() => lane.cellAt("a", at), RangeError)
    assert.throws(() => lane.rangeAt(everything, at), RangeError)
    lane.closeSnapshot(at)
  }),
  laneLaw("the present version can be read without a snapshot", (lane) => {
    const version = writer(lane)(set("a", "1"))
    assert.ok(lane.holds(version))
    assert.equal(lane.cellAt("a", version)?.version, version)
    assert.deepEqual(
      lane.rangeAt(everything, version).map(({ key }) => key),
      ["a"]
    )
  }),
  laneLaw("a version that was never held is refused", (lane) => {
    const write = writer(lane)
    const version = write(set("a", "1"))
    write(set("a", "2"))
    for (const at of [version, version + 10]) {
      assert.equal(lane.holds(at), false)
      assert.throws(() => lane.cellAt("a", at), RangeError)
    }
  }),
  laneLaw("a watcher hears each commit once, in order, with its cells, until it is removed", (lane) => {
    const write = writer(lane)
    const heard: Array<CommitRecord> = []
    const others: Array<number> = []
    write(set("before", "1"))
    const stop = lane.watch((record) => heard.push(record))
    const stopOther = lane.watch(({ version }) => others.push(version))
    const versions = [write(set("a", "1")), write(set("a", "2"), set("b", "1")), write(del("a"))]
    write(del("absent"))
    assert.deepEqual(
      heard.map(({ version }) => version),
      versions
    )
    assert.deepEqual(
      heard.map(({ changes }) =>
        changes.map(({ after, before, key }) => [key, before && show(before.value), after && show(after.value)])
      ),
      [
        [["a", undefined, "1"]],
        [
          ["a", "1", "2"],
          ["b", undefined, "1"]
        ],
        [["a", "2", undefined]]
      ]
    )
    stop()
    stop()
    const last = write(set("a", "3"))
    assert.equal(heard.length, 3)
    assert.deepEqual(others, [...versions, last])
    stopOther()
  }),
  laneLaw("commits of a watcher are heard by all in commit order", (lane) => {
    const write = writer(lane)
    const first: Array<number> = []
    const second: Array<number> = []
    const stops = [
      lane.watch((record) => {
        first.push(record.version)
        if (record.changes[0]!.key === "ping") write(set("pong", "1"))
      }),
      lane.watch(({ version }) => second.push(version))
    ]
    const ping = write(set("ping", "1"))
    assert.deepEqual(first, [ping, ping + 1])
    assert.deepEqual(second, [ping, ping + 1])
    for (const stop of stops) stop()
  })
]
