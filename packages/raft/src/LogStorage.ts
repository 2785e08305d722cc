/**
 * The contract of a node's disk: hard state, log entries and snapshots, durable before anything that depends on them is
 * said to others. A plain object with callbacks, because the driver that calls it is plain; Effect stands at its border
 * (`LogStorageFactory`). Proved by the exported suite `@weft/raft/testing/LogStorageSuite`.
 *
 * Laws, each a test of the suite:
 * - **Durable first**: when `persist` reports success, a crash loses nothing of it. (`durable: false` says: only while the
 *   process lives.)
 * - **Whole turns**: after a crash a `PersistWork` is there altogether or not at all, whatever it holds; if it is there,
 *   all works before it are. An `install` likewise.
 * - **In order**: calls take effect, and their callbacks run, in the order of the calls. A callback may run before the
 *   call returns.
 * - **No holes**: entries are appended at the last index + 1; anything else is `Refused`, and changes nothing.
 * - **Torn is not damaged**: a work that was never acknowledged and is only partly on the disk is cut off, silently.
 *   What was acknowledged and cannot be read is reported in `restored.damaged`, never dropped: dropping it could lose a
 *   committed entry (Alagappan et al., FAST 2018). The report survives reopening until the entries are stored again.
 * - **A failed write is final** (fsyncgate): afterwards every call fails with `Ended`. The process must end; the next one
 *   reads what is really there. Refusals (`Refused`, `TooLarge`, `PiecesMismatch`) are not failures: nothing was tried.
 * - **Compaction is cheap**: dropping a prefix takes effect at once in what `restored` shows after reopening; the space
 *   comes back in small steps with later works, so that no work waits for it.
 */
// By module, not from the barrel: a log's worker thread loads this file, and the barrel alone takes it 100 ms.
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type {
  ArrivedPiece,
  DamagedRange,
  Entry,
  Index,
  Install,
  PersistWork,
  Restored,
  SnapshotMeta
} from "./core/Types.ts"

/** The file carries a format that this program is too old to read. Nothing was changed. */
export class FormatNewer extends Schema.TaggedError<FormatNewer>()("FormatNewer", {
  found: Schema.Number,
  supported: Schema.Number
}) {
  override get message(): string {
    return `the log has format ${this.found}, this program reads up to ${this.supported}: start a newer program`
  }
}

/** The file is not a Raft log of ours. Nothing was changed. */
export class NotALog extends Schema.TaggedError<NotALog>()("NotALog", { detail: Schema.String }) {
  override get message(): string {
    return `this is not a Weft Raft log: ${this.detail}. Check the path; the file was left as it is`
  }
}

/** Another process, or another part of this one, holds the log. */
export class AlreadyOpen extends Schema.TaggedError<AlreadyOpen>()("AlreadyOpen", {}) {
  override get message(): string {
    return "the log is open already: two nodes on one disk would vote twice. End the other process first"
  }
}

/** Term and vote cannot be read: the node could vote twice in one term, so it must not start. */
export class HardStateDamaged extends Schema.TaggedError<HardStateDamaged>()("HardStateDamaged", {
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `term and vote are unreadable (${this.detail}). The node must not vote again under this name: ` +
      `keep the files, remove the member and add it with an empty disk under a new name`
    )
  }
}

/** The disk or the file system failed. Final for this handle. */
export class IoFailed extends Schema.TaggedError<IoFailed>()("IoFailed", {
  kind: Schema.Literals(["write", "sync", "full", "read", "open"]),
  detail: Schema.String
}) {
  override get message(): string {
    const full = "the disk is full: free space, then start the node again"
    return this.kind === "full"
      ? `${full} (${this.detail})`
      : `${this.kind} failed: ${this.detail}. What was acknowledged before is safe; check the disk, start the node again`
  }
}

/** An earlier failure has ended this handle; see `because`. */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { because: Schema.String }) {
  override get message(): string {
    return `the log storage has ended, nothing is written any more: ${this.because}`
  }
}

export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {
  override get message(): string {
    return "the log storage is closed"
  }
}

/** The call breaks a rule of the contract: a bug of the caller. Nothing was changed. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { rule: Schema.String, detail: Schema.String }) {
  override get message(): string {
    return `refused, nothing was written: ${this.rule} (${this.detail})`
  }
}

/** One call holds more than a limit allows. Nothing was changed. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  limit: Schema.Literals(["entryBytesMax", "workBytesMax", "pieceBytesMax"]),
  bytes: Schema.Number,
  bytesMax: Schema.Number
}) {
  override get message(): string {
    return `${this.bytes} bytes are more than ${this.limit} (${this.bytesMax} bytes) allows; nothing was written`
  }
}

/** The stored pieces are not the snapshot that was to be installed: missing, too long, or damaged. Send it again. */
export class PiecesMismatch extends Schema.TaggedError<PiecesMismatch>()("PiecesMismatch", {
  index: Schema.Number,
  detail: Schema.String
}) {
  override get message(): string {
    return `the snapshot up to index ${this.index} is not complete here: ${this.detail}. It must be sent again`
  }
}

