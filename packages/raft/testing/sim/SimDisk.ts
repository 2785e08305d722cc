/**
 * The disk of one simulated node: a `MemoryDisk` whose speed and faults come from the simulation.
 *
 * Beside the disk stands a mirror of what is durable (term, vote, term of every entry), kept from the successes that the
 * storage reported. The invariant "no vote and no acknowledgement before it is durable" is judged by the mirror, so a node
 * that speaks too early is found even if the write succeeds a moment later.
 */
import { Result } from "effect"
import type { HardState, Index, PersistWork, Restored, Term } from "../../src/core/Types.ts"
import { type Done, type LogStorage, succeeded } from "../../src/LogStorage.ts"
import { MemoryDisk } from "../../src/MemoryLogStorage.ts"
import { damageInParts, storedMeta, storedWork } from "./asBytes.ts"
import type { Kernel } from "./Kernel.ts"
import type { SeededRandom } from "./Random.ts"
import type { Tally } from "./Tally.ts"

/** Speed of a disk: one sync takes between these, and longer by a microsecond per so many bytes. */
export interface DiskOptions {
  readonly syncMinMicros: number
  readonly syncMaxMicros: number
  readonly bytesPerMicro: number
  /** Probability that a piece of an arriving snapshot is not kept. */
  readonly piecesLost: number
}

/** What is durable, as far as anybody was told. */
export class DurableMirror {
  hardState: HardState = { term: 0, vote: undefined, commit: 0, recoverTo: 0 }
  /** Entries up to here are covered by a snapshot that is durable here. */
  snapshotIndex: Index = 0
  lastIndex: Index = 0
  /** Terms of durable entries by index; stale above `lastIndex`. */
  private readonly terms: Array<Term> = []
  /** Terms of entries that were durable and cannot be read since the last opening. */
  private readonly lostTerms = new Map<Index, Term>()

  reset({ damaged, entries, hardState, snapshot, tail }: Restored): void {
    // Where not even the term of the last entry is known, `lastIndex` falls; what was lost before stays lost.
    const lost = new Map(this.lostTerms)
    for (let index = 1; index <= this.lastIndex; index++) {
      const term = this.terms[index]
      if (term !== undefined) lost.set(index, term)
    }
    this.lostTerms.clear()
    for (const [index, term] of lost) {
      if (damaged.some(({ from, to }) => from <= index && index <= to)) this.lostTerms.set(index, term)
    }
    this.hardState = hardState
    this.snapshotIndex = snapshot?.index ?? 0
    this.lastIndex = Math.max(this.snapshotIndex, tail?.index ?? 0)
    for (const entry of entries) {
      this.terms[entry.index] = entry.term
      if (entry.index > this.lastIndex) this.lastIndex = entry.index
    }
  }

  take({ entries, hardState, truncateFrom }: PersistWork): void {
    if (hardState !== undefined) this.hardState = hardState
    if (truncateFrom > 0) {
      this.lastIndex = Math.min(this.lastIndex, truncateFrom - 1)
      for (const index of this.lostTerms.keys()) if (index >= truncateFrom) this.lostTerms.delete(index)
    }
    for (const { index, term } of entries) {
      this.terms[index] = term
      this.lostTerms.delete(index)
      if (index > this.lastIndex) this.lastIndex = index
    }
  }

  takeSnapshot(index: Index, keepLog: boolean): void {
    if (index > this.snapshotIndex) this.snapshotIndex = index
    if (!keepLog || index > this.lastIndex) this.lastIndex = index
  }

  /** Term of an entry that stood here and is lost to damage, if known. */
  lost(index: Index): Term | undefined {
    return this.lostTerms.size === 0 ? undefined : this.lostTerms.get(index)
  }

  /** The entry of this index and term is durable here, by itself or inside a snapshot. */
  holds(index: Index, term: Term): boolean {
    return index <= this.snapshotIndex || (index <= this.lastIndex && this.terms[index] === term)
  }
}

export class SimDisk {
  readonly memory: MemoryDisk
  mirror = new DurableMirror()
  private readonly kernel: Kernel
  private readonly random: SeededRandom
  private readonly tally: Tally
  /** Entries and descriptions are kept as bytes. */
  private readonly asBytes: boolean
  private options: DiskOptions
  private slowFactor = 1
  private hungUntil = 0
  private syncing = false
  /** Rises with each crash, so that the end of an old sync is not taken for one of the new life. */
  private life = 0
  /** Ends the sync that is under way. */
  private release: (() => void) | undefined
  private inFlight = 0
  private backup: unknown
  private failing: "sync" | "full" = "sync"

  constructor(name: string, kernel: Kernel, random: SeededRandom, tally: Tally, options: DiskOptions, asBytes = false) {
    this.kernel = kernel
    this.random = random
    this.tally = tally
    this.asBytes = asBytes
    this.options = options
    this.memory = new MemoryDisk(name, { sync: "manual" })
  }

  /** Opens the disk for a new life of its node. Throws `LogStorageError`. */
  open(): LogStorage {
    const handle = this.memory.open()
    this.mirror.reset(handle.restored)
    return this.watch(handle)
  }

