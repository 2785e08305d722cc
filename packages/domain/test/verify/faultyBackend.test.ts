import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import type { CommitRequest, Reply, Write } from "../../src/core/Commit.ts"
import { toCounter } from "../../src/core/Value.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Sim from "../../testing/Sim.ts"

const request = (sequence: number, writes: ReadonlyArray<Write>): CommitRequest => ({
  id: { session: "client", sequence },
  resolvedBelow: sequence,
  base: 0,
  atMillis: 0,
  reads: [],
  ranges: [],
  writes
})

/** Resends the same ids until there is an answer, as every client of the contract does. */
const insist = (batch: ReadonlyArray<CommitRequest>): Effect.Effect<ReadonlyArray<Reply>, StoreError, Backend> =>
  Effect.flatMap(Backend, (backend) =>
    backend.commit(batch).pipe(
      Effect.catchReason("StoreError", "CommitUnknown", () => insist(batch)),
      Effect.catchReason("StoreError", "Unavailable", () => insist(batch))
    )
  )

const counters = (count: number) =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const keys = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    const { cells } = yield* backend.read({ keys, ranges: [] })
    return cells.map((cell) => (cell === undefined ? 0 : toCounter(cell.value)))
  })

const faults: ReadonlyArray<FaultyBackend.Fault> = [
  "dropRequest",
  "dropReply",
  "lateRequest",
  "duplicateRequest",
  "duplicateReply",
  "reorder",
  "delayRequest",
  "delayReply",
  "refuse",
  "stall"
]

describe("single faults at chosen commits", () => {
  const rounds = 5
  const program = Effect.gen(function* () {
    for (let n = 1; n <= rounds; n++) yield* insist([request(n, [{ _tag: "Add", key: `n${n}`, delta: 1 }])])
    // Late and doubled requests are under way for as long as the longest delay.
    yield* Effect.sleep("1 second")
    return yield* counters(rounds)
  })
  for (const fault of faults) {
    it(`${fault}: resent until answered, each commit takes effect once`, async () => {
      for (let nth = 1; nth <= rounds; nth++) {
        const faulty = FaultyBackend.make({ seed: nth, script: [{ call: "commit", nth, fault }] })
        const layer = faulty.layer(MemoryBackend.layer())
        expect(await Sim.make().run(Effect.provide(program, layer))).toEqual(Array(rounds).fill(1))
        expect(faulty.counts).toEqual({ [fault]: 1 })
        expect(faulty.underWay).toBe(0)
        const resent = ["dropRequest", "dropReply", "lateRequest", "refuse"].includes(fault) ? 1 : 0
        expect(faulty.calls.commit).toBe(rounds + resent)
      }
    })
  }

  it("a lost reply is CommitUnknown with the id, a refusal is Unavailable", async () => {
    const failure = (fault: FaultyBackend.Fault) => {
      const faulty = FaultyBackend.make({ seed: 1, script: [{ call: "commit", nth: 1, fault }] })
      const once = Effect.flatMap(Backend, (b) => b.commit([request(7, [{ _tag: "Add", key: "n", delta: 1 }])]))
      return Sim.make().run(Effect.flip(once).pipe(Effect.provide(faulty.layer(MemoryBackend.layer()))))
    }
    expect((await failure("dropReply")).reason).toMatchObject({ _tag: "CommitUnknown", session: "client", sequence: 7 })
    expect((await failure("refuse")).reason._tag).toBe("Unavailable")
  })

  it("refuses a script that makes no sense", () => {
    expect(() => FaultyBackend.make({ seed: 1, script: [{ call: "read", nth: 1, fault: "cutFeed" }] })).toThrow(
      RangeError
    )
  })
})

describe("random faults", () => {
  const run = (seed: number) => {
    const faulty = FaultyBackend.make({ seed, rates: FaultyBackend.badNetwork })
    const program = Effect.gen(function* () {
      for (let n = 1; n <= 300; n++) yield* insist([request(n, [{ _tag: "Add", key: `n${1 + (n % 7)}`, delta: 1 }])])
      return yield* Effect.retry(counters(7), { times: 100 })
    })
    const sim = Sim.make({ seed })
    return sim.run(Effect.provide(program, faulty.layer(MemoryBackend.layer()))).then((counts) => ({
      counts,
      faults: faulty.counts,
      elapsed: sim.elapsedMillis,
      tasks: sim.tasks
    }))
  }
  it("happen, are counted, and one seed gives one course", async () => {
    const first = await run(1)
    expect(first.counts.reduce((a, b) => a! + b!, 0)).toBe(300)
    for (const fault of faults.filter((f) => f !== "stall")) expect(first.faults[fault], fault).toBeGreaterThan(0)
    expect(await run(1)).toEqual(first)
    expect((await run(2)).faults).not.toEqual(first.faults)
  })
  it("end with heal and come back with resume", async () => {
    const faulty = FaultyBackend.make({ seed: 3, rates: { refuse: 1 } })
    const outcome = (sequence: number) =>
      Effect.flatMap(Backend, (b) => b.outcome({ session: "client", sequence })).pipe(
        Effect.map(() => "answered"),
        Effect.catchReason("StoreError", "Unavailable", () => Effect.succeed("refused"))
      )
    const program = Effect.gen(function* () {
      const first = yield* outcome(1)
      faulty.heal()
      const second = yield* outcome(2)
      faulty.resume()
      return [first, second, yield* outcome(3)]
    })
    expect(await Sim.make().run(Effect.provide(program, faulty.layer(MemoryBackend.layer())))).toEqual([
      "refused",
      "answered",
      "refused"
    ])
  })
})

describe("faults of the change feed", () => {
  const feed = (fault: FaultyBackend.Fault) => {
    const faulty = FaultyBackend.make({ seed: 1, script: [{ call: "change", nth: 2, fault }] })
    const memory = MemoryBackend.layer()
    const program = Effect.gen(function* () {
      const backend = yield* Backend
      const seen: Array<string> = []
      const follow = backend.changes({ from: 0, values: false }).pipe(
        Stream.runForEach((change) =>
          Effect.sync(() => seen.push(`${change._tag} ${change._tag === "Gap" ? change.to : change.version}`))
        ),
        Effect.catchReason("StoreError", "Unavailable", () => Effect.sync(() => seen.push("Unavailable")))
      )
      const fiber = yield* Effect.forkChild(follow)
      for (let n = 1; n <= 3; n++) yield* insist([request(n, [{ _tag: "Add", key: "n1", delta: 1 }])])
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(fiber)
      return seen.filter((line) => !line.startsWith("Progress"))
    })
    return Sim.make().run(Effect.provide(program, Layer.mergeAll(faulty.layer(memory))))
  }
  it("loseWakeup says so by a Gap", async () =>
    expect(await feed("loseWakeup")).toEqual(["Commit 1", "Gap 2", "Commit 3"]))
  it("cutFeed fails", async () => expect(await feed("cutFeed")).toEqual(["Commit 1", "Unavailable"]))
  it("delayChange keeps the order", async () =>
    expect(await feed("delayChange")).toEqual(["Commit 1", "Commit 2", "Commit 3"]))
})
