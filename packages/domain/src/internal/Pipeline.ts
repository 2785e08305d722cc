/**
 * Group commit for stores that answer later: requests that arrive while a batch is in flight form the next one, without
 * timers. One batch is in flight per engine; when its answer is lost, its ids are resolved by sending the same requests
 * again before anything else is sent.
 *
 * Laws:
 * - A request that could not hold any more (a local one before it overwrites what it read) is refused before it is queued:
 *   it is never sent and its writes are never shown.
 * - Outcomes of a whole batch are recorded before the first transaction of it hears of them.
 * - An id is reported unknown only after `commitGraceMillis` of trying to learn its outcome.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CommitRequest, Reply, Write } from "../core/Commit.ts"
import type { Journal } from "../core/Journal.ts"
import type { Version } from "../core/Version.ts"
import * as StoreError from "../StoreError.ts"
import type { Attempt, Stale } from "./Attempt.ts"
import { Chain } from "./Chain.ts"
import { refusedError } from "./commitSync.ts"
import type { Engine } from "./Engine.ts"
import { originOf, Overlay, overwrittenBy, Pending, toRequest, type Resolution } from "./Pending.ts"

/** Pauses between sending an unanswered batch again, in milliseconds: the first, doubling up to the last. */
const resendFirstMillis = 2
const resendMaxMillis = 250

export class Pipeline {
  private readonly engine: Engine
  readonly overlay: Overlay = new Overlay()
  readonly chain: Chain = new Chain(this.overlay)
  private queue: Array<Pending> = []
  private inFlight: ReadonlyArray<Pending> = []
  private sentNanos = 0n
  /** Place of the newest request in the local order. */
  position = -1
  private wakeFlusher: (() => void) | undefined = undefined
  /** Sequences whose outcome was never learnt: the store must not forget them. */
  readonly unknown: Set<number> = new Set()

  constructor(engine: Engine) {
    this.engine = engine
  }

  /**
   * Queues the end of an attempt: its writes, or with none only the check that what it read holds. The refusal when it
   * cannot hold any more.
   */
  enqueue(attempt: Attempt, writes: ReadonlyArray<Write>, atMillis: number): Pending | Stale {
    const reached = this.chain.reach(attempt)
    if (typeof reached === "object") return overwrittenBy(reached)
    if (reached === "elsewhere") {
      const overwritten = this.chain.overwritten(attempt)
      if (overwritten !== undefined) return overwrittenBy(overwritten)
    }
    const pending = new Pending(
      ++this.position,
      attempt.version,
      attempt.journal,
      writes,
      atMillis,
      attempt.transacting.durability
    )
    if (writes.length > 0) {
      this.chain.publish(pending, reached === "here", this.engine.lastVersion)
      this.overlay.add(pending)
    }
    this.push(pending)
    return pending
  }

  /** Queues a request of the engine itself: its writes are never shown before they are acknowledged. */
  enqueueJournal(journal: Journal, atMillis: number): Pending {
    const pending = new Pending(++this.position, -1, journal, journal.writes(), atMillis)
    this.overlay.add(pending)
    this.push(pending)
    return pending
  }

  private push(pending: Pending): void {
    this.queue.push(pending)
    const wake = this.wakeFlusher
    this.wakeFlusher = undefined
    wake?.()
  }

  /** Why no further request is taken now; `undefined` while there is room. */
  get overload(): StoreError.StoreError | undefined {
    const max = this.engine.options.queuedRequestsMax
    if (this.queue.length < max) return undefined
    return StoreError.make(
      new StoreError.LimitExceeded({
        message:
          `${max} commits of this process wait for the store already; nothing was written. ` +
          "Run fewer transactions at once, or raise queuedRequestsMax.",
        limit: "queuedRequestsMax",
        max,
        actual: this.queue.length + 1
      })
    )
  }

  /** Takes a request back that was not sent yet; `false` when it is too late. */
  withdraw(pending: Pending): boolean {
    if (pending.status !== "queued") return false
    this.queue = this.queue.filter((each) => each !== pending)
    this.settle(pending, { _tag: "Stale", stale: { keys: [], ranges: [], local: true } })
    this.tellAll([pending])
    return true
  }

