/**
 * What a node has acknowledged binds it: its log reaches that far, over crashes too, until another leader's entries replace it
 * or it says openly that its log is lost. One number per node.
 */
import type { Index, Install, Message, NodeId, Term } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"
import type { ObservedNode } from "./Observed.ts"

type AppendReply = Extract<Message, { readonly _tag: "AppendReply" }>

export class Acknowledged {
  private readonly nodes: ReadonlyMap<NodeId, ObservedNode>
  private readonly highest = new Map<NodeId, { index: Index; term: Term }>()

  constructor(nodes: ReadonlyMap<NodeId, ObservedNode>) {
    this.nodes = nodes
  }

  /** An acknowledgement leaves. */
  said({ id, raft }: ObservedNode, { index, term, to }: AppendReply): void {
    const before = this.highest.get(id)
    if (before === undefined) this.highest.set(id, { index, term })
    else {
      before.index = Math.max(before.index, index)
      before.term = term
    }
    const leader = this.nodes.get(to)
    if (leader === undefined || !leader.running || leader.raft.role !== "leader") return
    if (leader.raft.term !== term || raft.term !== term) return
    const [own, theirs] = [raft.termOf(index), leader.raft.termOf(index)]
    invariant(
      index <= leader.raft.lastIndex && (own === undefined || theirs === undefined || own === theirs),
      "a follower acknowledges what equals the leader's log (paper, 5.3)",
      () => `${id} acknowledges ${index} of term ${String(own)} to ${to}, which has term ${String(theirs)} there`
    )
  }

  /** The log is cut at `from`: a later leader's entries take their place. */
  truncated({ id }: ObservedNode, from: Index): void {
    const said = this.highest.get(id)
    if (said !== undefined) said.index = Math.min(said.index, from - 1)
  }

  /** A snapshot takes the place of the log. What an earlier leader was told need not be in it. */
  replaced({ id, raft }: ObservedNode, { keepLog }: Install): void {
    const said = this.highest.get(id)
    if (!keepLog && said !== undefined && said.term < raft.term) this.highest.delete(id)
  }

  /** After a turn, and at the start of a life. */
  check({ id, raft, rolledBack }: ObservedNode): void {
    const said = this.highest.get(id)
    if (said === undefined) return
    // An old disk has forgotten; a node that recovers has said so and casts no votes.
    if (rolledBack || raft.recoverTo > 0) return void this.highest.delete(id)
    invariant(
      raft.lastIndex >= said.index,
      "what a node has acknowledged stays in its log (paper, figure 2)",
      () => `${id} has acknowledged ${said.index} in term ${said.term}, its log ends at ${raft.lastIndex}`
    )
  }
}
