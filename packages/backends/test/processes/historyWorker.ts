/**
 * One of several processes that run a workload on one file: `historyWorker.ts FILE JOURNAL WORKLOAD NAME INDEX TRANSACTIONS
 * SEED OUT`. Starts when its parent says so, writes its history to OUT, and what its own invariant found wrong to standard
 * output, a line each.
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

type Arguments = [string, string, string, "wal" | "rollback", Name, string, string, string, string, string]

/** Fibers of a process, so that transactions of one process meet too. */
export const clients = 4

/** Room of each process for the values that it writes. */
const valuesPerProcess = 100_000_000

if (process.argv[1] === import.meta.filename) {
  const [, , path, journal, workloadName, name, index, transactions, seed, out] = process.argv as Arguments
  const orphaned = (): never => process.exit(1)
  process.on("disconnect", orphaned)
  const told = new Promise((go) => process.once("message", go))
  // The monotonic clock of the machine: one for all its processes.
  const now = (): number => Number(process.hrtime.bigint())
  const recorder = new History.Recorder({ now, firstValue: Number(index) * valuesPerProcess + 1 })
  const main = Effect.gen(function* () {
    process.send!({ ready: name })
    yield* Effect.promise(() => told)
    return yield* Workloads.run(workloads[workloadName](), {
      clients,
      transactions: Math.ceil(Number(transactions) / clients),
      prng: new Prng(Number(seed)),
      recorder,
      process: name
    })
  })
  const problems = await Effect.runPromise(Effect.provide(main, Store.layer(FileBackend.layer({ path, journal }))))
  fs.writeFileSync(out, History.toLines(recorder.history()))
  for (const problem of problems) console.log(problem)
  process.off("disconnect", orphaned)
  process.disconnect()
}
