/**
 * Options and limits of a node. Every limit has a name, a unit and a stated answer when it is reached.
 */
import type { Configuration, NodeId } from "./Types.ts"

export interface Limits {
  /** Ticks between heartbeats. Default 1. */
  readonly heartbeatTicks: number
  /**
   * Ticks without a leader's message before a follower campaigns; drawn anew from [n, 2n). Within n it refuses votes to
   * others (thesis 4.2.3), which leases rest on. Must exceed `heartbeatTicks`; default 10. Paper 5.2.
   */
  readonly electionTicks: number
  /** Ticks after which a leadership transfer is given up (`TransferTimedOut`) and proposals are taken again. Default 10. */
  readonly transferTicks: number
  /** Ticks after which a forwarded proposal without an answer is `Unknown`, a waiting read refused. Default 50. */
  readonly requestTicks: number
  /** Ticks of the oldest write in flight after which the disk counts as hung: a leader steps down, no votes. Default 20. */
  readonly diskHangTicks: number
  /** Ticks after which a snapshot piece without an answer is sent again. Default 10. */
  readonly snapshotRetryTicks: number

  /** Bytes of entries in one append (one entry always fits). Default 256 KiB. */
  readonly appendBytesMax: number
  /** Entries in one append. Default 4,096. */
  readonly appendEntriesMax: number
  /** Appends in flight to one follower. Default 64. */
  readonly windowMessages: number
  /** Bytes of entries in flight to one follower. Default 4 MiB: 1 ms of round trip then carries 4 GiB/s. */
  readonly windowBytes: number

  /** Longest entry in bytes; longer commands become `part` entries. Default 128 KiB. */
  readonly entryBytesMax: number
  /** Longest command in bytes; beyond it `TooLarge`. Default 64 MiB. */
  readonly commandBytesMax: number
  /** Bytes of not yet committed entries at a leader; beyond it `Busy`. One command always fits. Default 64 MiB. */
  readonly uncommittedBytesMax: number
  /** Not yet committed entries at a leader; beyond it `Busy`. Default 262,144. */
  readonly uncommittedEntriesMax: number
  /** Own requests that wait for their index to be committed, with forwarded ones; beyond it `Busy`. Default 262,144. */
  readonly requestsMax: number
  /** Reads that wait; beyond it refused. Default 65,536. */
  readonly readsMax: number

  /** Entries handed out in one output. Default 16,384. */
  readonly applyEntriesMax: number
  /** Bytes of entries handed out in one output (one entry always fits). Default 16 MiB. */
  readonly applyBytesMax: number

  /** Applied entries after the last snapshot that make a new one. Default 100,000. */
  readonly snapshotEntries: number
  /** Bytes of applied entries after the last snapshot that make a new one. Default 64 MiB. */
  readonly snapshotBytes: number
  /** Entries below the snapshot that are kept for followers which still need them. Default 20,000. */
  readonly keepEntries: number
  /** Bytes of entries below the snapshot that are kept for followers which still need them. Default 16 MiB. */
  readonly keepBytes: number
  /** Bytes of one snapshot piece. Default 256 KiB. */
  readonly snapshotPieceBytes: number

  /** Voters (of both sets) and learners. Default 64; beyond it `BadConfiguration`. */
  readonly membersMax: number
  /** Entries that a new voter may lack; beyond it `NotCaughtUp`. Default 1,000. */
  readonly catchUpEntriesMax: number

  /** Client sessions; beyond it the least recently used one ends (by log order, so everywhere the same). Default 10,000. */
  readonly sessionsMax: number
  /** Kept results of one session that its client has not confirmed; beyond it `TooManyOutstanding`. Default 1,024. */
  readonly sessionResultsMax: number
}

export const defaultLimits: Limits = {
  heartbeatTicks: 1,
  electionTicks: 10,
  transferTicks: 10,
  requestTicks: 50,
  diskHangTicks: 20,
  snapshotRetryTicks: 10,
  appendBytesMax: 256 * 1024,
  appendEntriesMax: 4096,
  windowMessages: 64,
  windowBytes: 4 * 1024 * 1024,
  entryBytesMax: 128 * 1024,
  commandBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  uncommittedEntriesMax: 262_144,
  requestsMax: 262_144,
  readsMax: 65_536,
  applyEntriesMax: 16_384,
  applyBytesMax: 16 * 1024 * 1024,
  snapshotEntries: 100_000,
  snapshotBytes: 64 * 1024 * 1024,
  keepEntries: 20_000,
  keepBytes: 16 * 1024 * 1024,
  snapshotPieceBytes: 256 * 1024,
  membersMax: 64,
  catchUpEntriesMax: 1000,
  sessionsMax: 10_000,
  sessionResultsMax: 1024
}

export interface RaftOptions {
  readonly id: NodeId
  /**
   * Seed of this life's election timeouts, an integer in [0, 2^32), new at every start (a driver draws it; a test names
   * it). The core has no other source of chance: same options, restored state and inputs give the same outputs. It also
   * names the node's life in forwarded requests.
   */
  readonly seed: number
  /**
   * First configuration of a new cluster, the same at all its first nodes. Used only if the disk is empty: it becomes
   * entry 1 of term 1, committed. Left out for a node that joins: it waits for a leader and casts no vote until it has
   * caught up.
   */
  readonly bootstrap?: Configuration
  readonly limits?: Partial<Limits>
  /**
   * Bound on clock drift for lease reads: between any two nodes, the ratio of clock rates is below 1 + this. Left out: no
   * leases, `lease` reads take a round. A lease of a leader lasts `electionTicks / (1 + bound) - 1` ticks of its own clock
   * from the SENDING of the messages that a majority has answered.
   */
  readonly leaseDriftBound?: number
  /** Highest code version of commands that this node can apply; told to the leader. Default 0. */
  readonly supports?: number
  /** First value of the clock in ticks. Default 0. */
  readonly now?: number
}
