import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import type { CommitId } from "../../src/core/Commit.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Sim from "../../testing/Sim.ts"
import { replay, scale, seedOf } from "./support/scale.ts"

const file = "exactlyOnce.test.ts"

/** What the caller of one commit heard. */
type Heard = "ok" | "failed" | CommitId

/** One commit that shows whether it was applied, and how often: an item of a log, and one more in a counter. */
const commit = (item: number): Effect.Effect<Heard, never, Store> =>
  Effect.map(Effect.exit(Tx.transact(Effect.andThen(Cells.append("log", item), Cells.add("count", 1)))), (exit) => {
    if (Exit.isSuccess(exit)) return "ok"
    for (const reason of exit.cause.reasons) {
      if (!Cause.isFailReason(reason) || !(reason.error instanceof StoreError)) throw Cause.squash(exit.cause)
      const why = reason.error.reason
      if (why._tag === "CommitUnknown") return { session: why.session, sequence: why.sequence }
    }
    return "failed"
  })

interface Run {
  readonly seed: number
  readonly clients: number
  /** Of each client. */
  readonly commits: number
  readonly plan: Omit<FaultyBackend.Plan, "seed">
  /** Simulated time after which all faults end. */
  readonly calmAfterMillis?: number | undefined
}

/** Runs clients that commit one after another; then, when all is calm, what they heard and what is there. */
const run = (options: Run) => {
  const faults = FaultyBackend.make({ ...options.plan, seed: options.seed })
  const memory = Layer.succeed(Backend, MemoryBackend.make())
  faults.heal()
  const program = Effect.gen(function* () {
    faults.resume()
    const heard = new Map<number, Heard>()
    const client = (c: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < options.commits; i++) {
          const item = c * options.commits + i
          heard.set(item, yield* commit(item))
        }
      })
    const calm = Effect.sleep(options.calmAfterMillis ?? 1e9).pipe(Effect.andThen(Effect.sync(() => faults.heal())))
    yield* Effect.forkChild(calm)
    yield* Effect.all(
      Array.from({ length: options.clients }, (_, c) => client(c)),
      { concurrency: "unbounded" }
    )
    faults.heal()
    // The engine may still learn outcomes, and requests given up may still arrive: ask for the truth before and after that.
    const outcomes = new Map<number, string>()
    for (const [item, what] of heard) {
      if (typeof what === "object") outcomes.set(item, (yield* Store.outcome(what))._tag)
    }
    yield* Effect.sleep("1 hour")
    const log = (yield* Cells.log("log")) as ReadonlyArray<number>
    return { heard, outcomes, log, count: yield* Cells.counter("count") }
  })
  const sim = Sim.make({ seed: options.seed })
  return sim.run(Effect.provide(program, Store.layer(faults.layer(memory)))).then((result) => ({ ...result, faults }))
}

/** Every commit applied once at most; what was acknowledged, once; what failed, never; what was unknown, as its outcome says. */
const judge = ({ count, faults, heard, log, outcomes }: Awaited<ReturnType<typeof run>>, how: string) => {
  const times = new Map<number, number>()
  for (const item of log) times.set(item, (times.get(item) ?? 0) + 1)
  let unknown = 0
  for (const [item, what] of heard) {
    const applied = times.get(item) ?? 0
    const due = what === "ok" ? 1 : what === "failed" ? 0 : outcomes.get(item) === "Committed" ? 1 : 0
    if (typeof what === "object") {
      unknown++
      if (outcomes.get(item) === "Forgotten") throw new Error(`the outcome of item ${item} is forgotten; ${how}`)
    }
    if (applied !== due) {
      const said = typeof what === "object" ? `unknown, then ${outcomes.get(item)}` : what
      throw new Error(
        `item ${item} was applied ${applied} times; its caller heard ${said}; ${faults.describe()}; ${how}`
      )
    }
  }
  if (count !== log.length) throw new Error(`the counter says ${count}, the log has ${log.length} entries; ${how}`)
  return { unknown, commits: heard.size }
}

const answers: ReadonlyArray<FaultyBackend.Fault> = [
  "dropReply",
  "dropRequest",
  "lateRequest",
  "duplicateRequest",
  "duplicateReply",
  "delayRequest",
  "delayReply",
  "reorder"
]

describe("exactly once", () => {
  for (const clients of [1, 3]) {
    it(`each fault at each commit, ${clients} client${clients > 1 ? "s" : ""}`, async () => {
      const points = 6
      for (const fault of answers) {
        for (let nth = 1; nth <= points; nth++) {
          const plan = { script: [{ call: "commit", nth, fault }] } as const
          const result = await run({ seed: nth, clients, commits: points, plan })
          const { unknown } = judge(result, `${fault} at commit ${nth}`)
          // The store answers the next sending: nothing is unknown.
          expect(unknown, `${fault} at commit ${nth}`).toBe(0)
          expect(result.faults.total).toBe(1)
        }
      }
    })
  }

  it("pairs of faults, one after the other", async () => {
    for (const first of answers) {
      for (const second of answers) {
        const plan = {
          script: [
            { call: "commit", nth: 2, fault: first },
            { call: "commit", nth: 3, fault: second }
          ]
        } as const
        expect(judge(await run({ seed: 1, clients: 2, commits: 3, plan }), `${first}, ${second}`).unknown).toBe(0)
      }
    }
  })

  it("replies dropped, doubled and late at random", { timeout: 600_000 }, async () => {
    const least = scale(2_000, 100_000)
    const rates = {
      dropReply: 0.1,
      dropRequest: 0.05,
      lateRequest: 0.1,
      duplicateRequest: 0.1,
      duplicateReply: 0.1,
      delayReply: 0.1,
      reorder: 0.05
    }
    let commits = 0
    let injected = 0
    for (let seed = seedOf(1); commits < least; seed++) {
      const result = await run({ seed, clients: 4, commits: scale(50, 250), plan: { rates } })
      const judged = judge(result, replay(file, seed))
      expect(judged.unknown, replay(file, seed)).toBe(0)
      commits += judged.commits
      injected += result.faults.total
    }
    expect(injected).toBeGreaterThan(least / 20)
  })

  it("a store that does not answer for long: CommitUnknown, and the outcome tells the truth later", async () => {
    let unknown = 0
    const told = new Set<string>()
    const rounds = scale(12, 200)
    for (let seed = seedOf(1), n = 0; n < rounds; n++, seed++) {
      const rates = { dropReply: 0.35, dropRequest: 0.35, lateRequest: 0.3 }
      const result = await run({ seed, clients: 4, commits: 4, plan: { rates }, calmAfterMillis: 20_000 })
      unknown += judge(result, replay(file, seed)).unknown
      for (const outcome of result.outcomes.values()) told.add(outcome)
    }
    expect(unknown).toBeGreaterThan(rounds)
    expect(told).toContain("Committed")
  })

  it("a request that never arrived is rejected for good, also when it arrives after all", async () => {
    const told = new Set<string>()
    for (let seed = seedOf(1), n = 0; n < 10; n++, seed++) {
      const plan = { rates: { lateRequest: 1 }, lateMillisMax: 60_000 }
      const result = await run({ seed, clients: 2, commits: 1, plan, calmAfterMillis: 10_000 })
      judge(result, replay(file, seed))
      for (const outcome of result.outcomes.values()) told.add(outcome)
    }
    expect(told).toContain("Rejected")
  })
})
