import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import * as Interleavings from "../../testing/Interleavings.ts"
import { Prng } from "../../testing/Prng.ts"
import * as Programs from "../../testing/Programs.ts"
import { names, pairs, start, triples } from "./support/bodies.ts"
import { withoutHistory } from "./support/noHistory.ts"
import { full, scale, seedOf } from "./support/scale.ts"

type Service = Backend["Service"]

/** How the bodies reach the store. */
interface Lane {
  readonly name: string
  /** The stores of the bodies, over one backend. */
  readonly stores: (shared: Service, gate: Interleavings.Gate, count: number) => ReadonlyArray<Layer.Layer<Store>>
}

const storeOn = (backend: Service) => Store.layer(Layer.succeed(Backend, backend))

/** No synchronous lane; every commit stops at the gate on its way there and back. */
const gated = (shared: Service, gate: Interleavings.Gate, name: string): Service => ({
  capabilities: shared.capabilities,
  read: (request) => shared.read(request),
  changes: (request) => shared.changes(request),
  outcome: (id) => shared.outcome(id),
  commit: (requests) =>
    gate.pass(`${name} request`).pipe(
      Effect.andThen(shared.commit(requests)),
      Effect.tap(() => gate.pass(`${name} reply`))
    )
})

const lanes: ReadonlyArray<Lane> = [
  {
    name: "in process",
    stores: (shared, _gate, count) => Array<Layer.Layer<Store>>(count).fill(storeOn(shared))
  },
  {
    name: "by batches, requests and replies stopped too",
    stores: (shared, gate, count) => Array<Layer.Layer<Store>>(count).fill(storeOn(gated(shared, gate, "store")))
  },
  {
    name: "an engine each on one backend in memory",
    stores: (shared, _gate, count) => Array.from({ length: count }, () => storeOn({ ...shared }))
  },
  {
    name: "an engine each on one backend without history",
    stores: (shared, gate, count) => {
      const poor = withoutHistory(shared, 1)
      return Array.from({ length: count }, (_, i) => storeOn(gated(poor, gate, `store ${i}`)))
    }
  },
  {
    name: "an engine each on one backend, by batches",
    stores: (shared, gate, count) => Array.from({ length: count }, (_, i) => storeOn(gated(shared, gate, `store ${i}`)))
  }
]

/** Longer than any bound of the engine: who waits then waits for ever. */
const forEver = "1 minute"

/** Runs the bodies at once, each stopping before every step, and says what they came to. */
const program =
  (lane: Lane, bodies: ReadonlyArray<Programs.Body>) =>
  (gate: Interleavings.Gate): Effect.Effect<string> =>
    Effect.gen(function* () {
      const shared = MemoryBackend.make()
      const direct = storeOn(shared)
      const setup = Effect.gen(function* () {
        for (const [name, value] of start.cells) yield* Cells.set(name, value)
        for (const [name, values] of start.logs) for (const value of values) yield* Cells.append(name, value)
      })
      yield* Effect.provide(Tx.transact(setup), direct)
      const ends = bodies.map((): { end: Programs.Ending; log: ReadonlyArray<string> } => ({ end: "blocked", log: [] }))
      const run = (body: Programs.Body, i: number) => {
        const sight: Programs.Sight = { log: [], sum: 0 }
        const attempt = Effect.suspend(() => {
          sight.log.length = 0
          sight.sum = 0
          return Programs.interpret(body, sight, gate.pass(`body ${i}`))
        })
        return Effect.gen(function* () {
          const exit = yield* Effect.exit(Tx.transact(attempt))
          if (
            Exit.isFailure(exit) &&
            !exit.cause.reasons.every((r) => Cause.isFailReason(r) && r.error._tag === "Aborted")
          ) {
            return yield* Effect.die(Cause.squash(exit.cause))
          }
          ends[i] = { end: Exit.isSuccess(exit) ? "ok" : "abort", log: sight.log.slice() }
        })
      }
      const stores = lane.stores(shared, gate, bodies.length)
      const together = Effect.scoped(
        Effect.gen(function* () {
          const memo = yield* Layer.makeMemoMap
          const scope = yield* Effect.scope
          const contexts = yield* Effect.forEach(stores, (store) => Layer.buildWithMemoMap(store, memo, scope))
          const running = bodies.map((body, i) => Effect.provideContext(run(body, i), contexts[i]!))
          yield* Effect.raceFirst(
            Effect.all(running, { concurrency: "unbounded", discard: true }),
            Effect.sleep(forEver)
          )
        })
      )
      yield* together
      const state = yield* Effect.provide(Programs.readState(names), direct)
      return Programs.outcomeText(ends, state)
    }).pipe(Effect.orDie)

