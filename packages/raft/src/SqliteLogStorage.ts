/**
 * Log storage in one SQLite file (`node:sqlite`, write-ahead log, `synchronous = FULL`): the disk of a real node.
 *
 * Laws: those of `LogStorage`, with `durable: true`. What is where in the file: `internal/sqliteFile.ts`. One process at a
 * time (`AlreadyOpen`); local file systems only, because SQLite's write-ahead log wants shared memory semantics.
 *
 * Threads. `node:sqlite` is synchronous. In the form `worker` (default) the file lives in a thread of its own: the event loop
 * never waits for the disk, so a node notices that its disk hangs, and heartbeats go on. In the form `inline` each call
 * blocks the loop until the sync is done (0.1 to 1 ms here, unbounded on a bad disk): for tools and tests, and for drivers
 * that flush their sockets first and call once a turn; the hung-disk rule of the protocol cannot work there.
 */
import { Effect, Layer, Result } from "effect"
import type { ArrivedPiece, DamagedRange, Install, PersistWork, Restored, SnapshotMeta } from "./core/Types.ts"
import { pieceTooLarge, workRefusal } from "./internal/logExtent.ts"
import { type Command, encodePiece, encodeWork, type Value } from "./internal/sqliteCommands.ts"
import { failureOf } from "./internal/sqliteFile.ts"
import { inlineLane, type Lane, workerLane } from "./internal/sqliteLanes.ts"
import { type FilePorts, nodePorts } from "./internal/sqlitePorts.ts"
import {
  Closed,
  defaultStorageLimits,
  type Done,
  Ended,
  type EntriesRead,
  isFinal,
  type LogStorage,
  LogStorageError,
  LogStorageFactory,
  type LogStorageReason,
  type Operation,
  type PieceRequest,
  type Stage,
  type StorageLimits
} from "./LogStorage.ts"

export interface SqliteLogOptions {
  /** Path of the file; its directory exists. `<path>-wal` and `<path>-mark` stand beside it and belong to it. */
  readonly path: string
  readonly limits?: Partial<StorageLimits>
}

const errorOf = (storage: string, operation: Operation, reason: LogStorageReason): LogStorageError =>
  new LogStorageError({ storage, operation, reason })

const limitsOf = (options: SqliteLogOptions): StorageLimits => ({ ...defaultStorageLimits, ...options.limits })

/** Opens or creates a log on this thread. Throws `LogStorageError`. Cost: reads and checks the whole log. */
export const openInline = (options: SqliteLogOptions, ports: FilePorts = nodePorts): LogStorage => {
  try {
    return new Handle(options.path, limitsOf(options), inlineLane(ports, options.path))
  } catch (error) {
    throw errorOf(options.path, "open", failureOf(error, "open").reason)
  }
}

/** Opens or creates a log in a thread of its own. Rejects with `LogStorageError`. */
export const openWorker = async (options: SqliteLogOptions): Promise<LogStorage> => {
  try {
    return new Handle(options.path, limitsOf(options), await workerLane(options.path))
  } catch (error) {
    throw errorOf(options.path, "open", failureOf(error, "open").reason)
  }
}

/** The log of a node, in a thread of its own; closed with the scope. */
export const layer = (options: SqliteLogOptions): Layer.Layer<LogStorageFactory> =>
  Layer.succeed(LogStorageFactory, {
    open: Effect.acquireRelease(
      Effect.tryPromise({ try: () => openWorker(options), catch: (error) => error as LogStorageError }),
      (storage) => Effect.callback<void>((resume) => storage.close(() => resume(Effect.void)))
    )
  })

class Handle implements LogStorage {
  readonly name: string
  readonly durable = true
  readonly restored: Restored
  readonly limits: StorageLimits
  readonly #lane: Lane
  #ended: Ended | Closed | undefined

  constructor(name: string, limits: StorageLimits, lane: Lane) {
    this.name = name
    this.limits = limits
    this.restored = lane.restored
    this.#lane = lane
  }

  persist(works: ReadonlyArray<PersistWork>, done: Done<void>): void {
    const refusal = workRefusal(works, this.limits)
    this.#submit<void>("persist", refusal, () => ({ op: "persist", works: works.map(encodeWork) }), done)
  }

  storePiece(stage: Stage, piece: ArrivedPiece, done: Done<void>): void {
    const refusal = pieceTooLarge(piece.data, this.limits)
    this.#submit<void>("storePiece", refusal, () => encodePiece(stage, piece), done)
  }

  install(install: Install, done: Done<void>): void {
    this.#submit<void>("install", undefined, () => ({ op: "install", install }), done)
  }

  adopt(meta: SnapshotMeta, done: Done<void>): void {
    this.#submit<void>("adopt", undefined, () => ({ op: "adopt", meta }), done)
  }

  readPiece(request: PieceRequest, done: Done<Uint8Array | undefined>): void {
    this.#submit("readPiece", undefined, () => ({ op: "readPiece", request }), done)
  }

  readEntries(range: DamagedRange, done: Done<EntriesRead>): void {
    this.#submit("readEntries", undefined, () => ({ op: "readEntries", range }), done)
  }

  close(done: Done<void>): void {
    this.#submit<void>("close", undefined, () => ({ op: "close" }), done)
    this.#ended ??= new Closed({})
  }

  /** Refusals that need no look at the log go through the lane all the same, so that callbacks keep their order. */
  #submit<A extends Value | void>(
    operation: Operation,
    refusal: LogStorageReason | undefined,
    command: () => Command,
    done: Done<A>
  ): void {
    const early = this.#ended ?? refusal
    const submitted: Command = early === undefined ? command() : { op: "persist", works: [] }
    if (this.#ended !== undefined) return done(Result.fail(errorOf(this.name, operation, this.#ended)))
    this.#lane.submit(submitted, (failure, value) => {
      const reason = early ?? (this.#ended instanceof Ended ? this.#ended : failure)
      // The engine answers each operation with its own kind of value.
      if (reason === undefined) return done(Result.succeed(value as A))
      const error = errorOf(this.name, operation, reason)
      if (isFinal(error) && reason._tag !== "Ended") this.#ended = new Ended({ because: error.message })
      done(Result.fail(error))
    })
  }
}
