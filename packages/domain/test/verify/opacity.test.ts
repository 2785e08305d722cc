import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Workloads from "../../testing/Workloads.ts"
import { mover } from "./support/foreign.ts"
import { withoutHistory } from "./support/noHistory.ts"
import { judge, runOn } from "./support/runs.ts"
import { replay, scale, seedOf } from "./support/scale.ts"

const file = "opacity.test.ts"
const accounts = 4
const clients = 8

interface Course {
  readonly name: string
  readonly rates: Partial<Record<FaultyBackend.Fault, number>> | undefined
  readonly moving: boolean
  /** Whether the store can read the past. Default true. */
  readonly history?: false
  /** Discarded attempts are judged by the history, too, where nothing they ran on can fail later. */
  readonly attempts: Workloads.Attempts
}

const delays: Partial<Record<FaultyBackend.Fault, number>> = { delayRequest: 0.3, delayReply: 0.3, reorder: 0.1 }

const courses: ReadonlyArray<Course> = [
  { name: "in process", rates: undefined, moving: false, attempts: "ended" },
  { name: "in process, while others move the store", rates: undefined, moving: true, attempts: "ended" },
  { name: "by batches with delays", rates: delays, moving: false, attempts: "ignored" },
  { name: "by batches with delays, while others move the store", rates: delays, moving: true, attempts: "ignored" },
  {
    name: "by batches on a store without history",
    rates: delays,
    moving: false,
    history: false,
    attempts: "ignored"
  },
  {
    name: "by batches on a store without history, while others move it",
    rates: delays,
    moving: true,
    history: false,
    attempts: "ignored"
  },
  {
    name: "through a bad network, while others move the store",
    rates: FaultyBackend.badNetwork,
    moving: true,
    attempts: "ignored"
  }
]

describe("opacity: no body ever saw a mix, in no attempt", () => {
  const programs = scale(1_500, 20_000)
  for (const course of courses) {
    it(course.name, async () => {
      let ran = 0
      let injected = 0
      for (let seed = seedOf(1); ran < programs; seed++) {
        const faults = FaultyBackend.make({ seed, rates: course.rates })
        const shared = MemoryBackend.make()
        const memory = Layer.succeed(Backend, course.history === false ? withoutHistory(shared, seed) : shared)
        const transactions = scale(25, 100)
        const result = await runOn(
          course.rates === undefined ? memory : faults.layer(memory),
          Workloads.opacity("bank", { accounts }),
          {
            seed,
            clients,
            transactions,
            attempts: course.attempts,
            beside: course.moving ? mover(shared, "bank", accounts, course.rates === undefined ? 0 : 150) : undefined,
            faults
          }
        )
        judge(result, replay(file, seed))
        if (course.moving) {
          const moved = result.history.filter((t) => t.process === "foreign" && t.status === "ok").length
          expect(moved, `the store moved; ${replay(file, seed)}`).toBeGreaterThan(0)
        }
        ran += clients * transactions
        injected += faults.total
      }
      if (course.rates !== undefined) expect(injected).toBeGreaterThan(programs / 20)
    })
  }
})
