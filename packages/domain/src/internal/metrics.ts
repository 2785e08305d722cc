/**
 * What an engine tells Effect's metrics. Plain counts are kept all the time; they reach the metrics at every batch and every
 * conflict, and else in steps of `everyCommits`, so that a transaction without conflict pays an increment.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Key } from "../core/Key.ts"
import type { EngineStats } from "./Engine.ts"

/** Commits of a store in memory between two reports. */
const everyCommits = 256

/** Keys whose conflicts are told apart at a time; those after them are told as "other" until the store is opened again. */
const conflictKeysMax = 256

const attempts = Metric.counter("weft_attempts_total", { description: "Bodies run", incremental: true })
const commits = Metric.counter("weft_commits_total", { description: "Transactions that wrote", incremental: true })
const readOnly = Metric.counter("weft_read_only_total", {
  description: "Transactions without writes",
  incremental: true
})
const waits = Metric.counter("weft_waits_total", { description: "Bodies that waited by Tx.retry", incremental: true })
const conflicts = Metric.counter("weft_conflicts_total", { description: "Lost attempts, by key", incremental: true })
const batchSize = Metric.histogram("weft_batch_requests", {
  description: "Requests of a batch",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 14 })
})
const commitMillis = Metric.histogram("weft_commit_millis", {
  description: "From sending a batch to its outcome, in milliseconds",
  boundaries: Metric.exponentialBoundaries({ start: 0.125, factor: 2, count: 18 })
})

export class EngineMetrics {
  private readonly context: Context.Context<never>
  private readonly stats: EngineStats
  private readonly told = { attempts: 0, commits: 0, readOnly: 0, waits: 0 }
  private readonly conflictsByKey = new Map<Key, Metric.Counter<number>>()

  constructor(stats: EngineStats, context: Context.Context<never>) {
    this.stats = stats
    this.context = context
  }

  /** After a commit on a store in memory. */
  committed(): void {
    if (this.stats.commits - this.told.commits >= everyCommits) this.report()
  }

  /** After a batch. */
  batch(requests: number, millis: number): void {
    batchSize.updateUnsafe(requests, this.context)
    commitMillis.updateUnsafe(millis, this.context)
    this.report()
  }

  /** After a lost attempt; what it was lost on. */
  conflict(keys: ReadonlyArray<{ readonly key: Key }>, local: boolean): void {
    const names = keys.length === 0 ? ["range"] : keys.map(({ key }) => key)
    for (const name of names) this.counterOf(name, local).updateUnsafe(1, this.context)
    this.report()
  }

  private counterOf(key: Key, local: boolean): Metric.Counter<number> {
    const name = `${local ? "local" : "foreign"} ${key}`
    let counter = this.conflictsByKey.get(name)
    if (counter !== undefined) return counter
    const isKnown = this.conflictsByKey.size < conflictKeysMax
    counter = Metric.withAttributes(conflicts, {
      key: isKnown ? JSON.stringify(key) : "other",
      cause: local ? "local" : "foreign"
    })
    if (isKnown) this.conflictsByKey.set(name, counter)
    return counter
  }

  report(): void {
    const { stats, told } = this
    const tell = (counter: Metric.Counter<number>, name: keyof typeof told): void => {
      const more = stats[name] - told[name]
      if (more === 0) return
      told[name] = stats[name]
      counter.updateUnsafe(more, this.context)
    }
    tell(attempts, "attempts")
    tell(commits, "commits")
    tell(readOnly, "readOnly")
    tell(waits, "waits")
  }
}
