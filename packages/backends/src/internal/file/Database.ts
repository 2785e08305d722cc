/**
 * The SQLite file of a store: opened and judged, its statements, and the cells with their checksums. Synchronous; every
 * call may throw what `node:sqlite` throws, or a `StoreError` for what is read and does not hold.
 *
 * Two tables. `cells`: one row a key. `log`: one row a batch, whose last row says where the store stands (there is no
 * other row to keep in step, so a commit dirties one page of each). `sum` is CRC-32 over everything a row says.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { crc32 } from "node:zlib"
import type { Cell, Entry, Range } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import * as KeyDecode from "@weft/domain/core/KeyDecode"
import { Value } from "@weft/domain/core/Value"
import type { Version } from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import * as Seal from "./seal.ts"
import * as SqliteError from "./sqliteError.ts"

/** "Weft" in the header of the file, where `file(1)` and SQLite look for it. */
export const applicationId = 0x57656674

/** Format of this program. A file of a higher one is refused by name, one of a lower one is migrated. */
export const format = 1

export type Journal = "wal" | "rollback"

export interface OpenOptions {
  readonly path: string
  readonly journal: Journal
  /** Bytes of a page; only for a file that is made now. */
  readonly pageBytes: number
  /** The version a new store begins after. */
  readonly version: Version
  /** Pages of the write-ahead log before they are brought into the file; 1,000 when left out. */
  readonly walPages?: number | undefined
  /** Time that a call may wait for another process's lock, standing still, in milliseconds; 0 on the event loop. */
  readonly lockMillis?: number | undefined
}

/** A row of the log. */
export interface LogRow {
  readonly seq: number
  readonly version: Version
  readonly body: Uint8Array
}

/** Pages of the write-ahead log before they are brought into the file, unless said otherwise. */
const walPagesDefault = 1000

type Row = ReadonlyArray<unknown>

export const keyBytes = (key: Key): Buffer => Buffer.from(key, "latin1")
const keyOf = (bytes: Uint8Array): Key =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")

const versionBytes = Buffer.alloc(8)
const cellSum = (key: Buffer, version: Version, value: Uint8Array): number => {
  versionBytes.writeDoubleBE(version)
  return crc32(value, crc32(versionBytes, crc32(key)))
}
const rowSum = (seq: number, version: Version, body: Uint8Array): number => {
  versionBytes.writeDoubleBE(version)
  const sum = crc32(versionBytes, crc32(body))
  versionBytes.writeDoubleBE(seq)
  return crc32(versionBytes, sum)
}

export class Database {
  readonly path: string
  readonly journal: Journal
  readonly db: DatabaseSync
  private readonly inode: number
  private readonly pageBytes: number
  private readonly walPages: number
  /** Pages that this process has put into the write-ahead log since it was last brought into the file, estimated. */
  private logged = 0
  private readonly statements = new Map<string, StatementSync>()

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
  beginImmediate(): void {
    this.prepare("BEGIN IMMEDIATE").run()
  }
  commit(): void {
    this.prepare("COMMIT").run()
  }
  rollback(): void {
    if (this.db.isTransaction) this.db.exec("ROLLBACK")
  }

  /** Sequence of the last batch. */
  lastSeq(): number {
    return (this.one("SELECT max(seq) FROM log")?.[0] as number | null) ?? 0
  }

  /** Rows after `seq`, in order. */
  logAfter(seq: number, limit: number): ReadonlyArray<LogRow> {
    const sql = "SELECT seq, version, body, sum FROM log WHERE seq > ? ORDER BY seq LIMIT ?"
    return this.rows(sql, seq, limit).map((row) => this.logRow(row))
  }

