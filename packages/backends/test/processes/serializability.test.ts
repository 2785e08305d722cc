/**
 * Transactions of four processes on one file, their histories merged and judged: strictly serializable, on both journals.
 * Short: 2,000 transactions; `WEFT_SCALE=full`: 200,000 on each journal.
 */
import { type ChildProcess, fork } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as History from "@weft/domain/testing/History"
import * as Serializability from "@weft/domain/testing/Serializability"
import { memoryDirectory } from "../support.ts"
import type { Job, Name } from "./historyWorker.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 21)
const processes = 4
const replay = `replay: WEFT_SEED=${seed}${isFull ? " WEFT_SCALE=full" : ""} npx vitest run packages/backends/test/processes/serializability`

/** Shares of all transactions; lists cost the checker most. */
const shares: Readonly<Record<Name, number>> = { register: 0.4, "list-cell": 0.2, "list-log": 0.2, skew: 0.2 }
const total = isFull ? 200_000 : 2_000

interface Run {
  readonly history: History.History
  readonly problems: ReadonlyArray<string>
}

const workerFile = path.join(import.meta.dirname, "historyWorker.ts")

interface Told {
  readonly ready?: string
  readonly problems?: ReadonlyArray<string>
}

/** One process, which runs a workload after the other: its start takes longer than a short one. */
class Worker {
  private readonly child: ChildProcess
  private stderr = ""
  private readonly failed: Promise<never>

  constructor(journal: string, index: number) {
    this.child = fork(workerFile, [`p${index}`, journal, `${index}`], { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    this.child.stderr!.on("data", (data) => (this.stderr += String(data)))
    this.failed = new Promise((_, fail) =>
      this.child.once("close", (code) =>
        fail(new Error(`process ${index} ended with ${code}: ${this.stderr.slice(-2000)}; ${replay}`))
      )
    )
    this.failed.catch(() => {})
  }

  /** What it answers. */
  ask(message: Job | "go"): Promise<Told> {
    const answer = new Promise<Told>((go) => this.child.once("message", (told) => go(told as Told)))
    this.child.send(message)
    return Promise.race([answer, this.failed])
  }

  end(): void {
    this.child.kill("SIGKILL")
  }
}

/** Runs one workload in all processes, which begin together. */
const run = async (workers: ReadonlyArray<Worker>, dir: string, workload: Name, transactions: number): Promise<Run> => {
  const out = (index: number) => path.join(dir, `${workload}-${index}.jsonl`)
  const job = (index: number): Job => ({
    file: path.join(dir, `${workload}.weft`),
    workload,
    transactions: Math.ceil(transactions / workers.length),
    seed: seed * 100 + index,
    out: out(index)
  })
  await Promise.all(workers.map((worker, index) => worker.ask(job(index))))
  const answers = await Promise.all(workers.map((worker) => worker.ask("go")))
  return {
    history: History.merge(workers.map((_, index) => History.fromLines(fs.readFileSync(out(index), "utf8")))),
    problems: answers.flatMap(({ problems }) => problems ?? [])
  }
}

/** Transactions that ran while one of another process ran. */
const overlaps = (history: History.History): number => {
  const owner = (name: string): string => name.slice(0, 2)
  const sorted = history.toSorted((a, b) => a.start - b.start)
  const latest = new Map<string, number>()
  let count = 0
  for (const { end, process, start } of sorted) {
    const mine = owner(process)
    if ([...latest].some(([other, until]) => other !== mine && until > start)) count++
    latest.set(mine, Math.max(latest.get(mine) ?? 0, end))
  }
  return count
}

describe("transactions of several processes on one file", () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `${total} transactions of ${processes} processes are strictly serializable: ${journal}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* memoryDirectory
            const workers = yield* Effect.acquireRelease(
              Effect.sync(() => Array.from({ length: processes }, (_, index) => new Worker(journal, index))),
              (all) => Effect.sync(() => all.forEach((worker) => worker.end()))
            )
            let judged = 0
            for (const [workload, share] of Object.entries(shares) as Array<[Name, number]>) {
              const { history, problems } = yield* Effect.promise(() => run(workers, dir, workload, total * share))
              assert.deepStrictEqual(problems, [], replay)
              const verdict = Serializability.check(history)
              if (!verdict.ok) throw new Error(`${Serializability.format(history, verdict)}\n${replay}`)
              const ok = history.filter(({ status }) => status === "ok").length
              const met = overlaps(history)
              console.log(
                `${journal} ${workload}: ${history.length} transactions, ${ok} committed, ${met} overlapped others; ${verdict.edges} edges`
              )
              // Processes that ran one after the other would show nothing.
              assert.isAbove(met, history.length / 10)
              assert.isAbove(ok, history.length * 0.8)
              judged += history.length
            }
            assert.isAtLeast(judged, total)
          })
        ),
      3_600_000
    )
  }
})
