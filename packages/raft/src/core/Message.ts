/**
 * Messages between nodes. Plain data: a transport may hand objects over (simulation) or bytes (`Codec.ts`).
 *
 * Two classes (thesis 10.2.1): *now*, which may leave before the sender's own disk is done: `Append`, `Heartbeat`,
 * `SnapshotPiece`, `TimeoutNow`, `PreVote`, `Forward`, `ForwardReply`, `ReadIndex`, `ReadIndexReply`, `EntriesWanted`,
 * `EntriesFound`; and *after durable*, which the core itself holds back until `Persisted` has come for the state that they
 * tell: `Vote`, `VoteReply`, `PreVoteReply`, `AppendReply`, `HeartbeatReply`, `SnapshotReply`. So whatever stands in an
 * output may be sent at once. Loss, doubling and reordering are harmless for all of them.
 */
import type { Entry, Index, NodeId, SnapshotMeta, Term } from "./Types.ts"

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  /** The sender's term; in `PreVote` and a granting `PreVoteReply` the term that the candidate would campaign in. */
  readonly term: Term
}

/** "Would you vote for me in `term`?" Changes nothing at the receiver (thesis 9.6). */
export interface PreVote extends Envelope {
  readonly _tag: "PreVote"
  readonly lastIndex: Index
  readonly lastTerm: Term
}

/** `term`: if granted that of the question, else the receiver's own. */
export interface PreVoteReply extends Envelope {
  readonly _tag: "PreVoteReply"
  readonly granted: boolean
}

/** RequestVote of the paper (5.2). */
export interface Vote extends Envelope {
  readonly _tag: "Vote"
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** The old leader asked for this election: the receiver's lease to it does not stand against it (thesis 3.10). */
  readonly transfer: boolean
}

export interface VoteReply extends Envelope {
  readonly _tag: "VoteReply"
  readonly granted: boolean
}

/** AppendEntries of the paper (5.3). */
export interface Append extends Envelope {
  readonly _tag: "Append"
  readonly prevIndex: Index
  readonly prevTerm: Term
  readonly entries: ReadonlyArray<Entry>
  /** The leader's commit index; the receiver takes no more of it than it has matched. */
  readonly commit: Index
  /** The leader's clock in ticks when it sent this; comes back in the reply and dates the lease. */
  readonly stamp: number
}

export interface AppendReply extends Envelope {
  readonly _tag: "AppendReply"
  readonly ok: boolean
  /**
   * ok: durable here and equal to the leader's log up to this index. Refused: the `prevIndex` of the refused append; with
   * `damaged` what is durable and certain.
   */
  readonly index: Index
  /** Refused: the receiver's last index (at most `index`) whose term is at most that of the append, and its term. */
  readonly hintIndex: Index
  readonly hintTerm: Term
  /** The disk has lost entries after `index`, some perhaps acknowledged: the leader goes on after `hintIndex`. */
  readonly damaged: boolean
  /** The snapshot's bytes are lost: only a new snapshot of at least `hintIndex` helps. */
  readonly wantsSnapshot: boolean
  readonly stamp: number
  /** Highest code version that the sender can apply. */
  readonly supports: number
  /** The sender casts no votes yet (`HardState.recoverTo`): it must not become a voter. */
  readonly recovering: boolean
}

/** Keeps followers, carries the commit index, and counts as a read-index round (thesis 6.4). */
export interface Heartbeat extends Envelope {
  readonly _tag: "Heartbeat"
  /** At most what the receiver is known to have. */
  readonly commit: Index
  /** What the receiver has acknowledged to this leader, and its term (0: not in memory). A receiver without it has lost its disk. */
  readonly match: Index
  readonly matchTerm: Term
  /** The leader's last index. */
  readonly lastIndex: Index
  /** Number of the read round, rising within a term; 0 before the first. */
  readonly round: number
  readonly stamp: number
}

export interface HeartbeatReply extends Envelope {
  readonly _tag: "HeartbeatReply"
  readonly round: number
  readonly stamp: number
  readonly supports: number
  readonly recovering: boolean
}

/** A piece of a log snapshot, in order, one in flight (paper, section 7). */
export interface SnapshotPiece extends Envelope {
  readonly _tag: "SnapshotPiece"
  readonly meta: SnapshotMeta
  /** Position of `data` in the snapshot's bytes. */
  readonly offset: number
  readonly data: Uint8Array
  /** The last piece. */
  readonly done: boolean
  readonly stamp: number
}

