/**
 * Work for the driver. One turn: `step` every input that has arrived, then `ready()` once, then, in this order:
 * 1. send `messages` and flush the sockets (before a disk call that blocks, else the disks work one after the other);
 * 2. store `pieces`; do `persist` as ONE atomic durable write; step `Persisted`;
 * 3. do `install`; step `SnapshotInstalled` or `InstallFailed`;
 * 4. apply `committed` in order, then hand out `replies` and `reads`;
 * 5. make the snapshot of `snapshotWanted`, answer `pieceReads` (both may take their time);
 * and `ready()` again while `hasWork()`: `Persisted` has released messages. With an asynchronous disk, 2 runs beside the
 * next turns; works are written in order of their number.
 *
 * Outputs are never changed after they are given.
 */
import type { Message, RefusedReason } from "./Message.ts"
import type { Configuration, Entry, HardState, Index, NodeId, Role, SnapshotMeta, Term } from "./Types.ts"

/**
 * One atomic write: hard state, then truncation, then append, then dropping the prefix. After a crash all of it is there
 * or none. (A number instead of (index, term): the same pair can stand for two different votes, or for a tail that was
 * cut and written again; a number cannot.)
 */
export interface PersistWork {
  /** Number of this work, rising by 1 from 1. */
  readonly write: number
  /** To be replaced if present. */
  readonly hardState: HardState | undefined
  /** Delete all entries from this index on; 0: none. */
  readonly truncateFrom: Index
  /** To be stored, by index and without holes. May replace damaged ones in the middle of the log (only those). */
  readonly entries: ReadonlyArray<Entry>
  /** Entries up to this index may be deleted, when convenient; 0: none. A durable snapshot covers them. */
  readonly compactTo: Index
}

/** A piece of an arriving snapshot, in order; a piece at offset 0 discards what was there. Need not be durable yet. */
export interface ArrivedPiece {
  readonly meta: SnapshotMeta
  readonly offset: number
  readonly data: Uint8Array
}

/** Make the arrived snapshot the node's own: one atomic durable step, then restore the state machine from it. */
export interface Install {
  readonly meta: SnapshotMeta
  /**
   * True: the log goes on after the snapshot (delete entries up to `meta.index` only). False: delete the whole log, it
   * contradicts the snapshot or ends before it.
   */
  readonly keepLog: boolean
}

/** Bytes wanted for a transfer; answer by `PieceRead`. */
export interface PieceReadWanted {
  readonly to: NodeId
  readonly meta: SnapshotMeta
  readonly offset: number
  readonly length: number
}

/**
 * The end of a request.
 * - `Committed`: the entry of this request is committed and in the same output's or an earlier `committed`; what its
 *   command answered is the state machine's.
 * - `Superseded`: another entry was committed at its index: it never took effect and never will.
 * - `Refused`: it was not appended.
 * - `Unknown`: it may have taken effect, or may still; a session tells (same session and sequence again is safe).
 * - `Transferred`: leadership has moved. `TransferTimedOut`: it has not, within `transferTicks`.
 */
export type Reply =
  | { readonly _tag: "Committed"; readonly requestId: number; readonly index: Index; readonly term: Term }
  | { readonly _tag: "Superseded"; readonly requestId: number; readonly index: Index; readonly term: Term }
  | {
      readonly _tag: "Refused"
      readonly requestId: number
      readonly reason: RefusedReason
      readonly leader: NodeId | undefined
    }
  | { readonly _tag: "Unknown"; readonly requestId: number }
  | { readonly _tag: "Transferred"; readonly requestId: number; readonly leader: NodeId }
  | { readonly _tag: "TransferTimedOut"; readonly requestId: number }

/**
 * A read may be answered from the state that all `committed` so far have made. `index` undefined: refused (no leader, too
 * many reads, time is up); ask again.
 */
export interface ReadReady {
  readonly requestId: number
  readonly index: Index | undefined
}

/** Something an operator, a log or a test wants to know. */
export type RaftEvent =
  | { readonly _tag: "RoleChanged"; readonly role: Role; readonly term: Term; readonly leader: NodeId | undefined }
  /** In force (from its append). `removed`: this node is in neither of its sets. */
  | {
      readonly _tag: "ConfigurationChanged"
      readonly index: Index
      readonly configuration: Configuration
      readonly removed: boolean
    }
  /** This leader heard from no majority for an election timeout, and stepped down. */
  | { readonly _tag: "QuorumLost"; readonly term: Term }
  /** The oldest write has been in flight for `ticks`, more than `diskHangTicks`; false: it ended after all. */
  | { readonly _tag: "DiskHung"; readonly hung: boolean; readonly ticks: number }
  | { readonly _tag: "DiskFailed"; readonly reason: string }
  /** Entries are unreadable (`from` above `to`: found whole, to be confirmed); they are being asked for. */
  | { readonly _tag: "DamageFound"; readonly from: Index; readonly to: Index }
  | { readonly _tag: "DamageRepaired" }
  /**
   * No leader, and no peer has the damaged entries as committed ones: a majority is damaged or away. The cluster stands
   * still rather than lose a committed entry; it goes on when a peer with whole entries returns.
   */
  | { readonly _tag: "DamageOnMajority"; readonly from: Index; readonly to: Index }
  /** This node lacks log that it had acknowledged (an old disk was restored); no votes before `recoverTo`. */
  | { readonly _tag: "LogLost"; readonly recoverTo: Index }
  | { readonly _tag: "Recovered" }

export interface Output {
  readonly messages: ReadonlyArray<Message>
  readonly persist: PersistWork | undefined
  /** To be applied now, in order; each exactly once in a node's life, and after a restart again from the snapshot on. */
  readonly committed: ReadonlyArray<Entry>
  readonly replies: ReadonlyArray<Reply>
  readonly reads: ReadonlyArray<ReadReady>
  readonly pieces: ReadonlyArray<ArrivedPiece>
  readonly install: Install | undefined
  /** Make a snapshot of what has been applied; 0: no. Its index is at least this one. One request at a time. */
  readonly snapshotWanted: Index
  readonly pieceReads: ReadonlyArray<PieceReadWanted>
  readonly events: ReadonlyArray<RaftEvent>
}
