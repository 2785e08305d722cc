/**
 * Two stores on one file: what the second has in memory is of the past as soon as the first has committed, and is never
 * what a transaction ends with. Everything runs on one stack, before any event can tell the second of the commit.
 */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schema } from "effect"
import * as DMap from "@weft/domain/DMap"
import * as DRef from "@weft/domain/DRef"
import { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import * as Tx from "@weft/domain/Tx"
import * as FileBackend from "../src/FileBackend.ts"
import { directory } from "./support.ts"

const mine = DRef.make("mine", { value: Schema.Int, initial: 0 })
const other = DRef.make("other", { value: Schema.Int, initial: 0 })
const shelf = DMap.make("shelf", { key: Schema.String, value: Schema.Int })
const both = Tx.transact(Effect.all([mine.get, other.get]))

type Look = Effect.Effect<number, StoreError, Store>
type On = <A, E>(effect: Effect.Effect<A, E, Store>) => Effect.Effect<A, E>

/** A store on a file. No look but those of the test: events come too late, and the poll is an hour away. */
const open = (file: string, foldCells?: number) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        Store.layer(
          FileBackend.layer({ path: file, pollMillis: 3_600_000, ...(foldCells === undefined ? {} : { foldCells }) })
        )
      )
    ),
    (context): On =>
      (effect) =>
        Effect.provide(effect, Context.make(Store, Context.get(context, Store)))
  )

/** Both stores know both cells, as of the same version. */
const onTwo = (name: string, body: (first: On, second: On) => Effect.Effect<void, unknown>) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* directory, "desk.weft")
        const first = yield* open(file)
        const second = yield* open(file)
        yield* first(Effect.andThen(mine.set(1), other.set(1)))
        yield* first(shelf.set("a", 1))
        // It meets the first one's commits now, and opens what it looks at.
        yield* second(Effect.andThen(other.set(1), shelf.keys()))
        // Long enough that neither counts the other as company.
        yield* Effect.sleep(400)
        assert.deepStrictEqual(yield* second(both), [1, 1])
        assert.deepStrictEqual(yield* second(both), [1, 1])
        assert.deepStrictEqual(yield* second(shelf.keys()), ["a"])
        yield* body(first, second)
      })
    )
  )

describe("what a store has in memory", () => {
  for (const who of ["another process", "this one"] as const) {
    it.live(`what is in memory of a cell ends with the cell: deleted by ${who}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = path.join(yield* directory, "desk.weft")
          const foldCells = 4
          const first = yield* open(file, foldCells)
          const keys = Array.from({ length: 2 * foldCells }, (_, i) => `k${i}`)
          yield* first(Tx.transact(Effect.forEach(keys, (key) => shelf.set(key, 1))))
          const second = yield* open(file, foldCells)
          // From the table of cells, which is in memory from now on.
          assert.deepStrictEqual(yield* second(shelf.get("k1")), Option.some(1))
          const writer = who === "this one" ? second : first
          // It goes into the log alone, and leaves it before it is filed.
          yield* writer(shelf.set("k1", 2))
          assert.deepStrictEqual(yield* second(shelf.get("k1")), Option.some(2))
          yield* writer(shelf.remove("k1"))
          assert.deepStrictEqual(yield* second(shelf.get("k1")), Option.none())
          // Nor does a later filing bring it back, or leave what it changes as it was.
          assert.deepStrictEqual(yield* second(shelf.get("k2")), Option.some(1))
          yield* writer(Tx.transact(Effect.forEach(keys.slice(2), (key) => shelf.set(key, 3))))
          assert.deepStrictEqual(yield* second(shelf.get("k1")), Option.none())
          assert.deepStrictEqual(yield* second(shelf.get("k2")), Option.some(3))
        })
      )
    )
  }

  onTwo("a transaction without writes ends with the present", (first, second) =>
    Effect.gen(function* () {
      yield* first(mine.set(2))
      assert.deepStrictEqual(yield* second(both), [2, 1])
    })
  )

  onTwo("a transaction with writes stands on the present", (first, second) =>
    Effect.gen(function* () {
      yield* first(mine.set(2))
      yield* second(Tx.transact(Effect.flatMap(mine.get, (value) => other.set(value * 10))))
      assert.deepStrictEqual(yield* second(both), [2, 20])
      assert.deepStrictEqual(yield* first(both), [2, 20])
    })
  )

  onTwo("a failure is one of the present", (first, second) =>
    Effect.gen(function* () {
      yield* first(mine.set(2))
      const exit = yield* Effect.exit(second(Tx.transact(Effect.flatMap(mine.get, (value) => Effect.fail(value)))))
      assert.deepStrictEqual(exit, Exit.fail(2))
    })
  )

  onTwo("who waits for what is there already does not wait", (first, second) =>
    Effect.gen(function* () {
      yield* first(mine.set(2))
      const waited = Tx.transact(Effect.flatMap(mine.get, (value) => (value === 2 ? Effect.succeed(value) : Tx.retry)))
      assert.strictEqual(yield* second(waited), 2)
    })
  )

  onTwo("a range without writes ends with the present", (first, second) =>
    Effect.gen(function* () {
      yield* first(shelf.set("b", 1))
      assert.deepStrictEqual(yield* second(shelf.keys()), ["a", "b"])
      yield* first(shelf.remove("a"))
      assert.deepStrictEqual(yield* second(shelf.keys()), ["b"])
    })
  )

  onTwo("what comes of a range stands on the present", (first, second) =>
    Effect.gen(function* () {
      yield* first(shelf.set("b", 1))
      let attempts = 0
      const count = Effect.flatMap(shelf.keys(), (keys) => {
        attempts++
        return mine.set(keys.length)
      })
      yield* second(Tx.transact(count))
      assert.strictEqual(yield* first(mine.get), 2)
      assert.isAbove(attempts, 1, "the range was not read from memory: nothing was put to the test")
    })
  )

  /** A body that reads `mine`, then `look`; in between a commit sets both to `value`. */
  const neverMeet = (what: string, value: number, change: Effect.Effect<unknown, unknown, Store>, look: Look) => {
    for (const who of ["another process", "this one"] as const) {
      onTwo(`${what} of two versions never meet in one body: a commit of ${who} in between`, (first, second) =>
        Effect.gen(function* () {
          const writer = who === "this one" ? second : first
          const seen: Array<readonly [number, number]> = []
          let runs = 0
          const body = Effect.gen(function* () {
            const one = yield* mine.get
            if (runs++ === 0) yield* Effect.promise(() => Effect.runPromise(writer(Tx.transact(change))))
            seen.push([one, yield* look])
          })
          yield* second(Tx.transact(body))
          assert.deepStrictEqual(seen.at(-1), [value, value])
          assert.isTrue(
            seen.every(([one, two]) => one === two),
            JSON.stringify(seen)
          )
        })
      )
    }
  }

  const size = Effect.map(shelf.keys(), (keys) => keys.length)
  neverMeet("a cell and a range", 2, Effect.andThen(mine.set(2), shelf.set("b", 1)), size)
  neverMeet("cells", 7, Effect.andThen(mine.set(7), other.set(7)), other.get)
})