  /** Ends when a request is resolved. */
  resolved(pending: Pending): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const wake = (): void => resume(Effect.void)
      pending.observe(wake)
      return Effect.sync(() => pending.forget(wake))
    })
  }

  /** The request on its way that an unacknowledged newer state of the store may be owed to. */
  get newestSent(): Pending | undefined {
    return this.inFlight[this.inFlight.length - 1]
  }

  // Flushing ---------------------------------------------------------------------------------------------------------

  /** Runs as long as the store is open. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.andThen(
        this.work,
        Effect.suspend(() => this.flush())
      ),
      { disableYield: true }
    )
  )

  /** Ends when there is something to send and no more has come in the last turn of the event loop. */
  private readonly work: Effect.Effect<void> = Effect.suspend(() =>
    this.queue.length > 0
      ? this.grown(this.queue.length)
      : Effect.andThen(
          Effect.callback<void>((resume) => {
            this.wakeFlusher = () => resume(Effect.void)
          }),
          Effect.suspend(() => this.grown(this.queue.length))
        )
  )

  private grown(before: number): Effect.Effect<void> {
    return Effect.flatMap(Effect.yieldNow, () => {
      const now = this.queue.length
      return now > before && now < this.engine.limits.batchRequests ? this.grown(now) : Effect.void
    })
  }

  private flush(): Effect.Effect<void> {
    const { batch, requests } = this.makeBatch()
    if (batch.length === 0) return Effect.void
    const { stats } = this.engine
    stats.batches++
    stats.batchedRequests += batch.length
    this.inFlight = batch
    this.sentNanos = this.engine.clock().monotonicTimeNanosUnsafe()
    return Effect.flatMap(Effect.exit(this.engine.backend.commit(requests)), (exit) => {
      if (Exit.isSuccess(exit) && exit.value.length === batch.length) {
        this.settleAll(batch, exit.value)
        return Effect.void
      }
      const error = errorOf(exit)
      if (error !== undefined && error.reason._tag !== "CommitUnknown") {
        this.failAll(batch, () => error)
        return Effect.void
      }
      return this.resend(batch, requests, resendFirstMillis, this.engine.clock().monotonicTimeNanosUnsafe())
    })
  }

  private makeBatch(): { readonly batch: ReadonlyArray<Pending>; readonly requests: ReadonlyArray<CommitRequest> } {
    const { engine } = this
    const first = engine.sequence + 1
    const resolvedBelow = this.resolvedBelow(first)
    const nowMillis = engine.clock().currentTimeMillisUnsafe()
    const batch: Array<Pending> = []
    const requests: Array<CommitRequest> = []
    const refused: Array<Pending> = []
    for (const pending of this.take()) {
      const base = pending.base >= 0 ? pending.base : Math.max(engine.lastVersion, 0)
      const isCheck = pending.writes.length === 0
      const id = isCheck ? undefined : { session: engine.session, sequence: engine.sequence + 1 }
      const request = toRequest(pending, { id, resolvedBelow, base, nowMillis })
      if ("writes" in request) {
        if (!isCheck) pending.sequence = ++engine.sequence
        pending.status = "sent"
        pending.place = batch.length
        batch.push(pending)
        requests.push(request)
      } else {
        this.settle(pending, { _tag: "Stale", stale: request })
        refused.push(pending)
      }
    }
    this.tellAll(refused)
    return { batch, requests }
  }

  /** The requests of the next batch. */
  private take(): ReadonlyArray<Pending> {
    const { limits } = this.engine
    const most = Math.min(limits.batchRequests, Math.ceil(limits.outcomesPerSession / 4))
    const { queue } = this
    if (queue.length > most) return queue.splice(0, most)
    this.queue = []
    return queue
  }

  /** All sequences below are resolved, but for those given up lately, which the store shall still remember. */
  private resolvedBelow(next: number): number {
    let lowest = next
    const window = Math.floor(this.engine.limits.outcomesPerSession / 2)
    for (const sequence of this.unknown) {
      if (sequence < next - window) this.unknown.delete(sequence)
      else if (sequence < lowest) lowest = sequence
    }
    return lowest
  }

  /** The answer was lost: the same ids are sent again until the store says what became of each, or the grace is over. */
  private resend(
    batch: ReadonlyArray<Pending>,
    requests: ReadonlyArray<CommitRequest>,
    pauseMillis: number,
    sinceNanos: bigint
  ): Effect.Effect<void> {
    return Effect.flatMap(
      Effect.andThen(Effect.sleep(pauseMillis), Effect.exit(this.engine.backend.commit(requests))),
      (exit) => {
        if (Exit.isSuccess(exit) && exit.value.length === batch.length) return this.settleResent(batch, exit.value)
        const spentMillis = Number(this.engine.clock().monotonicTimeNanosUnsafe() - sinceNanos) / 1e6
        if (spentMillis < this.engine.options.commitGraceMillis) {
          return this.resend(batch, requests, Math.min(pauseMillis * 2, resendMaxMillis), sinceNanos)
        }
        this.failAll(batch, (pending) => this.unknownError(pending, exit))
        return Effect.void
      }
    )
  }

  private unknownError(pending: Pending, exit: Exit.Exit<unknown, unknown>): StoreError.StoreError {
    const cause = Exit.isFailure(exit) ? { cause: Cause.squash(exit.cause) } : {}
    if (pending.sequence < 0) {
      return StoreError.make(
        new StoreError.Unavailable({
          message: "the store did not answer whether what was read still holds; nothing was written",
          ...cause
        })
      )
    }
    this.unknown.add(pending.sequence)
    return unknownCommit(this.engine, pending.sequence, cause)
  }

  /** As `settleAll`, but `TooOld` no longer means that nothing happened: the first sending may have taken effect. */
  private settleResent(batch: ReadonlyArray<Pending>, replies: ReadonlyArray<Reply>): Effect.Effect<void> {
    const { backend, session } = this.engine
    return Effect.flatMap(
      Effect.forEach(batch, (pending, i) => {
        const reply = replies[i]!
        if (reply._tag !== "TooOld" || pending.sequence < 0) return Effect.succeed(reply)
        return Effect.map(
          Effect.exit(backend.outcome({ session, sequence: pending.sequence })),
          (exit): Reply | StoreError.StoreError => {
            if (Exit.isSuccess(exit) && exit.value._tag === "Committed") return exit.value
            if (Exit.isSuccess(exit) && exit.value._tag === "Rejected") return reply
            return this.unknownError(pending, exit)
          }
        )
      }),
      (resolved) => {
        this.settleAll(batch, resolved)
        return Effect.void
      }
    )
  }

  // Outcomes ---------------------------------------------------------------------------------------------------------

  private settleAll(batch: ReadonlyArray<Pending>, replies: ReadonlyArray<Reply | StoreError.StoreError>): void {
    this.inFlight = []
    for (let i = 0; i < batch.length; i++) {
      const reply = replies[i]!
      const resolution: Resolution =
        reply instanceof StoreError.StoreError ? { _tag: "Failed", error: reply } : this.resolutionOf(batch[i]!, reply)
      this.settle(batch[i]!, resolution)
    }
    this.tellBatch(batch)
  }

  private failAll(batch: ReadonlyArray<Pending>, error: (pending: Pending) => StoreError.StoreError): void {
    this.inFlight = []
    for (const pending of batch) this.settle(pending, { _tag: "Failed", error: error(pending) })
    this.tellBatch(batch)
  }

  /** Refuses what stood on requests that failed, so that nobody reads it any more, and tells everybody. */
  private tellBatch(batch: ReadonlyArray<Pending>): void {
    const nanos = this.engine.clock().monotonicTimeNanosUnsafe() - this.sentNanos
    this.engine.metrics.batch(batch.length, Number(nanos) / 1e6)
    this.tellAll(batch)
  }

  private tellAll(resolved: ReadonlyArray<Pending>): void {
    const told = resolved.slice()
    if (resolved.some((pending) => pending.status === "failed" && pending.writes.length > 0)) {
      const kept: Array<Pending> = []
      for (const pending of this.queue) {
        const lost = pending.reads.find((entry) => originOf(entry)?.status === "failed")
        if (lost === undefined) kept.push(pending)
        else {
          this.settle(pending, { _tag: "Stale", stale: overwrittenBy({ key: lost.key }) })
          told.push(pending)
        }
      }
      this.queue = kept
    }
    for (const pending of told) pending.tell()
  }

  private resolutionOf(pending: Pending, reply: Reply): Resolution {
    switch (reply._tag) {
      case "Committed":
        return reply
      case "Conflict":
        return {
          _tag: "Stale",
          stale: {
            keys: reply.keys,
            ranges: reply.ranges,
            local: reply.dependsOn !== undefined || this.isLocalSince(pending.base, reply.version)
          }
        }
      case "TooOld":
        this.engine.lastVersion = Math.max(this.engine.lastVersion, reply.version)
        this.engine.noticeEpoch(reply.version)
        return { _tag: "Stale", stale: { keys: [], ranges: [], local: false } }
      case "Refused":
        return { _tag: "Failed", error: refusedError(reply) }
    }
  }

  /** Whether, as far as is known, only this engine has committed between two versions. */
  isLocalSince(base: Version, now: Version): boolean {
    return this.engine.foreignVersion <= base && now <= this.engine.lastVersion + this.inFlight.length
  }

  private settle(pending: Pending, resolution: Resolution): void {
    pending.resolve(resolution)
    if (pending.writes.length === 0) return
    this.overlay.remove(pending)
    if (resolution._tag === "Committed") {
      this.engine.advance(resolution.version)
      this.engine.stats.commits++
      this.chain.committed(pending, resolution.version)
    } else this.chain.failed(pending)
  }
}

const errorOf = (exit: Exit.Exit<unknown, StoreError.StoreError>): StoreError.StoreError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const fail = exit.cause.reasons.find(Cause.isFailReason)
  return fail?.error
}

/** The error of a commit whose outcome the caller cannot wait for. */
export const unknownCommit = (
  engine: Engine,
  sequence: number,
  cause: { readonly cause?: unknown } = {}
): StoreError.StoreError =>
  StoreError.make(
    new StoreError.CommitUnknown({
      message:
        "the commit was sent and its answer did not come in time: it took effect whole, or not at all, or will once at most. " +
        "Ask Store.outcome with this session and sequence before doing it again.",
      session: engine.session,
      sequence,
      ...cause
    })
  )
