/** Laws of the change stream. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import type { CommitRecord, Gap } from "../../src/core/Commit.ts"
import { stampBytes } from "../../src/core/KeyCodec.ts"
import * as Version from "../../src/core/Version.ts"
import { HistoryMaker } from "./Histories.ts"
import { Model } from "./Model.ts"
import { Prng } from "../Prng.ts"
import { showCell, showEntry } from "./values.ts"
import {
  add,
  append,
  assert,
  changesAfter,
  changesUpTo,
  Client,
  del,
  deleteRange,
  everything,
  law,
  type Law,
  lawOfSmallLimits,
  set,
  versionOf
} from "./World.ts"

/** A commit as `[version, [key, before, after]...]`. */
export const showCommit = (change: unknown): unknown => {
  const { _tag, changes, version } = change as CommitRecord
  assert.equal(_tag, "Commit", `expected a commit, got ${JSON.stringify(change)}`)
  return [version, ...changes.map(({ after, before, key }) => [key, showCell(before), showCell(after)])]
}

export const changeLaws: ReadonlyArray<Law> = [
  law("a change stream tells every commit once, in order, with the cells before and after", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      yield* client.write(set("b", "1"), set("a", "1"))
      yield* client.write(del("a"), set("b", "2"), del("absent"))
      yield* client.write(add("n", 2))
      yield* client.write(add("n", 3), append("q", 0, "x"))
      yield* client.write(deleteRange("b", "o"))
      const found = yield* changesAfter(store, v, 5)
      assert.deepEqual(found.map(showCommit), [
        [v + 1, ["a", undefined, ["1", v + 1]], ["b", undefined, ["1", v + 1]]],
        [v + 2, ["a", ["1", v + 1], undefined], ["b", ["1", v + 1], ["2", v + 2]]],
        [v + 3, ["n", undefined, [2, v + 3]]],
        [v + 4, ["n", [2, v + 3], [5, v + 4]], [`q${stampBytes(v + 4, 0)}`, undefined, ["x", v + 4]]],
        [v + 5, ["b", ["2", v + 2], undefined], ["n", [5, v + 4], undefined]]
      ])
    })
  ),
  law("a commit in the stream has the id and the wall time of its request", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      const request = client.request(v, { writes: [set("a", "1")], atMillis: 1_234_567_890_123 })
      yield* store.commit([request])
      const [commit] = yield* changesAfter(store, v, 1)
      assert.deepEqual((commit as CommitRecord).id, request.id)
      assert.equal((commit as CommitRecord).atMillis, 1_234_567_890_123)
    })
  ),
  law("what took no number is not in the stream, and a double is not told again", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      const request = client.request(v, { writes: [set("a", "1")] })
      yield* store.commit([request])
      yield* store.commit([request])
      yield* client.commit(
        { reads: [{ key: "a", version: 9 }], writes: [set("a", "2")] },
        { writes: [del("x")] },
        { writes: [add("a", 1)] }
      )
      yield* store.outcome({ session: "never".padEnd(22), sequence: 0 })
      yield* client.write(set("b", "1"))
      const found = yield* changesAfter(store, v, 2)
      assert.deepEqual(
        found.map((change) => (change as CommitRecord).changes.map(({ key }) => key)),
        [["a"], ["b"]]
      )
    })
  ),
  law("a stream can be taken up after any version", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      for (let i = 1; i <= 6; i++) yield* client.write(set("a", `${i}`))
      const all = (yield* changesUpTo(store, v, v + 6)).map(showCommit)
      assert.equal(all.length, 6)
      for (let from = 0; from < 6; from++)
        assert.deepEqual((yield* changesUpTo(store, v + from, v + 6)).map(showCommit), all.slice(from))
    })
  ),
  law(
    "commits made while it is followed arrive, from the version asked and not from the subscription on",
    ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const from = yield* versionOf(store)
        yield* client.write(set("a", "0"))
        const fiber = yield* Effect.forkChild(changesAfter(store, from, 10))
        for (let i = 1; i < 10; i++) {
          yield* client.write(set("a", `${i}`))
          yield* Effect.yieldNow
        }
        const found = yield* Fiber.join(fiber)
        assert.deepEqual(
          found.map((change) => (change as CommitRecord).version),
          Array.from({ length: 10 }, (_, i) => from + 1 + i)
        )
      })
  ),
  law("a stream that is up to date wakes on the next commit", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      for (let i = 0; i < 5; i++) {
        const from = yield* versionOf(store)
        const fiber = yield* Effect.forkChild(changesAfter(store, from, 1))
        for (let k = 0; k < 3; k++) yield* Effect.yieldNow
        if (i % 2 === 0) yield* Effect.sleep("2 millis")
        const version = yield* client.write(set("a", `${i}`))
        assert.deepEqual(
          (yield* Fiber.join(fiber)).map((change) => (change as CommitRecord).version),
          [version]
        )
      }
    })
  ),
  law(
    "no commit slips in between a follower's look and its wait, wherever the scheduler parts them",
    ({ scale, store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        for (let i = 0; i < 120 * scale; i++) {
          const from = yield* versionOf(store)
          // The scheduler takes turns after so few steps of the follower; with fewer than 3 an Effect never gets on.
          const follower = Effect.provideService(changesAfter(store, from, 1), Scheduler.MaxOpsBeforeYield, 3 + (i % 6))
          const fiber = yield* Effect.forkChild(follower)
          for (let k = 0; k < i % 40; k++) yield* Effect.yieldNow
          const version = yield* client.write(set("a", `${i}`))
          assert.deepEqual(
            (yield* Fiber.join(fiber)).map((change) => (change as CommitRecord).version),
            [version]
          )
        }
      })
  ),
  law("each of several followers hears everything", ({ store }) =>
    Effect.gen(function* () {
      const from = yield* versionOf(store)
      const fibers = yield* Effect.forEach([0, 1, 2], () => Effect.forkChild(changesAfter(store, from, 8)))
      yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], (i) => new Client(store, `c${i}`).write(set(`k${i}`, "1")), {
        concurrency: "unbounded"
      })
      for (const fiber of fibers) {
        assert.deepEqual(
          (yield* Fiber.join(fiber)).map((change) => (change as CommitRecord).version),
          Array.from({ length: 8 }, (_, i) => from + 1 + i)
        )
      }
    })
  ),
  law("with ranges only the keys within them are told, and Progress passes over the rest", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      yield* client.write(set("a", "1"))
      yield* client.write(set("b", "1"), set("c", "1"), set("z", "1"))
      yield* client.write(set("a", "2"), set("y", "1"))
      yield* client.write(deleteRange("a", "c"))
      yield* client.write(set("x", "1"))
      const ranges = [
        { start: "b", end: "c" },
        { start: "z", end: "zz" }
      ]
      const found = yield* changesUpTo(store, v, v + 5, { ranges })
      assert.deepEqual(found.map(showCommit), [
        [v + 2, ["b", undefined, ["1", v + 2]], ["z", undefined, ["1", v + 2]]],
        [v + 4, ["b", ["1", v + 2], undefined]]
      ])
    })
  ),
  law("a Progress is never ahead of a commit that matches", ({ seed, store }) =>
    Effect.gen(function* () {
      const draw = new Prng(seed)
      const client = new Client(store, "one")
      const v = yield* versionOf(store)
      const matching: Array<number> = []
      const fiber = yield* Effect.forkChild(
        store.changes({ from: v, ranges: [{ start: "m", end: "n" }], values: false }).pipe(
          Stream.takeUntil((change) => change._tag === "Commit" && change.changes[0]!.key === "mend"),
          Stream.runCollect
        )
      )
      for (let i = 0; i < 40; i++) {
        const key = draw.pick(["m1", "a", "z"])
        const version = yield* client.write(set(key, `${i}`))
        if (key === "m1") matching.push(version)
        if (draw.chance(0.3)) yield* Effect.yieldNow
      }
      matching.push(yield* client.write(set("mend", "1")))
      const found = yield* Fiber.join(fiber)
      let last = v
      for (const change of found) {
        if (change._tag === "Gap") assert.fail(`a gap after ${change.from}`)
        assert.ok(change.version > last || (change._tag === "Progress" && change.version >= last), "versions rise")
        last = change.version
      }
      assert.deepEqual(
        found.filter(({ _tag }) => _tag === "Commit").map((change) => (change as CommitRecord).version),
        matching
      )
    })
  ),
  law("without values a commit tells its keys alone", ({ store }) =>
    Effect.gen(function* () {
      const v = yield* new Client(store, "one").write(set("a", "1"))
      yield* new Client(store, "two").write(set("a", "2"), set("b", "1"))
      const [commit] = yield* changesAfter(store, v, 1, { values: false })
      assert.deepEqual(
        (commit as CommitRecord).changes.map(({ after, before, key }) => [key, before, after]),
        [
          ["a", undefined, undefined],
          ["b", undefined, undefined]
        ]
      )
    })
  ),
  law("a stream from a version that the store has not reached is a gap to where it is", ({ store }) =>
    Effect.gen(function* () {
      const v = yield* new Client(store, "one").write(set("a", "1"))
      for (const from of [v + 5, Version.nextEpoch(v)]) {
        const [gap] = yield* changesAfter(store, from, 1)
        assert.deepEqual(gap, { _tag: "Gap", from, to: v, reason: "epoch" })
      }
    })
  ),
  lawOfSmallLimits(
    "commits that were trimmed are a gap, and the stream goes on from its end",
    "recentCommits",
    ({ store }) =>
      Effect.gen(function* () {
        const client = new Client(store, "one")
        const v = yield* versionOf(store)
        const { recentCommits } = store.capabilities.limits
        for (let i = 0; i < recentCommits + 5; i++) yield* client.write(set("a", `${i}`))
        const now = yield* versionOf(store)
        const fiber = yield* Effect.forkChild(changesAfter(store, v, 2))
        for (let k = 0; k < 3; k++) yield* Effect.yieldNow
        yield* Effect.sleep("2 millis")
        const next = yield* client.write(set("b", "1"))
        const [gap, commit] = yield* Fiber.join(fiber)
        assert.deepEqual(gap, { _tag: "Gap", from: v, to: (gap as Gap).to, reason: "trimmed" })
        assert.ok((gap as Gap).to >= now, "a gap ends where the state can be read again")
        assert.equal((commit as CommitRecord).version, next)
      })
  ),
  lawOfSmallLimits("the last recentCommits commits are told without a gap", "recentCommits", ({ store }) =>
    Effect.gen(function* () {
      const client = new Client(store, "one")
      const { recentCommits } = store.capabilities.limits
      for (let i = 0; i < recentCommits + 5; i++) yield* client.write(set("a", `${i}`))
      const now = yield* versionOf(store)
      const found = yield* changesUpTo(store, now - recentCommits, now)
      assert.deepEqual(
        found.map((change) => (change as CommitRecord).version),
        Array.from({ length: recentCommits }, (_, i) => now - recentCommits + 1 + i)
      )
    })
  ),
  {
    name: "a stream from an older epoch is a gap",
    skip: (_, { newEpoch }) => (newEpoch === undefined ? "the suite was given no way to open a new epoch" : undefined),
    run: ({ newEpoch, store }) =>
      Effect.gen(function* () {
        const v = yield* new Client(store, "one").write(set("a", "1"))
        const again = yield* newEpoch!
        const [gap] = yield* changesAfter(again, v, 1)
        assert.deepEqual(gap, { _tag: "Gap", from: v, to: yield* versionOf(again), reason: "epoch" })
      })
  },
  law("the changes of a random history, put one on the other, are the store", ({ seed, store }) =>
    Effect.gen(function* () {
      const begin = yield* versionOf(store)
      const model = new Model(store.capabilities.limits, begin)
      const maker = new HistoryMaker(model, new Prng(seed), "fold")
      for (let i = 0; i < 40 && model.version - begin < model.limits.recentCommits - 10; i++) {
        const batch = maker.batch()
        model.commit(batch)
        yield* store.commit(batch)
      }
      const cells = new Map<string, ReturnType<typeof showCell>>()
      for (const change of yield* changesUpTo(store, begin, yield* versionOf(store))) {
        for (const { after, before, key } of (change as CommitRecord).changes) {
          assert.deepEqual(showCell(before), cells.get(key), `the cell before a change of ${JSON.stringify(key)}`)
          if (after === undefined) cells.delete(key)
          else cells.set(key, showCell(after))
        }
      }
      const { ranges } = yield* store.read({ keys: [], ranges: [everything] })
      assert.deepEqual(
        ranges[0]!.map(showEntry),
        [...cells].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, cell]) => [key, ...cell!])
      )
    })
  )
]
