/**
 * The whole state of one node, as one mutable object that the functions of the other modules change. Each group of fields
 * names the module that owns it; others read. Pure: no I/O, clock, randomness.
 *
 * Invariants: applied <= commit <= log.lastIndex; snapshot.index <= applied; durable <= log.lastIndex; term, commit and
 * applied never fall (a truncation is above commit).
 */
import { Configurations, emptyConfiguration } from "./Configurations.ts"
import { defaultLimits, type Limits, type RaftOptions } from "./Config.ts"
import { Fifo, Outbox } from "./Fifo.ts"
import { Log } from "./Log.ts"
import type { Progress } from "./Progress.ts"
import { makeRandom, type Random } from "./Random.ts"
import type {
  ArrivedPiece,
  Entry,
  Index,
  Install,
  Message,
  NodeId,
  PieceReadWanted,
  RaftEvent,
  ReadReady,
  Reply,
  Role,
  SnapshotMeta,
  Term
} from "./Types.ts"

/** A write handed to the driver and not yet reported durable. */
export interface WriteInFlight {
  readonly write: number
  /** Last index of the log as this write leaves it; lowered when the log is truncated meanwhile. */
  lastIndex: Index
  readonly at: number
}

/** A message that waits for a write. */
export interface Held {
  readonly write: number
  readonly message: Message
}

/** A request of this node whose entry waits to be committed. */
export interface WaitingRequest {
  readonly index: Index
  readonly term: Term
  readonly requestId: number
}

/** A read at the leader that waits for a round, of this node or (remote) of a follower's batch. */
export interface LeaderRead {
  readonly requestId: number
  readonly remote: { readonly peer: NodeId; readonly batch: number; readonly life: number } | undefined
  /** Clock at which it is refused. */
  readonly until: number
}

export interface ReadRound {
  readonly round: number
  readonly index: Index
  readonly reads: ReadonlyArray<LeaderRead>
}

/** A snapshot on its way in. */
export interface Incoming {
  readonly meta: SnapshotMeta
  offset: number
}

/**
 * A range of entries that the disk has lost, `origin` to `end`; see `Repair.ts`. Still missing are `from` to `to`; the rest is
 * filled in memory alone. `from` = `to` + 1: nothing is missing, and what follows is not confirmed yet.
 */
export interface Hole {
  origin: Index
  from: Index
  to: Index
  end: Index
}

export class State {
  readonly id: NodeId
  readonly life: number
  readonly limits: Limits
  readonly supports: number
  /** Length of a lease in ticks from the sending of what a majority answered; 0: no leases. */
  readonly leaseTicks: number
  readonly random: Random
  now: number

  // Election.ts
  term: Term = 0
  vote: NodeId | undefined = undefined
  role: Role = "follower"
  leader: NodeId | undefined = undefined
  electionAt = 0
  /** The timeout drawn for this term, in ticks. */
  electionTimeout = 0
  /** Clock of the last message of a leader (or of the start, with a used disk): no votes for `electionTicks` after it. */
  contactAt = -Infinity
  readonly votes = new Map<NodeId, boolean>()
  /** Write that carries this candidate's own vote; the vote counts when it is durable. */
  ownVoteWrite = 0
  /** The campaign was asked for by the old leader. */
  campaignTransfer = false

  // Replication.ts, Membership.ts
  log: Log = new Log(0, 0)
  configurations = new Configurations({ index: 0, configuration: emptyConfiguration })
  commit: Index = 0
  applied: Index = 0
  /** Leader: peers and itself, by id; and the voters of each half, for quorums. */
  readonly progress = new Map<NodeId, Progress>()
  /** The others in `progress`, as a list. */
  peers: ReadonlyArray<Progress> = []
  halves: ReadonlyArray<ReadonlyArray<Progress>> = []
  self: Progress | undefined = undefined
  /** Leader: index of its first entry in this term. Nothing of it is committed before that one is. */
  termStart: Index = 0
  uncommittedBytes = 0
  heartbeatAt = 0
  /** Leader: something may be sendable. */
  replicate = false
  /** Follower: highest index that equals the log of the leader of this term. */
  matched: Index = 0
  /** Follower: an acknowledgement for this turn. */
  ack: { readonly to: NodeId; index: Index; stamp: number } | undefined = undefined
  /** Leader: the configuration in force is not committed, or has consequences that wait for its commit. */
  configurationPending = false
  /** Membership change of this node's own request, until its last configuration is appended. */
  change: { readonly requestId: number; readonly index: Index } | undefined = undefined

