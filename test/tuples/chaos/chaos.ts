/**
 * Takers in several processes on one file store, cancelled at random, leases dropped, processes killed with SIGKILL: every
 * tuple is consumed once, by the ledger and the diaries; and in order, by the log (`Audit.ts`).
 *
 * A plain take ends in the memory of its process. One that was received in the instant of a kill, before its taker could say
 * so, is known only by its absence: such are at most as many as takers were killed, and are counted.
 */
import { type ChildProcess, fork } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Cause, Effect, Stream } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { Prng } from "@weft/domain/testing/Prng"
import * as Tx from "@weft/domain/Tx"
import { any } from "@weft/tuplespace/TupleSpace"
import { Audit } from "./Audit.ts"
import { ledger, space, spaceName } from "./load.ts"

export interface Options {
  readonly directory: string
  readonly tuples: number
  readonly kills: number
  readonly seed: number
  readonly processes?: number | undefined
  readonly takers?: number | undefined
  readonly progress?: (out: number, kills: number) => void
}

export interface Report {
  readonly tuples: number
  readonly kills: number
  readonly takersKilled: number
  /** By plain takes, and in transactions. */
  readonly inDiaries: number
  readonly inLedger: number
  /** Received in the instant of a kill. */
  readonly withTheDead: number
  readonly cancelled: number
  readonly leasesDropped: number
  readonly audit: Audit["counts"]
  readonly seconds: number
  readonly wrong: ReadonlyArray<string>
}

/** Tuples kept before the producer waits in times of plenty, when takers find what they want. */
const backlogMax = 24
const batchMax = 16

/** Tuples of one time, lean or of plenty; most are lean: takers stand in line and are handed what comes. */
const seasonTuples = 100
const leanSeasons = 0.8

/** Looks at the line, a millisecond apart, before a lean producer no longer waits for it to be as long as it likes. */
const lineLooksMax = 30

class Crew {
  readonly workers: Array<ChildProcess> = []
  readonly failures: Array<string> = []
  /** What each process told last. */
  private readonly counts = new Map<string, { readonly cancelled: number; readonly dropped: number }>()
  private names = 0
  private readonly options: Options
  private readonly file: string
  readonly takersEach: number

  constructor(options: Options, file: string) {
    this.options = options
    this.file = file
    this.takersEach = Math.ceil((options.takers ?? 8) / (options.processes ?? 4))
  }

  async start(): Promise<void> {
    const name = `w${this.names++}`
    const { directory, seed } = this.options
    const args = [
      this.file,
      String(seed * 1000 + this.names),
      String(this.takersEach),
      path.join(directory, `${name}.diary`)
    ]
    const child = fork(path.join(import.meta.dirname, "chaosWorker.ts"), args, {
      // Half of a short life would go into reading the same modules again.
      env: { NODE_COMPILE_CACHE: path.join(os.tmpdir(), "weft-compile-cache"), ...process.env },
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    let stderr = ""
    child.stderr!.on("data", (data) => (stderr += String(data)))
    child.on("exit", (code, signal) => {
      if (signal !== "SIGKILL" && code !== 0)
        this.failures.push(`${name} ended with ${code ?? signal}: ${stderr.slice(-500)}`)
    })
    this.workers.push(child)
    await new Promise<void>((ready) => {
      child.once("exit", () => ready())
      child.on("message", (message: "ready" | { readonly cancelled: number; readonly dropped: number }) => {
        if (message === "ready") return ready()
        this.counts.set(name, message)
      })
    })
  }

  /** Another one is started; nobody waits for it, for who is left works on. */
  async kill(random: Prng): Promise<void> {
    const [victim] = this.workers.splice(random.below(this.workers.length), 1)
    const gone = new Promise((go) => victim!.once("exit", go))
    victim!.kill("SIGKILL")
    await gone
    void this.start()
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.workers.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = new Promise((go) => child.once("exit", go))
        child.send("stop", () => {})
        await gone
      })
    )
  }

  total(what: "cancelled" | "dropped"): number {
    return [...this.counts.values()].reduce((sum, counts) => sum + counts[what], 0)
  }

  diaries(): ReadonlyArray<number> {
    const { directory } = this.options
    return fs
      .readdirSync(directory)
      .filter((name) => name.endsWith(".diary"))
      .flatMap((name) => fs.readFileSync(path.join(directory, name), "utf8").split("\n"))
      .filter((line) => line !== "")
      .map(Number)
  }
}

export const chaos = (options: Options): Effect.Effect<Report> => {
  const file = path.join(options.directory, "chaos.weft")
  return Effect.scoped(run(options, file)).pipe(
    Effect.provide(Store.layer(FileBackend.layer({ path: file }))),
    Effect.provideService(Sessions.Lease, "1 second"),
    Effect.orDie
  )
}

