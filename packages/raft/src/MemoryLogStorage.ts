/**
 * Log storage in memory, over a `MemoryDisk` that outlives the handle: crash, reopen, hang, fill and damage it at will.
 * For tests, for simulations (`sync: "manual"`), and for clusters whose durability is their number of members.
 *
 * The disk keeps entries as objects, so damage is a mark here and not a flipped bit, and a crash keeps a prefix of the
 * works in flight, each whole: what the contract promises of any storage. How bytes keep that promise is for the suite
 * to show on `SqliteLogStorage`.
 */
import { Effect, Layer, Result } from "effect"
import type { ArrivedPiece, DamagedRange, Index, Install, PersistWork, Restored, SnapshotMeta } from "./core/Types.ts"
import {
  AlreadyOpen,
  Closed,
  defaultStorageLimits,
  type Done,
  Ended,
  type EntriesRead,
  HardStateDamaged,
  IoFailed,
  type LogStorage,
  LogStorageError,
  LogStorageFactory,
  type LogStorageReason,
  type Operation,
  type PieceRequest,
  PiecesMismatch,
  type Stage,
  type StorageLimits,
  succeeded
} from "./LogStorage.ts"
import { LogExtent, pieceRefusal, pieceTooLarge, shapeOf, unite, workRefusal } from "./internal/logExtent.ts"
import {
  become,
  dropPrefix,
  emptyImage,
  type Image,
  lengthOf,
  readable,
  restore,
  type StoredSnapshot,
  takeWork
} from "./internal/memoryImage.ts"

/** A call that waits for the disk. `take` changes the image; `answer` runs after it. */
interface Job {
  readonly operation: Operation
  readonly bytes: number
  readonly take: (image: Image) => LogStorageReason | undefined
  readonly answer: (failure: LogStorageReason | undefined) => void
}

export interface MemoryDiskOptions {
  /** `auto`: a work is durable when the call returns. `manual`: when `sync` is called. Default `auto`. */
  readonly sync?: "auto" | "manual"
  /** Bytes of entries and pieces that fit; beyond it `IoFailed` with kind `full`. Default: no limit. */
  readonly bytesMax?: number
  readonly limits?: Partial<StorageLimits>
}

/** A disk in memory: what survives `crash`, and the faults that it can have. */
export class MemoryDisk {
  readonly name: string
  readonly limits: StorageLimits
  #image: Image = emptyImage()
  #jobs: Array<Job> = []
  #manual: boolean
  #bytesMax: number
  #bytesUsed = 0
  #failNext: IoFailed | undefined
  #handle: Handle | undefined

  constructor(name = "memory", options: MemoryDiskOptions = {}) {
    this.name = name
    this.limits = { ...defaultStorageLimits, ...options.limits }
    this.#manual = options.sync === "manual"
    this.#bytesMax = options.bytesMax ?? Infinity
  }

