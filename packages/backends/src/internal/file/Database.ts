/**
 * The SQLite file of a store: opened and judged, its statements, and the cells with their checksums. Synchronous; every
 * call may throw what `node:sqlite` throws, or a `StoreError` for what is read and does not hold.
 *
 * Two tables. `batches`, the log: one row a batch, whose last row says where the store stands; a commit writes nothing
 * else but deletions. `cells`: one row a key, as of the batch that `folded` of the last row names; what was set after it
 * stands in the log alone until it is folded (`Tail.ts`). `sum` is CRC-32 over everything a row says.
 */
import * as fs from "node:fs"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import type { Cell, Entry, Range } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import * as KeyDecode from "@weft/domain/core/KeyDecode"
import { Value } from "@weft/domain/core/Value"
import type { Version } from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import { cellSum, rowSum } from "./checksums.ts"
import { open, type Journal, type OpenOptions, pragma } from "./openFile.ts"
import * as Relaxed from "./relaxed.ts"
import * as Seal from "./seal.ts"
import * as SqliteError from "./sqliteError.ts"
import * as SyncFailure from "./syncFailure.ts"

/** A row of the log. */
export interface LogRow {
  readonly seq: number
  readonly version: Version
  /** The batch that `cells` is as of, once this one is written: itself, or an earlier one. */
  readonly folded: number
  readonly body: Uint8Array
}

/** Above every key: keys are latin1. */
const aboveAll: Key = "\u0100"

/** Pages of the write-ahead log before they are brought into the file, unless said otherwise. */
export const walPagesDefault = 1000

type Row = ReadonlyArray<unknown>

export const keyBytes = (key: Key): Buffer => Buffer.from(key, "latin1")
const keyOf = (bytes: Uint8Array): Key =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")

export class Database {
  readonly path: string
  readonly journal: Journal
  readonly db: DatabaseSync
  private readonly inode: number
  private readonly pageBytes: number
  private readonly walPages: number
  /** Pages that were put into the write-ahead log since this process last brought it into the file, estimated. */
  private logged = 0
  private readonly statements = new Map<string, StatementSync>()
  /** Whether the file says that commits may not have been synced. */
  private isNoted = false
  private isRelaxed = false
  /** A sync failed here. */
  private hasFailed = false

  constructor(options: OpenOptions) {
    this.path = options.path
    this.journal = options.journal
    this.db = open(options)
    this.inode = fs.statSync(options.path).ino
    this.pageBytes = Number(pragma(this.db, "page_size"))
    this.walPages = options.walPages ?? walPagesDefault
  }

