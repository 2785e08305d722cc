/**
 * The SQLite file of a log: how it is recognised, created and opened, and its mark beside it. I/O, synchronous.
 *
 * Format 1. `application_id` "WFTR", `user_version` 1. Tables, each a tree of pages of its own:
 * - `head(id = 1, body)`: `Head`, rewritten by every write; `head_copy(id = 1, body)`: the same, rewritten whenever
 *   term, vote or `recoverTo` change, so that one damaged page does not take the vote away;
 * - `batch(first, body)`: consecutive entries, see `batchCodec.ts`;
 * - `snapshot(id, stage, body)` and `snapshot_copy(id, body)`: descriptions; `piece(no, snapshot, start, length, crc, body)`.
 *
 * Files: `<path>`, SQLite's `<path>-wal`, and `<path>-mark`: two slots that take turns, each the head of an acknowledged
 * write, written after its sync and never synced itself. SQLite ends its write-ahead log at the first frame whose checksum
 * fails, torn or flipped alike; the mark tells the two apart: what it knows as acknowledged and SQLite does not bring back
 * was damaged, not torn.
 */
import * as fs from "node:fs"
import { AlreadyOpen, FormatNewer, IoFailed, type LogStorageReason, NotALog } from "../LogStorage.ts"
import { decodeHead, encodeChecked, type Head } from "./headCodec.ts"
import { type DatabasePort, type FilePorts, replaceFile } from "./sqlitePorts.ts"

export const applicationId = 0x57465452
export const format = 1
export const markSlotBytes = 8192

const schema = `
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL) STRICT;
CREATE TABLE head_copy (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL) STRICT;
CREATE TABLE batch (first INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE snapshot (id INTEGER PRIMARY KEY, stage TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE snapshot_copy (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE piece (
  no INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL, start INTEGER NOT NULL,
  length INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX piece_at ON piece (snapshot, start);
`

/** A reason thrown through the synchronous code of the engine; its callers turn it into a `LogStorageError`. */
export class Failure extends Error {
  readonly reason: LogStorageReason
  constructor(reason: LogStorageReason, options?: ErrorOptions) {
    super(reason.message, options)
    this.reason = reason
  }
}

/** SQLite's own number for what went wrong, 0 for errors that are not SQLite's. */
export const sqliteCode = (error: unknown): number =>
  typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode
    : 0

/** Damage of the file's structure: SQLITE_CORRUPT or SQLITE_NOTADB. */
export const isCorrupt = (error: unknown): boolean => [11, 26].includes(sqliteCode(error) & 0xff)

/** The tables are the ones that were created; a flipped bit in their description is damage, not another schema. */
export const hasSchema = (database: DatabasePort): boolean => {
  const rows = database.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid").all()
  return rows.map(({ sql }) => `${sql};`).join("\n") === schema.trim()
}

const kindOf = (code: number, otherwise: IoFailed["kind"]): IoFailed["kind"] => {
  if ((code & 0xff) === 13) return "full"
  // SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_READ
  if (code === 1034 || code === 1290) return "sync"
  return code === 266 || (code & 0xff) === 11 ? "read" : otherwise
}

export const failureOf = (error: unknown, otherwise: IoFailed["kind"]): Failure => {
  if (error instanceof Failure) return error
  const code = sqliteCode(error)
  if ((code & 0xff) === 5) return new Failure(new AlreadyOpen({}), { cause: error })
  const text = error instanceof Error ? error.message : String(error)
  const detail = code === 0 ? text : `${text} (SQLite ${code})`
  return new Failure(new IoFailed({ kind: kindOf(code, otherwise), detail }), { cause: error })
}

