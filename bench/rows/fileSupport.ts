/** What the rows of the file store share: a directory on the disk, a store in it, and how fast that disk syncs. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as FileBackend from "@weft/backends/FileBackend"
import * as DRef from "@weft/domain/DRef"
import { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import { percentile, warmUp, type Measure } from "../lib.ts"

/** A directory on a disk (`WEFT_BENCH_DIR`, else that for temporary files), gone afterwards. */
export const inDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const parent = process.env["WEFT_BENCH_DIR"] ?? os.tmpdir()
  const directory = fs.mkdtempSync(path.join(parent, "weft-bench-"))
  try {
    return await use(directory)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Runs a program on a store in a file. */
export const onFile = <A, E>(file: string, program: Effect.Effect<A, E, Store>): Promise<A> =>
  Effect.runPromise(
    Effect.provide(program, Store.layer(FileBackend.layer({ path: file }))) as Effect.Effect<A, E | StoreError>
  )

/** Operations before a figure counts, where a disk lets them be done within `WARM_UP_SECONDS_MAX`: V8 counts calls, not seconds. */
const WARM_UP_OPERATIONS = 10_000
const WARM_UP_SECONDS_MAX = 10

/** Whether to go on after so many operations. */
type GoesOn = (count: number) => boolean

/** For a warm-up that begins now. */
const warming = (seconds: number): GoesOn => {
  const from = performance.now()
  return (count) => {
    const past = (performance.now() - from) / 1000
    return past < warmUp(seconds) || (count < WARM_UP_OPERATIONS && past < WARM_UP_SECONDS_MAX)
  }
}

const before =
  (until: number): GoesOn =>
  () =>
    performance.now() < until

/** Rate of a synchronous function that waits for a disk. */
export const wallRate = (f: (i: number) => void, seconds: number): number => {
  const loop = (goesOn: GoesOn): number => {
    let count = 0
    while (goesOn(count)) f(count++)
    return count
  }
  loop(warming(seconds))
  const from = performance.now()
  const count = loop(before(from + seconds * 1000))
  return count / ((performance.now() - from) / 1000)
}

/** Rate of `writers` loops that each wait for their own promise. */
export const promiseRate = async (
  one: (writer: number, i: number) => Promise<unknown>,
  writers: number,
  seconds: number
): Promise<number> => {
  const all = async (goesOn: GoesOn): Promise<number> => {
    let sum = 0
    const loop = async (writer: number): Promise<void> => {
      for (let i = 0; goesOn(sum); i++) {
        await one(writer, i)
        sum++
      }
    }
    await Promise.all(Array.from({ length: writers }, (_, writer) => loop(writer)))
    return sum
  }
  await all(warming(seconds))
  const from = performance.now()
  const count = await all(before(from + seconds * 1000))
  return count / ((performance.now() - from) / 1000)
}

const countWhile = <E, R>(
  body: (fiber: number) => (i: number) => Effect.Effect<unknown, E, R>,
  fibers: number,
  goesOn: GoesOn
): Effect.Effect<ReadonlyArray<number>, E, R> =>
  Effect.suspend(() => {
    let sum = 0
    const counts = Array.from({ length: fibers }, () => 0)
    const loops = counts.map((_, fiber) => {
      const one = body(fiber)
      return Effect.whileLoop({
        while: () => goesOn(sum),
        body: () => one(counts[fiber]!),
        step: () => {
          counts[fiber]! += 1
          sum++
        }
      })
    })
    return Effect.as(Effect.all(loops, { concurrency: "unbounded", discard: true }), counts)
  })

/** Runs a body in each of `fibers` fibers again and again until the time is over; how often each did. */
export const countUntil = <E, R>(
  body: (fiber: number) => (i: number) => Effect.Effect<unknown, E, R>,
  fibers: number,
  until: number
): Effect.Effect<ReadonlyArray<number>, E, R> => countWhile(body, fibers, before(until))

/** Rate of fibers that wait for a disk, by the clock on the wall, after a warm-up. */
export const fiberRate = <E, R>(
  body: (fiber: number) => (i: number) => Effect.Effect<unknown, E, R>,
  fibers: number,
  seconds: number
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    yield* countWhile(body, fibers, warming(seconds))
    const from = performance.now()
    const counts = yield* countUntil(body, fibers, from + seconds * 1000)
    return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - from) / 1000)
  })

/**
 * A body by one fiber on a file, beside one durable commit on another one, one after the other in one process. A disk behind a
 * virtual machine swings between syncs of 0.2 ms and of 0.5 ms for seconds: what is measured apart is often its mood. The
 * rate of the body by the time spent in it, and as `ofCommit` its share of the rate of commits.
 */
export const besideCommit = <E>(body: Effect.Effect<unknown, E, Store>, seconds: number): Promise<Measure> =>
  inDirectory((directory) => {
    const open = (file: string) => Layer.build(Store.layer(FileBackend.layer({ path: path.join(directory, file) })))
    const cell = DRef.make("cell", { value: Schema.Int, initial: 0 })
    const program = Effect.gen(function* () {
      const ours = Effect.provide(body, yield* open("ours.weft"))
      const commits = yield* open("commits.weft")
      let [spentOurs, spentCommit] = [0, 0]
      const alternate = Effect.fnUntraced(function* (goesOn: GoesOn) {
        let count = 0
        while (goesOn(count)) {
          const from = performance.now()
          yield* ours
          const between = performance.now()
          yield* Effect.provide(cell.set(count++), commits)
          spentOurs += between - from
          spentCommit += performance.now() - between
        }
        return count
      })
      yield* alternate(warming(seconds))
      spentOurs = spentCommit = 0
      const count = yield* alternate(before(performance.now() + seconds * 1000))
      return {
        value: (count / spentOurs) * 1000,
        details: { commitsPerSecond: (count / spentCommit) * 1000, ofCommit: spentCommit / spentOurs }
      }
    })
    return Effect.runPromise(Effect.scoped(program))
  })

/** Milliseconds of each of many writes of `bytes` to the end of a file, each followed by its sync, for `seconds`. */
export const syncTimes = (directory: string, seconds: number, bytes = 4096): ReadonlyArray<number> => {
  const fd = fs.openSync(path.join(directory, "sync"), "w")
  const block = Buffer.alloc(bytes, 7)
  const times: Array<number> = []
  // A log that is written again and again keeps its size: syncs then write no metadata of the file system.
  const places = 256
  for (let i = 0; i < places; i++) fs.writeSync(fd, block, 0, bytes, i * bytes)
  fs.fsyncSync(fd)
  try {
    const until = performance.now() + seconds * 1000
    for (let i = 0; performance.now() < until; i++) {
      const from = performance.now()
      fs.writeSync(fd, block, 0, bytes, (i % places) * bytes)
      fs.fdatasyncSync(fd)
      times.push(performance.now() - from)
    }
    return times
  } finally {
    fs.closeSync(fd)
  }
}

export const p99 = (times: ReadonlyArray<number>): number => percentile(times, 0.99)
