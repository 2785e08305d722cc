/**
 * One of several processes that run workloads on one file each: `historyWorker.ts NAME JOURNAL INDEX`. For each `Job` it opens
 * the file, says `ready`, starts when it is told so, writes its history to `out`, and says what its own invariant found wrong.
 */
import * as fs from "node:fs"
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as History from "@weft/domain/testing/History"
import { Prng } from "@weft/domain/testing/Prng"
import * as Workloads from "@weft/domain/testing/Workloads"
import * as FileBackend from "../../src/FileBackend.ts"

/** The workloads by name, the same in every process. */
export const workloads = {
  register: () => Workloads.register("register", { keys: 12 }),
  "list-cell": () => Workloads.listAppend("list-cell", { keys: 10, layout: "cell" }),
  "list-log": () => Workloads.listAppend("list-log", { keys: 10, layout: "log" }),
  skew: () => Workloads.writeSkew("skew", { wards: 4 })
} as const

export type Name = keyof typeof workloads

/** What a process is told to run next. */
export interface Job {
  readonly file: string
  readonly workload: Name
  readonly transactions: number
  readonly seed: number
  readonly out: string
}

type Arguments = [string, string, string, "wal" | "rollback", string]

/** Fibers of a process, so that transactions of one process meet too. */
export const clients = 4

/** Room of each process for the values that it writes. */
const valuesPerProcess = 100_000_000

if (process.argv[1] === import.meta.filename) {
  const [, , name, journal, index] = process.argv as Arguments
  process.on("disconnect", () => process.exit(1))
  const told = () => new Promise((go) => process.once("message", go))
  // The monotonic clock of the machine: one for all its processes.
  const now = (): number => Number(process.hrtime.bigint())
  const run = async ({ file, out, seed, transactions, workload }: Job) => {
    const recorder = new History.Recorder({ now, firstValue: Number(index) * valuesPerProcess + 1 })
    const main = Effect.gen(function* () {
      const all = told()
      process.send!({ ready: name })
      yield* Effect.promise(() => all)
      return yield* Workloads.run(workloads[workload](), {
        clients,
        transactions: Math.ceil(transactions / clients),
        prng: new Prng(seed),
        recorder,
        process: name
      })
    })
    const layer = Store.layer(FileBackend.layer({ path: file, journal }))
    const problems = await Effect.runPromise(Effect.provide(main, layer))
    fs.writeFileSync(out, History.toLines(recorder.history()))
    return problems
  }
  for (;;) {
    // The parent alone sends, jobs and starts in turns.
    const job = (await told()) as Job
    const problems = await run(job)
    process.send!({ problems })
  }
}
