/**
 * The engine of one store: what its transactions share. One per opened backend (namespace) and process.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Backend, SyncLane } from "../Backend.ts"
import type { CommitId, Outcome } from "../core/Commit.ts"
import type { Limits } from "../core/Limits.ts"
import { epochOf, type Version } from "../core/Version.ts"
import { SessionNames } from "../SessionNames.ts"
import type { StoreError } from "../StoreError.ts"
import type { Journal } from "../core/Journal.ts"
import { AsyncReader } from "./AsyncReader.ts"
import { commitJournalSync } from "./commitSync.ts"
import { Feed } from "./Feed.ts"
import { Guards } from "./Guards.ts"
import { EngineMetrics } from "./metrics.ts"
import { Pipeline } from "./Pipeline.ts"
import { SyncReader, type Reader } from "./Reader.ts"
import { Tickets } from "./Tickets.ts"
import { Turns } from "./Turns.ts"
import { lookAgain } from "./wait.ts"
import { Waiters } from "./Waiters.ts"

/** Bounds of the engine. Each has a unit; `Store.layer` takes them. */
export interface EngineOptions {
  /** A local turn is given on after this long, whatever its holder does. Default 5. */
  readonly turnHoldMillis: number
  /** How long an interrupted or timed-out caller waits for the outcome of a commit that was sent. Default 5,000. */
  readonly commitGraceMillis: number
  /** A starving transaction's guard is passed by after this long, while others wait for it. Default 1,000. */
  readonly guardHoldMillis: number
  /** A turn cell of another process is removed after this long, by this process's clock. Default 1,000. */
  readonly turnLimitMillis: number
  /** Commits that may wait for the batch in flight; more fail with `LimitExceeded`. Default 65,536. */
  readonly queuedRequestsMax: number
}

export const defaultOptions: EngineOptions = {
  turnHoldMillis: 5,
  commitGraceMillis: 5_000,
  guardHoldMillis: 1_000,
  turnLimitMillis: 1_000,
  queuedRequestsMax: 65_536
}

/** Plain counts, for metrics and tests. */
export interface EngineStats {
  /** Bodies run. */
  attempts: number
  /** Requests that took effect, and read-only transactions that ended. */
  commits: number
  readOnly: number
  /** Attempts lost to local transactions, to others. */
  localConflicts: number
  foreignConflicts: number
  /** Bodies that waited by `Tx.retry`. */
  waits: number
  batches: number
  batchedRequests: number
}

export class Engine {
  readonly backend: Backend["Service"]
  readonly sync: SyncLane | undefined
  readonly limits: Limits
  readonly options: EngineOptions
  readonly scope: Scope.Scope
  readonly context: Context.Context<never>
  /** Names this engine's commit ids. */
  readonly session: string
  private readonly clockOfStore: Clock.Clock
  sequence = 0
  births = 0
  readonly turns: Turns
  readonly guards: Guards
  readonly tickets: Tickets
  readonly waiters: Waiters = new Waiters()
  readonly reader: Reader
  /** Where the store answers later: the way of requests to it, and the feed for waiters. */
  readonly pipeline: Pipeline | undefined = undefined
  readonly feed: Feed | undefined = undefined
  readonly stats: EngineStats = {
    attempts: 0,
    commits: 0,
    readOnly: 0,
    localConflicts: 0,
    foreignConflicts: 0,
    waits: 0,
    batches: 0,
    batchedRequests: 0
  }
  readonly metrics: EngineMetrics
  /** The store's version after the newest own commit, and the newest version known to be another engine's. */
  lastVersion: Version = -1
  foreignVersion: Version = -1
  private readonly opened = new Set<object>()
  private epoch = -1
  private watching = false

  constructor(
    backend: Backend["Service"],
    options: EngineOptions,
    scope: Scope.Scope,
    context: Context.Context<never>,
    session: string
  ) {
    this.backend = backend
    this.sync = backend.sync
    this.limits = backend.capabilities.limits
    this.options = options
    this.scope = scope
    this.context = context
    this.session = session
    this.metrics = new EngineMetrics(this.stats, context)
    this.clockOfStore = Context.get(context, Clock.Clock)
    this.turns = new Turns(
      () => this.fork(this.sweepTurns),
      (task) => this.fork(Effect.andThen(Effect.yieldNow, Effect.sync(task)))
    )
    this.guards = new Guards(() => this.fork(this.sweepGuards))
    this.tickets = new Tickets(this)
    if (backend.sync !== undefined) this.reader = new SyncReader(this, backend.sync)
    else {
      this.pipeline = new Pipeline(this)
      this.feed = new Feed(this, () => lookAgain(this))
      this.reader = new AsyncReader(this, this.pipeline)
    }
  }

