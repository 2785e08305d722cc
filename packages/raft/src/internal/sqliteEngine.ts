/**
 * The SQLite log at work: one call, one transaction, one sync. I/O, synchronous; throws `Failure`. It runs in a worker
 * thread or on the caller's (`SqliteLogStorage`), which also decides what is refused before it comes here.
 *
 * Invariants after each transaction: batches do not overlap; they hold exactly `[head.first, head.last]` without the
 * damaged ranges (and what the sweep has not come to yet, below `first`).
 */
import type { DamagedRange, Entry, HardState, Index, Install, Restored, SnapshotMeta } from "../core/Types.ts"
import {
  type EntriesRead,
  IoFailed,
  type PieceRequest,
  PiecesMismatch,
  type Refused,
  type Stage
} from "../LogStorage.ts"
import { decodeBatch } from "./batchCodec.ts"
import { pieceCrc32 } from "./crc32.ts"
import { encodeChecked, type Head, withTruncation } from "./headCodec.ts"
import { LogExtent, pieceRefusal, type Staged, subtract, unite, type WorkShape } from "./logExtent.ts"
import { type Command, type EncodedWork, encodeEntries, type Value } from "./sqliteCommands.ts"
import { Failure, failureOf, type Mark } from "./sqliteFile.ts"
import { openLog } from "./sqliteOpen.ts"
import type { DatabasePort, FilePorts, StatementPort } from "./sqlitePorts.ts"

/** Rows that one write deletes on behalf of earlier compactions: bounds what a write waits for. */
const sweepBatches = 64
const sweepPieces = 4
/** Bytes of write-ahead log after which it is copied into the file; some milliseconds each. */
const checkpointBytes = 4 * 1024 * 1024
const pageBytes = 4096

const sql = {
  insert: "INSERT INTO batch (first, body) VALUES (?, ?)",
  before: "SELECT first, body FROM batch WHERE first < ? ORDER BY first DESC LIMIT 1",
  within: "SELECT first, body FROM batch WHERE first >= ? AND first <= ? ORDER BY first",
  deleteFrom: "DELETE FROM batch WHERE first >= ?",
  deleteOne: "DELETE FROM batch WHERE first = ?",
  holder: "SELECT max(first) AS first FROM batch WHERE first <= ?",
  sweep: `DELETE FROM batch WHERE first IN (SELECT first FROM batch WHERE first < ? ORDER BY first LIMIT ${sweepBatches})`,
  head: "UPDATE head SET body = ? WHERE id = 1",
  headCopy: "UPDATE head_copy SET body = ? WHERE id = 1",
  piece: "INSERT INTO piece (snapshot, start, length, crc, body) VALUES (?, ?, ?, ?, ?)",
  pieceAt: "SELECT start, length, crc, body FROM piece WHERE snapshot = ? AND start <= ? ORDER BY start DESC LIMIT 1",
  sweepPieces: `DELETE FROM piece WHERE no IN (SELECT no FROM piece WHERE snapshot = ? LIMIT ${sweepPieces})`,
  dropped: "SELECT id FROM snapshot WHERE stage = 'dropped' LIMIT 1",
  snapshot: "INSERT INTO snapshot (id, stage, body) VALUES (?, ?, ?)",
  snapshotCopy: "INSERT INTO snapshot_copy (id, body) VALUES (?, ?)",
  stage: "UPDATE snapshot SET stage = ? WHERE id = ?",
  forget: "DELETE FROM snapshot WHERE id = ?",
  forgetCopy: "DELETE FROM snapshot_copy WHERE id = ?",
  newRow: "SELECT coalesce(max(id), 0) + 1 AS id FROM snapshot"
}

interface StagedRow extends Staged {
  readonly row: number
}

const refuseIf = (refusal: Refused | undefined): void => {
  if (refusal !== undefined) throw new Failure(refusal)
}

export class SqliteEngine {
  readonly restored: Restored
  private readonly staged: Record<Stage, StagedRow | undefined>
  readonly #database: DatabasePort
  readonly #mark: Mark
  readonly #statements = new Map<string, StatementPort>()
  readonly #extent: LogExtent
  #head: Head
  #own: { readonly row: number; readonly index: Index; readonly bytes: number } | undefined
  #sweepDue = true
  #walBytes = 0

