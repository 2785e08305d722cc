/**
 * The promises of Raft, checked after every turn of every node of a cluster that can be seen as a whole (a simulation, a
 * test in one process).
 *
 * Incremental: one array of what is committed, and each node is compared only over what it newly committed, appended or sent,
 * so a check costs about as much as the work that it looks at. Each rule is cited: "paper" is Ongaro & Ousterhout 2014 (figure 3),
 * "thesis" is Ongaro 2014. A broken rule throws `InvariantViolated` with the rule's words.
 */
import type { Configuration, Index, Install, Message, NodeId, Output, RaftEvent, Term } from "../src/core/Types.ts"
import { Acknowledged } from "./invariants/Acknowledged.ts"
import { Configured } from "./invariants/Configured.ts"
import { type Committed, LogInvariants } from "./invariants/LogInvariants.ts"
import { type ObservedNode, quorum } from "./invariants/Observed.ts"
import { Promises } from "./invariants/Promises.ts"
import { type AskedRead, ReadRounds } from "./invariants/ReadRounds.ts"
import { invariant } from "./sim/invariant.ts"

export type { ObservedNode } from "./invariants/Observed.ts"

interface Seen {
  term: Term
  vote: NodeId | undefined
  commit: Index
  applied: Index
  durable: Index
  durableTerm: Term | undefined
  /** A snapshot of this index is replacing the log: the disk may be ahead of the core. */
  installing: Index
  /** End of the log when that began. */
  installingLast: Index
  isLeader: boolean
  configuration: Configuration
}

export class RaftInvariants extends LogInvariants {
  private readonly leaders = new Map<Term, NodeId>()
  private readonly votes = new Map<string, NodeId>()
  private readonly seen = new Map<NodeId, Seen>()
  private readonly nodes = new Map<NodeId, ObservedNode>()
  private readonly acknowledged = new Acknowledged(this.nodes)
  private readonly promises = new Promises(this.nodes)
  private readonly rounds = new ReadRounds()
  private readonly configured = new Configured()
  private highestLeaderTerm: Term = 0
  /** Highest commit index of any node; entries up to it may not have been handed out yet. */
  private highestCommit: Index = 0

  /** A node begins a life: what lives in memory starts anew, what it said before still binds it. */
  started(node: ObservedNode): void {
    const { raft } = node
    this.nodes.set(node.id, node)
    this.seen.set(node.id, {
      configuration: raft.configuration.configuration,
      term: raft.term,
      vote: raft.vote,
      commit: raft.commit,
      applied: raft.applied,
      durable: raft.durableIndex,
      durableTerm: raft.termOf(raft.durableIndex),
      installing: 0,
      installingLast: 0,
      isLeader: false
    })
    this.acknowledged.check(node)
  }

  /** Looks at a turn's work before it is carried out. */
  ready(node: ObservedNode, output: Output): void {
    for (const message of output.messages) this.sent(node, message)
    const seen = this.seen.get(node.id)
    if (seen !== undefined && output.install !== undefined) this.installs(node, seen, output.install)
    const { persist } = output
    if (persist !== undefined) {
      this.persists(node, persist)
      if (persist.truncateFrom > 0) this.acknowledged.truncated(node, persist.truncateFrom)
    }
    for (const entry of output.committed) this.commits(node, entry)
  }

  /** Paper, figure 13, steps 6 and 7. */
  private installs(node: ObservedNode, seen: Seen, install: Install): void {
    const { id, raft } = node
    const { keepLog, meta } = install
    seen.installing = meta.index
    seen.installingLast = raft.lastIndex
    this.acknowledged.replaced(node, install)
    const fits = raft.termOf(meta.index) === meta.term
    invariant(
      keepLog ? fits : !fits || raft.lastIndex < meta.index || raft.snapshot().damaged.length > 0,
      "the log behind a snapshot stays if it holds the snapshot's last entry, and only then (paper, figure 13)",
      () => `${id} ${keepLog ? "keeps" : "drops"} it at ${meta.index} of term ${meta.term}`
    )
  }