const run = (options: Options, file: string) =>
  Effect.gen(function* () {
    const { kills, tuples } = options
    const begun = performance.now()
    const random = new Prng(options.seed)
    const audit = new Audit(spaceName)
    yield* follow(audit)
    const crew = new Crew(options, file)
    // Whatever happens, no process is left behind.
    yield* Effect.addFinalizer(() => Effect.sync(() => crew.workers.forEach((child) => child.kill("SIGKILL"))))
    // This process observes the sessions of the others as well.
    yield* Sessions.current(Store)
    for (let i = 0; i < (options.processes ?? 4); i++) yield* Effect.promise(() => crew.start())
    const isBroken = (): boolean => crew.failures.length + audit.wrong.length > 0
    const isEmpty = (): boolean =>
      audit.counts.out === tuples && audit.present.tuples === 0 && audit.present.inFlight === 0
    let killed = 0
    let looks = 0
    let line = 0
    let isLean = true
    for (let out = 0; out < tuples && !isBroken();) {
      const backlog = audit.present.tuples + out - audit.counts.out
      const isTooEarly = isLean
        ? backlog > 0 || (audit.present.tickets < line && looks < lineLooksMax)
        : backlog > backlogMax
      if (isTooEarly) {
        looks++
        yield* Effect.sleep(1)
        continue
      }
      const size = Math.min(1 + random.below(isLean ? line + 2 : batchMax), tuples - out)
      const from = out
      yield* Tx.transact(
        Effect.forEach(
          Array.from({ length: size }, (_, i) => from + i),
          (n) => space.out(["job", n])
        )
      )
      if (Math.floor(out / seasonTuples) < Math.floor((out += size) / seasonTuples)) isLean = random.chance(leanSeasons)
      line = 1 + random.below(crew.takersEach * crew.workers.length)
      looks = 0
      if (killed < kills && out >= ((killed + 1) * tuples) / (kills + 1)) {
        yield* Effect.promise(() => crew.kill(random))
        killed++
      }
      options.progress?.(out, killed)
    }
    yield* until(() => isBroken() || isEmpty())
    yield* Effect.promise(() => crew.stop())
    yield* until(() => isBroken() || audit.present.tickets === 0)
    // What came back from takes that were interrupted by the end.
    const drained = (yield* space.takeAll(["job", any])).map(([, n]) => n)
    const left = yield* space.count(["job", any])
    const judged = judge(
      options,
      [...crew.diaries(), ...drained],
      new Map(yield* ledger.entries()),
      killed * crew.takersEach
    )
    const report: Report = {
      tuples,
      kills: killed,
      takersKilled: killed * crew.takersEach,
      cancelled: crew.total("cancelled"),
      leasesDropped: crew.total("dropped"),
      audit: audit.counts,
      seconds: Math.round((performance.now() - begun) / 1000),
      ...judged,
      wrong: [
        ...crew.failures,
        ...audit.wrong,
        ...judged.wrong,
        ...(left === 0 ? [] : [`${left} tuples are left`]),
        ...(audit.counts.gaps === 0 ? [] : [`${audit.counts.gaps} gaps in the log`])
      ]
    }
    return report
  })

/** Ends when the log is followed. */
const follow = (audit: Audit) =>
  Effect.gen(function* () {
    const { engine } = yield* Store
    const { version } = yield* engine.backend.read({ keys: [], ranges: [] })
    const changes = engine.backend.changes({ from: version, ranges: audit.ranges, values: true })
    const seen = Stream.runForEach(changes, (change) =>
      Effect.sync(() => {
        if (change._tag === "Commit") audit.see(change)
        else if (change._tag === "Gap") audit.counts.gaps++
      })
    )
    const ended = Effect.matchCause(seen, {
      onFailure: (cause) => void audit.wrong.push(`the log is not followed: ${Cause.pretty(cause)}`),
      onSuccess: () => void audit.wrong.push("the log ended")
    })
    yield* Effect.forkScoped(ended)
  })

const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(Effect.sleep(2), until(isSo))))

const judge = (
  options: Options,
  diaries: ReadonlyArray<number>,
  inLedger: ReadonlyMap<number, number>,
  takersKilled: number
) => {
  const wrong: Array<string> = []
  const times = new Map<number, number>(inLedger)
  for (const n of diaries) times.set(n, (times.get(n) ?? 0) + 1)
  for (const [n, count] of times) if (count !== 1) wrong.push(`tuple ${n} was consumed ${count} times`)
  const missing = Array.from({ length: options.tuples }, (_, n) => n).filter((n) => !times.has(n))
  if (missing.length > takersKilled)
    wrong.push(`${missing.length} tuples are lost: ${missing.slice(0, 10).join(", ")} ...`)
  return { inDiaries: diaries.length, inLedger: inLedger.size, withTheDead: missing.length, wrong: wrong.slice(0, 20) }
}
