/**
 * Changes of membership by joint consensus (thesis 4.3; single steps have had a safety bug and save nothing here). A change
 * is two entries: the joint configuration, and, when that is committed, the new one alone. Both are in force from their
 * append. One change at a time, and none before the leader has committed an entry of its own term.
 */
import { enterJoint, isJoint, isVoter, leaveJoint, normalConfiguration } from "./Configurations.ts"
import type { Progress } from "./Progress.ts"
import { replicateAll } from "./Replication.ts"
import { appendConfiguration, refuse, waitFor } from "./Requests.ts"
import { listPeers, rebuildProgress } from "./Role.ts"
import { majority } from "./Quorum.ts"
import { isActive, type State } from "./State.ts"
import { stepAside } from "./Transfer.ts"
import type { ChangeMembership, Configuration, NodeId, RefusedReason } from "./Types.ts"

/** The configuration in force is another one: by append, truncation or snapshot. */
export const configurationChanged = (s: State): void => {
  const { configuration, index } = s.configurations.inForce
  const removed = !isVoter(configuration, s.id) && !configuration.learners.includes(s.id)
  s.events.push({ _tag: "ConfigurationChanged", index, configuration, removed })
  if (s.role !== "leader") return
  rebuildProgress(s)
  s.configurationPending = true
  s.replicate = true
}

/** Why a change is refused now. */
const refusal = (s: State, input: ChangeMembership): RefusedReason | undefined => {
  const { limits } = s
  const { configuration, index } = s.configurations.inForce
  if (s.role !== "leader") return "NotLeader"
  if (s.transfer !== undefined) return "Transferring"
  if (s.commit < s.termStart) return "NotReady"
  if (isJoint(configuration) || index > s.commit) return "ChangeInProgress"
  const voters = new Set(input.voters)
  const learners = new Set(input.learners)
  if (voters.size === 0 || voters.size + learners.size > limits.membersMax) return "BadConfiguration"
  for (const learner of learners) if (voters.has(learner)) return "BadConfiguration"
  if (new Set([...configuration.voters, ...voters, ...learners]).size > limits.membersMax) return "BadConfiguration"
  for (const id of voters) if (castsNoVotes(s, configuration, id)) return "NotCaughtUp"
  return input.force ? undefined : notYet(s, configuration, voters)
}

/** A voter that refuses every vote can stop the cluster for ever: nobody would be left to tell it how far to recover. */
const castsNoVotes = (s: State, configuration: Configuration, id: NodeId): boolean => {
  if (id === s.id) return s.recoverTo > 0
  const recovering = s.progress.get(id)?.recovering
  return recovering ?? !configuration.voters.includes(id)
}

/** A set of voters that could not commit anything at once would stop the cluster in the middle of its change. */
const notYet = (s: State, configuration: Configuration, voters: ReadonlySet<NodeId>): RefusedReason | undefined => {
  let active = 0
  for (const id of voters) {
    // One that is not known was refused before, as it casts no votes.
    const peer = s.progress.get(id) as Progress
    if (isActive(s, peer)) active++
    if (configuration.voters.includes(id)) continue
    if (s.log.lastIndex - peer.match > s.limits.catchUpEntriesMax) return "NotCaughtUp"
  }
  return active < majority(voters.size) ? "NoQuorum" : undefined
}

export const changeMembership = (s: State, input: ChangeMembership): void => {
  const reason = refusal(s, input)
  if (reason !== undefined) return refuse(s, input.requestId, reason)
  const current = s.configurations.inForce.configuration
  const addresses = { ...current.addresses, ...input.addresses }
  const target = normalConfiguration({ voters: input.voters, learners: input.learners, addresses })
  const votersStay = JSON.stringify(target.voters) === JSON.stringify(current.voters)
  // Voters that stay the same decide alike before and after: no joint step is needed to change learners or addresses.
  const next = votersStay ? target : enterJoint(current, input)
  const index = adopt(s, next)
  if (isJoint(next)) s.change = { requestId: input.requestId, index }
  else waitFor(s, index, s.term, input.requestId)
}

/** Appends a configuration and puts it in force. */
const adopt = (s: State, configuration: Configuration): number => {
  const index = appendConfiguration(s, configuration)
  s.configurations.append(index, configuration)
  configurationChanged(s)
  return index
}

/**
 * The configuration in force is committed. A joint one is left at once, also by a leader that did not begin it. Removed
 * peers are told; a leader that is no voter any more hands over (4.2.2).
 */
export const configurationCommitted = (s: State): void => {
  const { configuration, index } = s.configurations.inForce
  if (isJoint(configuration)) {
    const last = adopt(s, leaveJoint(configuration))
    if (s.change !== undefined) waitFor(s, last, s.term, s.change.requestId)
    s.change = undefined
    return
  }
  s.configurationPending = false
  for (const peer of s.peers) {
    if (!peer.leaving) continue
    peer.commitWanted = index
    peer.leavingUntil = s.now + s.limits.electionTicks
  }
  if (isVoter(configuration, s.id)) return
  for (const peer of s.peers) peer.commitWanted = index
  replicateAll(s)
  stepAside(s)
}

/** Stops following removed peers that know of it, or that have had their time. */
export const forgetLeaving = (s: State): void => {
  const { index } = s.configurations.inForce
  for (const peer of s.peers) {
    if (!peer.leaving) continue
    if (s.now >= peer.leavingUntil || (s.commit >= index && peer.match >= index && peer.commitTold >= index)) {
      s.progress.delete(peer.id)
      listPeers(s)
    }
  }
}