const explore = async (lane: Lane, bodies: ReadonlyArray<Programs.Body>, schedulesMax: number) => {
  const allowed = Programs.serialOutcomes(bodies, start)
  return Interleavings.explore(
    program(lane, bodies),
    (outcome, schedule) => {
      if (allowed.has(outcome)) return
      throw new Error(
        [
          `${lane.name}: ${JSON.stringify(bodies)}`,
          `came to   ${outcome}`,
          ...[...allowed].map((serial) => `serial    ${serial}`),
          `steps     ${schedule.steps.join(", ")}`,
          `choices   [${schedule.choices.join(",")}]`
        ].join("\n")
      )
    },
    schedulesMax
  )
}

/** Some of all, chosen by the seed; all in full size. */
const some = <A>(all: ReadonlyArray<A>, short: number, whole: number): ReadonlyArray<A> =>
  new Prng(seedOf(7)).shuffle(all).slice(0, scale(short, whole))

describe("every interleaving gives what some serial order gives", () => {
  const count = async (lane: Lane, programs: ReadonlyArray<ReadonlyArray<Programs.Body>>, schedulesMax: number) => {
    let schedules = 0
    let complete = 0
    for (const bodies of programs) {
      const explored = await explore(lane, bodies, schedulesMax)
      schedules += explored.schedules
      if (explored.complete) complete++
    }
    if (full)
      process.stdout.write(
        `${lane.name}: ${programs.length} programs, ${complete} completely, ${schedules} schedules\n`
      )
    return { schedules, complete }
  }
  for (const lane of lanes) {
    const chosen = some(pairs(), 24, 400)
    it(`pairs, ${lane.name}`, { timeout: scale(60_000, 1_800_000) }, async () => {
      const { complete } = await count(lane, chosen, scale(60, 500_000))
      if (full) expect(complete).toBe(chosen.length)
    })
  }
  const chosen = some(triples(), 3, 60)
  it(`triples, ${lanes[0]!.name}`, { timeout: scale(60_000, 1_800_000) }, async () => {
    const { complete } = await count(lanes[0]!, chosen, scale(150, 50_000))
    if (full) expect(complete).toBe(chosen.length)
  })
})

describe("every interleaving, of chosen pairs in every run", () => {
  const chosen: ReadonlyArray<readonly [name: string, bodies: ReadonlyArray<Programs.Body>]> = [
    [
      "a branch that gave up still counts by what it read",
      [
        [
          { op: "orElse", left: [{ op: "await", key: "x3" }], right: [{ op: "write", key: "x2", plus: 1 }] },
          { op: "read", key: "x1" }
        ],
        [
          { op: "write", key: "x3", plus: 2 },
          { op: "write", key: "x1", plus: 2 }
        ]
      ]
    ],
    [
      "a range and a cell of it are of one state",
      [
        [
          { op: "range", key: "x" },
          { op: "read", key: "x2" }
        ],
        [
          { op: "write", key: "x1", plus: 3 },
          { op: "write", key: "x2", plus: 3 }
        ]
      ]
    ]
  ]
  for (const [name, bodies] of chosen) {
    it(name, async () => {
      for (const lane of lanes) expect((await explore(lane, bodies, 20_000)).complete).toBe(true)
    })
  }
})

describe("the judge can fail", () => {
  it("a torn read-modify-write is no serial outcome", () => {
    const increment: Programs.Body = [
      { op: "read", key: "x1" },
      { op: "write", key: "x1", plus: 1 }
    ]
    const allowed = Programs.serialOutcomes([increment, increment], start)
    const torn = { ...start, cells: new Map([...start.cells, ["x1", 2]]) }
    const end = { end: "ok", log: ["x1=1"] } as const
    expect(allowed.has(Programs.outcomeText([end, end], torn))).toBe(false)
    expect(allowed.size).toBe(2)
  })
  it("a body that could go on may not be blocked", () => {
    const waiter: Programs.Body = [{ op: "await", key: "x1" }]
    expect([...Programs.serialOutcomes([waiter], start)]).toEqual(["ok(x1=1) => x1:1 x2:10 q:100"])
  })
})
