/**
 * Reads a whole log at opening and says what of it is whole. Only reads.
 *
 * What is found, from the least to the worst: a record or a directory whose checksum fails (that range is damaged);
 * pages that SQLite cannot follow (it is read from both ends, the hole between is damaged, and the file must be written
 * anew: `structure`); the head unreadable (the copy has term and vote); both unreadable (`HardStateDamaged`).
 */
import type { DamagedRange, Entry, Index, SnapshotMeta } from "../core/Types.ts"
import { HardStateDamaged } from "../LogStorage.ts"
import { decodeBatch, type DecodedBatch } from "./batchCodec.ts"
import { pieceCrc32 } from "./crc32.ts"
import { decodeChecked, decodeHead, type Head } from "./headCodec.ts"
import { unite } from "./logExtent.ts"
import { Failure, isCorrupt } from "./sqliteFile.ts"
import type { DatabasePort, Row } from "./sqlitePorts.ts"

export interface FoundSnapshot {
  readonly row: number
  readonly stage: string
  readonly meta: SnapshotMeta
  /** All bytes are there and whole. */
  readonly whole: boolean
  readonly length: number
}

export interface Scan {
  readonly head: Head
  /** The head itself was unreadable: its extent was rebuilt from the rows. */
  readonly headRebuilt: boolean
  readonly entries: ReadonlyArray<Entry>
  readonly damaged: ReadonlyArray<DamagedRange>
  readonly own: FoundSnapshot | undefined
  readonly staged: ReadonlyArray<FoundSnapshot>
  /** SQLite stumbled over the file's structure: copy what is readable into a new file. */
  readonly structure: boolean
}

const rowsAtOnce = 64

/** Runs a read; damage of the structure is noted and gives `undefined`. */
class Reader {
  readonly #database: DatabasePort
  structure = false

  constructor(database: DatabasePort) {
    this.#database = database
  }

  rows(sql: string, ...parameters: ReadonlyArray<number>): ReadonlyArray<Row> | undefined {
    try {
      return this.#database.prepare(sql).all(...parameters)
    } catch (error) {
      if (!isCorrupt(error)) throw error
      this.structure = true
      return undefined
    }
  }

  row(sql: string, ...parameters: ReadonlyArray<number>): Row | undefined {
    return this.rows(sql, ...parameters)?.[0]
  }
}

const bytesOf = (row: Row | undefined, column: string): Uint8Array | undefined => {
  const value = row?.[column]
  return value instanceof Uint8Array ? value : undefined
}

const readHead = (reader: Reader): { readonly head: Head; readonly rebuilt: boolean } => {
  const head = decodeHead("head", bytesOf(reader.row("SELECT body FROM head WHERE id = 1"), "body"))
  const copy = decodeHead("headCopy", bytesOf(reader.row("SELECT body FROM head_copy WHERE id = 1"), "body"))
  if (head === undefined && copy === undefined) {
    throw new Failure(new HardStateDamaged({ detail: "the head and its copy fail their checksums" }))
  }
  return { head: head ?? copy!, rebuilt: head === undefined }
}

interface StoredBatch {
  readonly first: Index
  readonly body: Uint8Array
}

const batchesOf = (rows: ReadonlyArray<Row>): ReadonlyArray<StoredBatch> =>
  rows.map((row) => ({ first: Number(row["first"]), body: bytesOf(row, "body") ?? new Uint8Array() }))

/** All batches by `first`. Where SQLite cannot go on from the front, it goes on from the back. */
const readBatches = (reader: Reader): ReadonlyArray<StoredBatch> => {
  const front: Array<StoredBatch> = []
  for (let after = -1; ; after = front.at(-1)!.first) {
    const some = readSome(reader, "SELECT first, body FROM batch WHERE first > ? ORDER BY first LIMIT ?", after, 1)
    front.push(...some.batches)
    if (some.ended === "end") return front
    if (some.ended === "damage") break
  }
  const reached = front.at(-1)?.first ?? -1
  const back: Array<StoredBatch> = []
  for (let before = Number.MAX_SAFE_INTEGER; ; before = back.at(-1)!.first) {
    const some = readSome(
      reader,
      "SELECT first, body FROM batch WHERE first < ? ORDER BY first DESC LIMIT ?",
      before,
      -1
    )
    back.push(...some.batches.filter(({ first }) => first > reached))
    if (some.ended !== "more" || back.at(-1)!.first !== some.batches.at(-1)!.first) break
  }
  return [...front, ...back.reverse()]
}

