/**
 * A store in one SQLite file, as this process sees it. Synchronous; `FileBackend.ts` gives it time, waiting and Effect.
 *
 * What is kept in memory is a mirror as of batch `seq`: the cells that stand in the log alone (`Tail.ts`), rows of the table
 * of cells that were read or filed lately (`CellCache.ts`), the last commits, the outcomes. Every read and every commit
 * first asks the file for its last batch and, if another process was faster, goes through the rows of the log in between;
 * so nothing older than the call is ever served, and no commit is judged on anything but the present. A commit is judged by
 * `Apply` inside BEGIN IMMEDIATE and acknowledged after COMMIT returned.
 */
import * as Apply from "@weft/domain/core/Apply"
import type { Cell, CommitRequest, Entry, Range, ReadReply, ReadRequest, Reply } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import type * as Limits from "@weft/domain/core/Limits"
import { Outcomes } from "@weft/domain/core/Outcomes"
import { Recent } from "@weft/domain/core/Recent"
import * as Version from "@weft/domain/core/Version"
import { CellCache } from "./CellCache.ts"
import type { Database, LogRow } from "./Database.ts"
import { changedSince } from "./changedSince.ts"
import { commitsAfter } from "./commitsAfter.ts"
import { Gaps } from "./Gaps.ts"
import { decodeBatch, LogWriter, type Wanted } from "./logCodec.ts"
import { LogMarks } from "./LogMarks.ts"
import { isRelaxable } from "./relaxed.ts"
import { Tail } from "./Tail.ts"

/** Rows of the log fetched in one query. */
const rowsPerQuery = 256

/** The same at opening, when all rows are read and large ones may be among them. */
const rowsPerQueryAtReload = 32

/** Keys of the last commits kept in memory, in bytes; each costs about five times as much. Older ones count as unknown. */
const recentKeyBytesMax = 4 * 1024 * 1024

/** Bytes of the log of which an opening remembers what changed; of older commits it takes the outcomes alone. */
const recentLogBytes = 32 * 1024 * 1024

/** Keeps the log within this many bytes, whatever `recentCommits` would allow. */
export const logBytesMaxDefault = 256 * 1024 * 1024

export interface Options {
  readonly limits: Limits.Limits
  readonly cacheBytes: number
  readonly logBytesMax: number
  readonly foldCells: number
}

export class FileStore implements Apply.View {
  readonly limits: Limits.Limits
  readonly database: Database
  version: Version.Version = Version.none
  /** Last batch that the mirror knows. */
  seq = 0
  /** Batches of other processes met so far. */
  foreignBatches = 0
  private readonly options: Options
  /** What the table of cells says of some keys. */
  private readonly cache: CellCache
  private readonly tail: Tail
  /** Where the table of cells is known to be empty, as of `folded`. */
  private readonly gaps = new Gaps()
  /** The batch that the table of cells is as of. */
  private folded = 0
  private readonly writer = new LogWriter()
  private recent: Recent
  private outcomes: Outcomes
  private readonly marks = new LogMarks()
  private hasWritten = false
  /** A transaction of the file was begun and did not end well: the mirror may be ahead of the file. */
  private stale = false

  constructor(database: Database, options: Options) {
    this.database = database
    this.options = options
    this.limits = options.limits
    this.cache = new CellCache(options.cacheBytes)
    this.tail = new Tail(options.foldCells)
    this.recent = this.recentAfter(Version.none)
    this.outcomes = new Outcomes(this.limits)
    this.reload()
    if (database.mayHaveLost) this.raiseEpoch(() => database.mayHaveLost)
  }

  get horizon(): Version.Version {
    return this.outcomes.horizon
  }

  /** Version before the oldest commit of the log. */
  get floor(): Version.Version {
    return this.marks.first.version
  }

  /** The version that the cells in memory are as of; -1 while the mirror has to be read anew. */
  get mirrored(): Version.Version {
    return this.stale ? -1 : this.version
  }

  /** Whether the cell of a key, or its absence, is in memory. */
  has(key: Key): boolean {
    return this.cache.has(key) || this.tail.has(key) || this.gaps.has(key)
  }

  cell(key: Key): Cell | undefined {
    const waiting = this.tail.get(key)
    if (waiting !== undefined) return waiting
    if (this.cache.has(key)) return this.cache.get(key)
    if (this.gaps.has(key)) return undefined
    const cell = this.database.cell(key)
    this.cache.set(key, cell)
    return cell
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    return this.range({ start, end })
  }

  /** Whether all cells of a range are in memory: the table has none of it, as far as is known. */
  hasRange({ end, start }: Range): boolean {
    return this.gaps.covers(start, end)
  }

  /** A range of which `hasRange` is true. */
  rangeInMemory(range: Range): ReadonlyArray<Entry> {
    return this.tail.range(range, () => [])
  }