  private readonly sweepTurns: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(Effect.sleep(this.options.turnHoldMillis), () =>
      this.turns.sweep() ? this.sweepTurns : Effect.void
    )
  )

  private readonly sweepGuards: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(Effect.sleep(this.options.guardHoldMillis), () =>
      this.guards.sweep() ? this.sweepGuards : Effect.void
    )
  )

  /** The clock the store was opened with. */
  clock(): Clock.Clock {
    return this.clockOfStore
  }

  /** What became of an id; its own unknown ones need not be remembered by the store any more after that. */
  outcome(id: CommitId): Effect.Effect<Outcome, StoreError> {
    return Effect.tap(this.backend.outcome(id), () =>
      Effect.sync(() => {
        if (id.session === this.session) this.pipeline?.unknown.delete(id.sequence)
      })
    )
  }

  /** Commits a request of the engine itself. Its version; nothing when what it read had changed. */
  commitJournal(journal: Journal): Effect.Effect<Version | undefined, StoreError> {
    return Effect.suspend(() => {
      const { pipeline } = this
      if (pipeline === undefined) return commitJournalSync(this, journal)
      const pending = pipeline.enqueueJournal(journal, this.clock().currentTimeMillisUnsafe())
      return Effect.flatMap(pipeline.resolved(pending), () => {
        const resolution = pending.resolution!
        if (resolution._tag === "Failed") return Effect.fail(resolution.error)
        return Effect.succeed(resolution._tag === "Committed" ? resolution.version : undefined)
      })
    })
  }

  /** Runs in the store's scope: ends with the store, not with the caller. */
  fork(effect: Effect.Effect<unknown, StoreError>): void {
    Effect.runForkWith(this.context)(Effect.forkIn(effect, this.scope))
  }

  isOpen(opening: object): boolean {
    return this.opened.has(opening)
  }

  setOpen(opening: object): void {
    if (this.sync !== undefined) this.noticeEpoch(this.sync.version())
    this.opened.add(opening)
  }

  /**
   * A version as the store names it. `true` when it is of a new life of the store, which may have lost what was opened: then
   * everything is opened again before its next operation.
   */
  noticeEpoch(version: Version): boolean {
    const epoch = epochOf(version)
    if (epoch <= this.epoch) return false
    const isAnother = this.epoch >= 0
    this.epoch = epoch
    if (isAnother) this.opened.clear()
    return isAnother
  }

  /** After an own commit took effect at `version`. */
  advance(version: Version): void {
    if (version > this.lastVersion + 1) {
      this.foreignVersion = version - 1
      if (this.pipeline !== undefined) this.tickets.notice()
    }
    this.lastVersion = version
  }

  /** On a store in memory: whether only this engine has committed since `version`. */
  isLocalSince(version: Version): boolean {
    return this.foreignVersion <= version && this.sync!.version() === this.lastVersion
  }

  /** Begins to tell the waiters of commits, at the first one that waits. */
  watchChanges(): void {
    if (this.watching) return
    this.watching = true
    const stop = this.sync!.watch((record) => {
      if (this.waiters.size > 0)
        this.waiters.notify(
          record.version,
          record.changes.map((change) => change.key)
        )
    })
    this.fork(Effect.onExit(Effect.never, () => Effect.sync(stop)))
  }
}

/** Opens an engine in the present scope. It asks the store nothing before the first operation. */
export const make = (
  backend: Backend["Service"],
  options: Partial<EngineOptions> = {}
): Effect.Effect<Engine, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const session = yield* yield* SessionNames
    const engine = new Engine(backend, { ...defaultOptions, ...options }, scope, context, session)
    if (engine.pipeline !== undefined) yield* Effect.forkIn(engine.pipeline.run, scope)
    return engine
  })
