/**
 * The side file by which processes wake each other: one byte is written to it after COMMIT, and all watch it. Events on
 * the database itself come before the commit can be read, and a watcher that looks too early sleeps through it. A slow
 * poll stands behind, for file systems that tell nothing.
 */
import * as fs from "node:fs"

/** Time between two looks at the file when nothing wakes, in milliseconds. */
export const pollMillisDefault = 250

/** Commits in a row that nobody here waits for, until the side file is not watched any more: a watch costs as much as a few. */
const idleTouchesMax = 32

export class Wake {
  private readonly fd: number
  private readonly side: string
  private readonly woken: () => void
  private watcher: fs.FSWatcher | undefined
  private isAwaited = false
  /** Touches in a row while nobody waited here. */
  private idleTouches = 0
  private readonly timer: NodeJS.Timeout
  private readonly byte = Buffer.alloc(1)

  /** `woken` is called after events of others and of this process, and every `pollMillis`. */
  constructor(path: string, pollMillis: number, woken: () => void) {
    this.side = `${path}-wake`
    this.woken = woken
    this.fd = fs.openSync(this.side, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
    this.timer = setInterval(woken, pollMillis)
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
    this.watcher = watch(this.side, this.woken)
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
    try {
      // Always the same byte: a file that keeps its size gives the file system's journal, which a sync waits for, nothing.
      fs.writeSync(this.fd, this.byte, 0, 1, 0)
    } catch {
      // A hint that is lost costs one poll period; a full disk must not fail a commit that stands.
    }
  }

  close(): void {
    clearInterval(this.timer)
    this.watcher?.close()
    fs.closeSync(this.fd)
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
