/**
 * Rows 18 and 19: the tree locks of one process, and 18b: those in a store.
 *
 * treelock (Python) cannot be run here: its rates as PERF's run recorded them are turned into shares of the limit that ran
 * beside it there, a plain JavaScript map of counts per ancestor without any queue, which runs here too. Ten times treelock is a fifth
 * to a sixth of that limit.
 */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DRef from "@weft/domain/DRef"
import * as LocalLock from "@weft/domain/LocalLock"
import type * as Lock from "@weft/domain/LockModel"
import { Store } from "@weft/domain/Store"
import * as StoreLock from "@weft/domain/StoreLock"
import { cpuMillis, effectRate, warmUp, type Row, type Subject, type Workload } from "../lib.ts"
import { besideCommit, fiberRate, inDirectory, onFile } from "./fileSupport.ts"
import { onMemory } from "./ours.ts"
import { must } from "./peers.ts"

const HELD = 10_000

const pathOf = (depth: number, leaf: string): string =>
  `${Array.from({ length: depth - 1 }, (_, i) => `/a${i}`).join("")}/${leaf}`

/** One fiber takes and gives back a write lock at a depth, with others held elsewhere at depth 5. */
const local = (depth: number, held: number): Subject => ({
  name: `LocalLock.write at depth ${depth}, ${held} others held`,
  run: (seconds) => {
    const tree: Lock.Tree = LocalLock.make("bench")
    const one = tree.write(pathOf(depth, "x")).withLock(Effect.void)
    const program = Effect.gen(function* () {
      for (let i = 0; i < held; i++) yield* tree.write(`/held/a/b/c/h${i}`).scoped
      const value = yield* effectRate(one, seconds)
      const standings = yield* tree.standings
      must(standings.filter(({ mode }) => mode === "X").length === held, "locks are left, or gone")
      return { value }
    })
    return Effect.runPromise(Effect.scoped(program))
  }
})

interface Count {
  intents: number
  writes: number
}

const split = (text: string): ReadonlyArray<string> => {
  const keys = ["/"]
  for (let i = text.indexOf("/", 1); i > 0; i = text.indexOf("/", i + 1)) keys.push(text.slice(0, i))
  keys.push(text)
  return keys
}

/** Counts per ancestor in a map whose idle entries are kept; one awaited promise per acquisition; nobody could wait. */
const limit = (depth: number): Subject => ({
  name: `a plain map of counts, depth ${depth}`,
  run: async (seconds) => {
    const locks = new Map<string, Count>()
    const text = pathOf(depth, "x")
    const acquire = (keys: ReadonlyArray<string>): void => {
      for (let i = 0; i < keys.length; i++) {
        let count = locks.get(keys[i]!)
        if (count === undefined) locks.set(keys[i]!, (count = { intents: 0, writes: 0 }))
        must(count.writes === 0 && (i < keys.length - 1 || count.intents === 0), "a conflict")
        if (i === keys.length - 1) count.writes++
        else count.intents++
      }
    }
    const release = (keys: ReadonlyArray<string>): void => {
      for (let i = keys.length - 1; i >= 0; i--) {
        const count = locks.get(keys[i]!)!
        if (i === keys.length - 1) count.writes--
        else count.intents--
      }
    }
    const one = async (): Promise<void> => {
      const keys = split(text)
      acquire(keys)
      null
      release(keys)
    }
    // Each is timed, as it was there: else its share of the recorded rates would not be the same thing.
    let micros = 0
    const loop = async (until: number): Promise<number> => {
      const started = cpuMillis()
      let done = 0
      let now = started
      while (now - started < until * 1000) {
        for (let i = 0; i < 500; i++) {
          const from = performance.now()
          await one()
          micros += performance.now() - from
          must(performance.now() >= from, "time ran back")
        }
        done += 500
        now = cpuMillis()
      }
      return done / ((now - started) / 1000)
    }
    await loop(warmUp(seconds))
    const value = await loop(seconds)
    must(micros > 0, "no time passed")
    return { value }
  }
})

/** treelock's rate over the limit's in PERF's run, and what that rate was. */
const recorded = { 1: [0.0204, "88k/s"], 5: [0.0185, "35k/s"], 20: [0.0226, "10.7k/s"] } as const

const atDepth = (depth: 1 | 5 | 20): Workload => {
  const [share, rate] = recorded[depth]
  return {
    name: `acquire and release at depth ${depth}`,
    unit: "perSecond",
    ours: local(depth, 0),
    limit: limit(depth),
    targets: [{ of: "limit", floor: 10 * share, aim: 20 * share }],
    recorded: `treelock at depth ${depth} in PERF's run: ${rate}, ${share} of the limit there; the floor is 10 times that, the aim 20`
  }
}

const inStore = () => StoreLock.make("bench").write(pathOf(5, "x")).withLock(Effect.void)

const onInproc: Subject = {
  name: "StoreLock.write at depth 5, in process, one fiber",
  run: (seconds) =>
    onMemory(
      Effect.gen(function* () {
        const value = yield* effectRate(inStore(), seconds, 500)
        must((yield* StoreLock.make("bench").standings).length === 0, "locks are left")
        return { value }
      })
    )
}

const onDisk: Subject = {
  name: "StoreLock.write at depth 5, on a file, one fiber",
  run: (seconds) => besideCommit(inStore(), seconds)
}

const cell = DRef.make("cell", { value: Schema.Int, initial: 0 })

/** One durable commit of one client: what row 9 measures. */
export const oneCommit: Subject = {
  name: "one durable commit, one fiber",
  run: (seconds) =>
    inDirectory((directory) =>
      onFile(
        path.join(directory, "desk.weft"),
        Effect.gen(function* () {
          yield* Store
          return { value: yield* fiberRate(() => (i) => cell.set(i), 1, seconds) }
        })
      )
    )
}

export const uncontended: Row = {
  id: "18",
  title: "a tree lock",
  workloads: [
    atDepth(1),
    atDepth(5),
    atDepth(20),
    {
      name: "in a store in process, depth 5",
      unit: "perSecond",
      ours: onInproc,
      bounds: [{ of: "value", min: 20_000 }]
    },
    {
      name: "in a file store, depth 5, beside one durable commit",
      unit: "perSecond",
      ours: onDisk,
      bounds: [{ of: "ofCommit", min: 0.5 }]
    }
  ]
}

export const beside: Row = {
  id: "19",
  title: "a tree lock with others held",
  workloads: [
    {
      name: `depth 5, ${HELD} others held, against none`,
      unit: "perSecond",
      ours: local(5, HELD),
      peer: local(5, 0),
      targets: [{ of: "peer", floor: 0.9, aim: 1 }],
      recorded: "treelock in PERF's run: 1.04"
    }
  ]
}
