/**
 * A sync that failed is told to one process, and what it should have brought to the disk may be gone from memory at any time
 * after. Whoever has the file open shall neither build on it nor bring it into the file: so the process that met it says so
 * in `-wake`, and all end. The next one that has the file for itself takes the word back.
 *
 * The word is not synced: it is for those who have the file open now, and keep that page in memory by looking at it.
 */
import * as fs from "node:fs"

/** Where the word stands in `-wake`, in bytes: behind the byte that is touched, before the board. */
export const failureAt = 4

const put = (path: string, word: number): void => {
  const fd = fs.openSync(`${path}-wake`, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
  try {
    fs.writeSync(fd, Uint8Array.of(word), 0, 1, failureAt)
  } finally {
    fs.closeSync(fd)
  }
}

/** Tells all who have the file open. */
export const tell = (path: string): void => {
  try {
    put(path, 1)
  } catch {
    // Then they learn it at their next sync: the system tells every descriptor that was open.
  }
}

/** Whether it was told and nobody has had the file for himself since. Cost: a file opened and read. */
export const isTold = (path: string): boolean => {
  let fd: number | undefined
  try {
    fd = fs.openSync(`${path}-wake`, "r")
    return read(fd)
  } catch {
    return false
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

const word = Buffer.alloc(1)

/** The same of the open side file. Cost: a read of a byte. */
export const read = (fd: number): boolean => fs.readSync(fd, word, 0, 1, failureAt) === 1 && word[0] === 1

/** Call it alone with the file, its log being settled. */
export const forget = (path: string): void => {
  if (isTold(path)) put(path, 0)
}
