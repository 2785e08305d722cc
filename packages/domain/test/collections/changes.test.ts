/** Changes of collections as streams: kinds, values, order, resuming, gaps. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import type { Change } from "../../src/Changes.ts"
import * as DCounter from "../../src/DCounter.ts"
import * as DMap from "../../src/DMap.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as DRef from "../../src/DRef.ts"
import * as DSet from "../../src/DSet.ts"
import * as DStruct from "../../src/DStruct.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"

const map = DMap.make("map", { key: Schema.String, value: Schema.Number })

const run = <A, E>(effect: Effect.Effect<A, E, Store | Scope.Scope>, backend = MemoryBackend.make()): Promise<A> =>
  Effect.runPromise(
    effect.pipe(
      Effect.provide(Store.layer(Layer.sync(Backend, () => Backend.of(backend)))),
      Effect.scoped,
      Effect.provide(TestClock.layer())
    )
  )

/** The changes that `writes` makes, the first `count` of them, without what differs from run to run. */
const during = <K, V>(
  stream: Stream.Stream<Change<K, V>, StoreError, Store>,
  count: number,
  writes: Effect.Effect<unknown, StoreError, Store>
) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream, count)), { startImmediately: true })
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    yield* writes
    const changes = yield* Fiber.join(fiber)
    return changes.map((change) => {
      if (change._tag === "Gap") return change
      const { atMillis, isLocal, origin, version, ...rest } = change
      expect(isLocal).toBe(true)
      expect(typeof atMillis).toBe("number")
      expect(origin.sequence).toBeGreaterThan(0)
      expect(version).toBeGreaterThan(0)
      return rest
    })
  })

describe("changes", () => {
  it("of a map: added, updated, deleted, in commit order, those of one commit in key order; nothing for what failed", () =>
    run(
      Effect.gen(function* () {
        const seen = yield* during(
          map.changes(),
          6,
          Effect.gen(function* () {
            yield* map.set("a", 1)
            yield* map.set("a", 2)
            yield* Effect.ignore(Tx.transact(Effect.andThen(map.set("never", 1), Effect.fail("no"))))
            yield* Tx.transact(Effect.all([map.set("c", 3), map.set("b", 2), map.remove("a")]))
            yield* map.clear
          })
        )
        expect(seen).toEqual([
          { _tag: "Added", key: "a", value: 1 },
          { _tag: "Updated", key: "a", value: 2, oldValue: 1 },
          { _tag: "Deleted", key: "a", oldValue: 2 },
          { _tag: "Added", key: "b", value: 2 },
          { _tag: "Added", key: "c", value: 3 },
          { _tag: "Deleted", key: "b", oldValue: 2 }
        ])
      })
    ))

  it("tell evictions from removals", () =>
    run(
      Effect.gen(function* () {
        const seen = yield* during(
          map.changes(),
          6,
          Effect.gen(function* () {
            yield* map.set("a", 1, { timeToLive: 10 })
            yield* map.set("b", 1, { timeToLive: 10 })
            yield* map.set("c", 1, { timeToLive: 100 })
            yield* TestClock.adjust(10)
            // Set anew, an expired item is added, not updated.
            yield* map.set("a", 2)
            expect(yield* map.evictExpired()).toBe(1)
            expect(yield* map.evictExpired()).toBe(0)
            yield* map.remove("c")
          })
        )
        expect(seen.slice(3)).toEqual([
          { _tag: "Added", key: "a", value: 2 },
          { _tag: "Evicted", key: "b", oldValue: 1 },
          { _tag: "Deleted", key: "c", oldValue: 1 }
        ])
      })
    ))

  it("of the other collections", () =>
    run(
      Effect.gen(function* () {
        const counter = DCounter.make("counter")
        expect(yield* during(counter.changes(), 2, Effect.andThen(counter.add(2), counter.add(3)))).toEqual([
          { _tag: "Added", key: undefined, value: 2 },
          { _tag: "Updated", key: undefined, value: 5, oldValue: 2 }
        ])
        const ref = DRef.make("ref", { value: Schema.String, initial: "-" })
        expect(yield* during(ref.changes(), 2, Effect.andThen(ref.set("x"), ref.reset))).toEqual([
          { _tag: "Added", key: undefined, value: "x" },
          { _tag: "Deleted", key: undefined, oldValue: "x" }
        ])
        const set = DSet.make("set", { value: Schema.Number })
        expect(yield* during(set.changes(), 2, Effect.andThen(set.add(1), set.remove(1)))).toEqual([
          { _tag: "Added", key: 1, value: undefined },
          { _tag: "Deleted", key: 1, oldValue: undefined }
        ])
        const struct = DStruct.make("struct", {
          fields: { a: Schema.Number, b: Schema.String },
          initial: { a: 0, b: "" }
        })
        expect(yield* during(struct.changes(), 2, struct.patch({ b: "y", a: 1 }))).toEqual([
          { _tag: "Added", key: "a", value: 1 },
          { _tag: "Added", key: "b", value: "y" }
        ])
        const queue = DQueue.make("queue", { value: Schema.String, capacity: 10 })
        const told = yield* during(queue.changes(), 3, Effect.andThen(queue.offerAll(["x", "y"]), queue.take))
        expect(
          told.map((change) => [
            change._tag,
            "value" in change ? change.value : "oldValue" in change && change.oldValue
          ])
        ).toEqual([
          ["Added", "x"],
          ["Added", "y"],
          ["Deleted", "x"]
        ])
      })
    ))

  it("resume after a version without loss or repetition", () =>
    run(
      Effect.gen(function* () {
        for (let i = 0; i < 5; i++) yield* map.set(`k${i}`, i)
        const all = yield* Stream.runCollect(Stream.take(map.changes({ from: 0 }), 5))
        const third = all[2]!
        expect(third._tag).toBe("Added")
        const rest = yield* Stream.runCollect(
          Stream.take(map.changes({ from: third._tag === "Added" ? third.version : -1 }), 2)
        )
        expect(rest).toEqual(all.slice(3))
      })
    ))

  it("say where they have a gap", () =>
    run(
      Effect.gen(function* () {
        for (let i = 0; i < 20; i++) yield* map.set("k", i)
        const [first] = yield* Stream.runCollect(Stream.take(map.changes({ from: 1 }), 1))
        expect(first?._tag).toBe("Gap")
      }),
      MemoryBackend.make({ limits: { recentCommits: 4 } })
    ))

  it("of values under an old schema are told migrated", async () => {
    const backend = MemoryBackend.make()
    const old = DMap.make("m", { key: Schema.String, value: Schema.Number })
    const next = DMap.make("m", {
      key: Schema.String,
      value: Schema.String,
      migrations: [DMap.migration(Schema.Number, String)]
    })
    await run(old.set("a", 1), backend)
    await run(
      Effect.gen(function* () {
        expect(yield* during(next.changes(), 1, next.set("a", "two"))).toEqual([
          { _tag: "Updated", key: "a", value: "two", oldValue: "1" }
        ])
      }),
      backend
    )
  })
})