  prepare(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      statement.setReturnArrays(true)
      this.statements.set(sql, statement)
    }
    return statement
  }

  begin(): void {
    this.prepare("BEGIN").run()
  }
  /** Begins to write. `isRelaxed`: the write-ahead log need not be synced at the end, where `mayRelax` says so. */
  beginImmediate(isRelaxed = false): void {
    if (isRelaxed !== this.isRelaxed) {
      this.db.exec(`PRAGMA synchronous = ${isRelaxed ? "NORMAL" : "FULL"}`)
      this.isRelaxed = isRelaxed
    }
    this.prepare("BEGIN IMMEDIATE").run()
  }

  /** Whether commits may go without a sync: if they are lost, the next opener will know that they may have been. */
  get mayRelax(): boolean {
    return this.isNoted
  }

  /** Within a synced transaction: from its end on commits may go without a sync, if there is a write-ahead log. */
  noteRelaxed(): (() => void) | undefined {
    if (this.journal !== "wal" || this.isNoted) return undefined
    Relaxed.note(this.db)
    return () => (this.isNoted = true)
  }

  /** Whether commits that were told may have been lost: they were made without a sync, and the log was left behind. */
  get mayHaveLost(): boolean {
    return Relaxed.noted(this.db)?.isLost === true
  }

  /** Within a transaction: what was lost is counted as lost. */
  forgetRelaxed(): void {
    Relaxed.forget(this.db)
  }

  commit(): void {
    this.syncing(() => this.prepare("COMMIT").run())
  }

  /** Does what syncs; if that fails, all who have the file open learn it. */
  syncing<A>(work: () => A): A {
    try {
      return work()
    } catch (error) {
      if (this.journal === "wal" && SqliteError.isSyncFailure(error)) {
        this.hasFailed = true
        SyncFailure.tell(this.path)
      }
      throw error
    }
  }
  rollback(): void {
    if (this.db.isTransaction) this.db.exec("ROLLBACK")
  }

  /** Sequence of the last batch. */
  lastSeq(): number {
    return (this.one("SELECT max(seq) FROM batches")?.[0] as number | null) ?? 0
  }

  /** The batch that `cells` is as of. */
  folded(): number {
    const [seq = 0, folded = null] = this.one("SELECT seq, folded FROM batches ORDER BY seq DESC LIMIT 1") ?? []
    return Number(folded ?? seq)
  }

  /** Rows after `seq`, in order. */
  logAfter(seq: number, limit: number): ReadonlyArray<LogRow> {
    const sql = "SELECT seq, version, folded, body, sum FROM batches WHERE seq > ? ORDER BY seq LIMIT ?"
    return this.rows(sql, seq, limit).map((row) => this.logRow(row))
  }

  /** The last batch beyond the newest ones that hold `bytesMax` bytes together; 0 when all are within. */
  lastBeyond(bytesMax: number): number {
    let left = bytesMax
    for (const [seq, bytes] of this.rows("SELECT seq, length(body) FROM batches ORDER BY seq DESC")) {
      left -= Number(bytes)
      if (left < 0) return Number(seq)
    }
    return 0
  }

  /** Whether the write-ahead log should be brought into the file now. */
  get isCheckpointDue(): boolean {
    return this.journal === "wal" && this.logged >= this.walPages
  }

  /**
   * Brings the write-ahead log into the file as far as readers let it, so that its place can be used again. SQLite would do so
   * within a commit and keep an error of it to itself; here it is between commits, and a sync that fails is thrown.
   */
  checkpoint(): void {
    this.logged = 0
    this.syncing(() => this.one("PRAGMA wal_checkpoint(PASSIVE)"))
  }

  /**
   * A row was written, here or by another process. While the write-ahead log grows a sync takes longer, since the file
   * system has to write down its length, too: so it is brought into the file by the pages of all.
   */
  logRowWritten({ body }: LogRow): void {
    // Its own pages, or the one it came into; a page that is new changes the tree, the map of pages and the header.
    const pages = body.length / this.pageBytes
    this.logged += pages + 1 + Math.min(3, 3 * pages)
  }

  appendLog(row: LogRow): void {
    const { body, folded, seq, version } = row
    this.logRowWritten(row)
    this.prepare("INSERT INTO batches (seq, version, folded, body, sum) VALUES (?, ?, ?, ?, ?)").run(
      seq,
      version,
      folded,
      body,
      rowSum(seq, version, folded, body)
    )
  }

  trimLog(below: number): void {
    this.prepare("DELETE FROM batches WHERE seq < ?").run(below)
  }

  cell(key: Key): Cell | undefined {
    const bytes = keyBytes(key)
    const row = this.one("SELECT version, value, sum FROM cells WHERE key = ?", bytes)
    return row === undefined ? undefined : this.checked(key, bytes, row[0], row[1], row[2])
  }

  /** Writes cells into their table, in key order, so that neighbours share their pages. */
  fold(entries: ReadonlyArray<Entry>): void {
    this.logged += entries.length
    const put = this.prepare(
      "INSERT INTO cells (key, version, value, sum) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value, sum = excluded.sum"
    )
    for (const { cell, key } of entries) {
      const bytes = keyBytes(key)
      put.run(bytes, cell.version, cell.value.bytes, cellSum(bytes, cell.version, cell.value.bytes))
    }
  }

  deleteCell(key: Key): void {
    this.logged++
    this.prepare("DELETE FROM cells WHERE key = ?").run(keyBytes(key))
  }

  entries({ end, limit, reverse, start }: Range): ReadonlyArray<Entry> {
    if (!(start < end) || (limit !== undefined && limit <= 0)) return []
    const order = reverse === true ? "DESC" : "ASC"
    const sql = `SELECT key, version, value, sum FROM cells WHERE key >= ? AND key < ? ORDER BY key ${order} LIMIT ?`
    const rows = this.rows(sql, keyBytes(start), keyBytes(end), limit ?? -1)
    return rows.map((row) => {
      const bytes = row[0] as Uint8Array
      const key = keyOf(bytes)
      return { key, cell: this.checked(key, Buffer.from(bytes), row[1], row[2], row[3]) }
    })
  }

  /** The stretch without a row that an empty one lies in: from behind the row before it to the row after it. */
  gapAround(start: Key, end: Key): readonly [Key, Key] {
    const before = this.one("SELECT max(key) FROM cells WHERE key < ?", keyBytes(start))?.[0]
    const after = this.one("SELECT min(key) FROM cells WHERE key >= ?", keyBytes(end))?.[0]
    return [
      before instanceof Uint8Array ? `${keyOf(before)}\0` : "",
      after instanceof Uint8Array ? keyOf(after) : aboveAll
    ]
  }

  /** The first row of a query, its columns in order. */
  one(sql: string, ...params: Array<number | Uint8Array>): Row | undefined {
    // As in `rows`.
    return this.prepare(sql).get(...params) as unknown as Row | undefined
  }

  private rows(sql: string, ...params: Array<number | Uint8Array>): ReadonlyArray<Row> {
    // `setReturnArrays` makes rows arrays; the types of node:sqlite speak of objects alone.
    return this.prepare(sql).all(...params) as unknown as ReadonlyArray<Row>
  }

  /** Whether the file of this name is still the one that was opened. Cost: one stat. */
  isThere(): boolean {
    return fs.statSync(this.path, { throwIfNoEntry: false })?.ino === this.inode
  }

  /** Closes the file, and seals it when no other process has it open; after a sync that failed it is left as it is. */
  close(): void {
    this.statements.clear()
    const isThere = this.isThere()
    if (this.isRelaxed && !this.db.isTransaction) this.db.exec("PRAGMA synchronous = FULL")
    try {
      if (isThere && !this.isFailed) this.syncing(() => Seal.seal(this.db, this.path))
    } catch {
      // Now it has.
    }
    if (isThere && this.isFailed) this.leave()
    else this.db.close()
  }

  private get isFailed(): boolean {
    return this.hasFailed || (this.journal === "wal" && SyncFailure.isTold(this.path))
  }

  /**
   * Closes the file and leaves its log behind, as a death would. SQLite brings the log into the file when the last connection
   * is closed: here that is one that may not write.
   */
  private leave(): void {
    try {
      const last = new DatabaseSync(this.path, { readOnly: true, timeout: 0 })
      last.prepare("SELECT count(*) FROM sqlite_schema").get()
      this.db.close()
      last.close()
    } catch {
      // Open until the process ends: nothing is as bad as a log with holes that is brought into the file.
    }
  }

  private checked(key: Key, bytes: Buffer, version: unknown, value: unknown, sum: unknown): Cell {
    const isWhole = typeof version === "number" && value instanceof Uint8Array && typeof sum === "number"
    if (isWhole && cellSum(bytes, version, value) === sum) return { value: new Value(value), version }
    throw StoreError.make(
      new StoreError.Corrupt({
        message: `the cell ${KeyDecode.format(key)} in ${this.path} is damaged: its checksum does not hold. It is not served; restore a backup, or see what else is damaged by an integrity check`,
        key: KeyDecode.format(key)
      })
    )
  }

  private logRow([seq, version, folded, body, sum]: Row): LogRow {
    const isWhole =
      typeof seq === "number" &&
      typeof version === "number" &&
      (typeof folded === "number" || folded === null) &&
      body instanceof Uint8Array
    if (isWhole && rowSum(seq, version, folded, body) === sum) return { seq, version, folded: folded ?? seq, body }
    throw StoreError.make(
      new StoreError.Corrupt({
        message: `the log row ${String(seq)} in ${this.path} is damaged: its checksum does not hold. The store is not opened on it; restore a backup`
      })
    )
  }
}