export interface SnapshotReply extends Envelope {
  readonly _tag: "SnapshotReply"
  /** `meta.index` of the snapshot in question. */
  readonly index: Index
  /** The next byte wanted. */
  readonly offset: number
  /** Installed, or not needed: the receiver's log is equal to the leader's up to `index`. */
  readonly installed: boolean
  readonly stamp: number
}

/** Asks the receiver to campaign at once (thesis 3.10). */
export interface TimeoutNow extends Envelope {
  readonly _tag: "TimeoutNow"
}

/** What a request adds to the log; common to proposals of this node and of others. */
export interface Proposal {
  readonly kind: "command" | "openSession" | "closeSession" | "expireSessions" | "version"
  readonly session: number
  readonly sequence: number
  readonly resolved: number
  readonly data: Uint8Array
}

/** A follower passes a proposal to the leader. Never sent twice by the core: exactly-once is the session's work. */
export interface Forward extends Envelope {
  readonly _tag: "Forward"
  readonly requestId: number
  /** Number of the sender's life (`RaftOptions.seed`): replies to an earlier life are not mistaken for ours. */
  readonly life: number
  readonly proposal: Proposal
}

export interface ForwardReply extends Envelope {
  readonly _tag: "ForwardReply"
  readonly requestId: number
  readonly life: number
  /** Where the command went (its last part), 0 if it was refused; the term is `entryTerm`. */
  readonly index: Index
  readonly entryTerm: Term
  /** Why it was refused. */
  readonly refused: RefusedReason | undefined
}

/** A follower asks for a read index for all reads of a turn. */
export interface ReadIndex extends Envelope {
  readonly _tag: "ReadIndex"
  readonly batch: number
  readonly life: number
}

export interface ReadIndexReply extends Envelope {
  readonly _tag: "ReadIndexReply"
  readonly batch: number
  readonly life: number
  /** 0: refused (not the leader, or too many reads wait). */
  readonly index: Index
}

/**
 * A node with damage and without a leader asks everyone. With a leader, plain appends repair (`AppendReply.damaged`).
 */
export interface EntriesWanted extends Envelope {
  readonly _tag: "EntriesWanted"
  readonly fromIndex: Index
  readonly toIndex: Index
}

/**
 * Answer: a run of the wanted entries, without holes, as near to `toIndex` as the sender has them. Of use are those that
 * are committed, and all of them if the last one is an entry that the asking node has itself, of the same term (Log
 * Matching: then everything before is equal too).
 */
export interface EntriesFound extends Envelope {
  readonly _tag: "EntriesFound"
  readonly entries: ReadonlyArray<Entry>
  /** The sender's commit index. */
  readonly commit: Index
}

export type Message =
  | PreVote
  | PreVoteReply
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | SnapshotPiece
  | SnapshotReply
  | TimeoutNow
  | Forward
  | ForwardReply
  | ReadIndex
  | ReadIndexReply
  | EntriesWanted
  | EntriesFound

/**
 * Why a request was refused. Refused means: it was not appended and never will be.
 * - `NotLeader`: no leader known, or (transfer, membership) this node is not it.
 * - `Busy`: a limit of `Limits` is reached; wait for replies and try again.
 * - `TooLarge`: longer than `commandBytesMax`.
 * - `Transferring`: leadership is being handed over.
 * - `NotReady`: the leader has not committed an entry of its term yet.
 * - `ChangeInProgress`: a membership change is not finished.
 * - `BadConfiguration`: no voters, too many members, or learners among the voters.
 * - `NotCaughtUp`: a new voter lacks more than `catchUpEntriesMax` entries, or a voter casts no votes yet because it joins or
 *   has lost its log (that `force` does not skip: the cluster could stand still for ever); add it as a learner first.
 * - `NoQuorum`: a majority of the new voters was not heard from lately.
 * - `BadTarget`: leadership can only go to another voter.
 * - `VersionUnsupported`: some member cannot apply that version, or it is below the one in force.
 * - `Failed`: this node's disk has failed; it will not take part again.
 */
export type RefusedReason =
  | "NotLeader"
  | "Busy"
  | "TooLarge"
  | "Transferring"
  | "NotReady"
  | "ChangeInProgress"
  | "BadConfiguration"
  | "NotCaughtUp"
  | "NoQuorum"
  | "BadTarget"
  | "VersionUnsupported"
  | "Failed"
