/**
 * Opens the file of a store: judged before it is touched, made when there is none, migrated from an older format, and a
 * write-ahead log that a process left behind settled. Synchronous; throws what `node:sqlite` throws, or a `StoreError`.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Version } from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import { rowSum } from "./checksums.ts"
import * as Relaxed from "./relaxed.ts"
import * as Seal from "./seal.ts"
import * as SqliteError from "./sqliteError.ts"
import * as SyncFailure from "./syncFailure.ts"

/** "Weft" in the header of the file, where `file(1)` and SQLite look for it. */
export const applicationId = 0x57656674

/** Format of this program. A file of a higher one is refused by name, one of a lower one is migrated. */
export const format = 2

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

/** Magic numbers of file systems over a network, where a WAL's shared memory does not work (statfs(2)). */
const networkFileSystems = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x00c36400, "CephFS"],
  [0x01021997, "9P"]
])

/** The file, open. */
export const open = (options: OpenOptions): DatabaseSync => {
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

export const pragma = (db: DatabaseSync, name: string): unknown =>
  Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]

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
  if (Number(pragma(db, "user_version")) === format) return
  db.exec("BEGIN IMMEDIATE")
  try {
    if (Number(pragma(db, "application_id")) === 0) create(db, options.version)
    else migrate(db)
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
 * Commits that were never synced count as lost from then on: whether all of them are in it nobody can tell.
 */
const settle = (file: string): void => {
  const wal = `${file}-wal`
  const hasFailed = SyncFailure.isTold(file)
  // An empty log is one, too: its length may be what was lost.
  const isLeft = fs.existsSync(wal)
  if (!fs.existsSync(file) || !(isLeft || hasFailed)) return
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    // Nobody else may have the file open: where others do this throws "busy", the log is theirs and was not left behind.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL")
    judge(db, file)
    db.exec("BEGIN IMMEDIATE; COMMIT")
    if (isLeft) {
      rewrite(wal)
      Relaxed.lose(db)
    }
    db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()
    SyncFailure.forget(file)
  } catch (error) {
    if (SqliteError.isBusy(error)) {
      if (hasFailed) throw stillOpen(error)
      return
    }
    if (!SqliteError.isFull(error) || hasFailed || Relaxed.noted(db) !== undefined) throw error
  } finally {
    db.close()
  }
}

/** A busy file, with what it waits for. */
const stillOpen = (error: unknown): unknown =>
  error instanceof Error
    ? Object.assign(error, {
        message:
          "a sync of it has failed, so all processes that have it open must let go of it before it is opened again"
      })
    : error

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
    CREATE TABLE batches (seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, folded INTEGER);
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${format};
  `)
  const empty = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0])
  db.prepare("INSERT INTO batches (seq, version, folded, body, sum) VALUES (1, ?, 1, ?, ?)").run(
    version,
    empty,
    rowSum(1, version, 1, empty)
  )
}

/**
 * From format 1, whose `cells` are as of the last row of the log. The table of the log gets another name, so that a program
 * of format 1 that has the file open meets an error at its next look and cannot take `cells` for the present.
 */
const migrate = (db: DatabaseSync): void => {
  if (Number(pragma(db, "user_version")) !== 1) return
  db.exec(`
    ALTER TABLE log RENAME TO batches;
    ALTER TABLE batches ADD COLUMN folded INTEGER;
    PRAGMA user_version = ${format};
  `)
}