  /** The handle, with a sync scheduled after every call and successes kept in the mirror. */
  private watch(handle: LogStorage): LogStorage {
    const { asBytes, mirror } = this
    const after = <A>(done: Done<A>, success: () => void): Done<A> => {
      this.kick()
      return (result) => {
        if (Result.isSuccess(result)) success()
        done(result)
      }
    }
    const nothing = (): void => {}
    return {
      name: handle.name,
      durable: handle.durable,
      restored: damageInParts(handle.restored, this.random),
      limits: handle.limits,
      persist: (works, done) =>
        handle.persist(
          asBytes ? works.map(storedWork) : works,
          after(done, () => works.forEach((work) => mirror.take(work)))
        ),
      storePiece: (stage, piece, done) => {
        // A piece of an arriving snapshot need not be durable: it may be gone when the snapshot is installed.
        if (stage === "arrived" && this.random.chance(this.options.piecesLost)) {
          this.tally.add("snapshotPiecesLost")
          return done(succeeded)
        }
        handle.storePiece(stage, piece, after(done, nothing))
      },
      install: (install, done) =>
        handle.install(
          install,
          after(done, () => mirror.takeSnapshot(install.meta.index, install.keepLog))
        ),
      adopt: (meta, done) =>
        handle.adopt(
          asBytes ? storedMeta(meta) : meta,
          after(done, () => mirror.takeSnapshot(meta.index, true))
        ),
      readPiece: (request, done) => handle.readPiece(request, after(done, nothing)),
      readEntries: (range, done) => handle.readEntries(range, after(done, nothing)),
      close: (done) => handle.close(after(done, nothing))
    }
  }

  /** Starts a sync unless one is under way: what arrives meanwhile goes down with the next one (group commit). */
  private kick(): void {
    if (this.syncing) return
    this.syncing = true
    const life = this.life
    // At the end of this moment, so that all calls of a turn are in one sync.
    this.kernel.after(0, () => {
      if (life === this.life) this.startSync()
    })
  }

  private startSync(): void {
    const { bytesPerMicro, syncMaxMicros, syncMinMicros } = this.options
    this.inFlight = this.memory.pending
    let micros = this.random.between(syncMinMicros, syncMaxMicros) * this.slowFactor
    micros += this.memory.pendingBytes / bytesPerMicro
    if (this.slowFactor > 1) this.tally.add("diskSlow")
    const life = this.life
    let over = false
    const finish = (): void => {
      if (over || life !== this.life) return
      if (this.hungUntil > this.kernel.now) {
        this.tally.add("diskHung")
        return this.kernel.at(this.hungUntil, finish)
      }
      over = true
      this.release = undefined
      this.syncing = false
      const count = this.inFlight
      this.inFlight = 0
      this.memory.sync(count)
      if (this.memory.pending > 0) this.kick()
    }
    this.release = finish
    this.kernel.after(micros, finish)
  }

  /** Calls that a crash now may or may not leave behind. */
  get pending(): number {
    return this.memory.pending
  }

  /**
   * The node's process ends. What was synced stays; of the calls in flight a prefix, drawn at random, reached the disk, as
   * when a write is torn and its tail is cut when the log is opened again.
   */
  crash(): void {
    const pending = this.memory.pending
    const keep = this.random.below(pending + 1)
    if (pending > 0) {
      this.tally.add("crashInWrite")
      if (keep === 0) this.tally.add("writesLost")
      else if (keep < pending) this.tally.add("writeTorn")
    }
    this.end()
    this.memory.crash(keep)
  }

  private end(): void {
    this.life++
    this.release = undefined
    this.syncing = false
    this.inFlight = 0
  }

  /** Syncs take so many times longer; 1 ends it. */
  slow(factor: number): void {
    this.slowFactor = factor
  }

  /** No sync ends before this time. */
  hang(untilMicros: number): void {
    this.hungUntil = untilMicros
  }

  /** The next call fails for good (fsyncgate): a sync that failed, or no space left. */
  failNext(kind: "sync" | "full"): void {
    this.failing = kind
    this.memory.failNext(kind)
  }

  /** Counts a failure that reached the node. */
  failed(): void {
    this.tally.add(this.failing === "full" ? "diskFull" : "diskSyncFailed")
  }

  /** Ends slowness and hangs; a sync that hung ends soon. */
  heal(): void {
    this.slowFactor = 1
    this.hungUntil = 0
    this.release?.()
    this.options = { ...this.options, piecesLost: 0, syncMaxMicros: Math.min(this.options.syncMaxMicros, 10_000) }
  }

  /** Keeps a copy of what is durable now, for `rollBack`. */
  keepBackup(): void {
    this.backup = this.memory.image()
  }

  /** Puts the last backup back in place of the disk; the node must be down. False if there is none. */
  rollBack(): boolean {
    if (this.backup === undefined) return false
    this.end()
    this.memory.restoreImage(this.backup)
    return true
  }

  /** An empty disk in its place; the node must be down. */
  wipe(): void {
    this.end()
    // What the old disk had acknowledged stays true of the name that it had.
    this.mirror = new DurableMirror()
    this.memory.wipe()
    this.backup = undefined
  }
}
