/** What time alone brings about: elections, heartbeats, the check of the quorum, limits on waiting, the watch on the disk. */
import { compactLog } from "./Compaction.ts"
import { campaign } from "./Election.ts"
import { forgetLeaving } from "./Membership.ts"
import { reachedByQuorum } from "./Quorum.ts"
import { expireReads } from "./ReadIndex.ts"
import { repairTick } from "./Repair.ts"
import { sendHeartbeats } from "./Replication.ts"
import { expireForwards } from "./Requests.ts"
import { becomeFollower, isPromotable } from "./Role.ts"
import { retryPieces } from "./SnapshotSend.ts"
import { isActive, type State } from "./State.ts"
import { expireTransfers, stepAside, transferStep } from "./Transfer.ts"

export const tick = (s: State): void => {
  watchDisk(s)
  if (s.role === "leader") leaderTick(s)
  else if (s.now >= s.electionAt) electionTimeout(s)
  expireForwards(s)
  expireReads(s)
  expireTransfers(s)
  repairTick(s)
  compactLog(s)
}

const electionTimeout = (s: State): void => {
  if (isPromotable(s)) return campaign(s)
  // Not a candidate; but whom it took for its leader has been silent too long to be forwarded to.
  becomeFollower(s, s.term, undefined)
  s.electionAt = s.now + s.electionTimeout
}

const leaderTick = (s: State): void => {
  if (!checkQuorum(s)) return
  if (s.now < s.heartbeatAt) return
  s.heartbeatAt = s.now + s.limits.heartbeatTicks
  if (s.transfer !== undefined) s.transfer.sent = false
  transferStep(s)
  sendHeartbeats(s, false)
  retryPieces(s)
  forgetLeaving(s)
  s.replicate = true
}

/** A leader that has heard from no majority for an election timeout steps down (thesis 6.2). False if it did. */
const checkQuorum = (s: State): boolean => {
  if (reachedByQuorum(s.halves, (peer) => (isActive(s, peer) ? 1 : 0)) === 1) return true
  s.events.push({ _tag: "QuorumLost", term: s.term })
  becomeFollower(s, s.term, undefined)
  return false
}

/** An operation that never returns raises no error: count the ticks of the oldest write in flight. */
const watchDisk = (s: State): void => {
  const oldest = s.writes.first
  const ticks = oldest === undefined ? 0 : s.now - oldest.at
  const hung = ticks > s.limits.diskHangTicks
  if (hung === s.diskHung) return
  s.diskHung = hung
  s.events.push({ _tag: "DiskHung", hung, ticks })
  if (hung && s.role === "leader") stepAside(s)
  else if (hung && s.role !== "follower") becomeFollower(s, s.term, undefined)
}