  /** The last batch beyond the newest ones that hold `bytesMax` bytes together; 0 when all are within. */
  lastBeyond(bytesMax: number): number {
    let left = bytesMax
    for (const [seq, bytes] of this.rows("SELECT seq, length(body) FROM log ORDER BY seq DESC")) {
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
    this.one("PRAGMA wal_checkpoint(PASSIVE)")
  }

  appendLog(seq: number, version: Version, body: Uint8Array): void {
    // Each commit changes a leaf of both tables at least; what the log holds is in the cells once more.
    this.logged += 2 + Math.ceil((2 * body.length) / this.pageBytes)
    this.prepare("INSERT INTO log (seq, version, body, sum) VALUES (?, ?, ?, ?)").run(
      seq,
      version,
      body,
      rowSum(seq, version, body)
    )
  }

  trimLog(below: number): void {
    this.prepare("DELETE FROM log WHERE seq < ?").run(below)
  }

  cell(key: Key): Cell | undefined {
    const bytes = keyBytes(key)
    const row = this.one("SELECT version, value, sum FROM cells WHERE key = ?", bytes)
    return row === undefined ? undefined : this.checked(key, bytes, row[0], row[1], row[2])
  }

  putCell(key: Key, cell: Cell | undefined): void {
    const bytes = keyBytes(key)
    if (cell === undefined) this.prepare("DELETE FROM cells WHERE key = ?").run(bytes)
    else {
      const { value, version } = cell
      this.prepare(
        "INSERT INTO cells (key, version, value, sum) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value, sum = excluded.sum"
      ).run(bytes, version, value.bytes, cellSum(bytes, version, value.bytes))
    }
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

  /** The first row of a query, its columns in order. */
  one(sql: string, ...params: Array<number | Uint8Array>): Row | undefined {
    return this.rows(sql, ...params)[0]
  }

  private rows(sql: string, ...params: Array<number | Uint8Array>): ReadonlyArray<Row> {
    // `setReturnArrays` makes rows arrays; the types of node:sqlite speak of objects alone.
    return this.prepare(sql).all(...params) as unknown as ReadonlyArray<Row>
  }

  /** Whether the file of this name is still the one that was opened. Cost: one stat. */
  isThere(): boolean {
    return fs.statSync(this.path, { throwIfNoEntry: false })?.ino === this.inode
  }

  /** Closes the file, and seals it when no other process has it open. */
  close(): void {
    this.statements.clear()
    if (this.isThere()) Seal.seal(this.db, this.path)
    this.db.close()
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

  private logRow([seq, version, body, sum]: Row): LogRow {
    const isWhole =
      typeof seq === "number" && typeof version === "number" && body instanceof Uint8Array && typeof sum === "number"
    if (isWhole && rowSum(seq, version, body) === sum) return { seq, version, body }
    throw StoreError.make(
      new StoreError.Corrupt({
        message: `the log row ${String(seq)} in ${this.path} is damaged: its checksum does not hold. The store is not opened on it; restore a backup`
      })
    )
  }
}

/** Magic numbers of file systems over a network, where a WAL's shared memory does not work (statfs(2)). */
const networkFileSystems = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x00c36400, "CephFS"],
  [0x01021997, "9P"]
])

const open = (options: OpenOptions): DatabaseSync => {
  const file = options.path
  refuseBadPath(file)
  if (options.journal === "wal") {
    const name = networkFileSystems.get(Number(fs.statfsSync(path.dirname(file)).type))
    if (name !== undefined) {
      const message = `the store in ${file} lies on ${name}: a write-ahead log needs memory shared between all its processes, which ${name} does not give. Nothing was opened; use journal: "rollback"`
      throw StoreError.make(new StoreError.InvalidInput({ message }))
    }
  }
  Seal.verify(file)
  let db: DatabaseSync | undefined
  try {
    settle(file)
    db = new DatabaseSync(file, { timeout: options.lockMillis ?? 0 })
    prepareFile(db, options)
    return db
  } catch (error) {
    db?.close()
    throw openingError(file, error)
  }
}