/** Up to 64 batches that go on from `from` in one direction; if that fails, as many as can be had one by one. */
const readSome = (
  reader: Reader,
  sql: string,
  from: number,
  direction: 1 | -1
): { readonly batches: ReadonlyArray<StoredBatch>; readonly ended: "more" | "end" | "damage" } => {
  for (let limit = rowsAtOnce; limit >= 1; limit = limit >>> 1) {
    const rows = reader.rows(sql, from, limit)
    if (rows === undefined) continue
    const batches = batchesOf(rows)
    // Damaged pages can lead in circles: what does not go on in order is not read.
    const wrong = batches.findIndex(({ first }, at) => (first - (batches[at - 1]?.first ?? from)) * direction <= 0)
    if (wrong === -1) return { batches, ended: rows.length < limit ? "end" : "more" }
    reader.structure = true
    return { batches: batches.slice(0, wrong), ended: "damage" }
  }
  return { batches: [], ended: "damage" }
}

interface Laid {
  readonly entries: Array<Entry>
  damaged: ReadonlyArray<DamagedRange>
  next: Index
}

const lay = (laid: Laid, batch: DecodedBatch, first: Index, last: Index): void => {
  for (const [position, entry] of batch.entries.entries()) {
    const index = batch.first + position
    if (index < Math.max(first, laid.next) || index > last) continue
    if (entry === undefined) laid.damaged = unite(laid.damaged, index, index)
    else laid.entries.push(entry)
  }
}

const readEntries = (reader: Reader, head: Head, rebuilt: boolean) => {
  const rows = readBatches(reader)
  const batches = rows.map(({ body, first }) => ({ first, decoded: decodeBatch(body, first) }))
  const newest = batches.at(-1)
  const end = newest === undefined ? head.first - 1 : newest.first + (newest.decoded?.count ?? 1) - 1
  // Without the head, the rows say where the log ends; the mark corrects that if it knows more.
  const last = rebuilt ? Math.max(end, head.first - 1) : head.last
  const laid: Laid = { entries: [], damaged: [], next: head.first }
  for (const { decoded } of batches) {
    if (decoded === undefined) continue
    if (decoded.first > laid.next) laid.damaged = unite(laid.damaged, laid.next, Math.min(decoded.first - 1, last))
    lay(laid, decoded, head.first, last)
    laid.next = Math.max(laid.next, decoded.first + decoded.count)
  }
  return { last, entries: laid.entries, damaged: unite(laid.damaged, laid.next, last) }
}

const readSnapshot = (
  reader: Reader,
  row: number,
  stage: string,
  body: Uint8Array | undefined
): FoundSnapshot | undefined => {
  const copy = bytesOf(reader.row("SELECT body FROM snapshot_copy WHERE id = ?", row), "body")
  const meta = decodeChecked<SnapshotMeta>("snapshot", body) ?? decodeChecked<SnapshotMeta>("snapshotCopy", copy)
  if (meta === undefined) return undefined
  let length = 0
  let whole = true
  for (;;) {
    // One piece at a time: a snapshot may be larger than what is good to hold at once.
    const sql = "SELECT length, crc, body FROM piece WHERE snapshot = ? AND start = ?"
    const piece = reader.row(sql, row, length)
    const data = bytesOf(piece, "body")
    if (piece === undefined || data === undefined) break
    if (data.length === 0) break
    if (data.length !== piece["length"] || pieceCrc32(data, meta.index, length) !== piece["crc"]) whole = false
    length += data.length
  }
  return { row, stage, meta, whole: whole && length === meta.bytes, length }
}

/** Reads and judges everything. Throws `Failure` if the node must not start. Cost: O(bytes of the log). */
export const scan = (database: DatabasePort): Scan => {
  const reader = new Reader(database)
  const { head, rebuilt } = readHead(reader)
  const { damaged, entries, last } = readEntries(reader, head, rebuilt)
  const found = (reader.rows("SELECT id, stage, body FROM snapshot WHERE stage <> 'dropped'") ?? []).flatMap((row) => {
    const snapshot = readSnapshot(reader, Number(row["id"]), String(row["stage"]), bytesOf(row, "body"))
    return snapshot === undefined ? [] : [snapshot]
  })
  let own = found.find(({ row }) => row === head.snapshot.row)
  if (own === undefined && head.snapshot.row !== 0) {
    own = readSnapshot(reader, head.snapshot.row, "own", undefined)
    if (own !== undefined) own = { ...own, whole: false }
  }
  if (own === undefined && head.snapshot.row !== 0) {
    throw new Failure(
      new HardStateDamaged({
        detail: "the description of the snapshot and its copy fail their checksums: members unknown"
      })
    )
  }
  const check = reader.row("PRAGMA quick_check(1)")
  const structure = reader.structure || (check !== undefined && Object.values(check)[0] !== "ok")
  const ends = { ...head, last, tail: rebuilt ? tailOf(entries, last) : head.tail }
  const staged = found.filter(({ stage }) => stage === "arrived" || stage === "made")
  return { head: ends, headRebuilt: rebuilt, entries, damaged, own, staged, structure }
}

const tailOf = (entries: ReadonlyArray<Entry>, last: Index): Head["tail"] => {
  const newest = entries.at(-1)
  return newest === undefined || newest.index !== last ? null : { index: newest.index, term: newest.term }
}
