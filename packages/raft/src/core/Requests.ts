/**
 * Requests of this node from their proposal to their reply. A waiting request is keyed by index AND term: another leader's
 * entry at its index must not answer it. A truncated entry is not lost yet (a later leader may still hold
 * it), so the answer waits until its index is committed.
 */
import { encodeConfiguration } from "./Configurations.ts"
import { appendToLog } from "./Disk.ts"
import { ENTRY_OVERHEAD_BYTES, noData } from "./Log.ts"
import type { State } from "./State.ts"
import type { Configuration, Forward, ForwardReply, Index, NodeId, Proposal, RefusedReason, Term } from "./Types.ts"
import { versionRefused } from "./Versions.ts"

export const refuse = (s: State, requestId: number, reason: RefusedReason): void => {
  s.replies.push({ _tag: "Refused", requestId, reason, leader: s.leader })
}

/** Why this leader does not take a proposal now. */
const refusal = (s: State, proposal: Proposal): RefusedReason | undefined => {
  const { limits } = s
  if (s.transfer !== undefined) return "Transferring"
  const bytes = proposal.data.length
  if (bytes > limits.commandBytesMax) return "TooLarge"
  if (s.log.lastIndex - s.commit >= limits.uncommittedEntriesMax) return "Busy"
  if (s.uncommittedBytes > 0 && s.uncommittedBytes + bytes > limits.uncommittedBytesMax) return "Busy"
  return proposal.kind === "version" ? versionRefused(s, proposal.data) : undefined
}

/** Appends a proposal at the leader; a long command as parts, which stand together. Gives the index of its last entry. */
const appendProposal = (s: State, proposal: Proposal): Index => {
  const max = s.limits.entryBytesMax
  let { data } = proposal
  if (proposal.kind === "command") {
    while (data.length > max) {
      appendOwn(s, "part", 0, 0, 0, data.subarray(0, max))
      data = data.subarray(max)
    }
  }
  return appendOwn(s, proposal.kind, proposal.session, proposal.sequence, proposal.resolved, data)
}

const appendOwn = (
  s: State,
  kind: "part" | Proposal["kind"],
  session: number,
  sequence: number,
  resolved: number,
  data: Uint8Array
): Index => {
  const index = s.log.lastIndex + 1
  appendToLog(s, { index, term: s.term, kind, session, sequence, resolved, data })
  s.uncommittedBytes += data.length + ENTRY_OVERHEAD_BYTES
  s.replicate = true
  return index
}

/** A configuration entry, in force from now on. */
export const appendConfiguration = (s: State, configuration: Configuration): Index => {
  const index = s.log.lastIndex + 1
  const data = encodeConfiguration(configuration)
  appendToLog(s, { index, term: s.term, kind: "configuration", session: 0, sequence: 0, resolved: 0, data })
  s.uncommittedBytes += data.length + ENTRY_OVERHEAD_BYTES
  s.replicate = true
  return index
}

/** The first entry of a term (section 8). */
export const appendNoop = (s: State): Index => {
  const index = s.log.lastIndex + 1
  appendToLog(s, { index, term: s.term, kind: "noop", session: 0, sequence: 0, resolved: 0, data: noData })
  s.replicate = true
  return index
}

export const propose = (s: State, requestId: number, proposal: Proposal): void => {
  if (s.failed) return refuse(s, requestId, "Failed")
  if (s.requests.length + s.forwards.size >= s.limits.requestsMax) return refuse(s, requestId, "Busy")
  if (s.role === "leader") {
    const reason = refusal(s, proposal)
    if (reason !== undefined) return refuse(s, requestId, reason)
    waitFor(s, appendProposal(s, proposal), s.term, requestId)
    return
  }
  if (s.leader === undefined) return refuse(s, requestId, "NotLeader")
  if (proposal.data.length > s.limits.commandBytesMax) return refuse(s, requestId, "TooLarge")
  s.forwards.set(requestId, s.now + s.limits.requestTicks)
  s.messages.push({ _tag: "Forward", from: s.id, to: s.leader, term: s.term, requestId, life: s.life, proposal })
}

