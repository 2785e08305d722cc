/**
 * Row 16: a tuple put out and taken again by one fiber: in a space of this process, beside Rinda; there with others held; in
 * a store in process and on a file.
 *
 * Where Ruby is missing, Rinda's rate as PERF's run recorded it stands in: as a share of the limit that ran beside it there.
 */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as LocalTupleSpace from "@weft/tuplespace/LocalTupleSpace"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { any, type TupleSpace } from "@weft/tuplespace/TupleSpace"
import { effectRate, type Row, type Subject, type Workload } from "../lib.ts"
import { besideCommit, fiberRate, inDirectory, onFile } from "./fileSupport.ts"
import { onMemory } from "./ours.ts"
import { must } from "./peers.ts"
import { oneCommit } from "./treeLock.ts"
import { buckets, hasRinda, others, rinda, type Differs } from "./tuplePeers.ts"

const HELD = 10_000

const tuple = Schema.Tuple([Schema.String, Schema.String, Schema.Int])

const local = () => LocalTupleSpace.make("bench", { tuple })
const stored = () => StoreTupleSpace.make("bench", { tuple })

/** Puts one tuple out and takes it again: no other is ever taken. */
const pairIn = <R>(space: TupleSpace<typeof tuple.Type, {}, R>, name = "me") => {
  let put = 0
  return Effect.gen(function* () {
    yield* space.out(["job", name, put])
    const taken = yield* space.take(["job", name, any])
    must(taken[2] === put++, "a tuple came out of turn")
  })
}

const inProcess = (held: number, differs: Differs): Subject => ({
  name: `LocalTupleSpace out + take, ${held} others held`,
  run: (seconds) => {
    const space = local()
    const program = Effect.gen(function* () {
      for (const other of others(held, differs)) yield* space.out(other)
      const value = yield* effectRate(pairIn(space), seconds)
      must((yield* space.count([any, any, any])) === held, "a tuple is left, or lost")
      return { value }
    })
    return Effect.runPromise(program)
  }
})

const onInproc = (held: number): Subject => ({
  name: `StoreTupleSpace out + take, store in process, ${held} others held`,
  run: (seconds) => {
    const space = stored()
    const program = Effect.gen(function* () {
      for (const other of others(held, 1)) yield* space.out(other)
      const value = yield* effectRate(pairIn(space), seconds, 500)
      must((yield* space.count([any, any, any])) === held, "a tuple is left, or lost")
      return { value }
    })
    return onMemory(program)
  }
})

const byOne: Subject = {
  name: "StoreTupleSpace out + take, on a file, one fiber",
  run: (seconds) => besideCommit(pairIn(stored()), seconds)
}

/** Fibers that each put a tuple out and take it again, of one client: their commits share syncs. */
const byFibers = (fibers: number): Subject => ({
  name: `StoreTupleSpace out + take, on a file, ${fibers} fibers`,
  run: (seconds) =>
    inDirectory((directory) => {
      const space = stored()
      const program = Effect.gen(function* () {
        const pairs = Array.from({ length: fibers }, (_, fiber) => pairIn(space, `of ${fiber}`))
        const value = yield* fiberRate((fiber) => () => pairs[fiber]!, fibers, seconds)
        must((yield* space.count([any, any, any])) === 0, "a tuple is left")
        return { value }
      })
      return onFile(path.join(directory, "desk.weft"), program)
    })
})

/** Rinda's rate over that of the limit in PERF's run. */
const RINDA_SHARE = 0.03

const besideRinda: Workload = {
  name: hasRinda ? "in process, beside Rinda" : "in process, beside Rinda as it was recorded: there is no Ruby here",
  unit: "perSecond",
  ours: inProcess(0, 1),
  limit: buckets,
  ...(hasRinda
    ? { peer: rinda(0, 1), targets: [{ of: "peer", floor: 3, aim: 10 }] }
    : { targets: [{ of: "limit", floor: 3 * RINDA_SHARE, aim: 10 * RINDA_SHARE }] }),
  recorded: `Rinda in PERF's run: 97k/s, ${RINDA_SHARE} of the limit there`
}

const beside = (differs: Differs): Workload => ({
  name: `in process, ${HELD} others held that differ at the ${differs === 0 ? "first" : "second"} place, against none`,
  unit: "perSecond",
  ours: inProcess(HELD, differs),
  peer: inProcess(0, differs),
  targets: [{ of: "peer", floor: 0.7, aim: 0.9 }],
  recorded: "Rinda in PERF's run: 0.0006"
})

const rindaHolding: Workload = {
  name: `in process, ${HELD} others held, beside Rinda with as many`,
  unit: "perSecond",
  ours: inProcess(HELD, 1),
  peer: rinda(HELD, 1),
  targets: [{ of: "peer", floor: 3, aim: 10 }]
}

export const row: Row = {
  id: "16",
  title: "a tuple put out and taken",
  workloads: [
    besideRinda,
    beside(0),
    beside(1),
    ...(hasRinda ? [rindaHolding] : []),
    { name: "in a store in process", unit: "perSecond", ours: onInproc(0), bounds: [{ of: "value", min: 50_000 }] },
    {
      name: `in a store in process, ${HELD} others held, against none`,
      unit: "perSecond",
      ours: onInproc(HELD),
      peer: onInproc(0),
      targets: [{ of: "peer", floor: 0.7, aim: 0.9 }]
    },
    {
      // Two durable commits one after the other: the floor is also the most that any program can reach.
      name: "in a file store, one fiber, two durable commits a pair, beside one",
      unit: "perSecond",
      ours: byOne,
      bounds: [{ of: "ofCommit", min: 0.5 }]
    },
    {
      name: "in a file store, 8 fibers of one client, beside one durable commit of one",
      unit: "perSecond",
      ours: byFibers(8),
      peer: oneCommit,
      targets: [{ of: "peer", floor: 0.5, aim: 1 }]
    }
  ]
}
