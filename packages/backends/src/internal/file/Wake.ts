/**
 * The side file by which processes wake each other: one byte is written to it after COMMIT, and all watch it. Events on
 * the database itself come before the commit can be read, and a watcher that looks too early sleeps through it. A slow
 * poll stands behind, for file systems that tell nothing.
 */
import * as fs from "node:fs"

/** Time between two looks at the file when nothing wakes, in milliseconds. */
export const pollMillisDefault = 250

export class Wake {
  private readonly fd: number
  private readonly watcher: fs.FSWatcher | undefined
  private readonly timer: NodeJS.Timeout
  private readonly byte = Buffer.alloc(1)

  /** `woken` is called after events of others and of this process, and every `pollMillis`. */
  constructor(path: string, pollMillis: number, woken: () => void) {
    const side = `${path}-wake`
    this.fd = fs.openSync(side, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
    this.watcher = watch(side, woken)
    this.timer = setInterval(woken, pollMillis)
    this.timer.unref()
  }

  /**
   * Whether somebody waits for a change: only then the store keeps its process alive. Without it, a process that does
   * nothing but wait would end (exit code 13), since no file watcher holds it.
   */
  set awaited(isAwaited: boolean) {
    if (isAwaited) this.timer.ref()
    else this.timer.unref()
  }

  /** Wakes the others. Cost: one write of a byte to the page cache; never synced. */
  touch(): void {
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
