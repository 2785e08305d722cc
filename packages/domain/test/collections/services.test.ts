/** Values whose Schema needs services, or time, to encode and decode. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { describe, expect, it } from "vitest"
import * as DMap from "../../src/DMap.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as DRef from "../../src/DRef.ts"
import * as DStruct from "../../src/DStruct.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import { withoutSyncLane } from "../../testing/CollectionSuite.ts"

/** Counts its calls; refuses "bad". */
class Cipher extends Context.Service<Cipher, { readonly shift: number; calls: number }>()("test/Cipher") {}

const shifted = (by: (cipher: { readonly shift: number }) => number) =>
  SchemaGetter.transformEffect((s: string) =>
    Effect.gen(function* () {
      const cipher = yield* Cipher
      cipher.calls++
      yield* Effect.yieldNow
      return [...s].map((c) => String.fromCharCode(c.charCodeAt(0) + by(cipher))).join("")
    })
  )
const Secret = Schema.String.pipe(
  Schema.decodeTo(Schema.String.check(Schema.isMaxLength(8)), {
    decode: shifted((c) => -c.shift),
    encode: shifted((c) => c.shift)
  })
)

const secrets = DMap.make("secrets", { key: Schema.String, value: Secret })
const queue = DQueue.make("queue", { value: Secret })
const ref = DRef.make("ref", { value: Secret, initial: "none" })
const struct = DStruct.make("struct", { fields: { a: Secret, n: Schema.Number }, initial: { a: "", n: 0 } })

for (const wrap of [false, true]) {
  const run = <A, E>(effect: Effect.Effect<A, E, Store | Cipher>): Promise<A> =>
    Effect.runPromise(
      effect.pipe(
        Effect.provideService(Cipher, { shift: 1, calls: 0 }),
        Effect.provide(Store.layer(wrap ? withoutSyncLane(MemoryBackend.layer()) : MemoryBackend.layer()))
      )
    )

  describe(`services in values, ${wrap ? "without" : "with"} the synchronous lane`, () => {
    it("flow through every operation", () =>
      run(
        Effect.gen(function* () {
          expect(yield* secrets.set("a", "one")).toEqual(Option.none())
          expect(yield* secrets.set("a", "two")).toEqual(Option.some("one"))
          yield* secrets.setMany([
            ["b", "three"],
            ["c", "four"]
          ])
          expect(yield* secrets.entries()).toEqual([
            ["a", "two"],
            ["b", "three"],
            ["c", "four"]
          ])
          let calls = 0
          expect(yield* secrets.modify("a", (s) => `${s}${++calls}`)).toEqual(Option.some("two"))
          expect(yield* secrets.get("a")).toEqual(Option.some("two1"))
          expect(calls).toBe(1)
          expect(yield* secrets.getOrSet("d", () => "five")).toBe("five")
          expect(yield* secrets.size).toBe(4)
          yield* queue.offerAll(["x", "y", "z"])
          expect(yield* queue.takeN(2)).toEqual(["x", "y"])
          expect(yield* queue.process((value) => Effect.succeed(value))).toBe("z")
          yield* ref.update((s) => `${s}!`)
          expect(yield* ref.get).toBe("none!")
          yield* struct.patch({ a: "s", n: 2 })
          expect(yield* struct.get).toEqual({ a: "s", n: 2 })
        })
      ))

    it("are stored encoded, once per operation however often it ran", () =>
      run(
        Effect.gen(function* () {
          const cipher = yield* Cipher
          yield* secrets.set("a", "x")
          expect(cipher.calls).toBe(1)
          yield* Effect.provideService(secrets.get("a"), Cipher, { shift: 0, calls: 0 }).pipe(
            Effect.map((value) => expect(value).toEqual(Option.some("y")))
          )
        })
      ))

    it("are atomic inside a transaction, and leave no trace when it fails", () =>
      run(
        Effect.gen(function* () {
          const body = Effect.gen(function* () {
            yield* secrets.set("a", "1")
            yield* secrets.modifyAt(
              "a",
              Option.map((s) => `${s}2`)
            )
            expect(yield* secrets.get("a")).toEqual(Option.some("12"))
          })
          yield* Effect.ignore(Tx.transact(Effect.andThen(body, Effect.fail("no"))))
          expect(yield* secrets.has("a")).toBe(false)
          yield* Tx.transact(body)
          expect(yield* secrets.get("a")).toEqual(Option.some("12"))
        })
      ))

    it("fail as other values do", () =>
      run(
        Effect.gen(function* () {
          const error = yield* Effect.flip(secrets.set("a", "much too long"))
          expect(error).toBeInstanceOf(StoreError)
          expect(error.reason._tag).toBe("InvalidInput")
          expect(yield* secrets.isEmpty).toBe(true)
        })
      ))
  })
}
