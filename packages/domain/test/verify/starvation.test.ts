import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import type { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import { Prng } from "../../testing/Prng.ts"
import * as Sim from "../../testing/Sim.ts"
import * as Lanes from "./support/lanes.ts"
import { full, replay, scale, seedOf } from "./support/scale.ts"

const file = "starvation.test.ts"
const cells = scale(200, 1_000)
const writers = scale(16, 64)
const attemptsMax = 5

const name = (i: number) => `cell/${String(i).padStart(4, "0")}`

/** Short transactions over single cells, for ever. */
const writer = (prng: Prng): Effect.Effect<never, StoreError, Store> =>
  Effect.forever(
    Effect.andThen(
      Tx.transact(
        Effect.gen(function* () {
          const target = name(prng.below(cells))
          const value = (yield* Cells.get(target)) as number
          yield* Effect.yieldNow
          yield* Cells.set(target, value + 1)
        })
      ),
      Effect.yieldNow
    )
  )

/** One long transaction that reads all of them and writes what it saw. Its attempts. */
const reader: Effect.Effect<number, StoreError, Store> = Tx.transact(
  Effect.gen(function* () {
    const { number } = yield* Tx.attempt
    // It starves: say so rather than go on for ever.
    if (number > 4 * attemptsMax) return number
    let sum = 0
    for (let i = 0; i < cells; i++) {
      sum += (yield* Cells.get(name(i))) as number
      if (i % 10 === 0) yield* Effect.yieldNow
    }
    yield* Cells.set("sum", sum)
    return number
  })
)

const setup = Tx.transact(
  Effect.forEach(
    Array.from({ length: cells }, (_, i) => i),
    (i) => Cells.set(name(i), 0),
    { discard: true }
  )
)

const race = (lane: Lanes.Lane, seed: number, engines: 1 | 2) =>
  Effect.scoped(
    Effect.gen(function* () {
      const prng = new Prng(seed)
      const shared = MemoryBackend.make()
      const stores = yield* Lanes.open([lane.store(shared, seed), lane.store(shared, seed + 1)])
      const mine = stores[0]!
      const theirs = stores[engines - 1]!
      yield* Effect.provideContext(setup, mine)
      const before = shared.sync!.version()
      const crowd = Array.from({ length: writers }, () => Effect.provideContext(writer(prng.fork()), theirs))
      // The reader comes when the writers are in full swing.
      const late = Effect.andThen(Effect.sleep("20 millis"), Effect.provideContext(reader, mine))
      const attempts = yield* Effect.raceFirst(late, Effect.all(crowd, { concurrency: "unbounded" }))
      return { attempts: attempts as number, commits: shared.sync!.version() - before }
    })
  )

describe(`a body that reads ${cells} cells against ${writers} writers of them commits within ${attemptsMax} attempts`, () => {
  for (const lane of [Lanes.inProcess, Lanes.byBatches, Lanes.delayed]) {
    for (const engines of [1, 2] as const) {
      it(
        `${lane.name}, ${engines === 1 ? "in one process" : "two engines on one backend"}`,
        { timeout: 300_000 },
        async () => {
          const runs = scale(2, 10)
          const seen: Array<number> = []
          for (let seed = seedOf(1), n = 0; n < runs; n++, seed++) {
            const { attempts, commits } = await Sim.make({ seed }).run(race(lane, seed, engines))
            expect(attempts, `${commits} commits meanwhile; ${replay(file, seed)}`).toBeLessThanOrEqual(attemptsMax)
            // Writers that stood still would prove nothing.
            expect(commits, replay(file, seed)).toBeGreaterThan(writers)
            seen.push(attempts)
          }
          if (full) process.stdout.write(`${lane.name}, ${engines} engine(s): attempts ${seen.join(" ")}\n`)
        }
      )
    }
  }
})

/** Reads and sets one cell, with a rest in between. */
const increment = (rest: Effect.Effect<void>): Effect.Effect<void, StoreError, Store> =>
  Tx.transact(
    Effect.gen(function* () {
      const value = ((yield* Cells.get("hot")) ?? 0) as number
      yield* rest
      yield* Cells.set("hot", value + 1)
    })
  )

describe("a body that rests for an hour with a key that others fight over", () => {
  for (const lane of [Lanes.inProcess, Lanes.byBatches, Lanes.delayed]) {
    it(`holds up nobody for longer than a turn, ${lane.name}`, async () => {
      const sim = Sim.make({ seed: 1 })
      const program = Effect.scoped(
        Effect.gen(function* () {
          const shared = MemoryBackend.make()
          const [store] = yield* Lanes.open([lane.store(shared, 1)])
          const fight = Effect.all(
            Array.from({ length: 12 }, () => increment(Effect.yieldNow)),
            { concurrency: "unbounded", discard: true }
          )
          const all = Effect.gen(function* () {
            yield* fight
            // Comes into the queue for the key among others, so that it holds the turn when it rests.
            const before = yield* Effect.forkChild(fight)
            yield* Effect.forkChild(increment(Effect.sleep("1 hour")))
            yield* Effect.yieldNow
            yield* Effect.all([Fiber.join(before), fight, fight], { concurrency: "unbounded", discard: true })
            return yield* Cells.get("hot")
          })
          const value = yield* Effect.provideContext(all, store!)
          return { value, millis: sim.elapsedMillis }
        })
      )
      const { millis, value } = await sim.run(program)
      expect(value).toBe(48)
      expect(millis).toBeLessThan(5_000)
    })
  }
})