  constructor(ports: FilePorts, file: string) {
    const opened = openLog(ports, file)
    this.#database = opened.database
    this.#mark = opened.mark
    this.#head = opened.head
    const { first, last, snapshot, tail } = opened.head
    this.#extent = new LogExtent({ first, last, snapshot: snapshot.index, damaged: opened.damaged })
    this.#own = opened.own && { row: opened.own.row, index: opened.own.meta.index, bytes: opened.own.meta.bytes }
    const staged = (stage: Stage): StagedRow | undefined => opened.staged.find((found) => found.stage === stage)
    this.staged = { arrived: staged("arrived"), made: staged("made") }
    this.restored = {
      hardState: opened.head.hardState,
      snapshot: opened.own?.meta,
      snapshotDamaged: opened.own !== undefined && !opened.own.whole,
      entries: opened.entries,
      damaged: opened.damaged,
      tail: tail ?? undefined
    }
  }

  /** Runs one command but for `close`. A `Failure` that is no refusal is final: the caller stops (`isFinalReason`). */
  run(command: Exclude<Command, { op: "close" }>): Value {
    try {
      switch (command.op) {
        case "persist":
          return this.#persist(command.works)
        case "storePiece":
          return this.#storePiece(command)
        case "install":
          return this.#install(command.install)
        case "adopt":
          return this.#adopt(command.meta)
        case "readPiece":
          return this.#readPiece(command.request)
        case "readEntries":
          return this.#readEntries(command.range)
      }
    } catch (error) {
      throw failureOf(error, command.op.startsWith("read") ? "read" : "write")
    }
  }

  /** Copies the write-ahead log into the file if it has grown. Called when nobody waits for an answer. */
  checkpoint(): void {
    if (this.#walBytes < checkpointBytes) return
    try {
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)")
    } catch (error) {
      throw failureOf(error, "sync")
    }
    this.#walBytes = 0
  }

  close(): void {
    this.#mark.close()
    this.#database.close()
  }

