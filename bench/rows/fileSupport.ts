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