/** Looks at the first 100 bytes before SQLite does: refuses strangers and newer formats without touching them. */
export const checkHeader = (file: string): "missing" | "ours" => {
  if (!fs.existsSync(file)) return "missing"
  const header = Buffer.alloc(100)
  const handle = fs.openSync(file, "r")
  try {
    fs.readSync(handle, header, 0, 100, 0)
  } finally {
    fs.closeSync(handle)
  }
  const application = header.readUInt32BE(68)
  if (header.toString("latin1", 0, 15) !== "SQLite format 3") {
    throw new Failure(new NotALog({ detail: `${file} does not begin as a SQLite file` }))
  }
  if (application !== applicationId) {
    throw new Failure(new NotALog({ detail: `application id ${application}, expected ${applicationId}` }))
  }
  const found = header.readUInt32BE(60)
  if (found > format) throw new Failure(new FormatNewer({ found, supported: format }))
  if (found < 1) throw new Failure(new NotALog({ detail: `format ${found} was never written` }))
  return "ours"
}

/** Writes a new log under another name; `fill` gives it its rows. It takes its place by `replaceFile`, whole or not. */
export const createFile = (ports: FilePorts, file: string, fill: (database: DatabasePort) => void): string => {
  const fresh = `${file}.new`
  for (const leftover of [fresh, `${fresh}-journal`, `${fresh}-wal`]) fs.rmSync(leftover, { force: true })
  const database = ports.openDatabase(fresh)
  try {
    database.exec(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${format}; PRAGMA synchronous = FULL`
    )
    database.exec("BEGIN IMMEDIATE")
    database.exec(schema)
    fill(database)
    database.exec("COMMIT")
    // Stored in the file's header, so that the first open finds it.
    database.exec("PRAGMA journal_mode = WAL")
  } finally {
    database.close()
  }
  return fresh
}

export const putHead = (database: DatabasePort, head: Head): void => {
  database.prepare("INSERT OR REPLACE INTO head (id, body) VALUES (1, ?)").run(encodeChecked("head", head))
  database.prepare("INSERT OR REPLACE INTO head_copy (id, body) VALUES (1, ?)").run(encodeChecked("headCopy", head))
}

export const createLog = (ports: FilePorts, file: string, head: Head): void =>
  replaceFile(
    createFile(ports, file, (database) => putHead(database, head)),
    file
  )

/** Opens for one process alone; fails with `AlreadyOpen` while another one has it. */
export const openExclusive = (ports: FilePorts, file: string): DatabasePort => {
  const database = ports.openDatabase(file)
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON")
    // The engine checkpoints after it has answered, not in the middle of a commit.
    database.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864")
    // Takes the lock now; kept until the end by the locking mode.
    database.exec("BEGIN IMMEDIATE; COMMIT")
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** The mark of acknowledged writes, see the file's head. */
export class Mark {
  readonly #ports: FilePorts
  readonly #handle: number

  constructor(ports: FilePorts, file: string) {
    this.#ports = ports
    this.#handle = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  }

  /** The newest head that is readable; `undefined` for a new mark. */
  read(): Head | undefined {
    const bytes = Buffer.alloc(2 * markSlotBytes)
    const length = fs.readSync(this.#handle, bytes, 0, bytes.length, 0)
    const heads = [0, markSlotBytes].flatMap((at) => {
      const size = at + 4 <= length ? bytes.readUInt32LE(at) : 0
      const whole = size > 0 && size <= markSlotBytes - 4 && at + 4 + size <= length
      const head = whole ? decodeHead("mark", bytes.subarray(at + 4, at + 4 + size)) : undefined
      return head === undefined ? [] : [head]
    })
    return heads.sort((a, b) => b.seq - a.seq)[0]
  }

  /** After the write is durable. Cost: some microseconds, no sync. */
  write(head: Head): void {
    // What is damaged is known from the log itself and could be long.
    const body = encodeChecked("mark", { ...head, damaged: [] })
    const bytes = Buffer.alloc(4 + body.length)
    bytes.writeUInt32LE(body.length, 0)
    bytes.set(body, 4)
    if (bytes.length > markSlotBytes) {
      throw new Failure(
        new IoFailed({ kind: "write", detail: `the mark needs ${bytes.length} bytes of ${markSlotBytes}` })
      )
    }
    this.#ports.writeAt(this.#handle, bytes, (head.seq % 2) * markSlotBytes)
  }

  sync(): void {
    fs.fsyncSync(this.#handle)
  }

  close(): void {
    fs.closeSync(this.#handle)
  }
}