const refuseBadPath = (file: string): void => {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (stat === undefined && !fs.existsSync(path.dirname(file))) {
    const message = `the store in ${file} cannot be made: the directory ${path.dirname(file)} does not exist. Make it, or name another path`
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
  if (stat === undefined) return
  if (!stat.isFile()) {
    const message = `the store in ${file} cannot be opened: this is ${stat.isDirectory() ? "a directory" : "no regular file"}. Name a file`
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
}

/** SQLITE_NOTADB. */
const noDatabase = 26

/**
 * What opening threw, as it is told. The file's head is left to SQLite to read: closing a descriptor of it would take away
 * all locks that this process has on the file, those of other connections with them (fcntl(2)).
 */
const openingError = (file: string, error: unknown): unknown => {
  if (SqliteError.codeOf(error) !== noDatabase) return error
  const message = `the file ${file} is no store of Weft, or its first bytes are damaged. It was not touched; name another path or restore a backup`
  return StoreError.make(new StoreError.Corrupt({ message }))
}

const pragma = (db: DatabaseSync, name: string): unknown => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]

const prepareFile = (db: DatabaseSync, options: OpenOptions): void => {
  if (pragma(db, "page_count") !== 0) judge(db, options.path)
  Seal.unseal(options.path)
  db.exec(`PRAGMA page_size = ${options.pageBytes}; PRAGMA auto_vacuum = INCREMENTAL`)
  const mode = String(pragma(db, `journal_mode = ${options.journal === "wal" ? "WAL" : "TRUNCATE"}`))
  if (mode !== (options.journal === "wal" ? "wal" : "truncate")) {
    const message = `the store in ${options.path} uses the journal "${mode}" and other processes have it open: all must open it with the same \`journal\``
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
  db.exec(
    "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA foreign_keys = OFF; PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 0"
  )
  if (Number(pragma(db, "application_id")) === applicationId) return
  db.exec("BEGIN IMMEDIATE")
  try {
    if (Number(pragma(db, "application_id")) === 0) create(db, options.version)
    db.exec("COMMIT")
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw error
  }
}

/**
 * Brings a write-ahead log that a process left behind into the file. After a sync that failed, a commit may look whole in
 * the log and be in the page cache alone, where no later sync takes it to the disk. So the log is written once more, byte
 * for byte, and synced, before any of it is brought into the file: a power cut in between then finds one or the other whole.
 */
const settle = (file: string): void => {
  const wal = `${file}-wal`
  if ((fs.statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0 || !fs.existsSync(file)) return
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    // Nobody else may have the file open: where others do this throws "busy", the log is theirs and was not left behind.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL")
    judge(db, file)
    db.exec("BEGIN IMMEDIATE; COMMIT")
    rewrite(wal)
    db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()
  } catch (error) {
    if (!SqliteError.isBusy(error) && !SqliteError.isFull(error)) throw error
  } finally {
    db.close()
  }
}

/** Bytes written at a time. */
const rewriteBytes = 1024 * 1024

/** Makes what the page cache says of a file true of the disk. */
const rewrite = (file: string): void => {
  const fd = fs.openSync(file, "r+")
  try {
    const buffer = Buffer.allocUnsafe(rewriteBytes)
    for (let at = 0; ;) {
      const length = fs.readSync(fd, buffer, 0, rewriteBytes, at)
      if (length === 0) break
      for (let done = 0; done < length;) done += fs.writeSync(fd, buffer, done, length - done, at + done)
      at += length
    }
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Refuses files of other programs and of later formats; before anything is changed. */
const judge = (db: DatabaseSync, file: string): void => {
  const id = Number(pragma(db, "application_id"))
  const tables = Number(Object.values(db.prepare("SELECT count(*) FROM sqlite_schema").get()!)[0])
  if (id !== applicationId && !(id === 0 && tables === 0)) {
    const message = `the file ${file} is an SQLite database of another program (application id ${id}). It was not touched; name another path`
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
  const found = Number(pragma(db, "user_version"))
  if (found > format) {
    const message = `the store in ${file} has format ${found}, this program knows formats up to ${format}. It was not touched; use a newer Weft`
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
}

const create = (db: DatabaseSync, version: Version): void => {
  db.exec(`
    CREATE TABLE cells (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE log (seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL);
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${format};
  `)
  const empty = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0])
  db.prepare("INSERT INTO log (seq, version, body, sum) VALUES (1, ?, ?, ?)").run(
    version,
    empty,
    rowSum(1, version, empty)
  )
}
