/**
 * The promise that leases rest on: a node that has heard a leader votes for nobody within an election timeout of its own
 * clock (thesis 4.2.3, 6.4.1), and a lease stands only while a majority is bound by it. Judged by the true clocks of all
 * nodes, so a lease that is too long shows before anything comes of it.
 */
import type { Message, NodeId } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"
import { type ObservedNode, quorum } from "./Observed.ts"

type Vote = Extract<Message, { readonly _tag: "Vote" }>

export class Promises {
  private readonly nodes: ReadonlyMap<NodeId, ObservedNode>
  /** Campaigns that an old leader has asked for: they may pass the promise to it (thesis 3.10). */
  private readonly transfers = new Set<string>()

  constructor(nodes: ReadonlyMap<NodeId, ObservedNode>) {
    this.nodes = nodes
  }

  asked({ from, term, transfer }: Vote): void {
    if (transfer) this.transfers.add(`${term} ${from}`)
  }

  /** In this turn the node has given its vote in its term to somebody. */
  granted({ bound, id, raft }: ObservedNode): void {
    const { term, vote } = raft
    invariant(
      !bound || this.transfers.has(`${term} ${String(vote)}`),
      "no vote is granted within an election timeout of hearing a leader (thesis 4.2.3)",
      () => `${id} votes for ${String(vote)} in term ${term}`
    )
    invariant(
      raft.termOf(raft.lastIndex) !== undefined,
      "a node that cannot read its last entry's term grants no vote (paper, 5.4.1; Alagappan 2018)",
      () => `${id} votes for ${String(vote)} in term ${term}, its log ends at ${raft.lastIndex}`
    )
  }

  /** The leader's lease stands after this turn. */
  leaseStands({ id, raft }: ObservedNode): void {
    invariant(
      raft.termOf(raft.commit) === raft.term,
      "no lease stands before an entry of the leader's term is committed (thesis 6.4)",
      () => `${id}, leader of term ${raft.term}, has committed up to ${raft.commit}`
    )
    const isBound = (other: NodeId): boolean => other === id || (this.nodes.get(other)?.bound ?? true)
    const { configuration } = raft.configuration
    invariant(
      quorum(configuration, isBound),
      "while a lease stands a majority of every half is bound not to vote (thesis 6.4.1, 4.3)",
      () =>
        `${id} holds a lease in term ${raft.term}; bound are ${configuration.voters.filter(isBound)} of ` +
        `${configuration.voters}, ${configuration.outgoing.filter(isBound)} of ${configuration.outgoing}`
    )
  }
}
