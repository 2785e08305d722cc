/**
 * Opening a file store of a million cells: time to the first read in a fresh process, and the most memory that the process
 * ever had. After a clean end the whole file is compared with its sums; after a death the last commits are read from the log.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as FileBackend from "@weft/backends/FileBackend"
import type { Write } from "@weft/domain/core/Commit"
import { Value } from "@weft/domain/core/Value"
import { median, type Row, type Subject } from "../lib.ts"
import { inDirectory } from "./fileSupport.ts"
import { must } from "./peers.ts"

const CELLS = 1_000_000
const CELLS_A_COMMIT = 5_000
const VALUE_BYTES = 32
const OPENINGS = 3
/** Commits of one cell on top, so that the log is as full as it gets. */
const SINGLE_COMMITS = 16_384
const COMMITS_A_CALL = 1024

const child = path.join(import.meta.dirname, "fileOpenChild.ts")
const keyOf = (i: number): string => `cell${String(i).padStart(9, "0")}`

const build = (file: string) =>
  Effect.gen(function* () {
    const backend = yield* FileBackend.make({ path: file })
    const value = new Value(new Uint8Array(VALUE_BYTES))
    let sequence = 0
    const request = (writes: ReadonlyArray<Write>) => ({
      id: { session: "bench", sequence: ++sequence },
      resolvedBelow: sequence,
      base: 0,
      atMillis: 0,
      reads: [],
      ranges: [],
      writes
    })
    const set = (i: number): Write => ({ _tag: "Set", key: keyOf(i), value })
    for (let from = 0; from < CELLS; from += CELLS_A_COMMIT) {
      yield* backend.commit([request(Array.from({ length: CELLS_A_COMMIT }, (_, i) => set(from + i)))])
    }
    for (let done = 0; done < SINGLE_COMMITS; done += COMMITS_A_CALL) {
      yield* backend.commit(Array.from({ length: COMMITS_A_CALL }, (_, i) => request([set((done + i) * 61)])))
    }
  })

interface Opened {
  readonly millis: number
  readonly found: number
  readonly mebibytes: number
}

const openings = (state: "after a clean end" | "after a death"): Subject => ({
  name: `FileBackend, a million cells, ${state}`,
  run: () =>
    inDirectory(async (directory) => {
      const file = path.join(directory, "desk.weft")
      await Effect.runPromise(Effect.scoped(build(file)))
      const opened = Array.from({ length: OPENINGS }, () => {
        if (state === "after a death") fs.rmSync(`${file}-sums`, { force: true })
        const { status, stderr, stdout } = spawnSync(process.execPath, ["--no-warnings", child, file], {
          encoding: "utf8"
        })
        must(status === 0, stderr)
        return JSON.parse(stdout) as Opened
      })
      must(
        opened.every(({ found }) => found === 1),
        "a store was opened that had lost its cells"
      )
      return {
        value: median(opened.map(({ millis }) => millis)) * 1000,
        details: {
          mebibytes: Math.max(...opened.map(({ mebibytes }) => mebibytes)),
          fileMebibytes: fs.statSync(file).size / 2 ** 20
        }
      }
    })
})

const MICROS_MAX = 2_000_000
const MEBIBYTES_MAX = 300
const bounds = [
  { of: "value", max: MICROS_MAX },
  { of: "mebibytes", max: MEBIBYTES_MAX }
]

export const row: Row = {
  id: "fileOpen",
  title: "opening a file store of a million cells",
  workloads: (["after a clean end", "after a death"] as const).map((state) => ({
    name: `open and read, ${state}`,
    unit: "micros" as const,
    ours: openings(state),
    bounds
  }))
}
