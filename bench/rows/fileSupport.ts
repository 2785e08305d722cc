/** What the rows of the file store share: a directory on the disk, a store in it, and how fast that disk syncs. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import { percentile } from "../lib.ts"

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

/** Seconds before a figure counts. */
const WARM_UP_SECONDS = 0.8

/** When a warm-up that begins now is over. */
const warmUntil = (seconds: number): number => performance.now() + Math.max(WARM_UP_SECONDS, seconds * 0.4) * 1000

/** Rate of a synchronous function that waits for a disk. */
export const wallRate = (f: (i: number) => void, seconds: number): number => {
  const loop = (until: number): number => {
    let count = 0
    while (performance.now() < until) f(count++)
    return count
  }
  loop(warmUntil(seconds))
  const from = performance.now()
  const count = loop(from + seconds * 1000)
  return count / ((performance.now() - from) / 1000)
}

/** Rate of `writers` loops that each wait for their own promise. */
export const promiseRate = async (
  one: (writer: number, i: number) => Promise<unknown>,
  writers: number,
  seconds: number
): Promise<number> => {
  const loop = async (writer: number, until: number): Promise<number> => {
    let count = 0
    while (performance.now() < until) await one(writer, count++)
    return count
  }
  const all = async (until: number): Promise<number> => {
    const counts = await Promise.all(Array.from({ length: writers }, (_, writer) => loop(writer, until)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  await all(warmUntil(seconds))
  const from = performance.now()
  const count = await all(from + seconds * 1000)
  return count / ((performance.now() - from) / 1000)
}

/** Runs a body in each of `fibers` fibers again and again until the time is over; how often each did. */
export const countUntil = <E, R>(
  body: (fiber: number) => (i: number) => Effect.Effect<unknown, E, R>,
  fibers: number,
  until: number
): Effect.Effect<ReadonlyArray<number>, E, R> =>
  Effect.suspend(() => {
    const counts = Array.from({ length: fibers }, () => 0)
    const loops = counts.map((_, fiber) => {
      const one = body(fiber)
      return Effect.whileLoop({
        while: () => performance.now() < until,
        body: () => one(counts[fiber]!),
        step: () => {
          counts[fiber]! += 1
        }
      })
    })
    return Effect.as(Effect.all(loops, { concurrency: "unbounded", discard: true }), counts)
  })

/** Rate of fibers that wait for a disk, by the clock on the wall, after a warm-up. */
export const fiberRate = <E, R>(
  body: (fiber: number) => (i: number) => Effect.Effect<unknown, E, R>,
  fibers: number,
  seconds: number
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    yield* countUntil(body, fibers, warmUntil(seconds))
    const from = performance.now()
    const counts = yield* countUntil(body, fibers, from + seconds * 1000)
    return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - from) / 1000)
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
