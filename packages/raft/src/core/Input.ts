/**
 * All that can happen to a node, as data. The driver owes the core:
 * - `Clock` (or `Tick`) at the start of every turn, read from a monotonic clock AFTER the turn's messages were taken from
 *   the sockets. Leases rest on it: a node that was stopped must not date an old heartbeat "now minus the pause".
 * - `Persisted` for every `PersistWork`, in order.
 * - an answer for every snapshot request in an output.
 * Requests (`requestId`) are answered by exactly one `Reply` or `ReadReady`, unless the node ends first.
 */
import type { Message, Proposal } from "./Message.ts"
import type { Configuration, Index, NodeId } from "./Types.ts"

/** Sets the clock without running timers. `now`: monotonic time in ticks (fractions allowed), never falling. */
export interface Clock {
  readonly _tag: "Clock"
  readonly now: number
}

/** Sets the clock and runs the timers: elections, heartbeats, check-quorum, time limits. About once a tick. */
export interface Tick {
  readonly _tag: "Tick"
  readonly now: number
}

export interface Receive {
  readonly _tag: "Receive"
  readonly message: Message
}

/** Appends at the leader; a follower forwards. Answered `Committed`, `Superseded`, `Refused` or `Unknown`. */
export interface Propose {
  readonly _tag: "Propose"
  /** Number of the request, chosen by the driver, unique in the node's life. */
  readonly requestId: number
  readonly proposal: Proposal
}

/**
 * A linearizable read: answered by `ReadReady` when what has been handed out to apply is new enough.
 * `readIndex`: one heartbeat round serves all reads of a turn (thesis 6.4). `lease`: without a round while the lease
 * stands (6.4.1), else as `readIndex`; at a follower as `readIndex`.
 */
export interface Read {
  readonly _tag: "Read"
  readonly requestId: number
  readonly mode: "readIndex" | "lease"
}

/** Hands leadership to a voter, or to the one that is furthest on. Answered when the new leader is known or time is up. */
export interface Transfer {
  readonly _tag: "Transfer"
  readonly requestId: number
  readonly to: NodeId | undefined
}

/**
 * Changes the members by joint consensus to exactly these sets (leader only). Answered `Committed` when the new
 * configuration alone is in force and committed.
 */
export interface ChangeMembership {
  readonly _tag: "ChangeMembership"
  readonly requestId: number
  readonly voters: ReadonlyArray<NodeId>
  readonly learners: ReadonlyArray<NodeId>
  readonly addresses: Configuration["addresses"]
  /** Skips the limit on missing entries and `NoQuorum`: the cluster may stand still until the new voters have caught up. */
  readonly force: boolean
}

/** Campaign now, by pre-vote (an operator, a test). With leases: ignored within an election timeout of a leader's message. */
export interface Campaign {
  readonly _tag: "Campaign"
}

/** Everything up to and including `PersistWork` number `write` is durable. */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly write: number
}

/** A snapshot asked for by `Output.snapshotWanted` is durable. `index`: the last entry that it contains. */
export interface SnapshotMade {
  readonly _tag: "SnapshotMade"
  readonly index: Index
  readonly bytes: number
}

/** A snapshot asked for could not be made; it is asked for again later. */
export interface SnapshotFailed {
  readonly _tag: "SnapshotFailed"
}

/** `Output.install` is done: durable, and the state machine is restored from it. */
export interface SnapshotInstalled {
  readonly _tag: "SnapshotInstalled"
  readonly index: Index
}

/** `Output.install` was refused (bytes do not add up): the transfer starts again. */
export interface InstallFailed {
  readonly _tag: "InstallFailed"
  readonly index: Index
}

/** Answers `Output.pieceReads`. `data` undefined: that snapshot is gone, the transfer starts again with the newest. */
export interface PieceRead {
  readonly _tag: "PieceRead"
  readonly to: NodeId
  readonly index: Index
  readonly offset: number
  readonly data: Uint8Array | undefined
}

/** Make a snapshot and compact now (an operator's command, or the driver's clock: `compaction by time`). */
export interface Compact {
  readonly _tag: "Compact"
}

/** A running node found unreadable entries (a scrub, a failed read). */
export interface DamageFound {
  readonly _tag: "DamageFound"
  readonly from: Index
  readonly to: Index
}

/** A write or sync failed. Final: the node answers no message from now on (fsyncgate: a second sync proves nothing). */
export interface DiskFailed {
  readonly _tag: "DiskFailed"
  readonly reason: string
}

/** The transport lost its connection to a peer: what was in flight may be lost. A hint; nothing depends on it. */
export interface Unreachable {
  readonly _tag: "Unreachable"
  readonly peer: NodeId
}

export type Input =
  | Clock
  | Tick
  | Receive
  | Propose
  | Read
  | Transfer
  | ChangeMembership
  | Campaign
  | Persisted
  | SnapshotMade
  | SnapshotFailed
  | SnapshotInstalled
  | InstallFailed
  | PieceRead
  | Compact
  | DamageFound
  | DiskFailed
  | Unreachable