  private range(range: Range): ReadonlyArray<Entry> {
    return this.tail.range(range, (rows) => this.gaps.rows(rows, this.database))
  }

  changed(start: Key, end: Key, since: Version.Version): boolean | undefined {
    return this.recent.remembers(since) ? this.recent.changed(start, end, since) : undefined
  }

  session(session: string): Apply.SessionView | undefined {
    return this.outcomes.session(session)
  }

  /** Cells and ranges of the present. Cost: one look at the log, and a query for each range and each cell not in memory. */
  read({ at, keys, ranges }: ReadRequest): ReadReply {
    const look = (): ReadReply =>
      this.reply(
        at,
        keys.map((key) => this.cell(key)),
        ranges.map((range) => this.range(range))
      )
    // With all of it in memory, one query is a whole read at one version.
    if (
      !this.stale &&
      keys.every((key) => this.has(key)) &&
      ranges.every((range) => this.hasRange(range)) &&
      this.database.lastSeq() === this.seq
    ) {
      return look()
    }
    this.database.begin()
    try {
      this.refresh()
      return look()
    } finally {
      this.database.rollback()
    }
  }

  /**
   * Judges batches and writes what they do, in one transaction of the file. When this returns, it is on the disk, unless
   * all of them are relaxed. Throws SQLITE_BUSY when another process writes; after anything else it throws the mirror
   * is read anew before its next use.
   */
  commit(batches: ReadonlyArray<ReadonlyArray<CommitRequest>>): ReadonlyArray<ReadonlyArray<Reply>> {
    const { database } = this
    const isRelaxed = batches.every((batch) => batch.every(isRelaxable))
    database.beginImmediate(isRelaxed && database.mayRelax)
    this.refresh()
    this.stale = true
    const deltas: Array<Apply.Delta> = []
    let isWritten = false
    const replies = batches.map((batch) => {
      const { delta, replies } = Apply.apply(this, batch)
      deltas.push(delta)
      this.install(delta)
      isWritten ||= delta.commits.length > 0 || batch.some((request) => request.seal === true)
      return replies
    })
    if (!isWritten) {
      // Rejections live in memory: a request that could come again comes through this process.
      database.rollback()
      this.stale = false
      return replies
    }
    this.append(this.writer.encode(deltas))
    const noted = isRelaxed ? database.noteRelaxed() : undefined
    database.commit()
    noted?.()
    this.hasWritten = true
    this.stale = false
    return replies
  }

  /** Adds a row to the log, what it changes being installed. */
  private append(body: Uint8Array): void {
    const seq = this.seq + 1
    this.tail.grow(body.length)
    const first = this.marks.trimmable(this.version - this.limits.recentCommits, this.options.logBytesMax)
    // What leaves the log has to be in the table.
    if (this.tail.isFull || (first !== undefined && first > this.folded)) this.fold(seq)
    const row = { seq, version: this.version, folded: this.folded, body }
    this.database.appendLog(row)
    this.mark(row)
    if (first === undefined) return
    this.marks.trim(first)
    this.database.trimLog(first)
  }

  /** Brings the cells that stand in the log alone into their table; the row `seq` says so. */
  private fold(seq: number): void {
    this.database.fold(this.tail.entries())
    this.isFolded(seq)
  }

  /** The table is as of the batch `seq`; what waited for it stays in memory. */
  private isFolded(seq: number): void {
    for (const { cell, key } of this.tail.entries()) this.cache.set(key, cell)
    this.tail.clear()
    this.gaps.clear()
    this.folded = seq
  }

  /** Folds what this process left in the log, so that the next opening has less to read, and closes the file. */
  close(): void {
    try {
      if (this.hasWritten && this.tail.size > 0 && !this.stale && this.database.isThere()) this.foldNow()
    } catch {
      // Others write, or the disk is full: the next one finds it in the log as well.
    } finally {
      this.database.close()
    }
  }

  private foldNow(): void {
    this.database.beginImmediate()
    try {
      this.refresh()
      this.stale = true
      this.fold(this.seq + 1)
      this.append(this.writer.encode([]))
      this.database.commit()
    } finally {
      this.database.rollback()
    }
  }

  /** Reads what other processes wrote. Call it within a transaction of the file, or for a hint alone. */
  refresh(): void {
    if (this.stale) this.reload()
    for (;;) {
      const rows = this.database.logAfter(this.seq, rowsPerQuery)
      if (rows.length === 0) return
      if (rows[0]!.seq !== this.seq + 1 || rows[0]!.version < this.version) return this.reload()
      for (const row of rows) {
        this.foreignBatches++
        this.database.logRowWritten(row)
        this.follow(row)
      }
      if (rows.length < rowsPerQuery) return
    }
  }

