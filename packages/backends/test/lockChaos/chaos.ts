/**
 * Random lock histories of several processes on one file, some of which are killed and some paused beyond their lease while
 * they hold and wait; then the judgement of what is in the file.
 */
import { fork, type ChildProcess } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, Fiber } from "effect"
import { Store } from "@weft/domain/Store"
import * as LockChaos from "@weft/domain/testing/LockChaos"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"

export interface Options {
  readonly file: string
  readonly seed: number
  /** Histories that are begun and ended, at least. */
  readonly histories: number
  readonly kills: number
  readonly pauses: number
  readonly processes: number
  /** Fibers of each process. */
  readonly fibers: number
  readonly leaseMillis: number
  /** Runs every other process with a wall clock that is off, by `faketime`. */
  readonly skewed: boolean
  readonly progress?: (report: { readonly done: number; readonly kills: number; readonly pauses: number }) => void
}

export interface Report extends LockChaos.Verdict {
  readonly histories: number
  readonly kills: number
  readonly pauses: number
  /** Processes whose wall clock was seen to be off by more than an hour. */
  readonly skewed: number
  /** What became of the histories, as far as the processes told: one that was killed lacks its last few. */
  readonly tally: LockChaos.Tally
  /** Sessions of the dead that are gone, and the rounds of an observer that the slowest took, of `LockChaos.roundsMax`. */
  readonly deadGone: number
  readonly roundsMax: number
}

/** Longest time in which nothing at all may be done, before it counts as a wait for ever. */
const STALL_MILLIS_MAX = 60_000

/** Longest time that one history may take, before it counts as a wait for ever. */
const HISTORY_MILLIS_MAX = 30_000

/** Every other process of a skewed run gets one of these. */
const skews = ["-400d", "+3h", "+2d", "-90m"] as const

/** The library of Debian's `faketime`; its command is not used, since it would stand between us and the process. */
const faketimeLibrary = (() => {
  try {
    return fs.globSync("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
  } catch {
    return undefined
  }
})()

export const hasFaketime = faketimeLibrary !== undefined

/** What the library shares with a process's children; who is killed leaves it in memory for ever. */
const removeFaketime = (pid: number): void => {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) fs.rmSync(`/dev/shm/${name}`, { force: true })
}

const workerFile = path.join(import.meta.dirname, "worker.ts")
const pause = (millis: number) => new Promise<void>((go) => setTimeout(go, millis))

/** What a worker tells. */
interface Message {
  readonly session?: string
  readonly wall?: number
  readonly done?: number
  readonly oldestMillis?: number
  readonly tally?: LockChaos.Tally
}

class Worker {
  readonly child: ChildProcess
  readonly name: string
  readonly sessions = new Set<string>()
  isSkewed = false
  tally = LockChaos.emptyTally()
  /** Age of its oldest history that has not ended, the most that it told. */
  oldestMillis = 0
  stderr = ""
  readonly exited: Promise<void>

  constructor(options: Options, name: string, index: number, onDone: (count: number) => void) {
    this.name = name
    const args = [options.file, name, options.seed * 1000 + index, options.fibers, options.leaseMillis].map(String)
    const isSkewed = options.skewed && index % 2 === 1
    const faketime = isSkewed
      ? {
          LD_PRELOAD: faketimeLibrary,
          FAKETIME: skews[(index >> 1) % skews.length],
          // Wall clocks alone: what is monotonic stays so.
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          DONT_FAKE_MONOTONIC: "1"
        }
      : {}
    this.child = fork(workerFile, args, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // A short life would be half spent on reading the same modules again.
      env: { NODE_COMPILE_CACHE: path.join(os.tmpdir(), "weft-compile-cache"), ...process.env, ...faketime }
    })
    this.child.stderr!.on("data", (data) => (this.stderr += String(data)))
    this.child.on("message", (message: Message) => {
      if (message.session !== undefined) {
        this.sessions.add(message.session)
        if (Math.abs(message.wall! - Date.now()) > 3_600_000) this.isSkewed = true
      }
      this.oldestMillis = Math.max(this.oldestMillis, message.oldestMillis ?? 0)
      if (message.tally !== undefined) this.tally = message.tally
      if (message.done !== undefined) onDone(message.done)
    })
    this.exited = new Promise((go) =>
      this.child.once("close", () => {
        if (isSkewed) removeFaketime(this.child.pid!)
        go()
      })
    )
  }

  get isReady(): boolean {
    return this.sessions.size > 0
  }
}

