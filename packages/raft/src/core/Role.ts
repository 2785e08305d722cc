/**
 * Changes of role and term. The rules of figure 2 "all servers": a higher term makes a follower; a term is never lowered;
 * one vote a term.
 */
import { halvesOf, isVoter } from "./Configurations.ts"
import { dropHeld } from "./Disk.ts"
import { invariant } from "./invariant.ts"
import { Progress } from "./Progress.ts"
import { draw } from "./Random.ts"
import { failReads } from "./ReadIndex.ts"
import { failChange, settleTransferred } from "./Requests.ts"
import type { State } from "./State.ts"
import type { NodeId, Role, Term } from "./Types.ts"

/** Draws the next election timeout from [electionTicks, 2 electionTicks) (paper, 5.2). */
export const resetElectionTimer = (s: State): void => {
  s.electionTimeout = s.limits.electionTicks * (1 + draw(s.random))
  s.electionAt = s.now + s.electionTimeout
}

/** This node may win elections: a voter with its whole log, on a disk that answers. */
export const isPromotable = (s: State): boolean =>
  mayBeNeeded(s) && canVote(s) && s.holes.length === 0 && !s.needsSnapshot

/**
 * A voter; or one that the newest configuration leaves out, until that is known to be committed: it may hold the only
 * log that the remaining voters can follow (thesis 4.2.2, figure 4.6). It counts itself nowhere.
 */
const mayBeNeeded = (s: State): boolean => {
  const { inForce } = s.configurations
  if (isVoter(inForce.configuration, s.id)) return true
  return inForce.index > s.commit && isVoter(s.configurations.at(inForce.index - 1).configuration, s.id)
}

/** This node may grant votes: nothing that it once acknowledged is missing without its knowing how it ended. */
export const canVote = (s: State): boolean =>
  !s.failed && !s.diskHung && s.recoverTo === 0 && s.installing === undefined && s.log.lastTerm >= 0

const announce = (s: State, role: Role): void => {
  s.role = role
  s.events.push({ _tag: "RoleChanged", role, term: s.term, leader: s.leader })
}

const raiseTerm = (s: State, term: Term): void => {
  invariant(term > s.term, "the term only rises (5.1)", () => `${s.term} -> ${term}`)
  s.term = term
  s.vote = undefined
  s.hardDirty = true
  s.leader = undefined
  s.matched = 0
  dropHeld(s)
}

/**
 * Follower in `term`, of `leader` if known. A follower that has heard a leader counts that as its vote in the term, so a
 * disk that goes back in time cannot give the term a second leader through it.
 */
export const becomeFollower = (s: State, term: Term, leader: NodeId | undefined): void => {
  const wasLeader = s.role === "leader"
  const before = s.leader
  const news = s.role !== "follower" || term !== s.term || leader !== before
  if (term > s.term) raiseTerm(s, term)
  s.leader = leader
  if (leader !== undefined && s.vote === undefined) {
    s.vote = leader
    s.hardDirty = true
  }
  s.votes.clear()
  if (news) announce(s, "follower")
  if (wasLeader) stepDown(s)
  if (leader !== undefined) settleTransferred(s, leader)
  if (before !== undefined && before !== leader && !wasLeader) failReads(s)
  if (news) resetElectionTimer(s)
}

/** Ends what only a leader has. Waiting requests stay: a later leader may commit them, or not. */
const stepDown = (s: State): void => {
  failReads(s)
  failChange(s)
  if (s.transfer !== undefined) {
    const requestIds = [...(s.transferred?.requestIds ?? []), ...s.transfer.requestIds]
    s.transferred = { requestIds, until: s.transfer.until }
    s.transfer = undefined
  }
  s.progress.clear()
  s.peers = []
  s.halves = []
  s.self = undefined
  s.uncommittedBytes = 0
  s.replicate = false
  s.leaseBroken = false
  s.matched = 0
}

export const becomePreCandidate = (s: State): void => {
  s.leader = undefined
  s.votes.clear()
  s.votes.set(s.id, true)
  announce(s, "preCandidate")
  resetElectionTimer(s)
}

export const becomeCandidate = (s: State, transfer: boolean): void => {
  raiseTerm(s, s.term + 1)
  s.vote = s.id
  s.votes.clear()
  s.ownVoteWrite = s.lastWrite + 1
  s.campaignTransfer = transfer
  announce(s, "candidate")
  resetElectionTimer(s)
}

/** Leader with nothing known of anyone; `Replication.startTerm` appends the first entry. */
export const becomeLeader = (s: State): void => {
  invariant(s.role === "candidate", "only a candidate becomes leader", () => s.role)
  s.leader = s.id
  s.votes.clear()
  s.leaseBroken = false
  s.configurationPending = true
  s.round = 0
  s.uncommittedBytes = 0
  announce(s, "leader")
  rebuildProgress(s)
  s.heartbeatAt = s.now + s.limits.heartbeatTicks
}

/** Makes the leader's table of peers fit the configuration in force; removed peers are followed until they know. */
export const rebuildProgress = (s: State): void => {
  const { configuration } = s.configurations.inForce
  const { learners, outgoing, voters } = configuration
  const members = new Set<NodeId>([...voters, ...outgoing, ...learners])
  for (const id of members) {
    const known = s.progress.get(id)
    if (known === undefined) s.progress.set(id, newcomer(s, id))
    else known.leaving = false
  }
  for (const [id, peer] of s.progress) {
    if (members.has(id) || id === s.id) continue
    peer.leaving = true
    peer.leavingUntil = Infinity
  }
  if (!s.progress.has(s.id)) s.progress.set(s.id, newcomer(s, s.id))
  s.self = s.progress.get(s.id)
  listPeers(s)
  s.halves = halvesOf(configuration).map((half) => half.map((id) => s.progress.get(id) as Progress))
}

/** After every change of `progress`. */
export const listPeers = (s: State): void => {
  s.peers = [...s.progress.values()].filter((peer) => peer !== s.self)
}

const newcomer = (s: State, id: NodeId): Progress => {
  const peer = new Progress(id, s.log.lastIndex + 1, s.now)
  if (id === s.id) {
    peer.match = Math.min(s.durable, s.log.lastIndex)
    peer.supports = s.supports
  }
  return peer
}
