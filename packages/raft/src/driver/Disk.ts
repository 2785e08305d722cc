/**
 * The disk as the driver sees it: the steps of a log storage (`LogStorage.ts`) put together to the three things a node wants,
 * a durable turn, a snapshot of its own, and a snapshot that has arrived.
 *
 * The storage keeps the order and gathers what waits into one sync. A failure is final; pieces that do not add up to their
 * snapshot are not a failure of the disk, the transfer starts again.
 */
import { Result } from "effect"
import type { ArrivedPiece, Index, Install, PersistWork, SnapshotMeta } from "../core/Types.ts"
import { isFinal, type LogStorage, type LogStorageError } from "../LogStorage.ts"

/** What the driver hears of its disk. */
export interface DiskListener {
  readonly persisted: (write: number) => void
  /** No bytes: the pieces do not add up to the snapshot. */
  readonly installed: (install: Install, bytes: Uint8Array | undefined) => void
  /** Not saved: a newer snapshot has taken its place. */
  readonly snapshotSaved: (meta: SnapshotMeta, saved: boolean) => void
  readonly failed: (reason: string) => void
}

/**
 * Reads a whole snapshot, piece by piece; `undefined` if it is gone or damaged. Cost: one read per `pieceBytesMax`.
 */
export const readSnapshot = (
  storage: LogStorage,
  meta: SnapshotMeta,
  done: (bytes: Uint8Array | undefined, failure: LogStorageError | undefined) => void
): void => {
  const bytes = new Uint8Array(meta.bytes)
  const readFrom = (offset: number): void => {
    if (offset >= bytes.length) return done(bytes, undefined)
    const length = Math.min(storage.limits.pieceBytesMax, bytes.length - offset)
    storage.readPiece({ index: meta.index, offset, length }, (result) => {
      if (Result.isFailure(result)) return done(undefined, result.failure)
      const piece = result.success
      if (piece === undefined || piece.length === 0) return done(undefined, undefined)
      bytes.set(piece, offset)
      readFrom(offset + piece.length)
    })
  }
  readFrom(0)
}

export class Disk {
  private readonly storage: LogStorage
  private readonly listener: DiskListener
  private ended = false

  constructor(storage: LogStorage, listener: DiskListener) {
    this.storage = storage
    this.listener = listener
  }

  /** Copies the work, because the core reuses its output while the storage may still wait for the disk. */
  write(work: PersistWork): void {
    const { compactTo, entries, hardState, truncateFrom, write } = work
    this.storage.persist([{ compactTo, entries: entries.slice(), hardState, truncateFrom, write }], (result) => {
      if (this.ended) return
      if (Result.isFailure(result)) this.fail(result.failure)
      else this.listener.persisted(write)
    })
  }

  storePiece(piece: ArrivedPiece): void {
    // A piece that cannot be kept makes the install fail, which starts the transfer again.
    this.storage.storePiece("arrived", piece, (result) => this.check(result))
  }

  install(wanted: Install): void {
    const install = { ...wanted }
    this.storage.install(install, (result) => {
      if (this.ended) return
      if (Result.isFailure(result)) {
        return this.check(result) ? undefined : this.listener.installed(install, undefined)
      }
      readSnapshot(this.storage, install.meta, (bytes, failure) => {
        if (this.ended) return
        // Installed and unreadable a moment later: the node has no state to go on with.
        if (bytes === undefined) this.fail(failure ?? "the installed snapshot cannot be read back")
        else this.listener.installed(install, bytes)
      })
    })
  }

  /** Saves a snapshot made here, in pieces that the storage takes. */
  save(meta: SnapshotMeta, bytes: Uint8Array): void {
    const step = this.storage.limits.pieceBytesMax
    for (let offset = 0; offset < bytes.length || offset === 0; offset += step) {
      const data = bytes.subarray(offset, offset + step)
      this.storage.storePiece("made", { meta, offset, data }, (result) => this.check(result))
    }
    this.storage.adopt(meta, (result) => {
      if (!this.ended && !this.check(result)) this.listener.snapshotSaved(meta, Result.isSuccess(result))
    })
  }

  readPiece(index: Index, offset: number, length: number, done: (data: Uint8Array | undefined) => void): void {
    this.storage.readPiece({ index, offset, length }, (result) => {
      if (!this.ended && !this.check(result)) done(Result.isSuccess(result) ? result.success : undefined)
    })
  }

  /** Nothing is reported from now on. */
  end(): void {
    this.ended = true
  }

  /** True if the result is the end of this disk. */
  private check(result: Result.Result<unknown, LogStorageError>): boolean {
    if (Result.isFailure(result) && isFinal(result.failure)) this.fail(result.failure)
    return this.ended
  }

  private fail(failure: LogStorageError | string): void {
    if (this.ended) return
    this.ended = true
    this.listener.failed(typeof failure === "string" ? failure : failure.message)
  }
}
