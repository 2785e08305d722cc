/**
 * What a driver needs from the world beside a log storage, as plain callbacks: fibers around the protocol core cost half
 * its speed and more, so Effect stands at the driver's border and not in it. Sockets and the simulation give the same
 * ports; the simulation therefore runs the driver that production runs.
 *
 * Callbacks named `done` are called exactly once, at once or later, and never again after the driver has ended.
 */
import type { Applied } from "../core/Surface.ts"
import type {
  Entry,
  Index,
  Message,
  NodeId,
  Output,
  RaftEvent,
  RefusedReason,
  SnapshotMeta,
  Term
} from "../core/Types.ts"

/** Messages out. Loss is allowed, an exception is not. */
export interface NetPort {
  /** Hands a message over; it may wait for `flush`. */
  send(message: Message): void
  /** The turn's messages are complete: write them to the sockets now, before the disk is asked for anything. */
  flush(): void
}

/** A monotonic clock in ticks, fractions allowed. Never the wall clock: leases rest on it. */
export interface ClockPort {
  ticks(): number
}

/** Runs a callback when everything that is due now has been handed in: `setImmediate`, or the simulation's agenda. */
export type DeferPort = (task: () => void) => void

/** How a proposal ended. */
export type ProposeOutcome =
  /** Committed and applied: what became of it, at this place of the log. */
  | { readonly _tag: "Applied"; readonly index: Index; readonly term: Term; readonly applied: Applied }
  /** Another entry was committed in its place: it never took effect and never will. */
  | { readonly _tag: "Superseded" }
  /** It was not appended. */
  | { readonly _tag: "Refused"; readonly reason: RefusedReason; readonly leader: NodeId | undefined }
  /** It may have taken effect, or may still. With a session, the same sequence again gives the one answer. */
  | { readonly _tag: "Unknown" }

/** How an administrative request (membership, transfer) ended. */
export type AdminOutcome =
  | { readonly _tag: "Done"; readonly leader: NodeId | undefined }
  | { readonly _tag: "Refused"; readonly reason: RefusedReason; readonly leader: NodeId | undefined }
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Unknown" }

/** Looks on; must not call the driver. For metrics, traces and the simulation's invariants. */
export interface Probe {
  /** The turn's work, before any of it is done. The object is reused: copy what is kept. */
  readonly ready?: (output: Output) => void
  readonly event?: (event: RaftEvent) => void
  readonly applied?: (entry: Entry, applied: Applied) => void
  /** A snapshot of this node's state is about to be stored. */
  readonly saving?: (meta: SnapshotMeta, bytes: Uint8Array) => void
  /** The state was replaced by a snapshot, at start or by an install. */
  readonly restored?: (index: Index) => void
  /** The node must end: its disk has failed, or a promise of the core itself was broken. */
  readonly fatal?: (error: unknown) => void
}
