/** Bugs of elections, votes and quorums. */
import { type Mutation, one } from "./Mutation.ts"

const election = "src/core/Election.ts"
const role = "src/core/Role.ts"

export const elections: ReadonlyArray<Mutation> = [
  one(
    "vote-twice",
    "a node votes for everybody who asks in a term",
    "paper 5.2; figure 2, RequestVote 2",
    election,
    "const free = s.vote === message.from || (s.vote === undefined && s.leader === undefined)",
    "const free = true"
  ),
  {
    id: "vote-said-too-early",
    description: "a vote leaves before it is durable",
    source: "paper, figure 2; NATS 2.12.1 (Jepsen 2025) acknowledged before fsync",
    edits: [
      {
        file: election,
        find: `  holdForHard(s, { _tag: "VoteReply", from: s.id, to: message.from, term: s.term, granted })`,
        replace: `  s.messages.push({ _tag: "VoteReply", from: s.id, to: message.from, term: s.term, granted })`
      }
    ]
  },
  one(
    "vote-not-stored",
    "a vote is kept in memory alone",
    "PySyncObj 202: votedFor was never persisted",
    election,
    "      s.vote = message.from\n      s.hardDirty = true",
    "      s.vote = message.from"
  ),
  {
    id: "term-not-stored",
    description: "a new term is kept in memory alone",
    source: "PySyncObj 202: currentTerm was never persisted",
    edits: [
      {
        file: role,
        find: "  s.vote = undefined\n  s.hardDirty = true\n  s.leader = undefined",
        replace: "  s.vote = undefined\n  s.leader = undefined"
      }
    ]
  },
  one(
    "vote-for-shorter-log",
    "the candidate's last index is not compared",
    "paper 5.4.1",
    election,
    "(lastTerm === s.log.lastTerm && lastIndex >= s.log.lastIndex)",
    "lastTerm === s.log.lastTerm"
  ),
  one(
    "vote-for-older-log",
    "logs are compared by length, not by term",
    "paper 5.4.1",
    election,
    "lastTerm > s.log.lastTerm || (lastTerm === s.log.lastTerm && lastIndex >= s.log.lastIndex)",
    "lastIndex >= s.log.lastIndex"
  ),
  {
    id: "own-vote-too-early",
    description: "a candidate asks for votes, and counts its own, before term and vote are durable",
    source: "paper, figure 2; thesis 3.8",
    edits: [
      {
        file: election,
        find: "|| s.persistedWrite < s.ownVoteWrite) return",
        replace: ") return"
      },
      {
        file: election,
        find: `    holdForLog(s, {\n      _tag: "Vote",`,
        replace: `    s.messages.push({\n      _tag: "Vote",`
      }
    ]
  },
  one(
    "promise-broken",
    "votes are granted although a leader was heard just now",
    "thesis 4.2.3 and 6.4.1: leases rest on it",
    "src/core/Receive.ts",
    "isOpen && ((leaderHeard(s) && !message.transfer) || s.diskHung)",
    "isOpen && s.diskHung"
  ),
  one(
    "promise-ends-with-term",
    "a node whose term an answer has raised votes at once, although it heard a leader just now",
    "thesis 4.2.3 and 6.4.1; found here by simulation, seeds 788 and 2696",
    "src/core/Receive.ts",
    "message.term > s.term || (message.term === s.term && s.vote === undefined)",
    "message.term > s.term"
  ),
  one(
    "restart-forgets-promise",
    "a restarted node votes at once, within the lease of a leader it had heard",
    "thesis 6.4.1; LeaseGuard, openraft 1651",
    "src/core/Restore.ts",
    "  s.contactAt = s.now\n",
    ""
  ),
  {
    id: "old-replies-counted",
    description: "votes and acknowledgements of an earlier term count in this one",
    source: "paper 5.1",
    edits: [
      {
        file: "src/core/Receive.ts",
        find: "  return term === s.term\n",
        replace: "  return true\n"
      }
    ]
  },
  one(
    "half-is-enough",
    "half of an even number of voters decides",
    "paper 5.2; every quorum system",
    "src/core/Quorum.ts",
    "Math.floor(size / 2) + 1",
    "Math.ceil(size / 2)"
  ),
  one(
    "removed-voter-never-campaigns",
    "a node that the newest configuration leaves out does not campaign while that is uncommitted",
    "thesis 4.2.2, figure 4.6; found here by simulation, seed 492",
    role,
    "  return inForce.index > s.commit &&",
    "  return false &&"
  )
]