export type LogStorageReason =
  | FormatNewer
  | NotALog
  | AlreadyOpen
  | HardStateDamaged
  | IoFailed
  | Ended
  | Closed
  | Refused
  | TooLarge
  | PiecesMismatch

/** Every failure of a log storage; `reason` tells them apart (`Effect.catchReason`). */
export class LogStorageError extends Schema.TaggedError<LogStorageError>()("LogStorageError", {
  /** Which log: a path, or a name. */
  storage: Schema.String,
  operation: Schema.Literals([
    "open",
    "persist",
    "storePiece",
    "install",
    "adopt",
    "readPiece",
    "readEntries",
    "close"
  ]),
  reason: Schema.Union([
    FormatNewer,
    NotALog,
    AlreadyOpen,
    HardStateDamaged,
    IoFailed,
    Ended,
    Closed,
    Refused,
    TooLarge,
    PiecesMismatch
  ])
}) {
  override get message(): string {
    return `log storage ${this.storage}: ${this.operation}: ${this.reason.message}`
  }
}

export type Operation = LogStorageError["operation"]

/** True for the reasons after which the handle is of no use: the node must end. The others changed nothing. */
export const isFinalReason = ({ _tag }: LogStorageReason): boolean =>
  _tag !== "Refused" && _tag !== "TooLarge" && _tag !== "PiecesMismatch"

export const isFinal = (error: LogStorageError): boolean => isFinalReason(error.reason)

/**
 * Called once, in the order of the calls, perhaps before the call returns. Calls after the end (`Ended`, `Closed`) are answered
 * at once, perhaps before earlier ones that are still in flight.
 */
export type Done<A> = (result: Result.Result<A, LogStorageError>) => void

export interface StorageLimits {
  /** Bytes of one entry's data. Default 16 MiB; the core cuts commands into parts far below it. */
  readonly entryBytesMax: number
  /** Bytes of all entries of one work. Default 256 MiB. */
  readonly workBytesMax: number
  /** Bytes of one snapshot piece. Default 16 MiB. */
  readonly pieceBytesMax: number
}

export const defaultStorageLimits: StorageLimits = {
  entryBytesMax: 16 * 1024 * 1024,
  workBytesMax: 256 * 1024 * 1024,
  pieceBytesMax: 16 * 1024 * 1024
}

/** Where pieces of a snapshot wait: `arrived` from the leader, or `made` by this node's own state machine. */
export type Stage = "arrived" | "made"

/** What `readEntries` found: readable entries in order, and the ranges that are not. */
export interface EntriesRead {
  readonly entries: ReadonlyArray<Entry>
  readonly damaged: ReadonlyArray<DamagedRange>
}

export interface PieceRequest {
  /** Index of the snapshot; another one may have taken its place. */
  readonly index: Index
  readonly offset: number
  /** Bytes wanted, at most; fewer only at the end. */
  readonly length: number
}

export interface LogStorage {
  /** Which log: a path, or a name; stands in errors. */
  readonly name: string
  /** False: gone with the process. */
  readonly durable: boolean
  /** What was found at opening. Later calls do not change it. */
  readonly restored: Restored
  readonly limits: StorageLimits

  /**
   * Durable writes, in order, each work atomic: hard state, then `truncateFrom`, then `entries`, then `compactTo` (at most
   * the index of the installed or adopted snapshot). Entries stand at the last index + 1 and on, or replace damaged ones.
   * If one work of a call is refused, none of the call is done. Cost: one sync for all calls that wait.
   */
  readonly persist: (works: ReadonlyArray<PersistWork>, done: Done<void>) => void

  /** Keeps a piece: in order, each at the end of the one before; a piece at offset 0 starts anew. Need not be durable. */
  readonly storePiece: (stage: Stage, piece: ArrivedPiece, done: Done<void>) => void

  /** Makes the `arrived` snapshot the node's own and drops what it covers of the log, atomically and durably. */
  readonly install: (install: Install, done: Done<void>) => void

  /** Makes the snapshot `made` here the node's own, atomically and durably. The log stays; see `compactTo`. */
  readonly adopt: (meta: SnapshotMeta, done: Done<void>) => void

  /** Bytes of the node's snapshot; `undefined`: another one has taken its place, or these bytes are damaged. */
  readonly readPiece: (request: PieceRequest, done: Done<Uint8Array | undefined>) => void

  /** Reads entries from the disk again and checks them (a scrub). `from` and `to` are cut to what is stored. */
  readonly readEntries: (range: DamagedRange, done: Done<EntriesRead>) => void

  /** Ends after all earlier calls. Later calls fail with `Closed`. */
  readonly close: (done: Done<void>) => void
}

/** Opens the log of one node; closed with the scope. */
export class LogStorageFactory extends Context.Service<
  LogStorageFactory,
  { readonly open: Effect.Effect<LogStorage, LogStorageError, Scope.Scope> }
>()("@weft/raft/LogStorageFactory") {}

/** What `Done<void>` is given for success. */
export const succeeded: Result.Result<void, never> = Result.succeed(undefined)
