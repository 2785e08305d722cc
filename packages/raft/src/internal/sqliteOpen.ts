/**
 * Opens a SQLite log: recognises or creates it, reads it whole, mends what can be mended without losing anything, and
 * says what is damaged. I/O, synchronous; throws `Failure`.
 */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import type { DamagedRange, Entry } from "../core/Types.ts"
import { HardStateDamaged, NotALog } from "../LogStorage.ts"
import { encodeChecked, type Head, lostFrom } from "./headCodec.ts"
import { subtract, unite } from "./logExtent.ts"
import { encodeEntries } from "./sqliteCommands.ts"
import {
  checkHeader,
  createFile,
  createLog,
  Failure,
  failureOf,
  hasSchema,
  isCorrupt,
  Mark,
  openExclusive,
  putHead
} from "./sqliteFile.ts"
import { type DatabasePort, type FilePorts, replaceFile } from "./sqlitePorts.ts"
import { type FoundSnapshot, scan, type Scan } from "./sqliteScan.ts"

export interface Opened {
  readonly database: DatabasePort
  readonly mark: Mark
  readonly head: Head
  readonly entries: ReadonlyArray<Entry>
  readonly damaged: ReadonlyArray<DamagedRange>
  readonly own: FoundSnapshot | undefined
  readonly staged: ReadonlyArray<FoundSnapshot>
}

const newHead = (): Head => ({
  log: randomUUID(),
  seq: 0,
  hardState: { term: 0, vote: undefined, commit: 0, recoverTo: 0 },
  first: 1,
  last: 0,
  tail: null,
  snapshot: { row: 0, index: 0 },
  damaged: [],
  truncations: []
})

const scanOrFail = (database: DatabasePort): Scan => {
  try {
    if (hasSchema(database)) return scan(database)
    throw new Failure(new HardStateDamaged({ detail: "the description of the tables is damaged" }))
  } catch (error) {
    if (!isCorrupt(error)) throw error
    throw new Failure(new HardStateDamaged({ detail: "SQLite cannot read the file at all" }), { cause: error })
  }
}

const openDatabase = (ports: FilePorts, file: string): DatabasePort => {
  try {
    return openExclusive(ports, file)
  } catch (error) {
    if (!isCorrupt(error)) throw failureOf(error, "open")
    throw new Failure(new HardStateDamaged({ detail: "SQLite cannot open the file" }), { cause: error })
  }
}

/** Copies what is readable into a new file; the old one stays beside it for those who want to look. */
const rebuild = (ports: FilePorts, file: string, old: DatabasePort, found: Scan): DatabasePort => {
  const fresh = createFile(ports, file, (database) => {
    putHead(database, { ...found.head, damaged: found.damaged })
    const insert = database.prepare("INSERT INTO batch (first, body) VALUES (?, ?)")
    for (const { body, first } of encodeEntries(found.entries)) insert.run(first, body)
    if (found.own !== undefined) copySnapshot(old, database, found.own)
  })
  old.close()
  const kept = `${file}.damaged-${found.head.seq}`
  fs.copyFileSync(file, kept, fs.constants.COPYFILE_FICLONE)
  // Normally gone since `close`. It must not meet the new file: SQLite would replay it there. If the process ends between
  // the two renames, the next opening finds writes missing that the mark knows, and reports them as damaged.
  if (fs.existsSync(`${file}-wal`)) fs.renameSync(`${file}-wal`, `${kept}-wal`)
  replaceFile(fresh, file)
  return openDatabase(ports, file)
}

const copySnapshot = (from: DatabasePort, to: DatabasePort, { meta, row, whole }: FoundSnapshot): void => {
  to.prepare("INSERT INTO snapshot (id, stage, body) VALUES (?, 'own', ?)").run(row, encodeChecked("snapshot", meta))
  to.prepare("INSERT INTO snapshot_copy (id, body) VALUES (?, ?)").run(row, encodeChecked("snapshotCopy", meta))
  if (!whole) return
  const read = from.prepare("SELECT length, crc, body FROM piece WHERE snapshot = ? AND start = ?")
  const insert = to.prepare("INSERT INTO piece (snapshot, start, length, crc, body) VALUES (?, ?, ?, ?, ?)")
  for (let start = 0; start < meta.bytes;) {
    const piece = read.get(row, start)!
    insert.run(row, start, piece["length"]!, piece["crc"]!, piece["body"]!)
    start += Number(piece["length"])
  }
}

/**
 * The mark knows a newer write than the file: acknowledged writes are gone (a damaged write-ahead log, an old copy of the
 * file). Term and vote come from the mark; the entries between are damaged, up to where the mark says the log ended.
 */
const withLost = (found: Scan, mark: Head): Scan => {
  const from = lostFrom(found.head, mark)
  const last = Math.max(mark.last, found.head.first - 1)
  const kept = subtract(found.damaged, Math.min(from, last + 1), Number.MAX_SAFE_INTEGER)
  const head: Head = {
    ...found.head,
    seq: mark.seq,
    hardState: mark.hardState,
    last,
    tail: mark.tail,
    truncations: mark.truncations
  }
  return {
    ...found,
    head,
    entries: found.entries.filter(({ index }) => index < from && index <= last),
    damaged: unite(kept, from, last)
  }
}

/** Makes the file agree with what was found, in one transaction: rows that were cut or lost are gone. */
const settle = (database: DatabasePort, found: Scan): Head => {
  const head: Head = { ...found.head, seq: found.head.seq + 1, damaged: found.damaged }
  database.exec("BEGIN IMMEDIATE")
  database.exec("DELETE FROM batch")
  const insert = database.prepare("INSERT INTO batch (first, body) VALUES (?, ?)")
  for (const { body, first } of encodeEntries(found.entries)) insert.run(first, body)
  putHead(database, head)
  database.exec("COMMIT")
  return head
}

const openFound = (ports: FilePorts, file: string, mark: Mark): Opened => {
  let database = openDatabase(ports, file)
  try {
    let found = scanOrFail(database)
    if (found.structure) {
      database = rebuild(ports, file, database, found)
      found = { ...found, staged: [], structure: false }
    }
    const marked = mark.read()
    if (marked !== undefined && marked.log !== found.head.log) {
      throw new Failure(new NotALog({ detail: `${file} and its mark belong to two different logs` }))
    }
    const lost = marked !== undefined && marked.seq > found.head.seq
    if (lost) found = withLost(found, marked)
    const head = lost || found.headRebuilt ? settle(database, found) : { ...found.head, damaged: found.damaged }
    mark.write(head)
    mark.sync()
    const { damaged, entries, own, staged } = found
    return { database, mark, head, entries, damaged, own, staged }
  } catch (error) {
    database.close()
    throw error
  }
}

export const openLog = (ports: FilePorts, file: string): Opened => {
  try {
    const missing = checkHeader(file) === "missing"
    const mark = new Mark(ports, `${file}-mark`)
    try {
      const marked = mark.read()
      if (missing && marked !== undefined) {
        const detail = `${file} is gone, its mark says that it voted in term ${marked.hardState.term}`
        throw new Failure(new HardStateDamaged({ detail }))
      }
      if (missing && fs.existsSync(`${file}-wal`)) {
        throw new Failure(new HardStateDamaged({ detail: `${file} is gone, its write-ahead log is still there` }))
      }
      if (missing) createLog(ports, file, newHead())
      return openFound(ports, file, mark)
    } catch (error) {
      mark.close()
      throw error
    }
  } catch (error) {
    throw failureOf(error, "open")
  }
}