  /** Raft paper, figure 2: state is durable before responding to RPCs. One vote per term (5.2). */
  private sent(node: ObservedNode, message: Message): void {
    this.checks++
    const { hardState } = node.durable
    switch (message._tag) {
      case "Vote":
        invariant(
          hardState.term >= message.term,
          "a candidate's term and vote are durable before it asks for votes (paper, figure 2)",
          () => `${node.id} asks in term ${message.term}, its disk has ${hardState.term}`
        )
        this.promises.asked(message)
        return this.voted(node, message.term, node.id)
      case "Heartbeat":
        return this.rounds.began(message)
      case "HeartbeatReply":
        return this.rounds.answers(message)
      case "VoteReply":
        if (!message.granted) return
        invariant(
          hardState.term >= message.term && (hardState.term > message.term || hardState.vote === message.to),
          "a vote is durable before it is told (paper, figure 2)",
          () =>
            `${node.id} votes for ${message.to} in ${message.term}, disk: ${hardState.term}/${String(hardState.vote)}`
        )
        return this.voted(node, message.term, message.to)
      case "AppendReply": {
        if (!message.ok) return
        const term = node.raft.termOf(message.index)
        invariant(
          // A later term may have replaced the entry in memory since; then nothing can be said about the older one.
          term === undefined || term > message.term || node.durable.holds(message.index, term),
          "entries are durable before they are acknowledged (paper, figure 2; thesis 3.8)",
          () => `${node.id} acknowledges ${message.index} (term ${String(term)}) to ${message.to}`
        )
        return this.acknowledged.said(node, message)
      }
      case "Append":
        for (const entry of message.entries) {
          invariant(
            entry.kind !== "damaged",
            "an entry that the disk has lost is never sent (Alagappan 2018)",
            () => `${node.id} sends ${entry.index} to ${message.to}`
          )
        }
        return
      default:
        return
    }
  }

  private voted(node: ObservedNode, term: Term, candidate: NodeId): void {
    if (node.rolledBack) return
    const key = `${term} ${node.id}`
    const before = this.votes.get(key)
    invariant(
      before === undefined || before === candidate,
      "a node votes for at most one candidate in a term (paper, 5.2)",
      () => `${node.id} voted for ${String(before)} and ${candidate} in term ${term}`
    )
    if (before === undefined) this.votes.set(key, candidate)
  }

  /**
   * Commitment needs a majority of every configuration in force (paper, 5.3; thesis 4.3). The leader's configuration may
   * have changed in the turn, after it decided: then the one before counts. A copy that was acknowledged and then lost to
   * damage counts: its node knows that it lost it, and grants no vote by its log before it has it back (Alagappan 2018).
   */
  private onQuorum({ id, raft }: ObservedNode, seen: Seen): void {
    const index = raft.commit
    const term = raft.termOf(index)
    // Entry 1 of a new cluster is committed by decree: every first node has it from the start.
    if (term === undefined || index <= 1) return
    const has = (id: NodeId): boolean => {
      const other = this.nodes.get(id)
      if (other === undefined) return false
      return other.rolledBack || other.durable.holds(index, term) || other.durable.lost(index) === term
    }
    invariant(
      term === raft.term,
      "a leader commits entries of earlier terms by one of its own (paper, 5.4.2, figure 8)",
      () => `${id}, leader of term ${raft.term}, commits up to ${index} of term ${term}`
    )
    const { configuration } = raft.configuration
    invariant(
      quorum(configuration, has) || quorum(seen.configuration, has),
      "a committed entry is durable on a majority of every configuration in force (paper, 5.3; thesis 4.3)",
      () =>
        `${id} commits ${index} of term ${term}; it is durable at ${configuration.voters.filter(has)} of ` +
        `${configuration.voters}, at ${configuration.outgoing.filter(has)} of ${configuration.outgoing}`
    )
  }

  event(node: ObservedNode, event: RaftEvent): void {
    if (event._tag === "ConfigurationChanged") this.configured.changed(node, this.highestCommit)
    invariant(
      event._tag !== "DiskHung" || !event.hung || node.raft.role !== "leader",
      "a leader whose disk hangs steps down (hashicorp/raft 503)",
      () => node.id
    )
    if (event._tag !== "RoleChanged" || event.role === "follower") return
    invariant(
      node.raft.snapshot().damaged.length === 0,
      "a node with unreadable entries does not campaign (Alagappan 2018)",
      () => `${node.id} becomes ${event.role} of term ${event.term}`
    )
    // The node may be something else by the end of the turn that made it a leader.
    if (event.role === "leader") this.elected(node.id, event.term)
  }

  /** Election Safety (paper, figure 3). */
  private elected(id: NodeId, term: Term): void {
    const other = this.leaders.get(term)
    invariant(
      other === undefined || other === id,
      "at most one leader is elected in a term (Election Safety: paper, figure 3)",
      () => `term ${term} has ${String(other)} and ${id}`
    )
    this.leaders.set(term, id)
    if (term > this.highestLeaderTerm) this.highestLeaderTerm = term
  }

  /** Leader Completeness (paper, figure 3). */
  private leads({ id, raft }: ObservedNode): void {
    this.checks++
    const { term } = raft
    this.elected(id, term)
    for (let index = Math.max(1, raft.firstIndex); index <= this.committed.length; index++) {
      const committed = this.committed[index - 1] as Committed
      // Entries of later terms are missing in a leader that is deposed and does not know it yet.
      if (committed.committedIn >= term) continue
      invariant(
        raft.termOf(index) === committed.term,
        "a leader's log holds all entries committed in earlier terms (Leader Completeness: paper, figure 3)",
        () =>
          `${id}, leader of term ${term}, has term ${String(raft.termOf(index))} at ${index}, committed is ${committed.term}`
      )
    }
  }

