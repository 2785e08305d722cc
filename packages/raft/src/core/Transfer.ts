/**
 * Leadership transfer (thesis 3.10): stop taking proposals, bring the target up to date, ask it to campaign at once. From
 * the moment that request is out, this leader's lease proves nothing: the target may win without waiting for it.
 */
import { isVoter } from "./Configurations.ts"
import type { Progress } from "./Progress.ts"
import { refuse } from "./Requests.ts"
import { becomeFollower } from "./Role.ts"
import { isActive, type State } from "./State.ts"
import type { NodeId, Transfer } from "./Types.ts"

/** The voter of the new set that is heard and furthest on; ties by id. */
const bestVoter = (s: State): Progress | undefined => {
  let best: Progress | undefined
  for (const id of s.configurations.inForce.configuration.voters) {
    const peer = s.progress.get(id)
    if (peer === undefined || peer === s.self || !isActive(s, peer)) continue
    if (best === undefined || peer.match > best.match) best = peer
  }
  return best
}

export const transferLeadership = (s: State, input: Transfer): void => {
  if (s.role !== "leader") return refuse(s, input.requestId, "NotLeader")
  const to = input.to ?? bestVoter(s)?.id
  if (to === undefined || to === s.id || !isVoter(s.configurations.inForce.configuration, to)) {
    return refuse(s, input.requestId, "BadTarget")
  }
  if (s.transfer !== undefined && s.transfer.to !== to) return refuse(s, input.requestId, "Transferring")
  if (s.transfer !== undefined) {
    s.transfer.requestIds.push(input.requestId)
    return
  }
  s.transfer = { to, requestIds: [input.requestId], until: s.now + s.limits.transferTicks, sent: false }
  s.replicate = true
  transferStep(s)
}

const sendTimeoutNow = (s: State, to: NodeId): void => {
  s.leaseBroken = true
  s.messages.push({ _tag: "TimeoutNow", from: s.id, to, term: s.term })
}

/** Asks the target to campaign once it has the whole log; again with every heartbeat, in case it was lost. */
export const transferStep = (s: State): void => {
  if (s.transfer === undefined || s.transfer.sent) return
  const peer = s.progress.get(s.transfer.to)
  if (peer === undefined || peer.match !== s.log.lastIndex) return
  s.transfer.sent = true
  sendTimeoutNow(s, s.transfer.to)
}

/** Time is up: proposals are taken again. The lease stays broken: the request may still be under way. */
export const expireTransfers = (s: State): void => {
  if (s.transfer !== undefined && s.now >= s.transfer.until) {
    for (const requestId of s.transfer.requestIds) s.replies.push({ _tag: "TransferTimedOut", requestId })
    s.transfer = undefined
  }
  if (s.transferred !== undefined && s.now >= s.transferred.until) {
    for (const requestId of s.transferred.requestIds) s.replies.push({ _tag: "TransferTimedOut", requestId })
    s.transferred = undefined
  }
}

/** A leader that must not go on (hung or failed disk, removed) hands over to the best voter and steps down. */
export const stepAside = (s: State): void => {
  const best = bestVoter(s)
  if (best !== undefined) sendTimeoutNow(s, best.id)
  becomeFollower(s, s.term, undefined)
}
