import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import { Machine } from "../../src/core/Machine.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Workloads from "../../testing/Workloads.ts"
import { judge, runOn } from "./support/runs.ts"
import { replay, scale, seedOf } from "./support/scale.ts"

/** Every workload, small enough to fight. */
const all: ReadonlyArray<() => Workloads.Workload> = [
  () => Workloads.bank("bank", { accounts: 5 }),
  () => Workloads.cycle("cycle", { nodes: 6 }),
  () => Workloads.writeSkew("wards", { wards: 2 }),
  () => Workloads.longFork("fork", { size: 4 }),
  () => Workloads.bag("bag", { bags: 2 }),
  () => Workloads.register("registers", { keys: 4 }),
  () => Workloads.register("blind", { keys: 4, blind: 0.6 }),
  () => Workloads.listAppend("lists", { keys: 3, layout: "cell" }),
  () => Workloads.listAppend("logs", { keys: 3, layout: "log" })
]

const file = "workloads.test.ts"

/** Runs rounds of every workload until `least` transactions were judged in all. */
const until = async (least: number, round: (workload: Workloads.Workload, seed: number) => Promise<number>) => {
  let judged = 0
  for (let seed = seedOf(1); judged < least; seed++) {
    for (const make of all) judged += await round(make(), seed)
  }
  return judged
}

describe("serializability", () => {
  it("in process: every workload is strictly serializable, discarded attempts included", async () => {
    const least = scale(12_000, 1_000_000)
    const judged = await until(least, async (workload, seed) => {
      const ran = await runOn(MemoryBackend.layer(), workload, {
        seed,
        clients: 8,
        transactions: scale(60, 250),
        attempts: "ended"
      })
      return judge(ran, `${workload.name}, ${replay(file, seed)}`)
    })
    expect(judged).toBeGreaterThanOrEqual(least)
  })

  it("through a bad network and into new epochs: every workload is strictly serializable", async () => {
    const least = scale(3_000, 100_000)
    const injected: Partial<Record<FaultyBackend.Fault, number>> = {}
    const judged = await until(least, async (workload, seed) => {
      const machine = new Machine()
      const rates = { ...FaultyBackend.badNetwork, newEpoch: 0.005 }
      const newEpoch = Effect.sync(() => machine.raiseEpoch())
      const faults = FaultyBackend.make({ seed, rates, newEpoch })
      const layer = faults.layer(Layer.succeed(Backend, MemoryBackend.of(machine)))
      const ran = await runOn(layer, workload, {
        seed,
        clients: 8,
        transactions: scale(30, 120),
        faults
      })
      for (const [fault, count] of Object.entries(faults.counts)) {
        injected[fault as FaultyBackend.Fault] = (injected[fault as FaultyBackend.Fault] ?? 0) + count
      }
      return judge(ran, `${workload.name}, ${replay(file, seed)}`)
    })
    expect(judged).toBeGreaterThanOrEqual(least)
    for (const fault of [
      "dropRequest",
      "dropReply",
      "lateRequest",
      "duplicateRequest",
      "duplicateReply",
      "refuse",
      "newEpoch"
    ] as const) {
      expect(injected[fault], `${fault} of ${JSON.stringify(injected)}`).toBeGreaterThan(0)
    }
  })
})

it("one seed gives one history, faults, back-offs and all", async () => {
  const run = async (seed: number) => {
    const faults = FaultyBackend.make({ seed, rates: FaultyBackend.badNetwork })
    const workload = Workloads.register("registers", { keys: 2 })
    const { history } = await runOn(faults.layer(MemoryBackend.layer()), workload, {
      seed,
      clients: 6,
      transactions: 40,
      faults
    })
    return { history, counts: faults.counts }
  }
  const first = await run(1)
  expect(await run(1)).toEqual(first)
  expect((await run(2)).history).not.toEqual(first.history)
})
