/**
 * Work on a whole file that takes long: runs in a thread of its own (`maintenanceWorker.ts`), on a connection of its own.
 * Synchronous, plain data in and out.
 */
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as Version from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import { Database } from "./Database.ts"
import { decodeBatch, LogWriter } from "./logCodec.ts"
import * as Seal from "./seal.ts"
import { foldCellsDefault, Tail } from "./Tail.ts"

/** What an integrity check found. */
export interface Integrity {
  readonly cells: number
  readonly logRows: number
  readonly version: Version.Version
  /** Everything that does not hold, named; empty when the file is sound. At most `damagesMax`. */
  readonly damages: ReadonlyArray<string>
}

/** Damages named by one check. */
export const damagesMax = 100

/** Checks SQLite's structure, every cell and every row of the log. */
export const integrity = (database: Database): Integrity => {
  const damages: Array<string> = []
  let cells = 0
  let logRows = 0
  let version = Version.none
  const note = (damage: string): boolean => damages.push(damage) < damagesMax
  for (const row of database.db.prepare(`PRAGMA integrity_check(${damagesMax})`).all()) {
    const found = String(Object.values(row)[0])
    if (found !== "ok") note(found)
  }
  const pieces = <A>(next: () => A | undefined): A | undefined => {
    try {
      return next()
    } catch (error) {
      note(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }
  database.begin()
  try {
    let after: Uint8Array = Buffer.alloc(0)
    for (;;) {
      const key = pieces(() => database.one("SELECT key FROM cells WHERE key > ? ORDER BY key LIMIT 1", after)?.[0])
      if (!(key instanceof Uint8Array) || damages.length >= damagesMax) break
      pieces(() => database.cell(Buffer.from(key).toString("latin1")))
      after = key
      cells++
    }
    const tail = new Tail(foldCellsDefault)
    const folded = database.folded()
    for (let seq = 0; damages.length < damagesMax;) {
      const at = pieces(() => database.one("SELECT min(seq) FROM batches WHERE seq > ?", seq)?.[0])
      if (typeof at !== "number") break
      const row = pieces(() => database.logAfter(at - 1, 1)[0])
      if (row !== undefined) {
        const batch = pieces(() => decodeBatch(row.body))
        if (row.seq > folded)
          for (const { changes } of batch?.commits ?? []) for (const change of changes) tail.apply(change)
        if (row.version < version)
          note(`the log row ${at} goes back from ${Version.format(version)} to ${Version.format(row.version)}`)
        version = row.version
      }
      seq = at
      logRows++
    }
    cells += tail.unfiled
  } finally {
    database.rollback()
  }
  return { cells, logRows, version, damages }
}

/** Copies the store as of one commit into a new file, while others read and write; checks the copy. */
export const backup = (database: Database, to: string): Integrity => {
  if (fs.existsSync(to)) {
    const message = `a backup may not replace the file ${to}: name a path that does not exist`
    throw StoreError.make(new StoreError.InvalidInput({ message }))
  }
  const part = `${to}.part`
  fs.rmSync(part, { force: true })
  database.prepare("VACUUM INTO ?").run(part)
  const copy = new Database({ path: part, journal: "rollback", pageBytes: 4096, version: Version.none })
  let found: Integrity
  try {
    found = integrity(copy)
    if (found.damages.length > 0) throw damaged(to, found)
    Seal.seal(copy.db, part)
  } finally {
    copy.db.close()
  }
  sync(part)
  fs.renameSync(part, to)
  if (fs.existsSync(`${part}-sums`)) fs.renameSync(`${part}-sums`, `${to}-sums`)
  sync(to)
  return found
}

/**
 * Puts a backup in the place of a store, in a new epoch above both. Refused while a process has the store open. What the
 * store acknowledged after the backup is lost, and everyone who goes on from it is told so by the epoch.
 */
export const restore = (from: string, to: string): Integrity => {
  const epoch = Math.max(epochOf(to), epochOf(from)) + 1
  const part = `${to}.part`
  Seal.verify(from)
  fs.copyFileSync(from, part)
  const copy = new Database({ path: part, journal: "rollback", pageBytes: 4096, version: Version.none })
  let found: Integrity
  try {
    found = integrity(copy)
    if (found.damages.length > 0) throw damaged(from, found)
    const version = Version.make(epoch, 0)
    const seq = copy.lastSeq() + 1
    copy.beginImmediate()
    const body = new LogWriter().encode([])
    copy.appendLog({ seq, version, folded: copy.folded(), body })
    copy.commit()
    found = { ...found, version }
  } finally {
    copy.db.close()
  }
  sync(part)
  for (const side of ["-wal", "-shm", "-sums"]) fs.rmSync(to + side, { force: true })
  fs.renameSync(part, to)
  sync(to)
  return found
}

/** Gives free pages back to the file system, `pages` at a time, and cuts the write-ahead log. How many are left. */
export const compactStep = (database: Database, pages: number): number => {
  database.syncing(() => database.db.exec(`PRAGMA incremental_vacuum(${pages})`))
  const left = Number(database.one("PRAGMA freelist_count")?.[0] ?? 0)
  if (left === 0 && database.journal === "wal") {
    database.syncing(() => database.db.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
  }
  return left
}

/** Epoch of a store that nobody has open; 0 when there is none or it cannot be read. */
const epochOf = (file: string): number => {
  if (!fs.existsSync(file)) return 0
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file, { timeout: 0 })
    const mode = Object.values(db.prepare("PRAGMA journal_mode = DELETE").get() ?? {})[0]
    if (mode !== "delete") throw inUse(file)
    // The log of a file of format 1 has another name.
    const log = db.prepare("SELECT name FROM sqlite_schema WHERE name IN ('batches', 'log')").get()?.["name"]
    const row = db.prepare(`SELECT version FROM ${log} ORDER BY seq DESC LIMIT 1`).get()
    return Version.epochOf(Number(row?.["version"] ?? 0))
  } catch (error) {
    if (error instanceof StoreError.StoreError) throw error
    if (error instanceof Error && error.message.includes("locked")) throw inUse(file)
    // Too damaged to say: the backup's own epoch is all there is to go above.
    return 0
  } finally {
    db?.close()
  }
}

const inUse = (file: string): StoreError.StoreError =>
  StoreError.make(
    new StoreError.Unavailable({
      message: `the store in ${file} is open in a process: end all of them before a restore. Nothing was changed`
    })
  )

const damaged = (file: string, { damages }: Integrity): StoreError.StoreError =>
  StoreError.make(
    new StoreError.Corrupt({
      message: `the copy of ${file} is damaged and was not put in place: ${damages.slice(0, 3).join("; ")}${damages.length > 3 ? `; and ${damages.length - 3} more` : ""}`
    })
  )

/** Puts a file and its name on the disk. */
const sync = (file: string): void => {
  for (const [name, flag] of [
    [file, "r+"],
    [file.slice(0, file.lastIndexOf("/") + 1) || ".", "r"]
  ] as const) {
    const fd = fs.openSync(name, flag)
    fs.fsyncSync(fd)
    fs.closeSync(fd)
  }
}