  /** Opens the disk; one handle at a time. Throws `LogStorageError`. Cost: O(entries). */
  open(): LogStorage {
    const fail = (reason: LogStorageReason) => new LogStorageError({ storage: this.name, operation: "open", reason })
    if (this.#handle !== undefined) throw fail(new AlreadyOpen({}))
    if (this.#image.hardStateDamaged) throw fail(new HardStateDamaged({ detail: "marked as damaged" }))
    this.#handle = new Handle(this, restore(this.#image))
    return this.#handle
  }

  /** Calls in flight that `sync` would make durable. */
  get pending(): number {
    return this.#jobs.length
  }

  /** Bytes of entries and pieces in flight, for disks whose speed is simulated. */
  get pendingBytes(): number {
    return this.#jobs.reduce((sum, job) => sum + job.bytes, 0)
  }

  /** Makes the oldest `count` calls durable and answers them, in order. Answers may add calls; those wait. */
  sync(count = this.#jobs.length): void {
    for (let done = 0; done < count && this.#jobs.length > 0; done++) this.#run(this.#jobs.shift()!)
  }

  /** The next call that reaches the disk fails, and the handle with it. */
  failNext(kind: IoFailed["kind"], detail = "injected"): void {
    this.#failNext = new IoFailed({ kind, detail })
  }

  setBytesMax(bytesMax: number): void {
    this.#bytesMax = bytesMax
  }

  setManual(manual: boolean): void {
    this.#manual = manual
    if (!manual) this.sync()
  }

  /**
   * The process ends. The oldest `keep` calls in flight reached the disk (unanswered), the others did not: a crash can
   * leave any prefix. Old handles stay silent for ever.
   */
  crash(keep = 0): void {
    for (const job of this.#jobs.slice(0, keep)) job.take(this.#image)
    this.#jobs = []
    this.#handle = undefined
    this.#failNext = undefined
  }

  /** Makes stored entries unreadable. Those that are not stored are passed over. */
  damageEntries(from: Index, to: Index = from): void {
    const { extent } = this.#image
    const damaged = unite(extent.damaged, Math.max(from, extent.first), Math.min(to, extent.last))
    this.#image.extent = { ...extent, damaged }
  }

  /** The term of the last entry, kept beside it, is unreadable as well. */
  damageTail(): void {
    this.#image.tail = undefined
  }

  damageSnapshot(): void {
    this.#image.snapshotDamaged = this.#image.snapshot !== undefined
  }

  damageHardState(): void {
    this.#image.hardStateDamaged = true
  }

  /** A copy of what is durable now, for `restoreImage`: an old backup put back, or another node's disk. */
  image(): unknown {
    return { ...this.#image, entries: this.#image.entries.slice() }
  }

  restoreImage(image: ReturnType<MemoryDisk["image"]>): void {
    const copy = image as Image
    this.crash()
    this.#image = { ...copy, entries: copy.entries.slice() }
  }

  /** An empty disk in its place. */
  wipe(): void {
    this.crash()
    this.#image = emptyImage()
    this.#bytesUsed = 0
  }

  /** @internal */
  submit(job: Job): void {
    if (this.#manual) this.#jobs.push(job)
    else this.#run(job)
  }

  /** @internal */
  peek(): Image {
    return this.#image
  }

  /** @internal */
  release(handle: LogStorage): void {
    if (this.#handle === handle) this.#handle = undefined
  }

  /** @internal */
  owns(handle: LogStorage): boolean {
    return this.#handle === handle
  }

  #run(job: Job): void {
    let failure: LogStorageReason | undefined = this.#failNext
    this.#failNext = undefined
    if (failure === undefined && job.bytes > 0 && this.#bytesUsed + job.bytes > this.#bytesMax) {
      failure = new IoFailed({ kind: "full", detail: `${this.#bytesMax} bytes are used up` })
    }
    if (failure === undefined) {
      failure = job.take(this.#image)
      if (failure === undefined) this.#bytesUsed += job.bytes
    }
    job.answer(failure)
  }
}

type Take = (image: Image) => LogStorageReason | undefined | void

class Handle implements LogStorage {
  readonly name: string
  readonly durable = false
  readonly restored: Restored
  readonly limits: StorageLimits
  readonly #disk: MemoryDisk
  #ended: Ended | Closed | undefined

  constructor(disk: MemoryDisk, restored: Restored) {
    this.#disk = disk
    this.name = disk.name
    this.limits = disk.limits
    this.restored = restored
  }

  persist(works: ReadonlyArray<PersistWork>, done: Done<void>): void {
    const refusal = workRefusal(works, this.limits)
    // A crash may come between two works of a call, so each waits on its own. The first one judges them all.
    let refused: LogStorageReason | undefined = refusal
    if (refused !== undefined || works.length === 0) return this.#submit("persist", 0, () => refusal, done)
    for (const [position, work] of works.entries()) {
      const bytes = work.entries.reduce((sum, { data }) => sum + data.length, 0)
      const take: Take = (image) => {
        if (position === 0) refused = new LogExtent(image.extent).refusalOfAll(works.map(shapeOf))
        if (refused === undefined) takeWork(image, work)
        return refused
      }
      this.#submit("persist", bytes, take, position === works.length - 1 ? done : () => {})
    }
  }

  storePiece(stage: Stage, { data, meta, offset }: ArrivedPiece, done: Done<void>): void {
    const take: Take = (image) => {
      const stored = image.staged[stage]
      const refusal = pieceTooLarge(data, this.limits) ?? pieceRefusal(lengthOf(stored), { data, meta, offset })
      if (refusal !== undefined) return refusal
      const pieces = offset === 0 ? [data] : [...(stored?.pieces ?? []), data]
      image.staged = { ...image.staged, [stage]: { meta, pieces } }
    }
    this.#submit("storePiece", data.length, take, done)
  }

  install(install: Install, done: Done<void>): void {
    const take: Take = (image) => {
      const extent = new LogExtent(image.extent)
      const refusal = extent.snapshotRefusal(install.meta, false) ?? piecesMismatch(image.staged.arrived, install.meta)
      if (refusal !== undefined) return refusal
      extent.install(install)
      if (extent.last === install.meta.index) {
        image.entries = []
        image.offset = extent.first
      }
      image.extent = { first: extent.first, last: extent.last, snapshot: extent.snapshot, damaged: extent.damaged }
      become(image, "arrived")
      dropPrefix(image)
    }
    this.#submit("install", 0, take, done)
  }

  adopt(meta: SnapshotMeta, done: Done<void>): void {
    const take: Take = (image) => {
      const refusal = new LogExtent(image.extent).snapshotRefusal(meta, true) ?? piecesMismatch(image.staged.made, meta)
      if (refusal !== undefined) return refusal
      image.extent = { ...image.extent, snapshot: meta.index }
      become(image, "made")
    }
    this.#submit("adopt", 0, take, done)
  }

  readPiece({ index, length, offset }: PieceRequest, done: Done<Uint8Array | undefined>): void {
    let data: Uint8Array | undefined
    const take: Take = ({ snapshot, snapshotDamaged }) => {
      if (snapshot === undefined || snapshot.meta.index !== index || snapshotDamaged) return
      data = slicePieces(snapshot.pieces, offset, offset + length)
    }
    this.#submit("readPiece", 0, take, (result) => done(Result.map(result, () => data)))
  }

  readEntries({ from, to }: DamagedRange, done: Done<EntriesRead>): void {
    let read: EntriesRead = { entries: [], damaged: [] }
    const take: Take = (image) => {
      const low = Math.max(from, image.extent.first)
      const high = Math.min(to, image.extent.last)
      const damaged = image.extent.damaged.flatMap((range) => {
        const cut = { from: Math.max(range.from, low), to: Math.min(range.to, high) }
        return cut.from <= cut.to ? [cut] : []
      })
      read = { entries: low <= high ? readable(image, low, high) : [], damaged }
    }
    this.#submit("readEntries", 0, take, (result) => done(Result.map(result, () => read)))
  }

  close(done: Done<void>): void {
    this.#submit("close", 0, () => this.#disk.release(this), done)
    this.#ended ??= new Closed({})
  }

  #submit(operation: Operation, bytes: number, take: Take, done: Done<void>): void {
    const early = this.#ended
    const job: Job = {
      operation,
      bytes: early === undefined ? bytes : 0,
      take: (image) => early ?? (this.#ended instanceof Ended ? this.#ended : (take(image) ?? undefined)),
      answer: (reason) => {
        if (reason === undefined) return done(succeeded)
        const error = new LogStorageError({ storage: this.name, operation, reason })
        if (reason._tag === "IoFailed") this.#ended = new Ended({ because: error.message })
        done(Result.fail(error))
      }
    }
    // A handle that a crash left behind reaches nothing and answers nothing.
    if (this.#disk.owns(this) || this.#ended !== undefined) this.#disk.submit(job)
  }
}

/** Bytes `[from, to)` of the pieces. Cost: O(pieces + bytes). */
const slicePieces = (pieces: ReadonlyArray<Uint8Array>, from: number, to: number): Uint8Array => {
  const parts: Array<Uint8Array> = []
  let start = 0
  for (const piece of pieces) {
    if (start < to && start + piece.length > from) parts.push(piece.subarray(Math.max(0, from - start), to - start))
    start += piece.length
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** Why the staged pieces are not the whole snapshot `meta`, or `undefined`. */
const piecesMismatch = (stored: StoredSnapshot | undefined, meta: SnapshotMeta): PiecesMismatch | undefined => {
  const staged = lengthOf(stored)
  if (staged === undefined || staged.meta.index !== meta.index || staged.meta.term !== meta.term) {
    return new PiecesMismatch({ index: meta.index, detail: "no piece of it is stored" })
  }
  return staged.length === meta.bytes
    ? undefined
    : new PiecesMismatch({ index: meta.index, detail: `${staged.length} of ${meta.bytes} bytes are stored` })
}

/** A factory over one disk: what one node of a cluster is given. */
export const layer = (disk: MemoryDisk): Layer.Layer<LogStorageFactory> =>
  Layer.succeed(LogStorageFactory, {
    open: Effect.acquireRelease(
      Effect.try({ try: () => disk.open(), catch: (error) => error as LogStorageError }),
      (storage) => Effect.callback<void>((resume) => storage.close(() => resume(Effect.void)))
    )
  })
