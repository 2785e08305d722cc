/**
 * Transactions of four processes on one file, their histories merged and judged: strictly serializable, on both journals.
 * Short: 2,000 transactions; `WEFT_SCALE=full`: 200,000 on each journal.
 */
import { fork } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as History from "@weft/domain/testing/History"
import * as Serializability from "@weft/domain/testing/Serializability"
import { memoryDirectory } from "../support.ts"
import type { Name } from "./historyWorker.ts"

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

/** Runs one workload in `processes` processes that begin together. */
const run = async (dir: string, journal: string, workload: Name, transactions: number): Promise<Run> => {
  const file = path.join(dir, `${workload}.weft`)
  const workers = Array.from({ length: processes }, (_, index) => {
    const out = path.join(dir, `${workload}-${index}.jsonl`)
    const each = Math.ceil(transactions / processes)
    const args = [file, journal, workload, `p${index}`, index, each, seed * 100 + index, out].map(String)
    const child = fork(workerFile, args, { stdio: ["ignore", "pipe", "pipe", "ipc"] })
    let stdout = ""
    let stderr = ""
    child.stdout!.on("data", (data) => (stdout += String(data)))
    child.stderr!.on("data", (data) => (stderr += String(data)))
    const ready = new Promise<void>((go) => child.once("message", () => go()))
    const ended = new Promise<string>((go, fail) =>
      child.once("close", (code) =>
        code === 0
          ? go(stdout)
          : fail(new Error(`process ${index} ended with ${code}: ${stderr.slice(-2000)}; ${replay}`))
      )
    )
    ended.catch(() => {})
    return { child, ready, ended, out }
  })
  try {
    await Promise.all(workers.map(({ ended, ready }) => Promise.race([ready, ended])))
    for (const { child } of workers) child.send("go")
    const outputs = await Promise.all(workers.map(({ ended }) => ended))
    return {
      history: History.merge(workers.map(({ out }) => History.fromLines(fs.readFileSync(out, "utf8")))),
      problems: outputs.flatMap((output) => output.split("\n").filter((line) => line !== ""))
    }
  } finally {
    for (const { child } of workers) child.kill("SIGKILL")
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
            let judged = 0
            for (const [workload, share] of Object.entries(shares) as Array<[Name, number]>) {
              const { history, problems } = yield* Effect.promise(() => run(dir, journal, workload, total * share))
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
