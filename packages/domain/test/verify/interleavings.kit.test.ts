import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Interleavings from "../../testing/Interleavings.ts"
import * as Sim from "../../testing/Sim.ts"

/** Two fibers that pass the gate n times each: (2n)! / (n! n!) schedules. */
const passing = (times: number) => (gate: Interleavings.Gate) => {
  const order: Array<string> = []
  const walk = (name: string) =>
    Effect.repeat(
      Effect.tap(gate.pass(name), () => Effect.sync(() => order.push(name))),
      { times: times - 1 }
    )
  return Effect.as(Effect.all([walk("a"), walk("b")], { concurrency: "unbounded", discard: true }), order)
}

/** A read-modify-write without a transaction: the fault that the exploration must find. */
const torn = (gate: Interleavings.Gate) => {
  let cell = 0
  const increment = (name: string) =>
    Effect.gen(function* () {
      yield* gate.pass(name)
      const seen = cell
      yield* gate.pass(name)
      cell = seen + 1
    })
  return Effect.map(
    Effect.all([increment("a"), increment("b")], { concurrency: "unbounded", discard: true }),
    () => cell
  )
}

describe("exploring interleavings", () => {
  for (const [times, count] of [
    [1, 2],
    [2, 6],
    [3, 20],
    [4, 70]
  ] as const) {
    it(`two fibers of ${times} gates have ${count} schedules, all different`, async () => {
      const seen = new Set<string>()
      const explored = await Interleavings.explore(passing(times), (order) => seen.add(order.join("")), 1000)
      expect(explored).toEqual({ schedules: count, complete: true })
      expect(seen.size).toBe(count)
    })
  }

  it("finds the lost update, and its schedule replays", async () => {
    const found: Array<Interleavings.Schedule> = []
    await Interleavings.explore(torn, (cell, schedule) => void (cell === 2 || found.push(schedule)), 1000)
    expect(found.map(({ steps }) => steps.join(""))).toEqual(["abab", "abba", "baab", "baba"])
    for (const { choices } of found) expect(await Interleavings.replay(torn, choices)).toBe(1)
  })

  it("says when it was cut short", async () => {
    expect(await Interleavings.explore(passing(4), () => undefined, 10)).toEqual({ schedules: 10, complete: false })
  })
})

describe("simulated time", () => {
  it("jumps to the next deadline, in order", async () => {
    const sim = Sim.make({ taskMillis: 0 })
    const woken: Array<string> = []
    const sleep = (millis: number) =>
      Effect.tap(Effect.sleep(millis), () => Effect.sync(() => woken.push(`${millis} at ${sim.elapsedMillis}`)))
    await sim.run(Effect.all([sleep(3_600_000), sleep(5), sleep(5.5)], { concurrency: "unbounded" }))
    expect(woken).toEqual(["5 at 5", "5.5 at 5.5", "3600000 at 3600000"])
  })

  it("an interrupted sleeper is forgotten", async () => {
    const sim = Sim.make({ taskMillis: 0 })
    await sim.run(Effect.race(Effect.sleep("1 hour"), Effect.sleep("1 second")))
    expect(sim.elapsedMillis).toBe(1000)
  })

  it("one seed gives one order of fibers, another seed another", async () => {
    const run = async (seed: number) => {
      const order: Array<number> = []
      const walk = (i: number) =>
        Effect.repeat(
          Effect.tap(Effect.yieldNow, () => Effect.sync(() => order.push(i))),
          { times: 4 }
        )
      await Sim.make({ seed }).run(Effect.all([0, 1, 2, 3].map(walk), { concurrency: "unbounded", discard: true }))
      return order.join("")
    }
    expect(await run(1)).toBe(await run(1))
    expect(await run(1)).not.toBe(await run(2))
  })
})
