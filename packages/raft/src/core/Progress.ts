/**
 * What a leader knows of one peer (after etcd's tracker; thesis 10.2.1 for the pipeline). Pure data, mutable in place.
 *
 * - `probe`: where the logs meet is not known; one append is out at a time.
 * - `replicate`: the logs meet at `match`; appends are sent ahead of their answers, within the window.
 * - `snapshot`: the peer needs entries that are compacted; pieces of a snapshot are sent, no appends.
 * Invariant: match < next.
 */
import { Fifo } from "./Fifo.ts"
import { invariant } from "./invariant.ts"
import type { Index, NodeId, SnapshotMeta } from "./Types.ts"

export interface SnapshotTransfer {
  meta: SnapshotMeta
  /** The next byte that the peer wants. */
  offset: number
  /** Clock when the last piece was asked for or sent, in ticks. */
  at: number
  /** A piece is being read by the driver. */
  reading: boolean
}

export class Progress {
  readonly id: NodeId
  state: "probe" | "replicate" | "snapshot" = "probe"
  match: Index = 0
  next: Index
  /** A probe is out; another one goes with the next heartbeat's answer. */
  probing = false
  /** Leader's clock when the peer was last heard. A new peer is given one election timeout to be heard from. */
  heardAt: number
  /** Latest `stamp` that came back: the leader's clock when a message was sent that this peer has answered. */
  stamp = -Infinity
  /** Highest read round answered. */
  round = 0
  /** Highest code version that the peer can apply; -1: not heard yet. */
  supports = -1
  /** Casts no votes yet; undefined: not heard yet. */
  recovering: boolean | undefined = undefined
  /** Clock when the last append was sent, in ticks. */
  appendedAt = -Infinity
  /** Commit index last told, and the one that a client at the peer waits for. */
  commitTold: Index = 0
  commitWanted: Index = 0
  transfer: SnapshotTransfer | undefined = undefined
  /** Lowest index that a snapshot for this peer must reach (its own snapshot is damaged); 0: any. */
  snapshotAtLeast: Index = 0
  /** Removed from the configuration; followed until it knows (or `leavingUntil` has passed). */
  leaving = false
  leavingUntil = Infinity
  /** Window: last index and bytes of each append in flight. */
  private readonly inflight = new Fifo<Index>()
  private readonly sizes = new Fifo<number>()
  inflightBytes = 0

  constructor(id: NodeId, next: Index, now: number) {
    this.id = id
    this.next = next
    this.heardAt = now
  }

  get inflightMessages(): number {
    return this.inflight.length
  }

  /** An append up to `last` has been sent in state `replicate`. */
  sent(last: Index, bytes: number): void {
    this.inflight.push(last)
    this.sizes.push(bytes)
    this.inflightBytes += bytes
    this.next = last + 1
  }

  /** The peer has everything up to `index`: frees the window. True if that is news. */
  acknowledge(index: Index): boolean {
    const { inflight, sizes } = this
    for (let last = inflight.first; last !== undefined && last <= index; last = inflight.first) {
      this.inflightBytes -= sizes.first as number
      inflight.drop()
      sizes.drop()
    }
    if (index <= this.match) return false
    this.match = index
    if (this.next <= index) this.next = index + 1
    return true
  }

  becomeProbe(next: Index): void {
    this.clearWindow()
    this.state = "probe"
    this.next = Math.max(next, this.match + 1)
    this.probing = false
    this.transfer = undefined
  }

  becomeReplicate(): void {
    this.clearWindow()
    this.state = "replicate"
    this.next = this.match + 1
    this.probing = false
    this.transfer = undefined
  }

  becomeSnapshot(meta: SnapshotMeta, now: number): void {
    this.clearWindow()
    this.state = "snapshot"
    this.probing = false
    this.transfer = { meta, offset: 0, at: now, reading: false }
  }

  /**
   * The peer has lost what it had acknowledged beyond `match`, and has filled in memory up to `filled`: goes on after that, or
   * after the end of our own log. `late`: the answer to something sent before the probe that is out.
   */
  regress(match: Index, filled: Index, lastIndex: Index, late: boolean): void {
    this.match = Math.min(this.match, match)
    const next = Math.min(filled, lastIndex) + 1
    if (this.state === "probe" && this.probing && (late || this.next === next)) return
    // A transfer under way goes on: every heartbeat's answer tells of the same damage and would start it again.
    if (this.state === "snapshot") return
    this.becomeProbe(next)
  }

  check(): void {
    invariant(this.match < this.next, "match < next", () => `${this.id}: ${this.match} >= ${this.next}`)
  }

  private clearWindow(): void {
    this.inflight.clear()
    this.sizes.clear()
    this.inflightBytes = 0
  }
}
