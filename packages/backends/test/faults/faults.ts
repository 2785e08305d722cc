/** Runs the worker on a disk that fails and judges what it told against what is in the file afterwards. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { Effect } from "effect"
import * as FileBackend from "../../src/FileBackend.ts"
import { textOf } from "../support.ts"
import { session } from "./worker.ts"

export type Journal = "wal" | "rollback"
export const calls = ["pwrite64", "fdatasync", "fsync", "ftruncate"] as const
export type Call = (typeof calls)[number]

export interface Fault {
  readonly call: Call
  /** What `strace` does to the call: `error=EIO`, `delay_enter=2000000`. */
  readonly injection: string
  /** Which of the calls: `3` the third alone, `3+` all from the third on; as `when=` of `strace`. */
  readonly when: string
}

export interface Told {
  readonly lines: ReadonlyArray<string>
  /** Calls that the fault met. */
  readonly injected: number
  readonly code: number | null
  readonly stderr: string
}

const worker = path.join(import.meta.dirname, "worker.ts")

/** The worker's process and its arguments. */
export const workerArguments = (file: string, journal: Journal, commits: number): ReadonlyArray<string> => [
  process.execPath,
  "--no-warnings",
  worker,
  file,
  journal,
  String(commits)
]

/** Runs a program to its end. The log of `strace` is expected on standard error. */
export const runTold = (command: string, args: ReadonlyArray<string>, onLine?: (line: string) => void): Promise<Told> =>
  new Promise((done) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
    const lines: Array<string> = []
    let rest = ""
    let stderr = ""
    child.stdout.on("data", (data) => {
      const parts = (rest + String(data)).split("\n")
      rest = parts.pop()!
      for (const line of parts) {
        lines.push(line)
        onLine?.(line)
      }
    })
    child.stderr.on("data", (data) => (stderr += String(data)))
    child.on("close", (code) => {
      const injected = stderr.split("\n").filter((line) => /\((INJECTED|DELAYED)\)/.test(line)).length
      done({ lines, injected, code, stderr })
    })
  })

/** Runs the worker with `fault` in calls on the store's own files; without one, counts the calls on standard error. */
export const runUnderFault = (
  options: { readonly file: string; readonly journal: Journal; readonly commits: number; readonly fault?: Fault },
  onLine?: (line: string) => void
): Promise<Told> => {
  const { commits, fault, file, journal } = options
  const paths = [file, `${file}-wal`, `${file}-journal`, `${file}-shm`].flatMap((p) => ["-P", p])
  const trace = ["-f", "-qq", ...paths, "-e", `trace=${fault?.call ?? calls.join(",")}`, "-e", "signal=none"]
  const inject = fault === undefined ? [] : ["-e", `inject=${fault.call}:${fault.injection}:when=${fault.when}`]
  return runTold("strace", [...trace, ...inject, ...workerArguments(file, journal, commits)], onLine)
}

/** How often a run without faults makes each call. */
export const countCalls = (told: Told): Readonly<Record<Call, number>> => {
  const count = (call: Call) => told.stderr.split("\n").filter((line) => line.includes(`${call}(`)).length
  return {
    pwrite64: count("pwrite64"),
    fdatasync: count("fdatasync"),
    fsync: count("fsync"),
    ftruncate: count("ftruncate")
  }
}

const numbers = (lines: ReadonlyArray<string>, word: string): ReadonlyArray<number> =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(" ")[1]))

export interface Verdict {
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  /** Of the unknown ones, those that stand. */
  readonly kept: number
  readonly opened: boolean
  readonly wrong: ReadonlyArray<string>
}

/** Opens the file on a sound disk: acknowledged commits are there once and whole, refused ones are not, unknown ones as `outcome` says. */
export const judge = (file: string, journal: Journal, told: Told) =>
  Effect.gen(function* () {
    const wrong: Array<string> = []
    const acknowledged = numbers(told.lines, "ack")
    const refused = numbers(told.lines, "refused")
    const unknown = numbers(told.lines, "unknown")
    const openFailed = told.lines.find((line) => line.startsWith("open "))
    if (told.code !== 0) wrong.push(`the process ended with ${told.code}: ${told.stderr.slice(-1500)}`)
    const last = told.lines.at(-1) ?? ""
    if (!/^(done|ended (Unavailable|Denied|Corrupt)|open (Unavailable|Denied|Corrupt)) ?/.test(last))
      wrong.push(`the last line is no typed end: ${last}`)
    if (openFailed !== undefined && acknowledged.length > 0) wrong.push("acknowledged by a store that was not opened")
    const cells = yield* contents(file, journal)
    const log = new Map<string, number>()
    for (const [key, text] of cells) if (key.startsWith("log")) log.set(text, (log.get(text) ?? 0) + 1)
    const expect = (n: number, due: boolean, why: string): void => {
      const times = log.get(String(n)) ?? 0
      const [a, b] = [cells.has(`a${n}`), cells.has(`b${n}`)]
      if (times !== (due ? 1 : 0) || a !== due || b !== due)
        wrong.push(`commit ${n} (${why}): ${times} entries, first cell ${a}, second ${b}`)
    }
    for (const n of acknowledged) expect(n, true, "acknowledged")
    for (const n of refused) expect(n, false, "refused")
    let kept = 0
    for (const n of unknown) {
      const outcome = yield* outcomeOf(file, journal, n)
      if (outcome === "Committed") kept++
      if (outcome === "Forgotten") wrong.push(`the outcome of commit ${n} is forgotten`)
      expect(n, outcome === "Committed", `unknown, then ${outcome}`)
    }
    const allowed = new Set([...acknowledged, ...unknown].map(String))
    for (const n of log.keys()) if (!allowed.has(n)) wrong.push(`commit ${n} is there, but nobody was told of it`)
    const { damages } = yield* FileBackend.integrity({ path: file, journal })
    for (const damage of damages) wrong.push(`integrity: ${damage}`)
    const verdict: Verdict = {
      acknowledged: acknowledged.length,
      refused: refused.length,
      unknown: unknown.length,
      kept,
      opened: openFailed === undefined,
      wrong
    }
    return verdict
  })

const contents = (file: string, journal: Journal) =>
  Effect.scoped(
    Effect.gen(function* () {
      const backend = yield* FileBackend.make({ path: file, journal })
      const { ranges } = yield* backend.read({ keys: [], ranges: [{ start: "", end: "\xff" }] })
      return new Map(ranges[0]!.map(({ cell, key }) => [key, textOf(cell.value)!]))
    })
  )

const outcomeOf = (file: string, journal: Journal, n: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const backend = yield* FileBackend.make({ path: file, journal })
      return (yield* backend.outcome({ session, sequence: n + 1 }))._tag
    })
  )
