/**
 * The term rule, in one place (figure 2, "all servers"), and the way of each message to its handler.
 *
 * Requests between members (forwards, read indexes, repair) stand outside of it: their contents hold in any term, and a
 * node that asks must not disturb a leader.
 */
import { holdForHard } from "./Disk.ts"
import {
  leaderHeard,
  receivePreVote,
  receivePreVoteReply,
  receiveTimeoutNow,
  receiveVote,
  receiveVoteReply
} from "./Election.ts"
import { contact, receiveAppend, receiveHeartbeat } from "./Follower.ts"
import { receiveReadIndex, receiveReadIndexReply } from "./ReadIndex.ts"
import { receiveEntriesFound, receiveEntriesWanted } from "./Repair.ts"
import { receiveAppendReply, receiveHeartbeatReply } from "./Replication.ts"
import { receiveForward, receiveForwardReply } from "./Requests.ts"
import { becomeFollower } from "./Role.ts"
import { invariant } from "./invariant.ts"
import { receiveSnapshotPiece } from "./SnapshotReceive.ts"
import { receiveSnapshotReply } from "./SnapshotSend.ts"
import type { State } from "./State.ts"
import type {
  Append,
  AppendReply,
  Heartbeat,
  HeartbeatReply,
  Message,
  PreVoteReply,
  SnapshotPiece,
  SnapshotReply,
  Term,
  TimeoutNow,
  Vote,
  VoteReply
} from "./Types.ts"

export const receive = (s: State, message: Message): void => {
  if (s.failed) return
  // The two of the hot path first, with code of their own: where all kinds of message come by, each property is looked up anew.
  if (message._tag === "Append") return append(s, message)
  if (message._tag === "AppendReply") return appendReply(s, message)
  if (message.to === s.id && message.from !== s.id) receiveOther(s, message)
}

const append = (s: State, message: Append): void => {
  if (message.to === s.id && message.from !== s.id) fromLeader(s, message)
}

const appendReply = (s: State, message: AppendReply): void => {
  if (message.to !== s.id || message.from === s.id) return
  if (takeTerm(s, message.term) && s.role === "leader") receiveAppendReply(s, message)
}

const receiveOther = (s: State, message: Exclude<Message, Append | AppendReply>): void => {
  switch (message._tag) {
    case "Heartbeat":
    case "SnapshotPiece":
      return fromLeader(s, message)
    case "HeartbeatReply":
    case "SnapshotReply":
      return fromFollower(s, message)
    case "PreVote":
      return receivePreVote(s, message)
    case "Forward":
      return receiveForward(s, message)
    case "ForwardReply":
      return receiveForwardReply(s, message)
    case "ReadIndex":
      return receiveReadIndex(s, message)
    case "ReadIndexReply":
      return receiveReadIndexReply(s, message)
    case "EntriesWanted":
      return receiveEntriesWanted(s, message)
    case "EntriesFound":
      return receiveEntriesFound(s, message)
    default:
      return election(s, message)
  }
}

/** The term rule: a higher term is taken. False: the message speaks for an earlier one. */
const takeTerm = (s: State, term: Term): boolean => {
  if (term > s.term) becomeFollower(s, term, undefined)
  return term === s.term
}

const fromFollower = (s: State, message: HeartbeatReply | SnapshotReply): void => {
  if (!takeTerm(s, message.term) || s.role !== "leader") return
  if (message._tag === "HeartbeatReply") receiveHeartbeatReply(s, message)
  else receiveSnapshotReply(s, message)
}

const election = (s: State, message: PreVoteReply | Vote | VoteReply | TimeoutNow): void => {
  if (message._tag === "PreVoteReply" && message.granted) return receivePreVoteReply(s, message)
  if (message._tag === "Vote") {
    // The promise to a leader that is heard: not even the term is taken (thesis 4.2.3); and where an answer to this node's own
    // messages has brought the term before, it binds all the same. A hung disk could not keep a vote.
    const isOpen = message.term > s.term || (message.term === s.term && s.vote === undefined)
    if (isOpen && ((leaderHeard(s) && !message.transfer) || s.diskHung)) return
    if (message.term < s.term) {
      return holdForHard(s, { _tag: "VoteReply", from: s.id, to: message.from, term: s.term, granted: false })
    }
  }
  if (!takeTerm(s, message.term) && message._tag !== "PreVoteReply") return
  switch (message._tag) {
    case "PreVoteReply":
      return receivePreVoteReply(s, message)
    case "Vote":
      return receiveVote(s, message)
    case "VoteReply":
      return receiveVoteReply(s, message)
    case "TimeoutNow":
      return receiveTimeoutNow(s, message)
  }
}

const fromLeader = (s: State, message: Append | Heartbeat | SnapshotPiece): void => {
  if (message.term < s.term) return staleLeader(s, message)
  invariant(
    s.role !== "leader" || message.term > s.term,
    "one leader a term (figure 3, election safety)",
    () => `${s.id} and ${message.from} in term ${s.term}`
  )
  if (message.term > s.term || s.role !== "follower" || s.leader !== message.from) {
    becomeFollower(s, message.term, message.from)
  }
  contact(s)
  if (message._tag === "Append") receiveAppend(s, message)
  else if (message._tag === "Heartbeat") receiveHeartbeat(s, message)
  else receiveSnapshotPiece(s, message)
}

/** A deposed leader learns the term from the answer, else pre-vote could keep a node with a higher term out for ever. */
const staleLeader = (s: State, message: Append | Heartbeat | SnapshotPiece): void => {
  holdForHard(s, {
    _tag: "HeartbeatReply",
    from: s.id,
    to: message.from,
    term: s.term,
    round: 0,
    stamp: -1,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}
