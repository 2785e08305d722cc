/**
 * Who writes when: commits that arrive in one turn of the event loop share a transaction of the file, and processes take
 * turns (`Tenure.ts`). SQLite's own busy handler sleeps on this thread and starves, so waiting for the lock is a timer here.
 */
import { randomInt } from "node:crypto"
import { performance } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import type { CommitRequest, Reply } from "@weft/domain/core/Commit"
import type { Version } from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import type { FileStore } from "./FileStore.ts"
import * as SqliteError from "./sqliteError.ts"
import { Tenure } from "./Tenure.ts"
import { Wake } from "./Wake.ts"

/** Time between two tries for the file's lock, in milliseconds. */
export const lockRetryMillis = 1

/** A wait for the file's lock that is told of in the log, once, in milliseconds. */
export const lockWarnMillis = 1000

/** A process that was met this recently counts as there, in milliseconds. */
const companyMillis = 250

/** Turns of the event loop with nothing to write after which a turn is given back: more than an attempt takes to come again. */
const idleTurns = 16

/** Requests that share one transaction of the file, at most: bounds how long the event loop stands still. */
const requestsPerTransaction = 2048

/** Commits that wait for their turn, at most; the next one fails with `LimitExceeded`. */
export const waitingBatchesMax = 65_536

type Answer = (replies: ReadonlyArray<Reply> | StoreError.StoreError) => void

interface Waiting {
  readonly requests: ReadonlyArray<CommitRequest>
  readonly answer: Answer
}

export class Writer {
  /** Why nothing more is served, once that is so. */
  ended: StoreError.StoreError | undefined
  private readonly store: FileStore
  private readonly wake: Wake
  private queue: Array<Waiting> = []
  private scheduled: NodeJS.Immediate | undefined
  private timer: NodeJS.Timeout | undefined
  private readonly sleepers = new Set<() => void>()
  private readonly tenure: Tenure
  private isWatchedIdle = false
  private metAt = -Infinity
  private foreignNoticed = 0

  /** Since when the file's lock has been another process's whenever it was tried, and whether that was told. */
  private lockedSince = 0
  private hasWarned = false
  private readonly warn: (message: string) => void

  constructor(store: FileStore, pollMillis: number, warn: (message: string) => void) {
    this.store = store
    this.warn = warn
    this.wake = new Wake(store.database.path, pollMillis, { changed: () => this.look(), turned: () => this.turned() })
    this.tenure = new Tenure(this.wake, randomInt(1, 2 ** 32))
  }

  /**
   * Whether what is in memory is most likely the present: no other process was met lately, or this one has the turn. In
   * company it seldom is, and who built on it would lose.
   */
  get isCurrent(): boolean {
    return this.ended === undefined && (this.tenure.holds || performance.now() - this.metAt > companyMillis)
  }

  /** Whether this process may write now while others wait. */
  get hasTurn(): boolean {
    return this.tenure.holds
  }

  submit(requests: ReadonlyArray<CommitRequest>, answer: Answer): void {
    if (this.ended !== undefined) return answer(this.ended)
    if (this.queue.length >= waitingBatchesMax) return answer(tooMany(this.store.database.path))
    this.queue.push({ requests, answer })
    this.schedule()
  }

