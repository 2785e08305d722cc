/**
 * What an error of SQLite or of the file system means for a store's data, as `StoreError`. Pure.
 *
 * The codes are those of https://www.sqlite.org/rescode.html; `node:sqlite` gives the extended one as `errcode`.
 */
import * as StoreError from "@weft/domain/StoreError"

/** The file system's own "no", which `node:fs` throws. */
const deniedByFileSystem = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "code" in error &&
  (error.code === "EACCES" || error.code === "EPERM" || error.code === "EROFS")

/** What to do with the store after an error. */
export type Severity =
  /** Another process has the lock: try again later. */
  | "busy"
  /** Refused and rolled back: the store goes on. */
  | "refused"
  /** The store's life is over: what was in flight is unknown. */
  | "fatal"

const primary = (code: number): number => code & 0xff

/** SQLite's extended result code of an error of `node:sqlite`; 0 for other errors. */
export const codeOf = (error: unknown): number =>
  typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode
    : 0

export const isBusy = (error: unknown): boolean => {
  const code = primary(codeOf(error))
  return code === 5 || code === 6
}

/** SQLITE_FULL, or an I/O error whose cause was ENOSPC before anything was synced. */
export const isFull = (error: unknown): boolean => primary(codeOf(error)) === 13

/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC: what should have come to the disk may be gone from memory, too. */
export const isSyncFailure = (error: unknown): boolean => codeOf(error) === 1034 || codeOf(error) === 1290

export const severityOf = (error: unknown): Severity => (isBusy(error) ? "busy" : isFull(error) ? "refused" : "fatal")

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** An error met while reading or opening, or while writing before COMMIT. */
export const describe = (path: string, doing: string, error: unknown): StoreError.StoreError => {
  if (error instanceof StoreError.StoreError) return error
  const code = codeOf(error)
  const detail = `${text(error)}${code === 0 ? "" : ` (SQLite ${code})`}`
  const at = `the store in ${path}, ${doing}`
  switch (deniedByFileSystem(error) ? 3 : primary(code)) {
    case 3:
    case 8:
    case 14:
    case 23:
      return StoreError.make(
        new StoreError.Denied({
          message: `${at}: the file may not be opened or written: ${detail}. Nothing was written. Check that the directory exists and that this user may write the file and its directory`
        })
      )
    case 11:
    case 26:
      return StoreError.make(
        new StoreError.Corrupt({
          message: `${at}: the file is damaged or no database: ${detail}. It is not served. Keep a copy, then restore a backup`
        })
      )
    case 13:
      return StoreError.make(
        new StoreError.Unavailable({
          message: `${at}: the disk is full: ${detail}. This commit was refused whole, all earlier ones stand. Make room; the store goes on by itself`
        })
      )
    case 5:
    case 6:
      return StoreError.make(
        new StoreError.Unavailable({
          message: `${at}: another process holds the file's lock: ${detail}. Nothing was written. Try again, or end the process that holds it`
        })
      )
    default:
      return StoreError.make(
        new StoreError.Unavailable({
          message: `${at}: ${detail}. Nothing of this call was written or served`,
          cause: error
        })
      )
  }
}

/** The store has ended after an error whose effect on the disk nobody knows. */
export const ended = (path: string, why: string): StoreError.StoreError =>
  StoreError.make(
    new StoreError.Unavailable({
      message: `the store in ${path} has ended: ${why}. What it acknowledged stands. Open it again when the disk is sound`
    })
  )
