/**
 * Checksums of a whole file that no process has open. SQLite keeps none of its pages, and a flipped bit in one can hide a
 * key without breaking any rule that SQLite or the checksum of a cell could see. So the last process to leave writes
 * `-sums` beside the file, and the first to come compares before it opens; from then on cells and rows of the log are
 * compared one by one as they are read.
 *
 * A sealed file is in rollback mode; the first opener brings it back to WAL. The sums name the file's change counter, so
 * those of another state of the file are passed over, not taken for damage.
 */
import * as fs from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { crc32 } from "node:zlib"
import * as StoreError from "@weft/domain/StoreError"
import * as Relaxed from "./relaxed.ts"
import * as SqliteError from "./sqliteError.ts"

/** Bytes under one checksum: what a message about damage can point at. */
const chunkBytes = 64 * 1024

/** Bytes read at a time. */
const readBytes = 4 * 1024 * 1024

const sumsOf = (file: string): string => `${file}-sums`

interface Sums {
  readonly format: 1
  readonly bytes: number
  readonly changeCounter: number
  readonly chunkBytes: number
  readonly sums: ReadonlyArray<number>
}

/** Leaves the file in rollback mode with its sums beside it. False when another process has it open, or may have. Throws when a sync fails. */
export const seal = (db: DatabaseSync, file: string): boolean => {
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    const mode = db.prepare("PRAGMA journal_mode = DELETE").get()
    if (mode === undefined || Object.values(mode)[0] !== "delete") return false
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
    if (Relaxed.noted(db) !== undefined) {
      // All of it is in the file and synced.
      Relaxed.forget(db)
      db.exec("COMMIT; BEGIN EXCLUSIVE")
    }
    const sums: Sums = { format: 1, ...stateOf(file), chunkBytes, sums: [...chunkSums(file)] }
    const text = JSON.stringify(sums)
    fs.writeFileSync(`${sumsOf(file)}.new`, `${crc32(text)}\n${text}`)
    fs.renameSync(`${sumsOf(file)}.new`, sumsOf(file))
    db.exec("COMMIT")
    return true
  } catch (error) {
    // Not alone, or no room: the file is as good without.
    if (db.isTransaction) db.exec("ROLLBACK")
    if (SqliteError.isSyncFailure(error)) throw error
    return false
  }
}

/** Takes the seal off a file that is about to change. */
export const unseal = (file: string): void => fs.rmSync(sumsOf(file), { force: true })

/** Compares a sealed file with its sums. Throws `StoreError` (`Corrupt`) that names the place. */
export const verify = (file: string): void => {
  const sums = readSums(file)
  if (sums === undefined || !isOf(sums, file)) return
  let place = 0
  for (const sum of chunkSums(file)) {
    if (sum !== sums.sums[place]) {
      // Another process may have opened it meanwhile.
      if (!isOf(sums, file)) return
      const from = place * chunkBytes
      const message = `the store in ${file} is damaged: its bytes ${from} to ${from + chunkBytes - 1} are not what the last process left there. It was not opened and nothing was changed. Keep a copy, then restore a backup`
      throw StoreError.make(new StoreError.Corrupt({ message }))
    }
    place++
  }
}

const readSums = (file: string): Sums | undefined => {
  try {
    const [sum, text] = fs.readFileSync(sumsOf(file), "latin1").split("\n")
    // Sums that are damaged themselves say nothing about the file.
    return text !== undefined && Number(sum) === crc32(text) ? (JSON.parse(text) as Sums) : undefined
  } catch {
    return undefined
  }
}

const isOf = (sums: Sums, file: string): boolean => {
  const { bytes, changeCounter } = stateOf(file)
  return sums.bytes === bytes && sums.changeCounter === changeCounter
}

const stateOf = (file: string): { readonly bytes: number; readonly changeCounter: number } => {
  const fd = fs.openSync(file, "r")
  try {
    const head = Buffer.alloc(28)
    fs.readSync(fd, head, 0, 28, 0)
    // Bytes 18 and 19 are 2 in WAL mode, where the counter of bytes 24 to 27 stands still.
    const counter = head[18] === 1 ? head.readUInt32BE(24) : -1
    return { bytes: fs.fstatSync(fd).size, changeCounter: counter }
  } finally {
    fs.closeSync(fd)
  }
}

function* chunkSums(file: string): Generator<number> {
  const fd = fs.openSync(file, "r")
  try {
    const buffer = Buffer.allocUnsafe(readBytes)
    for (let at = 0; ;) {
      const length = fs.readSync(fd, buffer, 0, readBytes, at)
      for (let from = 0; from < length; from += chunkBytes) {
        yield crc32(buffer.subarray(from, Math.min(from + chunkBytes, length)))
      }
      at += length
      if (length < readBytes) return
    }
  } finally {
    fs.closeSync(fd)
  }
}
