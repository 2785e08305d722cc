/**
 * A read of a leader is proven by a round that began after it was asked and that a majority of every half has answered
 * (thesis 6.4, step 3; 4.3). Kept from the heartbeats and answers that were sent, not from what the leader counts.
 */
import type { Index, Message, NodeId, Term } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"
import { type ObservedNode, quorum } from "./Observed.ts"

type Heartbeat = Extract<Message, { readonly _tag: "Heartbeat" }>
type HeartbeatReply = Extract<Message, { readonly _tag: "HeartbeatReply" }>

interface Round {
  term: Term
  round: number
}

/** A read that a leader was asked for: where it stood then. */
export interface AskedRead {
  readonly term: Term
  readonly round: number
  readonly configurationIndex: Index
}

export class ReadRounds {
  private readonly opened = new Map<NodeId, Round>()
  /** By leader and follower: the highest round answered. */
  private readonly answered = new Map<NodeId, Map<NodeId, Round>>()

  began({ from, round, term }: Heartbeat): void {
    const last = this.opened.get(from)
    if (last === undefined) this.opened.set(from, { term, round })
    else if (term > last.term || (term === last.term && round > last.round)) {
      last.term = term
      last.round = round
    }
  }

  answers({ from, round, term, to }: HeartbeatReply): void {
    if (round === 0) return
    let followers = this.answered.get(to)
    if (followers === undefined) this.answered.set(to, (followers = new Map()))
    const last = followers.get(from)
    if (last === undefined) followers.set(from, { term, round })
    else if (term > last.term || (term === last.term && round > last.round)) {
      last.term = term
      last.round = round
    }
  }

  /** `undefined` for a node that does not lead: it will ask its leader. */
  asked({ id, raft }: ObservedNode): AskedRead | undefined {
    if (raft.role !== "leader") return undefined
    const opened = this.opened.get(id)
    const round = opened !== undefined && opened.term === raft.term ? opened.round : 0
    return { term: raft.term, round, configurationIndex: raft.configuration.index }
  }

  /** The read was answered. Nothing is said of one that saw another term or another configuration in between. */
  served({ id, raft }: ObservedNode, asked: AskedRead | undefined): void {
    if (asked === undefined || raft.role !== "leader" || raft.term !== asked.term) return
    const { configuration, index } = raft.configuration
    if (index !== asked.configurationIndex) return
    const followers = this.answered.get(id)
    const has = (other: NodeId): boolean => {
      const answer = followers?.get(other)
      return other === id || (answer !== undefined && answer.term === asked.term && answer.round > asked.round)
    }
    invariant(
      quorum(configuration, has),
      "a read is proven by a round that began after it, answered by a majority of every half (thesis 6.4, 4.3)",
      () => `${id} answers a read that was asked after round ${asked.round} of term ${asked.term}`
    )
  }
}
