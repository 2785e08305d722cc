/**
 * Elections (paper 5.2, 5.4.1) with pre-vote (thesis 9.6) and the refusal of votes while a leader is heard (4.2.3), both
 * always on: without them a returning or removed node disturbs a healthy leader, and leases have nothing to rest on.
 */
import { halvesOf } from "./Configurations.ts"
import { holdForHard, holdForLog } from "./Disk.ts"
import { voteResult } from "./Quorum.ts"
import { startTerm } from "./Replication.ts"
import {
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
  canVote,
  isPromotable,
  resetElectionTimer
} from "./Role.ts"
import type { State } from "./State.ts"
import type { Index, NodeId, PreVote, PreVoteReply, Term, TimeoutNow, Vote, VoteReply } from "./Types.ts"

/** The voters of all halves but this node, each once. */
const otherVoters = (s: State): ReadonlyArray<NodeId> => {
  const { outgoing, voters } = s.configurations.inForce.configuration
  return [...new Set([...voters, ...outgoing])].filter((id) => id !== s.id)
}

const decide = (s: State) => voteResult(halvesOf(s.configurations.inForce.configuration), s.votes)

/** A follower or candidate whose time is up asks first whether it could win. */
export const campaign = (s: State): void => {
  if (!isPromotable(s)) return resetElectionTimer(s)
  becomePreCandidate(s)
  if (decide(s) === "won") return campaignNow(s, false)
  for (const to of otherVoters(s)) {
    s.messages.push({
      _tag: "PreVote",
      from: s.id,
      to,
      term: s.term + 1,
      lastIndex: s.log.lastIndex,
      lastTerm: s.log.lastTerm
    })
  }
}

/**
 * Raises the term and asks for votes. The requests leave, and its own vote counts, when term, vote and log are durable:
 * else it could vote twice after a crash.
 */
export const campaignNow = (s: State, transfer: boolean): void => {
  becomeCandidate(s, transfer)
  for (const to of otherVoters(s)) {
    holdForLog(s, {
      _tag: "Vote",
      from: s.id,
      to,
      term: s.term,
      lastIndex: s.log.lastIndex,
      lastTerm: s.log.lastTerm,
      transfer
    })
  }
}

/** The candidate's own vote is durable. */
export const countOwnVote = (s: State): void => {
  if (s.role !== "candidate" || s.votes.has(s.id) || s.persistedWrite < s.ownVoteWrite) return
  s.votes.set(s.id, true)
  finish(s)
}

const finish = (s: State): void => {
  const result = decide(s)
  if (result === "won") {
    if (s.role === "preCandidate") return campaignNow(s, false)
    becomeLeader(s)
    startTerm(s)
  } else if (result === "lost") becomeFollower(s, s.term, undefined)
}

/** The candidate's log holds at least what this one does (5.4.1). */
const upToDate = (s: State, lastIndex: Index, lastTerm: Term): boolean =>
  lastTerm > s.log.lastTerm || (lastTerm === s.log.lastTerm && lastIndex >= s.log.lastIndex)

/** A leader was heard, or this node is one: it promised not to elect another within an election timeout (4.2.3). */
export const leaderHeard = (s: State): boolean => s.role === "leader" || s.now - s.contactAt < s.limits.electionTicks

export const receivePreVote = (s: State, message: PreVote): void => {
  const granted =
    message.term > s.term && canVote(s) && !leaderHeard(s) && upToDate(s, message.lastIndex, message.lastTerm)
  holdForHard(s, {
    _tag: "PreVoteReply",
    from: s.id,
    to: message.from,
    term: granted ? message.term : s.term,
    granted
  })
}

export const receivePreVoteReply = (s: State, message: PreVoteReply): void => {
  if (s.role !== "preCandidate") return
  // A grant for an older question has an older term.
  if (message.granted && message.term !== s.term + 1) return
  if (!s.votes.has(message.from)) s.votes.set(message.from, message.granted)
  finish(s)
}

/** One vote a term, first come first served, for a log that is up to date; `message.term` is the own term by now. */
export const receiveVote = (s: State, message: Vote): void => {
  const free = s.vote === message.from || (s.vote === undefined && s.leader === undefined)
  const granted = free && canVote(s) && upToDate(s, message.lastIndex, message.lastTerm)
  if (granted) {
    if (s.vote === undefined) {
      s.vote = message.from
      s.hardDirty = true
    }
    resetElectionTimer(s)
  }
  holdForHard(s, { _tag: "VoteReply", from: s.id, to: message.from, term: s.term, granted })
}

export const receiveVoteReply = (s: State, message: VoteReply): void => {
  if (s.role !== "candidate") return
  if (!s.votes.has(message.from)) s.votes.set(message.from, message.granted)
  finish(s)
}

/** The leader hands over: campaign at once, without pre-vote, past the others' promise to that leader (3.10). */
export const receiveTimeoutNow = (s: State, message: TimeoutNow): void => {
  if (message.term !== s.term || s.role === "leader" || !isPromotable(s)) return
  campaignNow(s, true)
}
