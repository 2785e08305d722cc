/**
 * Cases that broke the systems this one succeeds, by number; those of a store without network. The others stand with the
 * parts they are about.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import { fromCounter } from "../../src/core/Value.ts"
import * as DMap from "../../src/DMap.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Sim from "../../testing/Sim.ts"
import * as Lanes from "./support/lanes.ts"

const increment = (name: string): Effect.Effect<number, StoreError, Store> =>
  Tx.transact(
    Effect.gen(function* () {
      const value = ((yield* Cells.get(name)) ?? 0) as number
      yield* Effect.yieldNow
      yield* Cells.set(name, value + 1)
      return (yield* Tx.attempt).number
    })
  )

const times = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Runs a program over `count` engines on one backend in memory. */
const over = <A, E>(
  lane: Lanes.Lane,
  count: number,
  program: (on: ReadonlyArray<<B, F>(self: Effect.Effect<B, F, Store>) => Effect.Effect<B, F>>) => Effect.Effect<A, E>,
  seed = 1
): Promise<{ readonly value: A; readonly elapsedMillis: number }> => {
  const sim = Sim.make({ seed })
  const all = Effect.scoped(
    Effect.gen(function* () {
      const shared = MemoryBackend.make()
      const stores = yield* Lanes.open(times(count).map((i) => lane.store(shared, seed + i)))
      return yield* program(stores.map((store) => (self) => Effect.provideContext(self, store)))
    })
  )
  return sim.run(all).then((value) => ({ value, elapsedMillis: sim.elapsedMillis }))
}

for (const lane of [Lanes.inProcess, Lanes.byBatches, Lanes.delayed]) {
  describe(`bad cases, ${lane.name}`, () => {
    it("1: a hundred concurrent increments through one handle are exactly a hundred", async () => {
      for (const seed of [1, 2, 3, 4, 5, 6, 7]) {
        const { value } = await over(
          lane,
          1,
          ([on]) =>
            Effect.andThen(
              Effect.all(
                times(100).map(() => on!(increment("n"))),
                { concurrency: "unbounded" }
              ),
              on!(Cells.get("n"))
            ),
          seed
        )
        expect(value).toBe(100)
      }
    })

    it("2: in a storm of conflicts the losers see the winner's version at once, not at the next poll", async () => {
      const { elapsedMillis, value } = await over(lane, 4, (on) =>
        Effect.andThen(
          Effect.all(
            times(80).map((i) => on[i % 4]!(increment("n"))),
            { concurrency: "unbounded" }
          ),
          on[0]!(Cells.get("n"))
        )
      )
      expect(value).toBe(80)
      // Eighty commits one after another, each lost to another engine now and then: no interval of a poll fits in here.
      expect(elapsedMillis).toBeLessThan(4_000)
    })

    it("4: disjoint keys do not conflict", async () => {
      const { value } = await over(lane, 2, (on) =>
        Effect.all(
          times(60).map((i) => on[i % 2]!(Effect.repeat(increment(`own ${i}`), { times: 4 }))),
          {
            concurrency: "unbounded"
          }
        )
      )
      expect(value).toEqual(times(60).map(() => 1))
    })

    it("17: a body that throws, a bad addition and a huge value hit only their callers", async () => {
      const { value } = await over(lane, 1, ([on]) =>
        Effect.gen(function* () {
          yield* on!(Cells.set("text", "no counter"))
          const odd: ReadonlyArray<Effect.Effect<unknown, StoreError, Store>> = [
            Tx.transact(
              Effect.andThen(
                increment("n"),
                Effect.sync(() => {
                  throw new Error("a bug of the caller")
                })
              )
            ),
            Cells.add("text", 1),
            Tx.transact(Effect.andThen(Cells.add("n2", 1), Cells.add("text", 1)))
          ]
          const good = times(30).map(() => increment("n"))
          const exits = yield* Effect.all(
            [...odd, ...good].map((effect) => Effect.exit(on!(effect))),
            { concurrency: "unbounded" }
          )
          const failed = exits.flatMap((exit, i) => (Exit.isFailure(exit) ? [i] : []))
          return {
            failed,
            n: yield* on!(Cells.get("n")),
            n2: yield* on!(Cells.counter("n2")),
            text: yield* on!(Cells.get("text"))
          }
        })
      )
      expect(value).toEqual({ failed: [0, 1, 2], n: 30, n2: 0, text: "no counter" })
    })
  })
}