export const chaos = async (options: Options): Promise<Report> => {
  const random = new Prng(options.seed)
  const wrong: Array<string> = []
  const rounds = new LockChaos.Rounds()
  let done = 0
  let lastDone = performance.now()
  let started = 0
  const everyone: Array<Worker> = []
  let workers: Array<Worker> = []
  const start = () => {
    const index = started++
    const worker = new Worker(options, `w${index}`, index, (count) => {
      done += count
      lastDone = performance.now()
    })
    workers.push(worker)
    everyone.push(worker)
  }
  const isStalled = () => {
    const stuck = workers.find(({ oldestMillis }) => oldestMillis > HISTORY_MILLIS_MAX)
    if (stuck !== undefined) {
      wrong.push(`a history of ${stuck.name} has not ended after ${HISTORY_MILLIS_MAX} ms: it waits for ever`)
      return true
    }
    if (performance.now() - lastDone < STALL_MILLIS_MAX) return false
    wrong.push(`nothing was done for ${STALL_MILLIS_MAX} ms: somebody waits for ever`)
    return true
  }
  const faults = { kills: 0, pauses: 0 }
  const layer = Store.layer(FileBackend.layer({ path: options.file }))
  const drive = async (): Promise<void> => {
    for (let i = 0; i < options.processes; i++) start()
    const every = options.histories / Math.max(1, options.kills + options.pauses)
    while (done < options.histories || faults.kills < options.kills || faults.pauses < options.pauses) {
      await pause(5)
      if (isStalled()) break
      const early = workers.find(({ child }) => child.exitCode !== null)
      if (early !== undefined) {
        wrong.push(`${early.name} ended with ${early.child.exitCode}: ${early.stderr.slice(-2000)}`)
        break
      }
      options.progress?.({ done, ...faults })
      // Faults come as the histories do, those that are left at the end.
      const isDue =
        faults.kills + faults.pauses < options.kills + options.pauses &&
        done >= (faults.kills + faults.pauses + 0.5) * every
      if (!isDue || workers.some(({ isReady }) => !isReady)) continue
      const victim = random.pick(workers)
      const isKill = faults.kills < options.kills && (faults.pauses >= options.pauses || random.chance(0.5))
      if (isKill) {
        faults.kills++
        victim.child.kill("SIGKILL")
        await victim.exited
        workers = workers.filter((worker) => worker !== victim)
        for (const sid of victim.sessions) rounds.died(sid)
        start()
      } else {
        faults.pauses++
        victim.child.kill("SIGSTOP")
        // Beyond the lease: whoever observes it removes it, and it wakes up in the middle of what it did.
        await pause(options.leaseMillis * (2 + random.unit()))
        victim.child.kill("SIGCONT")
      }
    }
    for (const { child } of workers) if (child.exitCode === null) child.send("stop", () => {})
    const stopped = Promise.all(workers.map(({ exited }) => exited))
    lastDone = performance.now()
    while ((await Promise.race([stopped, pause(100)])) === undefined) if (isStalled()) break
    for (const { child, name, stderr } of workers) {
      if (child.exitCode !== 0) wrong.push(`${name} ended with ${child.exitCode}: ${stderr.slice(-2000)}`)
    }
  }
  try {
    const program = Effect.gen(function* () {
      const observer = yield* Effect.forkChild(rounds.run(options.leaseMillis))
      yield* Effect.promise(drive)
      // The last dead are waited for as all others, in the observer's own rounds.
      for (let i = 0; i < 2000 && rounds.waiting > 0; i++) yield* Effect.sleep(options.leaseMillis / 8)
      yield* Fiber.interrupt(observer)
      const standing = yield* LockChaos.tree.standings
      if (standing.length > 0) wrong.push(`${standing.length} tickets are left in line when all are gone`)
      if (rounds.worst > LockChaos.roundsMax)
        wrong.push(`a dead session was there for ${rounds.worst} quarters of a lease`)
      if (rounds.waiting > 0) wrong.push(`${rounds.waiting} dead sessions are still there`)
      return LockChaos.judge(yield* LockChaos.entries)
    })
    const verdict = await Effect.runPromise(Effect.provide(program, layer))
    return {
      ...verdict,
      wrong: [...wrong, ...verdict.wrong],
      histories: done,
      ...faults,
      skewed: everyone.filter(({ isSkewed }) => isSkewed).length,
      tally: sum(everyone.map(({ tally }) => tally)),
      deadGone: rounds.gone,
      roundsMax: rounds.worst
    }
  } finally {
    for (const { child } of workers) child.kill("SIGKILL")
  }
}

const sum = (tallies: ReadonlyArray<LockChaos.Tally>): LockChaos.Tally => {
  const total = LockChaos.emptyTally()
  for (const tally of tallies) {
    for (const key of Object.keys(total) as Array<keyof LockChaos.Tally>) {
      total[key] = key === "longestWaitMillis" ? Math.max(total[key], tally[key]) : total[key] + tally[key]
    }
  }
  return total
}
