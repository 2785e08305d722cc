/**
 * What the two pure classes of the core look like from outside: `Raft` (`Raft.ts`, the protocol) and `Replica`
 * (`Replica.ts`, sessions, code versions and parts around a state machine). Drivers, simulations and tests build on these.
 */
import type { Input } from "./Input.ts"
import type { Output } from "./Output.ts"
import type { ConfigurationAt, DamagedRange, Entry, Index, NodeId, Role, SnapshotMeta, Term } from "./Types.ts"

/**
 * `new Raft(options, restored)`. A mutable object that is pure in the sense that counts: no I/O, clock, randomness or
 * logger; the same options, restored state and inputs give the same outputs. Violated invariants throw
 * `InvariantViolation`: the node must end, its state is not to be trusted.
 */
export interface RaftCore {
  readonly id: NodeId
  /** Takes one input. Appends and heartbeats are not built before `ready`, so a turn's proposals share one append. */
  step(input: Input): void
  /** Closes the turn and gives its work; see `Output.ts` for the order of work. */
  ready(): Output
  /** True if `ready` would have something to give. */
  hasWork(): boolean

  readonly term: Term
  readonly role: Role
  readonly leader: NodeId | undefined
  readonly vote: NodeId | undefined
  /** Highest index known to be committed. */
  readonly commit: Index
  /** Highest index handed out in `committed`, or covered by the installed snapshot. Invariant: applied <= commit <= last. */
  readonly applied: Index
  readonly lastIndex: Index
  /** Highest index that is durable here and stands in the log as it was written. */
  readonly durableIndex: Index
  /** Lowest index still in memory (1 + the compacted prefix). */
  readonly firstIndex: Index
  readonly recoverTo: Index
  readonly snapshotIndex: Index
  /** Configuration in force. */
  readonly configuration: ConfigurationAt
  /** Entries from `from` to `to`, closed, which must be in memory; cost O(length). */
  entries(from: Index, to: Index): ReadonlyArray<Entry>
  /** The entry, if in memory. `kind` "damaged" stands for one that the disk has lost. */
  entry(index: Index): Entry | undefined
  /** Term of the entry, if known (also of the last one below `firstIndex`). */
  termOf(index: Index): Term | undefined
  /** The leader's lease stands at the core's clock. */
  readonly leaseStands: boolean
  /** Clock when a leader was last heard (the start of this life counts): no votes for `electionTicks` after it (thesis 4.2.3). */
  readonly contactAt: number
  /** An immutable picture of all that a test wants to compare or print. Cost O(peers). */
  snapshot(): RaftView
}

export interface RaftView {
  readonly id: NodeId
  readonly role: Role
  readonly term: Term
  readonly vote: NodeId | undefined
  readonly leader: NodeId | undefined
  readonly commit: Index
  readonly applied: Index
  readonly firstIndex: Index
  readonly lastIndex: Index
  readonly lastTerm: Term
  readonly durableIndex: Index
  readonly recoverTo: Index
  readonly snapshot: SnapshotMeta | undefined
  readonly damaged: ReadonlyArray<DamagedRange>
  readonly configuration: ConfigurationAt
  /** Older configurations that a truncation or a snapshot may still need, oldest first, the one in force last. */
  readonly configurations: ReadonlyArray<ConfigurationAt>
  /** Index of a snapshot that is replacing the log just now; 0: none. */
  readonly installing: Index
  readonly diskHung: boolean
  readonly failed: boolean
  /** Leader: one line per peer. */
  readonly peers: ReadonlyArray<PeerView>
  readonly requestsWaiting: number
  readonly readsWaiting: number
  readonly transferTo: NodeId | undefined
  readonly logBytes: number
}

export interface PeerView {
  readonly id: NodeId
  readonly state: "probe" | "replicate" | "snapshot"
  /** Invariant: match < next. */
  readonly match: Index
  readonly next: Index
  readonly inflightMessages: number
  readonly inflightBytes: number
  readonly active: boolean
}

/** What a command is applied with. */
export interface ApplyContext {
  readonly index: Index
  readonly term: Term
  /** Code version in force. */
  readonly version: number
}

/**
 * The replicated state machine: bytes in, bytes out, deterministic. A throw of `apply` must leave the state as it was; it
 * is the answer to its caller (`Failed`), the same on every replica, and never the end of the log.
 */
export interface StateMachine {
  apply(command: Uint8Array, context: ApplyContext): Uint8Array
  /** The whole state as bytes; `restore` of them gives an equal state. */
  snapshot(): Uint8Array
  restore(bytes: Uint8Array): void
}

/**
 * What became of one entry.
 * - `Result`: the state machine's answer. `repeated`: from the session's memory, the command was not applied again.
 * - `Failed`: the command failed in the state machine, which is unchanged.
 * - `SessionOpened`, `SessionClosed`, `SessionsExpired`, `VersionSwitched`, `Done` (noop, configuration, part).
 * - `SessionUnknown`: the session has ended or never was: not applied. Whether an earlier copy was is not known any more.
 * - `Forgotten`: the client has said that it has this reply: not applied again.
 * - `TooManyOutstanding`: more than `sessionResultsMax` unconfirmed results: not applied.
 */
export type Applied =
  | { readonly _tag: "Result"; readonly data: Uint8Array; readonly repeated: boolean }
  | { readonly _tag: "Failed"; readonly message: string; readonly repeated: boolean }
  | { readonly _tag: "SessionOpened"; readonly session: number }
  | { readonly _tag: "SessionClosed" }
  | { readonly _tag: "SessionsExpired"; readonly count: number }
  | { readonly _tag: "VersionSwitched"; readonly version: number }
  | { readonly _tag: "SessionUnknown"; readonly session: number }
  | { readonly _tag: "Forgotten" }
  | { readonly _tag: "TooManyOutstanding" }
  | { readonly _tag: "Done" }

/**
 * `new Replica(machine, { supports, limits })`: sessions, code versions and reassembly of parts around a state machine;
 * deterministic, the same on all nodes. Throws `VersionUnsupported` (a named class) on an entry that switches to a version
 * above `supports`: the node must end rather than skip it.
 */
export interface ReplicaCore {
  /** Applies the next committed entry; entries must come in order. */
  apply(entry: Entry): Applied
  /**
   * State and the index that it stands for. Inside a run of parts that is the last entry before the run, so the index may
   * lie below `applied`: give it to the core as `SnapshotMade.index`.
   */
  snapshot(): { readonly index: Index; readonly bytes: Uint8Array }
  /** Replaces everything by a snapshot taken at `index`. */
  restore(index: Index, bytes: Uint8Array): void
  readonly applied: Index
  readonly version: number
  readonly sessions: number
}