/** A follower's proposal. The reply says where it stands; the follower answers its client when it has applied it. */
export const receiveForward = (s: State, message: Forward): void => {
  const reason = s.role === "leader" ? refusal(s, message.proposal) : "NotLeader"
  const index = reason === undefined ? appendProposal(s, message.proposal) : 0
  if (reason === undefined) {
    const peer = s.progress.get(message.from)
    if (peer !== undefined) peer.commitWanted = index
  }
  s.messages.push({
    _tag: "ForwardReply",
    from: s.id,
    to: message.from,
    term: s.term,
    requestId: message.requestId,
    life: message.life,
    index,
    entryTerm: s.term,
    refused: reason
  })
}

export const receiveForwardReply = (s: State, message: ForwardReply): void => {
  if (message.life !== s.life || !s.forwards.delete(message.requestId)) return
  if (message.refused !== undefined) return refuse(s, message.requestId, message.refused)
  awaitCommit(s, message.index, message.entryTerm, message.requestId)
}

/**
 * Waits for (index, term), in order of index: requests of an earlier term may wait for higher ones, whose entries have been
 * cut off meanwhile.
 */
export const waitFor = (s: State, index: Index, term: Term, requestId: number): void => {
  const { requests } = s
  let at = requests.length
  while (at > 0 && requests.at(at - 1).index > index) at--
  if (at === requests.length) requests.push({ index, term, requestId })
  else requests.insert(at, { index, term, requestId })
}

/** Waits, or answers at once if that index has been handed out already. */
const awaitCommit = (s: State, index: Index, term: Term, requestId: number): void => {
  if (index <= s.applied) return answer(s, index, term, s.log.termAt(index), requestId)
  waitFor(s, index, term, requestId)
}

const answer = (s: State, index: Index, term: Term, committedTerm: Term, requestId: number): void => {
  if (committedTerm < 0) s.replies.push({ _tag: "Unknown", requestId })
  else s.replies.push({ _tag: committedTerm === term ? "Committed" : "Superseded", requestId, index, term })
}

/** The entry at `index` of `term` is handed out: answers all that waited for this index. */
export const settleRequests = (s: State, index: Index, term: Term): void => {
  const { requests } = s
  for (let one = requests.first; one !== undefined && one.index <= index; one = requests.first) {
    answer(s, one.index, one.term, term, one.requestId)
    requests.drop()
  }
}

/** The log up to `index` came as a snapshot: what became of single entries in it cannot be seen any more. */
export const forgetRequests = (s: State, index: Index): void => {
  const { requests } = s
  for (let request = requests.first; request !== undefined && request.index <= index; request = requests.first) {
    s.replies.push({ _tag: "Unknown", requestId: request.requestId })
    requests.drop()
  }
}

/** Gives up forwards whose time is up: the leader may have appended them. */
export const expireForwards = (s: State): void => {
  for (const [requestId, until] of s.forwards) {
    if (until > s.now) break
    s.forwards.delete(requestId)
    s.replies.push({ _tag: "Unknown", requestId })
  }
}

/** A membership change whose last step this node has not appended: another leader may finish it. */
export const failChange = (s: State): void => {
  if (s.change === undefined) return
  s.replies.push({ _tag: "Unknown", requestId: s.change.requestId })
  s.change = undefined
}

export const settleTransferred = (s: State, leader: NodeId): void => {
  if (s.transferred === undefined || leader === s.id) return
  for (const requestId of s.transferred.requestIds) s.replies.push({ _tag: "Transferred", requestId, leader })
  s.transferred = undefined
}

/** The node ends: every request gets an answer. */
export const failRequests = (s: State): void => {
  forgetRequests(s, Infinity)
  for (const requestId of s.forwards.keys()) s.replies.push({ _tag: "Unknown", requestId })
  s.forwards.clear()
  failChange(s)
  const transfers = [...(s.transfer?.requestIds ?? []), ...(s.transferred?.requestIds ?? [])]
  for (const requestId of transfers) s.replies.push({ _tag: "TransferTimedOut", requestId })
  s.transfer = undefined
  s.transferred = undefined
}