  // Disk.ts
  hardDirty = false
  /** Commit index as last handed to the disk; a newer one goes along with the next write. */
  commitStored: Index = 0
  dirtyFrom: Index = Infinity
  /** Highest index that has been handed to the disk and not truncated since. */
  handed: Index = 0
  durable: Index = 0
  filled: Array<Entry> = []
  compactPending: Index = 0
  lastWrite = 0
  lastHardWrite = 0
  persistedWrite = 0
  readonly writes = new Fifo<WriteInFlight>()
  readonly heldForLog = new Fifo<Held>()
  readonly heldForHard = new Fifo<Held>()
  /** Messages of this turn that wait for its write. */
  readonly newForLog = new Outbox<Message>()
  readonly newForHard = new Outbox<Message>()
  diskHung = false
  failed = false

  // Requests.ts, ReadIndex.ts, Transfer.ts
  readonly requests = new Fifo<WaitingRequest>()
  readonly forwards = new Map<number, number>()
  newReads: Array<LeaderRead> = []
  rounds: Array<ReadRound> = []
  round = 0
  /** Reads of this node that know their index and wait until it is applied. */
  readsAt: Array<{ readonly requestId: number; readonly index: Index; readonly until: number }> = []
  /** Follower: reads of this turn, and batches out at the leader. */
  batchNew: Array<number> = []
  readonly batches = new Map<number, { readonly reads: ReadonlyArray<number>; readonly until: number }>()
  lastBatch = 0
  transfer:
    | { readonly to: NodeId; readonly requestIds: Array<number>; readonly until: number; sent: boolean }
    | undefined = undefined
  /** Requests that wait to hear who leads after this node handed over. */
  transferred: { readonly requestIds: ReadonlyArray<number>; readonly until: number } | undefined = undefined
  /** A TimeoutNow is out in this term: somebody may win without waiting for the lease. */
  leaseBroken = false

  // Snapshot.ts
  snapshot: SnapshotMeta | undefined = undefined
  snapshotAsked: Index = 0
  /** Clock before which no other snapshot is asked for, after a failure. */
  snapshotNotBefore = -Infinity
  compactAsked = false
  bytesSinceSnapshot = 0
  /** Bytes of entries in memory at or below the snapshot. */
  keptBytes = 0
  incoming: Incoming | undefined = undefined
  installing:
    | { readonly meta: SnapshotMeta; readonly keepLog: boolean; readonly from: NodeId; readonly stamp: number }
    | undefined = undefined

  // Repair.ts
  holes: Array<Hole> = []
  /** The term that the disk gave back: no entry that it has lost can be of a later one. */
  restoredTerm: Term = 0
  /** There have been holes, and their end is still to be told. */
  repairing = false
  needsSnapshot = false
  recoverTo: Index = 0
  /** Term of the leader that set `recoverTo`. */
  recoverTerm: Term = 0
  repairAskAt = 0
  repairRounds = 0
  repairReported = false

  // Output of the turn
  readonly messages = new Outbox<Message>()
  readonly replies = new Outbox<Reply>()
  readonly reads = new Outbox<ReadReady>()
  readonly pieces = new Outbox<ArrivedPiece>()
  install: Install | undefined = undefined
  readonly pieceReads = new Outbox<PieceReadWanted>()
  readonly events = new Outbox<RaftEvent>()

  constructor(options: RaftOptions) {
    this.id = options.id
    this.life = options.seed >>> 0
    this.limits = { ...defaultLimits, ...options.limits }
    const { now, supports } = { now: 0, supports: 0, ...options }
    this.supports = supports
    this.now = now
    this.random = makeRandom(options.seed)
    this.leaseTicks =
      options.leaseDriftBound === undefined
        ? 0
        : Math.max(0, this.limits.electionTicks / (1 + options.leaseDriftBound) - 1)
  }
}

/** The requests that wait, oldest first, as a test or a view wants them. */
export const waitingRequests = (s: State): number => s.requests.length + s.forwards.size

/** Leader: the peer was heard within an election timeout. */
export const isActive = (s: State, peer: Progress): boolean =>
  peer === s.self || s.now - peer.heardAt < s.limits.electionTicks
