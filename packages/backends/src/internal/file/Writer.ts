/**
 * Who writes when: commits that arrive in one turn of the event loop share a transaction of the file, and processes take
 * turns. SQLite's own busy handler sleeps on this thread and starves, so waiting for the lock is a timer here.
 *
 * Between processes: a process commits for a *tenure*, then stands aside until it has seen a commit of another one, or a
 * short while. Waiters that polled faster than about a millisecond would steal every gap and leave nothing but conflicts.
 */
import { performance } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import type { CommitRequest, Reply } from "@weft/domain/core/Commit"
import type { Version } from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import type { FileStore } from "./FileStore.ts"
import * as SqliteError from "./sqliteError.ts"
import { Wake } from "./Wake.ts"

/** Commits of one process in a row before it lets others go first, in milliseconds. */
export const tenureMillis = 4

/** Longest time to stand aside for a commit of another process, in milliseconds. */
export const asideMillis = 3

/** Time between two tries for the file's lock, in milliseconds. */
export const lockRetryMillis = 1

/** A wait for the file's lock that is told of in the log, once, in milliseconds. */
export const lockWarnMillis = 1000

/** A process that was met this recently counts as there, in milliseconds. */
const companyMillis = 250

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
  private scheduled: NodeJS.Immediate | NodeJS.Timeout | undefined
  private readonly sleepers = new Set<() => void>()
  private tenureSince = 0
  private metAt = -Infinity
  private foreignNoticed = 0
  private foreignSeen = 0
  private asideUntil = 0

  /** Since when the file's lock has been another process's whenever it was tried, and whether that was told. */
  private lockedSince = 0
  private hasWarned = false
  private readonly warn: (message: string) => void

  constructor(store: FileStore, pollMillis: number, warn: (message: string) => void) {
    this.store = store
    this.warn = warn
    this.wake = new Wake(store.database.path, pollMillis, () => this.look())
  }

  /**
   * Whether no other process was met lately. Then what is in memory is most likely the present; in company it seldom is, and
   * who built on it would lose.
   */
  get isAlone(): boolean {
    return this.ended === undefined && performance.now() - this.metAt > companyMillis
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
    this.wake.close()
    if (isSound) this.store.close()
    else this.store.database.close()
  }

  private schedule(): void {
    this.scheduled ??= setImmediate(() => {
      this.scheduled = undefined
      this.flush()
    })
  }

  private later(millis: number): void {
    this.scheduled ??= setTimeout(() => {
      this.scheduled = undefined
      this.flush()
    }, millis)
  }

  private flush(): void {
    if (this.ended !== undefined) return
    if (this.store.database.isCheckpointDue) {
      this.checkpoint()
      if (this.queue.length > 0) this.schedule()
      return
    }
    if (this.queue.length === 0) return
    const now = performance.now()
    if (this.mustStandAside(now)) return this.later(lockRetryMillis)
    if (!this.store.database.isThere()) return this.end(vanished(this.store.database.path))
    const batches = this.next()
    let replies: ReadonlyArray<ReadonlyArray<Reply>>
    try {
      replies = this.store.commit(batches.map(({ requests }) => requests))
    } catch (error) {
      return this.failed(batches, error)
    }
    this.wake.touch()
    this.lockedSince = 0
    this.meet(now)
    for (let i = 0; i < batches.length; i++) batches[i]!.answer(replies[i]!)
    this.rouse()
    if (this.queue.length > 0 || this.store.database.isCheckpointDue) this.schedule()
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
      this.noticeWait(this.metAt)
      return this.later(lockRetryMillis)
    }
    if (severity === "fatal") return this.perish(batches, error)
    const refusal = SqliteError.describe(database.path, "at a commit", error)
    for (const { answer } of batches) answer(refusal)
    if (this.queue.length > 0) this.schedule()
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

  /** After a commit: one of another process that came before it begins a tenure. */
  private meet(now: number): void {
    this.notice(now)
    if (this.store.foreignBatches !== this.foreignSeen) {
      this.foreignSeen = this.store.foreignBatches
      this.tenureSince = now
    }
  }

  private notice(now: number): void {
    if (this.store.foreignBatches === this.foreignNoticed) return
    this.foreignNoticed = this.store.foreignBatches
    this.metAt = now
  }

  /** Whether this process has had its tenure and another one is there that may want the lock. */
  private mustStandAside(now: number): boolean {
    if (now - this.metAt > companyMillis) {
      this.tenureSince = now
      return false
    }
    if (this.asideUntil > 0) {
      this.look()
      if (this.store.foreignBatches === this.foreignSeen && now < this.asideUntil) return true
      this.meet(now)
      this.asideUntil = 0
      this.tenureSince = now
      return false
    }
    if (now - this.tenureSince < tenureMillis) return false
    this.asideUntil = now + asideMillis
    return true
  }

  /** Catches up with other processes, and wakes who waits for them. */
  private look(): void {
    if (this.ended !== undefined) return
    const { database, version } = this.store
    if (!database.isThere()) return this.end(vanished(database.path))
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

const tooMany = (path: string): StoreError.StoreError =>
  StoreError.make(
    new StoreError.LimitExceeded({
      message: `the store in ${path} has ${waitingBatchesMax} batches that wait to be written: this one was refused, nothing of it was written`,
      limit: "waitingBatchesMax",
      max: waitingBatchesMax,
      actual: waitingBatchesMax + 1
    })
  )
