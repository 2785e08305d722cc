/**
 * THE contract of a store: few methods, written as laws, judged by the exported suite (`@weft/domain/testing`). The laws
 * and what bent them are in docs/CONTRACT.md; the meaning of a commit is `core/Apply.ts`, which in-memory, file, Ceph and
 * Raft stores run and Redis repeats in Lua on the same vectors.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type {
  Change,
  ChangesRequest,
  CommitId,
  CommitRecord,
  CommitRequest,
  Cell,
  Entry,
  Outcome,
  Range,
  ReadReply,
  ReadRequest,
  Reply
} from "./core/Commit.ts"
import type { Key } from "./core/Key.ts"
import type { Limits } from "./core/Limits.ts"
import type { Version } from "./core/Version.ts"
import type { StoreError } from "./StoreError.ts"

/** What a store promises and bounds. Units are in the names. */
export interface Capabilities {
  readonly name: string
  /** What an acknowledged commit survives: nothing (memory), a crash of the machine (disk), the loss of a minority (quorum). */
  readonly durability: "memory" | "disk" | "quorum"
  /** Who may share the store. */
  readonly reach: "process" | "host" | "network"
  /** Whether `read` can answer at older versions. */
  readonly history: boolean
  /** Rules of `apply` that the store runs; a kind of write unknown to them is refused. */
  readonly rules: number
  readonly limits: Limits
}

export type { ChangesRequest, Limits, ReadReply, ReadRequest }

/**
 * Optional synchronous lane of a store in memory. Same laws as the Effect methods; the suite runs both. Nothing here may
 * suspend, and a `commit` is visible to the next call.
 */
export interface SyncLane {
  readonly version: () => Version
  /** The newest cell of a key. */
  readonly cell: (key: Key) => Cell | undefined
  readonly range: (range: Range) => ReadonlyArray<Entry>
  /** The cell of a key as of `at`; throws `RangeError` when that version is not held by an open snapshot any more. */
  readonly cellAt: (key: Key, at: Version) => Cell | undefined
  readonly rangeAt: (range: Range, at: Version) => ReadonlyArray<Entry>
  /** Holds the present version for `cellAt` and `rangeAt` until closed, or until it is older than the store's bound. */
  readonly openSnapshot: () => Version
  readonly closeSnapshot: (at: Version) => void
  /** Whether `at` can still be read. */
  readonly holds: (at: Version) => boolean
  readonly commit: (requests: ReadonlyArray<CommitRequest>) => ReadonlyArray<Reply>
  /** One request: the same as `commit([request])[0]` without the arrays. */
  readonly commitOne: (request: CommitRequest) => Reply
  /** Called after each commit, in order, on the committer's stack; must not throw or block. Returns its own removal. */
  readonly watch: (listener: (record: CommitRecord) => void) => () => void
}

/**
 * Optional: what a store has in memory, as of a version that was the present a short while ago. Reading it asks nobody; so
 * the engine checks what it took from here before a result leaves, by the commit or, without writes, by one look.
 */
export interface Mirror {
  /** The version that the cells are as of; -1 while nothing can be told. */
  readonly version: () => Version
  /** Whether the cell of a key, or its absence, is known. */
  readonly has: (key: Key) => boolean
  /** A cell that is known. */
  readonly cell: (key: Key) => Cell | undefined
  /** Whether all cells of a range are known. */
  readonly hasRange: (range: Range) => boolean
  /** What a range that is known holds. */
  readonly range: (range: Range) => ReadonlyArray<Entry>
}

/** One transactional domain: versioned cells with validated reads and atomic writes. */
export class Backend extends Context.Service<
  Backend,
  {
    readonly capabilities: Capabilities
    /** Cells and ranges, all at one version, which it names. Never an unacknowledged or half-applied commit. */
    readonly read: (request: ReadRequest) => Effect.Effect<ReadReply, StoreError>
    /**
     * A non-empty batch, in order: each request is all or nothing and has its own reply. Fails as a whole only with
     * `Unavailable` (nothing was applied) or `CommitUnknown` (anything may have been): resend the same ids to learn which.
     */
    readonly commit: (requests: ReadonlyArray<CommitRequest>) => Effect.Effect<ReadonlyArray<Reply>, StoreError>
    /** All commits after `from`, in order, without a silent gap. Ends only by failure or interruption. */
    readonly changes: (request: ChangesRequest) => Stream.Stream<Change, StoreError>
    /** What became of an id. An id never seen is sealed first, so that every answer is final. */
    readonly outcome: (id: CommitId) => Effect.Effect<Outcome, StoreError>
    readonly sync?: SyncLane | undefined
    readonly mirror?: Mirror | undefined
    /**
     * Optional, where the store lets its processes write one after the other: whether it is this one's turn now. Then what
     * was lost to others is tried again at once, while it cannot be lost once more.
     */
    readonly hasTurn?: (() => boolean) | undefined
  }
>()("@weft/domain/Backend") {}