  /** Forgets the mirror and reads the log again, as of one moment. */
  reload(): void {
    const { database } = this
    if (database.db.isTransaction) return this.readLog()
    database.begin()
    try {
      this.readLog()
    } finally {
      database.rollback()
    }
  }

  private readLog(): void {
    this.cache.clear()
    this.tail.clear()
    this.gaps.clear()
    this.folded = this.database.folded()
    this.outcomes = new Outcomes(this.limits)
    this.marks.clear()
    const [first] = this.database.logAfter(0, 1)
    this.version = first === undefined ? Version.none : first.version
    this.recent = this.recentAfter(this.version)
    this.seq = 0
    if (first !== undefined) this.mark(first)
    const beyond = this.database.lastBeyond(recentLogBytes)
    for (;;) {
      const rows = this.database.logAfter(this.seq, rowsPerQueryAtReload)
      for (const row of rows) {
        // What is folded is in no memory that it could change.
        this.follow(row, row.seq > this.folded ? "cells" : row.seq <= beyond ? "ids" : "keys")
        if (row.seq === beyond) this.recent = this.recentAfter(row.version)
      }
      if (rows.length < rowsPerQueryAtReload) break
    }
    this.stale = false
    // What a session of before did is known from the first row on.
    if (this.floor > this.outcomes.horizon) this.outcomes.horizon = this.floor
  }

  /** Commits after `from`, at most `limit` batches of them, and the version they reach. Call it within a transaction. */
  commitsAfter(from: Version.Version, limit: number): ReturnType<typeof commitsAfter> {
    return commitsAfter(from, this.database.logAfter(this.marks.lastUpTo(from), limit))
  }

  /** Begins a new epoch, unless within the file's lock there turns out to be no need: every version is above all that were told. */
  raiseEpoch(isNeeded: () => boolean = () => true): void {
    this.database.beginImmediate()
    if (!isNeeded()) return this.database.rollback()
    this.refresh()
    if (this.database.mayHaveLost) this.database.forgetRelaxed()
    this.version = Version.nextEpoch(this.version)
    this.append(this.writer.encode([]))
    this.database.commit()
    this.reload()
  }

  private reply(
    at: Version.Version | undefined,
    cells: ReadonlyArray<Cell | undefined>,
    ranges: ReadonlyArray<ReadonlyArray<Entry>>
  ): ReadReply {
    const { version } = this
    if (at === undefined || at === version) return { version, cells, ranges }
    return {
      version,
      cells,
      ranges,
      changed: this.recent.remembers(at) ? changedSince(this.recent, at, version) : "unknown"
    }
  }

  /** Takes a row of the log over into the mirror. */
  private follow(row: LogRow, wanted: Wanted = "cells"): void {
    this.mark(row)
    if (Version.epochOf(row.version) !== Version.epochOf(this.version)) this.enterEpoch(row.version)
    const { commits, outcomes } = decodeBatch(row.body, wanted)
    for (const { atMillis, changes, id, resolvedBelow, version } of commits) {
      this.version = version
      if (wanted === "cells") {
        for (const change of changes) if (this.tail.apply(change)) this.cache.set(change.key, undefined)
      }
      if (wanted !== "ids") this.recent.pushKeys(id, atMillis, changes)
      this.outcomes.record(id.session, id.sequence, resolvedBelow, true, version, true)
    }
    for (const { committed, id, resolvedBelow, version } of outcomes) {
      this.outcomes.record(id.session, id.sequence, resolvedBelow, committed, version, false)
    }
    this.recent.trim()
    this.outcomes.trim()
    if (wanted === "cells") this.tail.grow(row.body.length)
    if (row.folded === row.seq && row.seq > this.folded) this.isFolded(row.seq)
  }

  private recentAfter(version: Version.Version): Recent {
    return new Recent(version, this.limits.recentCommits, this.limits.batchRequests, recentKeyBytesMax)
  }

  /** What was read before it says nothing any more; what became of ids still holds. */
  private enterEpoch(version: Version.Version): void {
    this.cache.clear()
    this.recent = this.recentAfter(version)
    this.version = version
  }

  private install(delta: Apply.Delta): void {
    for (const { atMillis, changes, id } of delta.commits) {
      this.recent.pushKeys(id, atMillis, changes)
      for (const change of changes) {
        if (!this.tail.apply(change)) continue
        this.database.deleteCell(change.key)
        this.cache.set(change.key, undefined)
      }
    }
    this.version = delta.version
    for (const { committed, id, resolvedBelow, tookNumber, version } of delta.outcomes) {
      this.outcomes.record(id.session, id.sequence, resolvedBelow, committed, version, tookNumber)
    }
    this.recent.trim()
    this.outcomes.trim()
  }

  private mark({ body, seq, version }: LogRow): void {
    if (seq <= this.seq) return
    this.seq = seq
    this.marks.push({ seq, version, bytes: body.length })
  }
}