  /** Ends when the store has moved past a version. */
  moved(from: Version): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.store.version !== from || this.ended !== undefined) return resume(Effect.void)
      const leave = (): void => {
        if (this.sleepers.delete(wake) && this.sleepers.size === 0) this.wake.leave()
      }
      const wake = (): void => {
        leave()
        resume(Effect.void)
      }
      if (this.sleepers.add(wake).size === 1 && this.wake.await()) this.look()
      return Effect.sync(leave)
    })
  }

  /** What a failed read means; a damaged or vanished file ends the store. */
  readFailed(error: unknown): StoreError.StoreError {
    return SqliteError.describe(this.store.database.path, "at a read", error)
  }

  /** Writes what waits, then closes the file. */
  async close(): Promise<void> {
    while (this.queue.length > 0 && this.ended === undefined) await new Promise((go) => setImmediate(go))
    const isSound = this.ended === undefined
    this.end(SqliteError.ended(this.store.database.path, "it was closed"))
    this.tenure.close()
    this.wake.close()
    if (isSound) this.store.close()
    else this.store.database.close()
  }

  private schedule(): void {
    // Who waits for the turn waits on a timer, with all that comes meanwhile.
    if (this.timer !== undefined) return
    this.scheduled ??= setImmediate(() => {
      this.scheduled = undefined
      this.flush()
    })
  }

  private later(millis: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.flush()
    }, millis)
  }

  private flush(): void {
    if (this.ended !== undefined) return
    if (this.wake.hasFailed) return this.end(failedElsewhere(this.store.database.path))
    if (this.store.database.isCheckpointDue) {
      this.checkpoint()
      return this.goOn()
    }
    if (this.queue.length === 0) return
    const before = performance.now()
    const millis = this.tenure.wait(before, before - this.metAt < companyMillis)
    if (millis > 0) {
      this.wake.awaitTurns()
      this.later(millis)
      // What is followed now need not be followed when the turn comes. With a rollback journal readers hold writers up.
      if (this.store.database.journal === "wal") this.look()
      return
    }
    if (!this.store.database.isThere()) return this.end(vanished(this.store.database.path))
    const batches = this.next()
    const ownBefore = this.store.seq - this.store.foreignBatches
    let replies: ReadonlyArray<ReadonlyArray<Reply>>
    try {
      replies = this.store.commit(batches.map(({ requests }) => requests))
    } catch (error) {
      return this.failed(batches, error)
    }
    this.wake.touch()
    this.lockedSince = 0
    const now = performance.now()
    this.notice(now)
    this.tenure.had(now, this.store.seq - this.store.foreignBatches > ownBefore)
    for (let i = 0; i < batches.length; i++) batches[i]!.answer(replies[i]!)
    this.rouse()
    this.goOn()
  }

  private goOn(): void {
    if (this.queue.length > 0 || this.store.database.isCheckpointDue) this.schedule()
    else this.watchIdle()
  }

  /** A turn was handed over: who waits on a timer looks whether it is his. */
  private turned(): void {
    if (this.timer === undefined || this.queue.length === 0) return
    clearTimeout(this.timer)
    this.timer = undefined
    this.flush()
  }

  /** Gives the turn back when nothing comes for a few turns of the event loop. */
  private watchIdle(): void {
    if (!this.tenure.isTaken || this.isWatchedIdle) return
    this.isWatchedIdle = true
    let turns = 0
    const next = (): void => {
      if (this.ended !== undefined || !this.tenure.isTaken) return void (this.isWatchedIdle = false)
      turns = this.queue.length > 0 ? 0 : turns + 1
      if (turns < idleTurns) return void setImmediate(next)
      this.isWatchedIdle = false
      this.tenure.idle()
    }
    setImmediate(next)
  }

  /** In a turn of its own: nobody's commit waits for it, and what was acknowledged is safe whatever comes of it. */
  private checkpoint(): void {
    const { database } = this.store
    try {
      database.checkpoint()
    } catch (error) {
      // Another process does it, or there is no room yet: the log grows until the next time.
      if (SqliteError.severityOf(error) !== "fatal") return
      const why = error instanceof Error ? error.message : String(error)
      this.end(SqliteError.ended(database.path, `its write-ahead log could not be brought into the file: ${why}`))
    }
  }

  /** The batches of the next transaction: what waits, within its bound, but one at least. */
  private next(): ReadonlyArray<Waiting> {
    let requests = 0
    let count = 0
    for (const { requests: more } of this.queue) {
      if (count > 0 && requests + more.length > requestsPerTransaction) break
      requests += more.length
      count++
    }
    return this.queue.splice(0, count)
  }

  private failed(batches: ReadonlyArray<Waiting>, error: unknown): void {
    const { database } = this.store
    const severity = SqliteError.severityOf(error)
    try {
      database.rollback()
    } catch (second) {
      return this.perish(batches, second)
    }
    if (severity === "busy") {
      this.queue.unshift(...batches)
      this.metAt = performance.now()
      this.tenure.refused()
      this.noticeWait(this.metAt)
      return this.later(lockRetryMillis)
    }
    if (severity === "fatal") return this.perish(batches, error)
    const refusal = SqliteError.describe(database.path, "at a commit", error)
    for (const { answer } of batches) answer(refusal)
    this.goOn()
  }

  private noticeWait(now: number): void {
    if (this.lockedSince === 0) {
      this.lockedSince = now
      this.hasWarned = false
    }
    if (this.hasWarned || now - this.lockedSince < lockWarnMillis) return
    this.hasWarned = true
    this.warn(
      `${this.queue.length} commits on the store in ${this.store.database.path} have waited ${lockWarnMillis} ms for another process that holds the file's lock. They go on waiting; perhaps its disk does not answer`
    )
  }

  /** A write whose effect on the disk nobody knows: its commits are unknown, and nothing after it is served. */
  private perish(batches: ReadonlyArray<Waiting>, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    for (const { answer, requests } of batches) {
      const id = requests.find((request) => request.id !== undefined)?.id
      answer(
        id === undefined
          ? SqliteError.describe(this.store.database.path, "at a commit", error)
          : StoreError.make(
              new StoreError.CommitUnknown({
                message: `the store in ${this.store.database.path} failed while it wrote: ${why}. The commit may stand or not; open the file again and ask for its outcome`,
                session: id.session,
                sequence: id.sequence
              })
            )
      )
    }
    this.end(SqliteError.ended(this.store.database.path, why))
  }

  private end(why: StoreError.StoreError): void {
    this.ended ??= why
    for (const { answer } of this.queue.splice(0)) answer(this.ended)
    this.rouse()
  }

  private notice(now: number): void {
    if (this.store.foreignBatches === this.foreignNoticed) return
    this.foreignNoticed = this.store.foreignBatches
    this.metAt = now
  }

  /** Catches up with other processes, and wakes who waits for them. */
  private look(): void {
    if (this.ended !== undefined) return
    const { database, version } = this.store
    if (!database.isThere()) return this.end(vanished(database.path))
    if (this.wake.hasFailed) return this.end(failedElsewhere(database.path))
    try {
      if (database.lastSeq() !== this.store.seq) {
        database.begin()
        try {
          this.store.refresh()
        } finally {
          database.rollback()
        }
      }
    } catch (error) {
      if (SqliteError.isBusy(error)) return
      return this.end(SqliteError.describe(database.path, "when it looked for commits of others", error))
    }
    this.notice(performance.now())
    if (this.store.version !== version) this.rouse()
  }

  private rouse(): void {
    // Who wakes may fall asleep again at once: that is a sleeper of the next time.
    const woken = Array.from(this.sleepers)
    for (const wake of woken) wake()
  }
}

const vanished = (path: string): StoreError.StoreError =>
  SqliteError.ended(
    path,
    "the file was removed or another one was put in its place; what was acknowledged is in the old file"
  )

const failedElsewhere = (path: string): StoreError.StoreError =>
  SqliteError.ended(
    path,
    "a sync of the file failed in another process that has it open; the releases of locks that were not synced yet may be lost"
  )

const tooMany = (path: string): StoreError.StoreError =>
  StoreError.make(
    new StoreError.LimitExceeded({
      message: `the store in ${path} has ${waitingBatchesMax} batches that wait to be written: this one was refused, nothing of it was written`,
      limit: "waitingBatchesMax",
      max: waitingBatchesMax,
      actual: waitingBatchesMax + 1
    })
  )
