/**
 * From the answer to a commit in one process to the fiber of another one that waits for it by `Tx.retry`, both on one file.
 * All of it: the byte in the side file, the event, the look at the log, the transaction that runs again.
 */
import { fork } from "node:child_process"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { latencies, percentile, type Row, type Subject } from "../lib.ts"
import { inDirectory, onFile } from "./fileSupport.ts"
import { number, now } from "./fileWakeChild.ts"
import { must } from "./peers.ts"

/** Pause before each commit, so that the other process is asleep. */
const PAUSE_MILLIS = 5
const WARM_UP_ROUNDS = 20

const wake: Subject = {
  name: "Tx.retry in another process",
  run: (seconds) =>
    inDirectory(async (directory) => {
      const file = path.join(directory, "desk.weft")
      const rounds = WARM_UP_ROUNDS + Math.ceil((seconds * 1000) / (PAUSE_MILLIS * 2))
      await onFile(file, number.set(0))
      const child = fork(path.join(import.meta.dirname, "fileWakeChild.ts"), [file, String(rounds)], {
        execArgv: ["--no-warnings"]
      })
      const woken = new Map<number, number>()
      const isReady = new Promise<void>((go) => child.once("message", () => go()))
      const isOver = new Promise<void>((go) => child.once("exit", () => go()))
      child.on("message", (told: { readonly n?: number; readonly at?: number }) => {
        if (told.n !== undefined) woken.set(told.n, told.at!)
      })
      await isReady
      const begun: Array<number> = []
      const answered: Array<number> = []
      const write = Effect.gen(function* () {
        for (let n = 1; n <= rounds; n++) {
          yield* Effect.sleep(PAUSE_MILLIS)
          begun.push(now())
          yield* number.set(n)
          answered.push(now())
          while (!woken.has(n)) {
            must(child.exitCode === null, `the other process ended with ${child.exitCode}`)
            yield* Effect.sleep(1)
          }
        }
      })
      await onFile(file, write)
      await isOver
      must(woken.size === rounds, `${woken.size} of ${rounds} were seen`)
      const since = (starts: ReadonlyArray<number>): ReadonlyArray<number> =>
        starts.map((start, i) => Math.max(0, woken.get(i + 1)! - start)).slice(WARM_UP_ROUNDS)
      const measured = latencies(since(answered))
      return {
        ...measured,
        details: { ...measured.details, fromItsBeginningMicros: percentile(since(begun), 0.5) * 1000 }
      }
    })
}

export const row: Row = {
  id: "fileWake",
  title: "waking another process through a file store",
  workloads: [
    {
      name: "from the answer to a commit to the fiber in another process",
      unit: "micros",
      ours: wake,
      bounds: [{ of: "value", max: 2000, aim: 500 }]
    }
  ]
}
