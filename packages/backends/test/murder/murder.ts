/**
 * Kills processes that work on one file store, at random moments, and judges what is left: sums exact, the ring whole, no
 * acknowledged transaction missing, none there twice, no item lost or taken twice.
 */
import { fork, type ChildProcess } from "node:child_process"
import * as path from "node:path"
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"
import * as Load from "./load.ts"

export interface Options {
  readonly file: string
  readonly journal: "wal" | "rollback"
  readonly kills: number
  readonly seed: number
  readonly processes?: number
  readonly progress?: (kills: number, acknowledged: number) => void
}

export interface Report {
  readonly kills: number
  readonly acknowledged: number
  /** Transactions that a murdered process had begun and not acknowledged; those of them that are in the store. */
  readonly inFlight: number
  readonly inFlightKept: number
  /** Longest time in which no process at all acknowledged anything, in milliseconds. */
  readonly longestStallMillis: number
  /** Everything that is wrong; empty when all is right. */
  readonly wrong: ReadonlyArray<string>
}

interface Worker {
  readonly child: ChildProcess
  readonly name: string
  begun: string | undefined
  isReady: boolean
}

const workerFile = path.join(import.meta.dirname, "worker.ts")

/** Runs until so many were killed, then stops the others and judges. */
export const murder = async (options: Options): Promise<Report> => {
  const layer = Store.layer(FileBackend.layer({ path: options.file, journal: options.journal }))
  await Effect.runPromise(Effect.provide(Load.setUp(), layer))
  const prng = new Prng(options.seed)
  const acknowledged = new Set<string>()
  const inFlight: Array<string> = []
  const failures: Array<string> = []
  const workers: Array<Worker> = []
  let names = 0
  let lastAck = performance.now()
  let longestStallMillis = 0
  const start = (): void => {
    const name = `w${names++}`
    const args = [options.file, options.journal, name, String(options.seed * 1000 + names)]
    const child = fork(workerFile, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    const worker: Worker = { child, name, begun: undefined, isReady: false }
    let stderr = ""
    child.stderr!.on("data", (data) => (stderr += String(data)))
    child.on("message", (message: { ready?: string; begin?: string; ack?: string }) => {
      if (message.ready !== undefined) worker.isReady = true
      if (message.begin !== undefined) worker.begun = message.begin
      if (message.ack === undefined) return
      acknowledged.add(message.ack)
      worker.begun = undefined
      const now = performance.now()
      longestStallMillis = Math.max(longestStallMillis, now - lastAck)
      lastAck = now
    })
    child.on("exit", (code, signal) => {
      if (worker.begun !== undefined) inFlight.push(worker.begun)
      if (signal !== "SIGKILL" && code !== 0)
        failures.push(`${name} ended with ${code ?? signal}: ${stderr.slice(-500)}`)
    })
    workers.push(worker)
  }
  const pause = (millis: number) => new Promise<void>((go) => setTimeout(go, millis))
  for (let i = 0; i < (options.processes ?? 4); i++) start()
  while (workers.some((worker) => !worker.isReady) && failures.length === 0) await pause(10)
  lastAck = performance.now()
  longestStallMillis = 0
  let kills = 0
  for (; kills < options.kills && failures.length === 0; kills++) {
    await pause(prng.between(20, 200))
    const ready = workers.filter(({ isReady }) => isReady)
    if (ready.length === 0) {
      kills--
      continue
    }
    const victim = prng.pick(ready)
    workers.splice(workers.indexOf(victim), 1)
    const gone = new Promise((go) => victim.child.once("exit", go))
    victim.child.kill("SIGKILL")
    await gone
    start()
    // The next murder waits for the new one, so that there are always survivors whose silence means something.
    while (workers.some((worker) => !worker.isReady) && failures.length === 0) await pause(10)
    options.progress?.(kills + 1, acknowledged.size)
  }
  await Promise.all(
    workers.map(async ({ child }) => {
      if (child.exitCode !== null) return
      const gone = new Promise((go) => child.once("exit", go))
      child.send("stop", () => {})
      await gone
    })
  )
  const judged = await Effect.runPromise(Effect.provide(judge(acknowledged, inFlight), layer))
  return {
    kills,
    acknowledged: acknowledged.size,
    inFlight: inFlight.length,
    longestStallMillis,
    ...judged,
    wrong: [...failures, ...judged.wrong]
  }
}

const judge = (acknowledged: ReadonlySet<string>, inFlight: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const wrong: Array<string> = []
    const ledger = new Map(yield* Load.ledger.entries())
    const balances = (yield* Load.bank.entries()).map(([, balance]) => balance)
    const sum = balances.reduce((a, b) => a + b, 0)
    if (sum !== Load.accounts * Load.openingBalance) wrong.push(`the bank holds ${sum}`)
    if (balances.some((balance) => balance < 0)) wrong.push("an account is below zero")
    const ring = new Map(yield* Load.ring.entries())
    const seen = new Set<number>()
    for (let at = 0; !seen.has(at); at = ring.get(at)!) seen.add(at)
    if (seen.size !== Load.ringSize) wrong.push(`the ring has ${seen.size} of ${Load.ringSize} nodes`)
    for (const id of acknowledged) if (!ledger.has(id)) wrong.push(`the acknowledged transaction ${id} is missing`)
    const unknown = new Set(inFlight)
    for (const id of ledger.keys()) {
      if (!acknowledged.has(id) && !unknown.has(id)) wrong.push(`the transaction ${id} is there but was never begun`)
    }
    const commits = yield* Load.commits.get
    if (commits !== ledger.size)
      wrong.push(`${commits} commits for ${ledger.size} transactions: some took effect twice`)
    const offered = [...ledger].filter(([, did]) => did === "offer").map(([id]) => id)
    const taken = new Map(yield* Load.taken.entries())
    const takes = [...ledger.values()].filter((did) => did === "take").length
    const left = yield* Load.inbox.size
    if (takes !== taken.size) wrong.push(`${takes} takes for ${taken.size} items`)
    if (taken.size + left !== offered.length) wrong.push(`${offered.length} offered, ${taken.size} taken, ${left} left`)
    for (const item of taken.keys()) if (!ledger.has(item)) wrong.push(`the item ${item} was taken but never offered`)
    return { wrong: wrong.slice(0, 20), inFlightKept: inFlight.filter((id) => ledger.has(id)).length }
  })
