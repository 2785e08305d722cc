/**
 * Row 23: what the service, the Layer and the effects around a backend cost. Ours calls the `Backend` service of the
 * in-process store from a fiber; the limit makes the same requests of the machine underneath in a plain loop.
 *
 * The floor holds for what the engine does through the contract, a batch for each call, and for the Layer by itself. One
 * commit for each call stands beside it without a floor: a step of any effect in a generator costs 100 to 150 ns with its
 * object, its iterator and its share of garbage, and the machine commits in 160. No engine pays that: on a store in memory
 * it uses the synchronous lane, elsewhere batches.
 */
import * as Effect from "effect/Effect"
import { Backend, type SyncLane } from "@weft/domain/Backend"
import type { CommitRequest, Reply } from "@weft/domain/core/Commit"
import { Value } from "@weft/domain/core/Value"
import * as InprocBackend from "@weft/backends/InprocBackend"
import { effectRate, syncRate, type Row, type Subject } from "../lib.ts"
import { must } from "./peers.ts"

const key = "bench\u0000cell"
/** Requests of a batch: as many as the fibers of row 8 make at once. */
const BATCH = 64
const session = "benchbenchbenchbenchbe"
const bytes = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

/** The request that a read-modify-write of one cell makes; identical for both sides. */
const requests = () => {
  let sequence = 0
  return (version: number): CommitRequest => {
    sequence += 1
    return {
      id: { session, sequence },
      resolvedBelow: sequence,
      base: version,
      atMillis: 0,
      reads: [{ key, version }],
      ranges: [],
      writes: [{ _tag: "Set", key, value: new Value(bytes) }]
    }
  }
}

const CALLS_A_CHUNK = 500

/** Batches of requests, each of which reads and sets a cell of its own; the versions are those of the last replies. */
const batches = () => {
  const value = new Value(bytes)
  const keys = Array.from({ length: BATCH }, (_, i) => `${key}${String.fromCharCode(i)}`)
  const versions = keys.map(() => 0)
  let sequence = 0
  let base = 0
  const make = (): ReadonlyArray<CommitRequest> =>
    keys.map((each, i) => ({
      id: { session, sequence: ++sequence },
      resolvedBelow: sequence,
      base,
      atMillis: 0,
      reads: [{ key: each, version: versions[i]! }],
      ranges: [],
      writes: [{ _tag: "Set", key: each, value }]
    }))
  const take = (replies: ReadonlyArray<Reply>): void => {
    replies.forEach((reply, i) => {
      if (reply._tag !== "Committed") throw new Error(`commit was ${JSON.stringify(reply)}`)
      base = versions[i] = reply.version
    })
  }
  return { make, take }
}

const batchesOverContract: Subject = {
  name: `Backend.commit of a fiber, ${BATCH} a call`,
  run: (seconds) => {
    const program = Effect.gen(function* () {
      const backend = yield* Backend
      const { make, take } = batches()
      const one = Effect.gen(function* () {
        take(yield* backend.commit(make()))
      })
      return { value: (yield* effectRate(one, seconds, 10)) * BATCH }
    })
    return Effect.runPromise(Effect.provide(program, InprocBackend.layer()))
  }
}

const rawBatches: Subject = {
  name: `machine.commit in a loop, ${BATCH} a call`,
  run: async (seconds) => {
    const lane = laneOf()
    const { make, take } = batches()
    return { value: syncRate(() => take(lane.commit(make())), seconds, 10) * BATCH }
  }
}

const overContract = (kind: "commit" | "read"): Subject => ({
  name: `Backend.${kind} of a fiber`,
  run: (seconds) => {
    const program = Effect.gen(function* () {
      const backend = yield* Backend
      const next = requests()
      let version = 0
      const commits = Effect.gen(function* () {
        for (let i = 0; i < CALLS_A_CHUNK; i++) {
          const [reply] = yield* backend.commit([next(version)])
          if (reply?._tag !== "Committed") throw new Error(`commit was ${JSON.stringify(reply)}`)
          version = reply.version
        }
      })
      const read = backend.read({ keys: [key], ranges: [] })
      const reads = Effect.gen(function* () {
        for (let i = 0; i < CALLS_A_CHUNK; i++) yield* read
      })
      yield* commits
      const chunks = yield* effectRate(kind === "commit" ? commits : reads, seconds, 1)
      return { value: chunks * CALLS_A_CHUNK }
    })
    return Effect.runPromise(Effect.provide(program, InprocBackend.layer()))
  }
})

/** Commits of a fiber: the service looked up through the Layer for each, or the backend's own effect without any Layer. */
const commitsBy = (way: "layer" | "direct"): Subject => ({
  name: way === "layer" ? "the service from the Layer, for each call" : "the backend's effects, without a Layer",
  run: (seconds) => {
    const direct = InprocBackend.make()
    const next = requests()
    let version = 0
    const one =
      way === "layer"
        ? (request: CommitRequest) => Backend.use((backend) => backend.commit([request]))
        : (request: CommitRequest) => direct.commit([request])
    const commits = Effect.gen(function* () {
      for (let i = 0; i < CALLS_A_CHUNK; i++) {
        const [reply] = yield* one(next(version))
        if (reply?._tag !== "Committed") throw new Error(`commit was ${JSON.stringify(reply)}`)
        version = reply.version
      }
    })
    const program = Effect.map(effectRate(commits, seconds, 1), (chunks) => ({ value: chunks * CALLS_A_CHUNK }))
    return Effect.runPromise(Effect.provide(program, InprocBackend.layer()))
  }
})

const laneOf = (): SyncLane => InprocBackend.make().sync!

const rawCommit: Subject = {
  name: "machine.commit in a loop",
  run: async (seconds) => {
    const lane = laneOf()
    const next = requests()
    let version = 0
    const value = syncRate(() => {
      const [reply] = lane.commit([next(version)])
      if (reply?._tag !== "Committed") throw new Error(`commit was ${JSON.stringify(reply)}`)
      version = reply.version
    }, seconds)
    return { value }
  }
}

const rawRead: Subject = {
  name: "machine.cell in a loop, same reply made",
  run: async (seconds) => {
    const lane = laneOf()
    lane.commit([requests()(0)])
    let last: unknown
    const value = syncRate(() => {
      last = { version: lane.version(), cells: [lane.cell(key)], ranges: [] }
    }, seconds)
    must(last !== undefined, "nothing was read")
    return { value }
  }
}

/** 35 % and 20 % more time than the raw loop, as speeds. */
const targets = [{ of: "limit", floor: 1 / 1.35, aim: 1 / 1.2 }] as const

export const row: Row = {
  id: "23",
  title: "the layer over a backend's machine",
  workloads: [
    {
      name: "commits by batches of 64, each a cell read, the same cell set",
      unit: "perSecond",
      ours: batchesOverContract,
      limit: rawBatches,
      targets
    },
    {
      name: "the Layer alone: looked up for each commit",
      unit: "perSecond",
      ours: commitsBy("layer"),
      limit: commitsBy("direct"),
      targets
    },
    {
      name: "one commit for each call: a cell read, the same cell set",
      unit: "perSecond",
      ours: overContract("commit"),
      limit: rawCommit
    },
    { name: "one read of one cell", unit: "perSecond", ours: overContract("read"), limit: rawRead }
  ]
}
