/** What rules need to see of a node. */
import type { RaftCore } from "../../src/core/Surface.ts"
import type { Configuration, HardState, Index, NodeId, Term } from "../../src/core/Types.ts"

export interface ObservedNode {
  readonly id: NodeId
  readonly raft: RaftCore
  /** Its process runs; if not, `raft` is not to be looked at. */
  readonly running: boolean
  /** By its own clock it has heard a leader within an election timeout, or leads, or does not run: it grants no votes. */
  readonly bound: boolean
  /** What its disk has reported as durable. */
  readonly durable: {
    readonly hardState: HardState
    holds(index: Index, term: Term): boolean
    /** Term of an entry that the disk held and cannot read any more, where that is known. */
    lost(index: Index): Term | undefined
  }
  /** The process runs an old image of its disk: what it promised before is forgotten by design, not by a bug. */
  readonly rolledBack: boolean
}

/** More than half of the members. */
export const majority = (members: ReadonlyArray<NodeId>, has: (id: NodeId) => boolean): boolean => {
  let count = 0
  for (const id of members) if (has(id)) count++
  return count * 2 > members.length
}

/** A majority of the voters, and of the outgoing ones while the configuration is joint (thesis 4.3). */
export const quorum = ({ outgoing, voters }: Configuration, has: (id: NodeId) => boolean): boolean =>
  majority(voters, has) && (outgoing.length === 0 || majority(outgoing, has))
