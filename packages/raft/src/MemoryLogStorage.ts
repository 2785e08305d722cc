/**
 * Log storage in memory, over a `MemoryDisk` that outlives the handle: crash, reopen, hang, fill and damage it at will.
 * For tests, for simulations (`sync: "manual"`), and for clusters whose durability is their number of members.
 *
 * The disk keeps entries as objects, so damage is a mark here and not a flipped bit, and a crash keeps a prefix of the
 * works in flight, each whole: what the contract promises of any storage. How bytes keep that promise is for the suite
 * to show on `SqliteLogStorage`.
 */
import { Effect, Layer, Result } from "effect"
import type { DamagedRange, Index, Restored, SnapshotMeta } from "./core/Types.ts"
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
  PiecesMismatch,
  type Stage,
  type StorageLimits,
  succeeded
} from "./LogStorage.ts"
import { type ExtentFields, LogExtent, pieceRefusal, type Staged, unite } from "./internal/logExtent.ts"
import {
  become,
  dropPrefix,
  emptyImage,
  type Image,
  readable,
  restore,
  stagedOf,
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
    this.#handle = new Handle(this, restore(this.#image), this.#image.extent, stagedOf(this.#image))
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

class Handle implements LogStorage {
  readonly name: string
  readonly durable = false
  readonly restored: Restored
  readonly limits: StorageLimits
  readonly #disk: MemoryDisk
  readonly #extent: LogExtent
  readonly #staged: Record<Stage, Staged | undefined>
  #ended: Ended | Closed | undefined

  constructor(disk: MemoryDisk, restored: Restored, extent: ExtentFields, staged: Record<Stage, Staged | undefined>) {
    this.#disk = disk
    this.name = disk.name
    this.limits = disk.limits
    this.restored = restored
    this.#extent = new LogExtent(extent)
    this.#staged = staged
  }

  persist(work: Parameters<LogStorage["persist"]>[0], done: Done<void>): void {
    const refusal = this.#extent.refusal(work, this.limits)
    if (refusal === undefined) this.#extent.persist(work)
    const bytes = work.entries.reduce((sum, { data }) => sum + data.length, 0)
    this.#submit("persist", bytes, refusal, (image) => takeWork(image, work), done)
  }

  storePiece(stage: Stage, piece: Parameters<LogStorage["storePiece"]>[1], done: Done<void>): void {
    const { data, meta, offset } = piece
    const refusal = pieceRefusal(this.#staged[stage], piece, this.limits)
    if (refusal === undefined) this.#staged[stage] = { meta, length: offset + data.length }
    const take = (image: Image): void => {
      const before = offset === 0 ? [] : (image.staged[stage]?.pieces ?? [])
      image.staged = { ...image.staged, [stage]: { meta, pieces: [...before, data] } }
    }
    this.#submit("storePiece", data.length, refusal, take, done)
  }

  install(install: Parameters<LogStorage["install"]>[0], done: Done<void>): void {
    const refusal = this.#own("arrived", install.meta)
    if (refusal === undefined) this.#extent.install(install)
    const take = (image: Image): void => {
      const extent = new LogExtent(image.extent)
      extent.install(install)
      if (extent.last === install.meta.index) {
        image.entries = []
        image.offset = extent.first
      }
      image.extent = { first: extent.first, last: extent.last, snapshot: extent.snapshot, damaged: extent.damaged }
      become(image, "arrived")
      dropPrefix(image)
    }
    this.#submit("install", 0, refusal, take, done)
  }

  adopt(meta: SnapshotMeta, done: Done<void>): void {
    const refusal = this.#own("made", meta)
    if (refusal === undefined) this.#extent.adopt(meta)
    const take = (image: Image): void => {
      image.extent = { ...image.extent, snapshot: meta.index }
      become(image, "made")
    }
    this.#submit("adopt", 0, refusal, take, done)
  }

  readPiece(request: Parameters<LogStorage["readPiece"]>[0], done: Done<Uint8Array | undefined>): void {
    let data: Uint8Array | undefined
    const take = ({ snapshot, snapshotDamaged }: Image): void => {
      if (snapshot === undefined || snapshot.meta.index !== request.index || snapshotDamaged) return
      data = Buffer.concat(snapshot.pieces).subarray(request.offset, request.offset + request.length)
    }
    this.#submit("readPiece", 0, undefined, take, (result) => done(Result.map(result, () => data)))
  }

  readEntries({ from, to }: DamagedRange, done: Done<EntriesRead>): void {
    let read: EntriesRead = { entries: [], damaged: [] }
    const take = (image: Image): void => {
      const low = Math.max(from, image.extent.first)
      const high = Math.min(to, image.extent.last)
      const damaged = image.extent.damaged.flatMap((range) => {
        const cut = { from: Math.max(range.from, low), to: Math.min(range.to, high) }
        return cut.from <= cut.to ? [cut] : []
      })
      read = { entries: low <= high ? readable(image, low, high) : [], damaged }
    }
    this.#submit("readEntries", 0, undefined, take, (result) => done(Result.map(result, () => read)))
  }

  close(done: Done<void>): void {
    this.#submit("close", 0, undefined, () => this.#disk.release(this), done)
    this.#ended ??= new Closed({})
  }

  /** Checks the staged pieces and clears the stage in what later calls see. */
  #own(stage: Stage, meta: SnapshotMeta): LogStorageReason | undefined {
    const refusal = this.#extent.snapshotRefusal(meta, stage === "made") ?? piecesMismatch(this.#staged[stage], meta)
    if (refusal === undefined) this.#staged[stage] = undefined
    return refusal
  }

  #submit(
    operation: Operation,
    bytes: number,
    refusal: LogStorageReason | undefined,
    take: (image: Image) => void,
    done: Done<void>
  ): void {
    const early = this.#ended ?? refusal
    const job: Job = {
      operation,
      bytes: early === undefined ? bytes : 0,
      take: (image) => {
        if (early !== undefined) return early
        if (this.#ended instanceof Ended) return this.#ended
        take(image)
        return undefined
      },
      answer: (reason) => {
        if (reason === undefined) return done(succeeded)
        const error = new LogStorageError({ storage: this.name, operation, reason })
        if (reason._tag === "IoFailed" && !(this.#ended instanceof Ended)) {
          this.#ended = new Ended({ because: error.message })
        }
        done(Result.fail(error))
      }
    }
    // A handle that a crash left behind reaches nothing and answers nothing.
    if (this.#disk.owns(this) || this.#ended !== undefined) this.#disk.submit(job)
  }
}

/** Why the staged pieces are not the whole snapshot `meta`, or `undefined`. */
const piecesMismatch = (staged: Staged | undefined, meta: SnapshotMeta): PiecesMismatch | undefined => {
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