  #statement(text: string): StatementPort {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const prepared = this.#database.prepare(text)
    this.#statements.set(text, prepared)
    return prepared
  }

  #persist(works: ReadonlyArray<EncodedWork>): undefined {
    if (works.length === 0) return
    const before = this.#head.hardState
    const shapes = works.map(({ batches, compactTo, truncateFrom }): WorkShape => {
      return { truncateFrom, compactTo, runs: batches.map(({ first, last }) => ({ from: first, to: last })) }
    })
    refuseIf(this.#extent.refusalOfAll(shapes))
    this.#database.exec("BEGIN IMMEDIATE")
    for (const [at, work] of works.entries()) this.#work(work, shapes[at]!)
    this.#sweep()
    this.#commit(before)
  }

  #work({ batches, compactTo, hardState, truncateFrom }: EncodedWork, shape: WorkShape): void {
    if (hardState !== undefined) this.#set({ hardState })
    if (truncateFrom > 0 && truncateFrom <= this.#extent.last) this.#truncate(truncateFrom)
    const last = truncateFrom > 0 ? Math.min(this.#extent.last, truncateFrom - 1) : this.#extent.last
    for (const batch of batches) {
      if (batch.first > last) this.#statement(sql.insert).run(batch.first, batch.body)
      else this.#replace(batch.first, batch.last, decodeBatch(batch.body, batch.first)?.entries ?? [])
      this.#walBytes += batch.body.length + pageBytes
    }
    this.#extent.persist(shape)
    const newest = batches.at(-1)
    if (newest !== undefined && newest.last === this.#extent.last) {
      this.#set({ tail: { index: newest.last, term: newest.lastTerm } })
    }
    if (compactTo > 0) this.#sweepDue = true
  }

  /** One row per batch: a truncation inside a batch writes that row again, shorter. */
  #truncate(from: Index): void {
    this.#statement(sql.deleteFrom).run(from)
    const row = this.#statement(sql.before).get(from)
    const first = Number(row?.["first"] ?? 0)
    const decoded = row === undefined ? undefined : decodeBatch(row["body"] as Uint8Array, first)
    if (decoded !== undefined && first + decoded.count > from) {
      this.#statement(sql.deleteOne).run(first)
      this.#insertRuns(decoded.entries.slice(0, from - first))
    }
    const newest = decoded?.entries[from - 1 - first]
    const tail = newest === undefined ? null : { index: newest.index, term: newest.term }
    this.#set({ tail, truncations: withTruncation(this.#head.truncations, this.#head.seq + 1, from) })
  }

  /** Puts entries in the place of damaged ones: the batches they fall into are written again, with what is whole of them. */
  #replace(from: Index, to: Index, entries: ReadonlyArray<Entry | undefined>): void {
    const before = this.#statement(sql.before).get(from)
    const rows = [...(before === undefined ? [] : [before]), ...this.#statement(sql.within).all(from, to)]
    const whole = new Map<Index, Entry | undefined>()
    for (const row of rows) {
      const first = Number(row["first"])
      const decoded = decodeBatch(row["body"] as Uint8Array, first)
      // An unreadable batch that begins earlier stays: what lies between it and `from` is still reported as damaged.
      if (first < from && (decoded === undefined || first + decoded.count <= from)) continue
      this.#statement(sql.deleteOne).run(first)
      for (const entry of decoded?.entries ?? []) if (entry !== undefined) whole.set(entry.index, entry)
    }
    for (const entry of entries) if (entry !== undefined) whole.set(entry.index, entry)
    this.#insertRuns(Array.from(whole.values()).sort((a, b) => a!.index - b!.index))
  }

  #insertRuns(entries: ReadonlyArray<Entry | undefined>): void {
    const whole = entries.filter((entry): entry is Entry => entry !== undefined)
    for (const { body, first } of encodeEntries(whole)) this.#statement(sql.insert).run(first, body)
  }

  /** Deletes some rows that compaction or a newer snapshot has left behind. */
  #sweep(): void {
    if (!this.#sweepDue) return
    const holder = Number(this.#statement(sql.holder).get(this.#extent.first)?.["first"] ?? 0)
    this.#statement(sql.sweep).run(holder)
    const dropped = this.#statement(sql.dropped).get()?.["id"]
    if (typeof dropped === "number") {
      this.#statement(sql.sweepPieces).run(dropped)
      if (this.#statement("SELECT no FROM piece WHERE snapshot = ? LIMIT 1").get(dropped) === undefined) {
        this.#statement(sql.forget).run(dropped)
        this.#statement(sql.forgetCopy).run(dropped)
      }
      return
    }
    this.#sweepDue = this.#statement("SELECT first FROM batch WHERE first < ? LIMIT 1").get(holder) !== undefined
  }

  #set(fields: Partial<Head>): void {
    this.#head = { ...this.#head, ...fields }
  }

  /** The head goes last into the transaction; the mark is written when the transaction is durable. */
  #commit(before: HardState): undefined {
    const { damaged, first, last } = this.#extent
    const seq = this.#head.seq + 1
    this.#set({ seq, first, last, damaged, tail: last < first ? null : this.#head.tail })
    this.#statement(sql.head).run(encodeChecked("head", this.#head))
    const { recoverTo, term, vote } = this.#head.hardState
    if (term !== before.term || vote !== before.vote || recoverTo !== before.recoverTo) {
      this.#statement(sql.headCopy).run(encodeChecked("headCopy", this.#head))
    }
    this.#database.exec("COMMIT")
    this.#walBytes += 2 * pageBytes
    this.#mark.write(this.#head)
  }

  #storePiece({ crc, data, meta, offset, stage }: Command & { op: "storePiece" }): undefined {
    refuseIf(pieceRefusal(this.staged[stage], { meta, offset, data }))
    if (pieceCrc32(data, meta.index, offset) !== crc)
      throw new Failure(new IoFailed({ kind: "write", detail: "a piece was damaged in memory" }))
    let staged = this.staged[stage]
    // Not durable yet: the sync of `install` or `adopt` takes it along.
    this.#database.exec("PRAGMA synchronous = NORMAL")
    this.#database.exec("BEGIN IMMEDIATE")
    if (offset === 0 || staged === undefined) {
      if (staged !== undefined) this.#statement(sql.stage).run("dropped", staged.row)
      this.#sweepDue = true
      const row = Number(this.#statement(sql.newRow).get()!["id"])
      this.#statement(sql.snapshot).run(row, stage, encodeChecked("snapshot", meta))
      this.#statement(sql.snapshotCopy).run(row, encodeChecked("snapshotCopy", meta))
      staged = { row, meta, length: 0 }
    }
    if (data.length > 0) this.#statement(sql.piece).run(staged.row, offset, data.length, crc, data)
    this.#database.exec("COMMIT")
    this.#database.exec("PRAGMA synchronous = FULL")
    this.#walBytes += data.length + pageBytes
    this.staged[stage] = { row: staged.row, meta, length: offset + data.length }
  }

  #install(install: Install): undefined {
    refuseIf(this.#extent.snapshotRefusal(install.meta, false))
    const { row } = this.#whole("arrived", install.meta)
    const before = this.#head.hardState
    const whole = install.keepLog && this.#extent.last >= install.meta.index
    this.#database.exec("BEGIN IMMEDIATE")
    this.#extent.install(install)
    if (!whole) {
      this.#database.exec("DELETE FROM batch")
      this.#set({ tail: null, truncations: withTruncation(this.#head.truncations, this.#head.seq + 1, 1) })
    }
    this.#become("arrived", row, install.meta)
    this.#commit(before)
  }

  #adopt(meta: SnapshotMeta): undefined {
    refuseIf(this.#extent.snapshotRefusal(meta, true))
    const { row } = this.#whole("made", meta)
    const before = this.#head.hardState
    this.#database.exec("BEGIN IMMEDIATE")
    this.#extent.adopt(meta)
    this.#become("made", row, meta)
    this.#commit(before)
  }

  #become(stage: Stage, row: number, meta: SnapshotMeta): void {
    if (this.#own !== undefined) this.#statement(sql.stage).run("dropped", this.#own.row)
    this.#statement(sql.stage).run("own", row)
    this.#own = { row, index: meta.index, bytes: meta.bytes }
    this.staged[stage] = undefined
    this.#sweepDue = true
    this.#set({ snapshot: { row, index: meta.index } })
  }

  /** Reads every staged byte back: what is installed is what will be read. */
  #whole(stage: Stage, meta: SnapshotMeta): StagedRow {
    const staged = this.staged[stage]
    const mismatch = (detail: string) => new Failure(new PiecesMismatch({ index: meta.index, detail }))
    if (staged === undefined || staged.meta.index !== meta.index) throw mismatch("no piece of it is stored")
    for (let at = 0; at < meta.bytes;) {
      const piece = this.#statement(sql.pieceAt).get(staged.row, at)
      const body = piece?.["body"]
      if (!(body instanceof Uint8Array) || piece!["start"] !== at)
        throw mismatch(`${at} of ${meta.bytes} bytes are stored`)
      if (pieceCrc32(body, meta.index, at) !== piece!["crc"]) throw mismatch(`the piece at ${at} fails its checksum`)
      at += body.length
    }
    return staged
  }

  #readPiece({ index, length, offset }: PieceRequest): Uint8Array | undefined {
    const own = this.#own
    if (own === undefined || own.index !== index) return undefined
    const end = Math.min(offset + length, own.bytes)
    const parts: Array<Uint8Array> = []
    for (let at = offset; at < end;) {
      const piece = this.#statement(sql.pieceAt).get(own.row, at)
      const body = piece?.["body"]
      const start = Number(piece?.["start"])
      if (!(body instanceof Uint8Array) || pieceCrc32(body, index, start) !== piece!["crc"]) return undefined
      if (at >= start + body.length) return undefined
      parts.push(body.subarray(at - start, end - start))
      at = start + body.length
    }
    return Uint8Array.from(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
  }

  #readEntries({ from, to }: DamagedRange): EntriesRead {
    const low = Math.max(from, this.#extent.first)
    const high = Math.min(to, this.#extent.last)
    if (low > high) return { entries: [], damaged: [] }
    const before = this.#statement(sql.before).get(low)
    const rows = [...(before === undefined ? [] : [before]), ...this.#statement(sql.within).all(low, high)]
    const entries: Array<Entry> = []
    let damaged: ReadonlyArray<DamagedRange> = unite([], low, high)
    for (const row of rows) {
      const decoded = decodeBatch(row["body"] as Uint8Array, Number(row["first"]))
      for (const entry of decoded?.entries ?? []) {
        if (entry === undefined || entry.index < low || entry.index > high) continue
        entries.push(entry)
        damaged = subtract(damaged, entry.index, entry.index)
      }
    }
    return { entries, damaged }
  }
}