describe("bad cases of failing stores", () => {
  const people = DMap.make("people", { key: Schema.String, value: Schema.Struct({ age: Schema.Int }) })

  it("3: a value that does not encode is InvalidInput, not a conflict, and nothing is written", async () => {
    const program = Effect.gen(function* () {
      let bodies = 0
      const bad = Tx.transact(
        Effect.suspend(() => {
          bodies++
          return Effect.andThen(people.set("ada", { age: 36 }), people.set("bob", { age: 1.5 }))
        })
      )
      const error = yield* Effect.flip(bad)
      return { bodies, reason: error.reason._tag, ada: yield* people.has("ada") }
    })
    const value = await Sim.make().run(Effect.provide(program, Store.layer(MemoryBackend.layer())))
    expect(value).toEqual({ bodies: 1, reason: "InvalidInput", ada: false })
  })

  it("3: a store that is down is Unavailable, not a conflict", async () => {
    const faults = FaultyBackend.make({ seed: 1, rates: { refuse: 1 } })
    faults.heal()
    const program = Effect.andThen(
      Effect.sync(() => faults.resume()),
      Effect.flip(Tx.transact(Effect.andThen(Cells.get("a"), Cells.set("a", 1))))
    )
    const error = await Sim.make().run(Effect.provide(program, Store.layer(faults.layer(MemoryBackend.layer()))))
    expect(error.reason._tag).toBe("Unavailable")
  })

  it("8: a commit whose reply was lost takes effect once, and the caller hears success", async () => {
    for (const fault of ["dropReply", "dropRequest", "lateRequest", "duplicateRequest"] as const) {
      const faults = FaultyBackend.make({ seed: 1, script: [{ call: "commit", nth: 1, fault }] })
      const shared = MemoryBackend.make()
      const memory = Layer.succeed(Backend, shared)
      const program = Effect.gen(function* () {
        yield* Tx.transact(Effect.andThen(Cells.add("n", 1), Cells.append("log", "once")))
        yield* Effect.sleep("1 minute")
        return [yield* Cells.counter("n"), yield* Cells.log("log")]
      })
      const value = await Sim.make().run(Effect.provide(program, Store.layer(faults.layer(memory))))
      expect(value, fault).toEqual([1, ["once"]])
      expect(faults.counts[fault]).toBe(1)
    }
  })

  it("21: what failed is never visible later", async () => {
    const faults = FaultyBackend.make({ seed: 5, rates: FaultyBackend.badNetwork })
    const shared = MemoryBackend.make()
    faults.heal()
    const program = Effect.gen(function* () {
      faults.resume()
      const failed: Array<number> = []
      const one = (i: number) =>
        Effect.gen(function* () {
          const body = Effect.gen(function* () {
            yield* Cells.get(`cell ${i - 1}`)
            yield* Cells.set(`cell ${i}`, i)
            if (i % 2 === 0) return yield* Effect.fail("given up" as const)
          })
          const exit = yield* Effect.exit(Tx.transact(body))
          if (Exit.isSuccess(exit)) return
          const unknown = JSON.stringify(exit.cause).includes("CommitUnknown")
          if (!unknown) failed.push(i)
        })
      const clients = times(8).map((c) => Effect.forEach(times(10), (n) => one(c * 10 + n), { discard: true }))
      yield* Effect.all(clients, { concurrency: "unbounded" })
      yield* Effect.sleep("1 minute")
      faults.heal()
      const visible = yield* Effect.filter(failed, (i) =>
        Effect.map(Cells.get(`cell ${i}`), (json) => json !== undefined)
      )
      return { failed: failed.length, visible }
    })
    const layer = Store.layer(faults.layer(Layer.succeed(Backend, shared)))
    const { failed, visible } = await Sim.make({ seed: 5 }).run(Effect.provide(program, layer))
    expect(visible).toEqual([])
    expect(failed).toBeGreaterThanOrEqual(20)
    expect(faults.total).toBeGreaterThan(0)
  })

  it("a counter's bytes are what they should be: the bad addition above was refused for its cell, not its form", () => {
    expect(fromCounter(1).bytes).not.toEqual(Cells.encode("no counter").bytes)
  })
})
