/**
 * Workers in processes of their own, all on one store, and the hand that kills them: a process that dies by a signal is
 * replaced, one that ends with an error ends the run with what it said.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Draw } from "./draw.ts"
import { nothingYet, type Tally } from "./Worker.ts"

/** Worker processes of one run. */
export const PROCESSES_MAX = 64

/** Processes that may die by a signal which this run did not send, before it gives up. */
export const DEATHS_MAX = 100

/** A process that was told to stop is killed when it has not ended after this long. */
const STOP_MILLIS = 10_000

/** A kill comes up to this long after its victim was seen at work. */
const KILL_DELAY_MILLIS = 400

/** Characters of what a process says on its error output that are kept. */
const SAID_MAX = 2_000

/** What a worker process is told at its start. */
export const Order = Schema.Struct({
  store: Schema.String,
  root: Schema.String,
  run: Schema.String,
  fibers: Schema.Int,
  leaseMillis: Schema.Number
})

/** A worker process failed: not killed, but ended by an error. */
export class FleetError extends Schema.TaggedError<FleetError>()("FleetError", { message: Schema.String }) {}

/** One place in the fleet, as people see it. */
export interface Member {
  readonly pid: number
  readonly state: "starting" | "working" | "waiting" | "killed" | "ended"
  /** Of all processes that had this place. */
  readonly tally: Tally
  /** Processes that died in this place. */
  readonly deaths: number
}

interface Place {
  child: ChildProcess
  isReady: boolean
  isKilled: boolean
  /** Of those that died here. */
  before: Tally
  tally: Tally
  deaths: number
}

const add = (a: Tally, b: Tally): Tally => ({
  files: a.files + b.files,
  words: a.words + b.words,
  commits: a.commits + b.commits,
  conflicts: a.conflicts + b.conflicts,
  hands: b.hands,
  at: b.at
})

const program = fileURLToPath(new URL("workerProcess.ts", import.meta.url))

export class Fleet {
  kills = 0
  private deaths = 0
  private readonly places: Array<Place> = []
  private readonly failed = Deferred.makeUnsafe<never, FleetError>()
  private isOver = false
  private readonly order: typeof Order.Type
  private readonly count: number

  constructor(order: typeof Order.Type, count: number) {
    this.order = order
    this.count = count
  }

  get members(): ReadonlyArray<Member> {
    const stateOf = ({ isKilled, isReady, tally }: Place): Member["state"] => {
      if (this.isOver) return "ended"
      if (isKilled) return "killed"
      if (!isReady) return "starting"
      return tally.hands > 0 ? "working" : "waiting"
    }
    return this.places.map((place) => {
      const { before, child, deaths, tally } = place
      return { pid: child.pid ?? 0, state: stateOf(place), tally: add(before, tally), deaths }
    })
  }

  /** Works until it is interrupted or a process fails. Ends with no process left. */
  get work(): Effect.Effect<never, FleetError> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        for (let i = 0; i < this.count; i++) this.start(undefined)
      }),
      () => Deferred.await(this.failed),
      () => this.stop
    )
  }

  /**
   * Kills one process at a random moment of its work and has another one started in its place. Where nobody is at work any
   * more (`isIdle`), one that waits for work is killed.
   */
  murder(draw: Draw, isIdle: () => boolean): Effect.Effect<void> {
    const ready = () => this.places.filter(({ isKilled, isReady }) => isReady && !isKilled)
    const working = () => ready().filter(({ tally }) => tally.hands > 0)
    const isTime = () => working().length > 0 || (isIdle() && ready().length > 0)
    return Effect.gen({ self: this }, function* () {
      while (!isTime()) yield* Effect.sleep(2)
      yield* Effect.sleep(draw(KILL_DELAY_MILLIS))
      const some = working().length > 0 ? working() : ready()
      const victim = some[draw(some.length)]
      if (victim === undefined) return yield* this.murder(draw, isIdle)
      yield* Effect.callback<void>((resume) => {
        victim.isKilled = true
        victim.child.once("exit", () => resume(Effect.void))
        victim.child.kill("SIGKILL")
      })
      this.kills += 1
    })
  }

  private start(place: Place | undefined): void {
    const stdio: Array<"ignore" | "pipe" | "ipc"> = ["ignore", "ignore", "pipe", "ipc"]
    const child = fork(program, [JSON.stringify(this.order)], { stdio, execArgv: [] })
    const mine = place ?? { before: nothingYet, child, deaths: 0, isKilled: false, isReady: false, tally: nothingYet }
    Object.assign(mine, { child, isKilled: false, isReady: false, tally: nothingYet })
    if (place === undefined) this.places.push(mine)
    let said = ""
    child.stderr?.on("data", (data) => (said = (said + String(data)).slice(-SAID_MAX)))
    child.on("error", (error) => this.fail(`a worker process could not be started: ${error.message}`))
    child.on("message", (tally: Tally) => {
      mine.isReady = true
      mine.tally = tally
    })
    child.on("exit", (code, signal) => {
      if (this.isOver) return
      mine.before = { ...add(mine.before, mine.tally), hands: 0, at: "" }
      mine.tally = nothingYet
      if (signal === null) return this.fail(`worker process ${child.pid} ended with exit code ${code}: ${said.trim()}`)
      mine.deaths += 1
      if (!mine.isKilled && ++this.deaths > DEATHS_MAX) {
        return this.fail(`${this.deaths} worker processes were killed from outside (DEATHS_MAX), the last by ${signal}`)
      }
      this.start(mine)
    })
  }

  private fail(message: string): void {
    Deferred.doneUnsafe(this.failed, Effect.fail(new FleetError({ message })))
  }

  private get stop(): Effect.Effect<void> {
    const ended = ({ child }: Place) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        // To one that is just dying nothing can be said any more: its exit is on the way.
        if (child.connected) child.send("stop", () => {})
      })
    return Effect.suspend(() => {
      this.isOver = true
      return Effect.forEach(
        this.places,
        (place) =>
          Effect.timeoutOrElse(ended(place), {
            duration: STOP_MILLIS,
            orElse: () =>
              Effect.andThen(
                Effect.sync(() => place.child.kill("SIGKILL")),
                ended(place)
              )
          }),
        { concurrency: "unbounded", discard: true }
      )
    })
  }
}
