/**
 * Row 11: four processes fight over one cell of 1 kB, beside one process alone. Durable; no update may be lost, and every
 * process must get its share.
 */
import { fork, type ChildProcess } from "node:child_process"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type { Row, Subject, Workload } from "../lib.ts"
import { counted, cell } from "./fileContendedChild.ts"
import { inDirectory, onFile } from "./fileSupport.ts"
import { must } from "./peers.ts"

const PROCESSES = 4

const child = path.join(import.meta.dirname, "fileContendedChild.ts")

interface Told {
  readonly ready?: true
  readonly all?: number
  readonly timed?: number
  readonly attempts?: number
}

/** The next message of a kind; fails when the process ends before. */
const next = (process: ChildProcess, has: (told: Told) => boolean): Promise<Told> =>
  new Promise((done, fail) => {
    process.on("message", (told: Told) => {
      if (has(told)) done(told)
    })
    process.once("exit", (code, signal) => fail(new Error(`a process ended with ${code ?? signal}`)))
  })

const contend = (processes: number, fibers: number): Subject => ({
  name: `${processes === 1 ? "one process" : `${processes} processes`}, ${fibers === 1 ? "one fiber" : `${fibers} fibers`} in each`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const file = path.join(directory, "desk.weft")
      await onFile(file, cell.set(counted(0)))
      const workers = Array.from({ length: processes }, () =>
        fork(child, [file, String(fibers), String(seconds)], { execArgv: ["--no-warnings"] })
      )
      try {
        await Promise.all(workers.map((worker) => next(worker, (told) => told.ready === true)))
        const results = Promise.all(workers.map((worker) => next(worker, (told) => told.all !== undefined)))
        for (const worker of workers) worker.send("go")
        const told = await results
        const sum = (of: (one: Told) => number) => told.reduce((total, one) => total + of(one), 0)
        const found = await onFile(
          file,
          Effect.map(cell.get, ({ n }) => n)
        )
        const each = told.map(({ timed }) => timed!)
        must(found > 0, "nothing was written")
        return {
          value: sum(({ timed }) => timed!) / seconds,
          attempts: sum(({ attempts }) => attempts!) / sum(({ all }) => all!),
          details: { fairness: Math.min(...each) / Math.max(...each), lostUpdates: sum(({ all }) => all!) - found }
        }
      } finally {
        for (const worker of workers) worker.kill("SIGKILL")
      }
    })
})

const workload = (fibers: number): Workload => ({
  name: `${PROCESSES} processes on one cell of 1 kB, ${fibers === 1 ? "one fiber" : `${fibers} fibers`} in each`,
  unit: "perSecond",
  ours: contend(PROCESSES, fibers),
  limit: contend(1, fibers),
  targets: [{ of: "limit", floor: 0.4, aim: 0.6 }],
  bounds: [
    { of: "fairness", min: 0.3, aim: 0.5 },
    { of: "lostUpdates", max: 0 }
  ],
  recorded:
    "TOSC's file store in PERF's run: 0.36 of one process, without any sync; one or two of four got next to nothing"
})

export const row: Row = {
  id: "11",
  title: "four processes on one cell of a file store",
  workloads: [workload(1), workload(16)]
}
