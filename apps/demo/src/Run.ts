/**
 * One run of the program, as it was asked for: on which texts, with which workers, and with whom to make their lives hard.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as InprocBackend from "@weft/backends/InprocBackend"
import { Store } from "@weft/domain/Store"
import { Build, type Event } from "./Build.ts"
import { digest } from "./digest.ts"
import { type Draw, drawing } from "./draw.ts"
import { Fleet } from "./Fleet.ts"
import { LEASE } from "./Hands.ts"
import type { Progress } from "./Progress.ts"
import { Renamer } from "./Renamer.ts"
import { Workers } from "./Worker.ts"

export interface Asked {
  readonly root: string
  /** Where below `root` to start; an empty one is all of it. */
  readonly starts: ReadonlyArray<string>
  /** The store by its text, for worker processes. */
  readonly store: string
  /** Fibers that index, in each process. */
  readonly workers: number
  /** Processes beside this one; 0: this one does the work. */
  readonly processes: number
  /** Processes to kill, and directories to move, while the work is under way. */
  readonly kills: number
  readonly renames: number
  readonly seed: number
  /** Is told whom this run waits for. */
  readonly onWait?: ((owner: string) => void) | undefined
}

/** Processes need a store that they can share. */
export class NotShared extends Schema.TaggedError<NotShared>()("NotShared", { message: Schema.String }) {}

/** A run that can be watched while it is under way. */
export class Run {
  readonly build: Build
  private readonly asked: Asked
  private readonly renamer: Renamer
  private fleet: Fleet | undefined
  /** Kills of fleets before this one, whose run was taken for dead. */
  private killsBefore = 0

  constructor(asked: Asked) {
    this.asked = asked
    const { kills, renames, root, starts } = asked
    const draw = drawing(asked.seed)
    this.renamer = new Renamer(root, starts, draw)
    const kill: Event = (isIdle) => Effect.as(this.fleet?.murder(draw, isIdle) ?? Effect.void, [])
    const rename: Event = () => this.renamer.move()
    this.build = new Build({
      root,
      starts,
      owner: `process ${process.pid}`,
      onWait: asked.onWait,
      crew: (run) => this.crew(run),
      events: shuffled(draw, [
        ...Array.from({ length: kills }, () => kill),
        ...Array.from({ length: renames }, () => rename)
      ])
    })
  }

  /** Runs once; gives the last figures. */
  get whole() {
    return Effect.gen({ self: this }, function* () {
      const { processes, store } = this.asked
      if (processes > 0 && (yield* Store).capabilities.reach === "process") {
        const message = `processes cannot share the store ${store}: leave --processes and --kill out, or name a file`
        return yield* new NotShared({ message })
      }
      yield* this.build.run
      return yield* this.now
    })
  }

  /** The figures at this moment. */
  get now(): Effect.Effect<Progress, never, Store> {
    return Effect.gen({ self: this }, function* () {
      const { filesDone, filesTotal, startedMillis, takenOver, words } = this.build
      const { stats } = (yield* Store).engine
      const members = this.fleet?.members ?? []
      const sum = (of: "commits" | "conflicts") => members.reduce((all, { tally }) => all + tally[of], 0)
      const millis = yield* Clock.currentTimeMillis
      return {
        filesDone,
        filesTotal,
        words,
        commits: stats.commits + sum("commits"),
        conflicts: stats.localConflicts + stats.foreignConflicts + sum("conflicts"),
        seconds: startedMillis === 0 ? 0 : (millis - startedMillis) / 1000,
        members,
        kills: this.killsBefore + (this.fleet?.kills ?? 0),
        renames: this.renamer.renames,
        takenOver
      }
    })
  }

  private crew(run: string) {
    const { processes, root, store, workers } = this.asked
    if (processes === 0) return new Workers(root, run).forever(workers)
    this.killsBefore += this.fleet?.kills ?? 0
    const leaseMillis = Duration.toMillis(LEASE)
    this.fleet = new Fleet({ store, root, run, fibers: workers, leaseMillis }, processes)
    return this.fleet.work
  }
}

const shuffled = <A>(draw: Draw, all: Array<A>): ReadonlyArray<A> => {
  for (let i = all.length - 1; i > 0; i--) {
    const j = draw(i + 1)
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}

/** The digest of the texts as they lie there now, indexed in memory with nobody killed and nothing moved. */
export const quietDigest = ({ root, starts, workers }: Pick<Asked, "root" | "starts" | "workers">) => {
  const run = new Run({ root, starts, workers, store: "memory", processes: 0, kills: 0, renames: 0, seed: 0 })
  return Effect.provide(Effect.andThen(run.whole, digest), Store.layer(InprocBackend.layer()))
}