  /** While a snapshot takes the place of the log nothing else changes it (paper, section 7). */
  private installing({ id, raft }: ObservedNode, seen: Seen): void {
    invariant(
      raft.snapshot().installing !== seen.installing || raft.lastIndex === seen.installingLast,
      "a node appends nothing while a snapshot takes the place of its log (paper, section 7)",
      () => `${id} has ${raft.lastIndex}, had ${seen.installingLast} when snapshot ${seen.installing} was complete`
    )
  }

  /** A read that a node is asked for; give it to `readProven` with the answer. */
  readAsked(node: ObservedNode): AskedRead | undefined {
    return this.rounds.asked(node)
  }

  readProven(node: ObservedNode, asked: AskedRead | undefined): void {
    this.rounds.served(node, asked)
  }

  /** After every turn: what may only grow has grown, and the indexes stand in their order. */
  turn(node: ObservedNode): void {
    this.checks++
    const { id, raft } = node
    const seen = this.seen.get(id)
    if (seen === undefined) return this.started(node)
    invariant(raft.term >= seen.term, "a term never falls (paper, 5.1)", () => `${id}: ${seen.term} to ${raft.term}`)
    invariant(
      raft.term > seen.term || seen.vote === undefined || raft.vote === seen.vote,
      "a vote stays for its term (paper, 5.2)",
      () => `${id} in ${raft.term}: ${String(seen.vote)} to ${String(raft.vote)}`
    )
    invariant(
      // But where a damaged log was given up for a snapshot: then the node waits to have it back, and casts no votes.
      raft.commit >= seen.commit || (raft.recoverTo >= seen.commit && raft.commit === raft.lastIndex),
      "the commit index never falls (paper, 5.3)",
      () => `${id}: ${seen.commit} to ${raft.commit}`
    )
    invariant(
      raft.applied >= seen.applied,
      "the applied index never falls (paper, 5.3)",
      () => `${id}: ${seen.applied} to ${raft.applied}`
    )
    invariant(
      raft.applied <= raft.commit && raft.commit <= raft.lastIndex && raft.firstIndex - 1 <= raft.snapshotIndex,
      "compacted <= snapshot, applied <= committed <= last (thesis 5.1)",
      () =>
        `${id}: first ${raft.firstIndex}, snapshot ${raft.snapshotIndex}, applied ${raft.applied}, commit ${raft.commit}, last ${raft.lastIndex}`
    )
    invariant(
      raft.commit <= this.committed.length || raft.applied < raft.commit,
      "what a node has applied was committed",
      () => `${id}: applied ${raft.applied}, known ${this.committed.length}`
    )
    const durableTerm = raft.termOf(raft.durableIndex)
    invariant(
      raft.durableIndex <= raft.lastIndex,
      "what a node counts as durable is in its log (thesis 10.2.1)",
      () => `${id} counts ${raft.durableIndex}, its log ends at ${raft.lastIndex}`
    )
    const isSame = durableTerm === seen.durableTerm || seen.durableTerm === undefined
    invariant(
      (raft.durableIndex <= seen.durable && isSame) ||
        seen.installing > raft.snapshotIndex ||
        durableTerm === undefined ||
        raft.durableIndex <= 1 ||
        node.durable.holds(raft.durableIndex, durableTerm),
      "what a node counts as durable is on its disk (thesis 10.2.1)",
      () => `${id} counts ${raft.durableIndex} of term ${String(durableTerm)}`
    )
    seen.durable = raft.durableIndex
    seen.durableTerm = durableTerm
    if (seen.installing > raft.snapshotIndex) this.installing(node, seen)
    this.acknowledged.check(node)
    this.configured.inForce(node)
    const isVoting = raft.vote !== undefined && raft.vote !== id && raft.leader === undefined
    if (isVoting && (raft.vote !== seen.vote || raft.term !== seen.term)) this.promises.granted(node)
    if (raft.commit > this.highestCommit) this.highestCommit = raft.commit
    const isLeader = raft.role === "leader"
    if (isLeader && (!seen.isLeader || raft.term !== seen.term)) this.leads(node)
    if (isLeader && raft.leaseStands) {
      this.promises.leaseStands(node)
      invariant(
        this.highestLeaderTerm <= raft.term,
        "no other node leads a later term while a lease stands (thesis 6.4.1)",
        () =>
          `${id} holds a lease in ${raft.term}, ${String(this.leaders.get(this.highestLeaderTerm))} leads ${this.highestLeaderTerm}`
      )
    }
    if (isLeader && seen.isLeader && raft.commit > seen.commit) this.onQuorum(node, seen)
    seen.configuration = raft.configuration.configuration
    seen.term = raft.term
    seen.vote = raft.vote
    seen.commit = raft.commit
    seen.applied = raft.applied
    seen.isLeader = isLeader
  }
}
