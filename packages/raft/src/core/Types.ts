/**
 * The data that the protocol core is made of: log entries, configurations, snapshots, and what a node finds on its disk
 * when it starts. Messages stand in `Message.ts`, inputs in `Input.ts`, outputs in `Output.ts`, limits in `Config.ts`;
 * all of them are exported again from here.
 *
 * Pure: plain immutable data, no functions with effects. Indexes and terms start at 1; 0 means "before the first".
 * Ranges of indexes are closed and written `from`, `to`, unless said otherwise.
 */

export * from "./Config.ts"
export * from "./Input.ts"
export * from "./Message.ts"
export * from "./Output.ts"
export * from "./Surface.ts"

/** Name of a node, unique in the cluster for ever: a node that lost its disk comes back under a new id or as a learner. */
export type NodeId = string

/** Election term, rising; 0 before the first election. */
export type Term = number

/** Position in the log, from 1; 0 is the place before the first entry. */
export type Index = number

/**
 * What an entry means.
 * - `command`: bytes for the state machine (with the parts before it, if any, see `part`).
 * - `part`: a piece of a command that is longer than `entryBytesMax`. Parts stand directly before their `command`, all in
 *   one term; a run that another entry interrupts belongs to a deposed leader and is dropped when it is applied.
 * - `noop`: a leader's first entry in its term (paper, section 8: commits what earlier terms left).
 * - `configuration`: bytes of `encodeConfiguration`; in force from its append, undone by its truncation.
 * - `version`: switches the code version of commands (8 bytes, `encodeNumber`), in force for the entries after it.
 * - `openSession`, `closeSession`, `expireSessions`: client sessions (thesis 6.3). A session's id is the index of the entry
 *   that opened it; `expireSessions` (8 bytes, `encodeNumber`) ends all that were last used below that index.
 * - `damaged`: never on the wire or on a disk; stands in a node's memory for an entry that its disk has lost.
 */
export type EntryKind =
  | "command"
  | "part"
  | "noop"
  | "configuration"
  | "version"
  | "openSession"
  | "closeSession"
  | "expireSessions"
  | "damaged"

/**
 * One log entry: immutable, the same object in the log, in messages of one process and in the storage's queue.
 * Checksums belong to the storage and the transport.
 */
export interface Entry {
  readonly index: Index
  readonly term: Term
  readonly kind: EntryKind
  /** Client session, 0 for none. The three session fields have a meaning for `command` and `closeSession`. */
  readonly session: number
  /** Number of the request in its session, from 1. */
  readonly sequence: number
  /** The client has the replies of all its requests with a smaller number: their kept results may go. */
  readonly resolved: number
  readonly data: Uint8Array
}

/**
 * Who takes part. `voters` decide; while `outgoing` is not empty the configuration is joint and every decision needs a
 * majority of `voters` AND one of `outgoing` (thesis 4.3). Lists are sorted and without repetition.
 */
export interface Configuration {
  /** Voters of the new (or only) set. */
  readonly voters: ReadonlyArray<NodeId>
  /** Voters of the old set while a change is under way, else empty. */
  readonly outgoing: ReadonlyArray<NodeId>
  /** Get the log, count nowhere. An observer is a learner that nobody promotes. Disjoint from both voter sets. */
  readonly learners: ReadonlyArray<NodeId>
  /** Voters of `outgoing` that become learners when the joint configuration is left. */
  readonly learnersNext: ReadonlyArray<NodeId>
  /** Where a member listens: text for the driver, opaque to the core. */
  readonly addresses: Readonly<Record<NodeId, string>>
}

/** A configuration with the index of the entry that brought it. */
export interface ConfigurationAt {
  readonly index: Index
  readonly configuration: Configuration
}

/** Describes a log snapshot: the state after `index` has been applied. Its bytes are the driver's and the storage's. */
export interface SnapshotMeta {
  /** Last entry that the snapshot contains, and its term. */
  readonly index: Index
  readonly term: Term
  /** Configuration in force at `index`, and the index of its entry. */
  readonly configuration: Configuration
  readonly configurationIndex: Index
  /** Length of the snapshot's bytes. */
  readonly bytes: number
}

/** What must be durable beside the log before a message that depends on it leaves (paper, figure 2). */
export interface HardState {
  readonly term: Term
  /** Candidate that got this node's vote in `term`, or the leader that it follows in `term`. */
  readonly vote: NodeId | undefined
  /** Highest index known to be committed. A hint: it is written along with other changes and never forces a write. */
  readonly commit: Index
  /**
   * This node has lost log that it had acknowledged (an old disk, a lost disk). It neither votes nor campaigns before its
   * durable log reaches this index again. 0: nothing lost; `RECOVER_UNKNOWN`: not yet told by a leader how far.
   */
  readonly recoverTo: Index
}

/** `HardState.recoverTo` of a node that joins with an empty disk: it does not vote before a leader has told it how far. */
export const RECOVER_UNKNOWN = Number.MAX_SAFE_INTEGER

/** A closed range of indexes whose entries are unreadable. */
export interface DamagedRange {
  readonly from: Index
  readonly to: Index
}

/** What the storage found when it was opened. An empty disk is `emptyRestored`. */
export interface Restored {
  readonly hardState: HardState
  /** The newest installed or made snapshot. */
  readonly snapshot: SnapshotMeta | undefined
  /** The snapshot's description is readable and its bytes are not: another one is asked for from the leader. */
  readonly snapshotDamaged: boolean
  /**
   * Entries after the snapshot in order of index, without holes but for the ranges of `damaged`. Entries at or below the
   * snapshot may be given as well (the tail that is kept for slow followers); they must reach up to it.
   */
  readonly entries: ReadonlyArray<Entry>
  /**
   * Unreadable entries that the storage knows to have been durable. A torn tail (never acknowledged) is not damage: the
   * storage cuts it off.
   */
  readonly damaged: ReadonlyArray<DamagedRange>
  /**
   * Index and term of the last entry as the storage keeps them beside the entries. Needed if the last entry is damaged:
   * without it such a node grants no vote until a leader's entries have passed the damage.
   */
  readonly tail: { readonly index: Index; readonly term: Term } | undefined
}

/** What an empty disk restores to. */
export const emptyRestored: Restored = {
  hardState: { term: 0, vote: undefined, commit: 0, recoverTo: 0 },
  snapshot: undefined,
  snapshotDamaged: false,
  entries: [],
  damaged: [],
  tail: undefined
}

/** `preCandidate` asks whether it could win before it raises its term (thesis 9.6). Learners are followers. */
export type Role = "follower" | "preCandidate" | "candidate" | "leader"
