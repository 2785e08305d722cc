/**
 * The side files by which the processes of one store tell each other. One byte of `-wake` is written after each COMMIT, and
 * who waits for a change watches it: events on the database itself come before the commit can be read, and a watcher that
 * looks too early sleeps through it. The board of `Tenure.ts` stands behind that byte; one byte of `-turn` is written when
 * a turn is handed over, and who has ever waited for one watches that. A slow poll stands behind, for file systems that
 * tell nothing.
 */
import * as fs from "node:fs"
import * as SyncFailure from "./syncFailure.ts"
import { places, type Board } from "./Tenure.ts"

/** Time between two looks at the file when nothing wakes, in milliseconds. */
export const pollMillisDefault = 250

/** Commits in a row that nobody here waits for, until the side file is not watched any more: a watch costs as much as a few. */
const idleTouchesMax = 32

/** Where the board begins in `-wake`, and what a place takes there, in bytes. */
const boardAt = 8
const placeBytes = 8

/** What a store is told by others. */
export interface Told {
  /** After events of others and of this process while somebody waits for a change, and every `pollMillis`. */
  readonly changed: () => void
  /** A turn was handed over, by others or this process, once this process has waited for one. */
  readonly turned: () => void
}

export class Wake implements Board {
  private readonly path: string
  private readonly told: Told
  private readonly wake: number
  private readonly turn: number
  private watcher: fs.FSWatcher | undefined
  private turnWatcher: fs.FSWatcher | undefined
  private isAwaited = false
  /** Touches in a row while nobody waited here. */
  private idleTouches = 0
  private readonly timer: NodeJS.Timeout
  private readonly byte = Buffer.alloc(1)

  constructor(path: string, pollMillis: number, told: Told) {
    this.path = path
    this.told = told
    this.wake = openSide(`${path}-wake`, boardAt + places * placeBytes)
    this.turn = openSide(`${path}-turn`, 1)
    this.timer = setInterval(told.changed, pollMillis)
    this.timer.unref()
  }

  /**
   * Somebody begins to wait for a change: only then the store keeps its process alive. Without it, a process that does
   * nothing but wait would end (exit code 13), since no file watcher holds it. Only then the side file is watched, too:
   * each touch of this process's own would wake it for nothing. True when the watch is new, so that what came before it
   * has to be looked for.
   */
  await(): boolean {
    this.isAwaited = true
    this.idleTouches = 0
    this.timer.ref()
    if (this.watcher !== undefined) return false
    this.watcher = watch(`${this.path}-wake`, this.told.changed)
    return true
  }

  /** Nobody waits any more. */
  leave(): void {
    this.isAwaited = false
    this.timer.unref()
  }

  /** Wakes the others. Cost: one write of a byte to the page cache; never synced. */
  touch(): void {
    if (!this.isAwaited && this.watcher !== undefined && ++this.idleTouches > idleTouchesMax) {
      this.watcher.close()
      this.watcher = undefined
    }
    write(this.wake, this.byte, 0)
  }

  /** Whether a process told that a sync has failed. Cost: reads a byte. */
  get hasFailed(): boolean {
    try {
      return SyncFailure.read(this.wake)
    } catch {
      return false
    }
  }

  /** This process waits for a turn: from now on `turned` is called. */
  awaitTurns(): void {
    this.turnWatcher ??= watch(`${this.path}-turn`, this.told.turned)
  }

  handOver(): void {
    write(this.turn, this.byte, 0)
  }

  load(words: Uint32Array): void {
    try {
      fs.readSync(this.wake, words, 0, words.byteLength, boardAt)
    } catch {
      // Then it says what it said before.
    }
  }

  store(words: Uint32Array, place: number): void {
    write(this.wake, words.subarray(2 * place, 2 * place + 2), boardAt + place * placeBytes)
  }

  close(): void {
    clearInterval(this.timer)
    this.watcher?.close()
    this.turnWatcher?.close()
    fs.closeSync(this.wake)
    fs.closeSync(this.turn)
  }
}

const openSide = (path: string, bytes: number): number => {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
  if (fs.fstatSync(fd).size < bytes) fs.ftruncateSync(fd, bytes)
  return fd
}

const write = (file: number, bytes: Uint8Array | Uint32Array, at: number): void => {
  try {
    // Always in the same place: a file that keeps its size gives the file system's journal, which a sync waits for, nothing.
    fs.writeSync(file, bytes, 0, bytes.byteLength, at)
  } catch {
    // A hint that is lost costs one poll period; a full disk must not fail a commit that stands.
  }
}

const watch = (side: string, woken: () => void): fs.FSWatcher | undefined => {
  try {
    const watcher = fs.watch(side, { persistent: false }, woken)
    watcher.on("error", () => watcher.close())
    return watcher
  } catch {
    // No inotify here, or no watches left: the poll does it.
    return undefined
  }
}
