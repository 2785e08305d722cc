/**
 * Linearizable reads without log entries (thesis 6.4). The leader notes its commit index, proves by one heartbeat round
 * that it still leads, and answers when it has applied that far. All reads of a turn share a round. A leader that has not
 * committed an entry of its own term does not know the commit index yet, and lets reads wait. Followers ask the leader for
 * an index and read from their own state.
 */
import { leaseStands } from "./Lease.ts"
import type { Progress } from "./Progress.ts"
import { reachedByQuorum } from "./Quorum.ts"
import { sendHeartbeats } from "./Replication.ts"
import type { LeaderRead, ReadRound, State } from "./State.ts"
import type { Index, Read, ReadIndex, ReadIndexReply } from "./Types.ts"

const waiting = (s: State): number => {
  let count = s.newReads.length + s.readsAt.length + s.batchNew.length
  for (const round of s.rounds) count += round.reads.length
  for (const batch of s.batches.values()) count += batch.reads.length
  return count
}

export const readsWaiting = waiting

const deny = (s: State, requestId: number): void => void s.reads.push({ requestId, index: undefined })

export const read = (s: State, input: Read): void => {
  if (s.failed || waiting(s) >= s.limits.readsMax) return deny(s, input.requestId)
  if (s.role === "leader") {
    if (input.mode === "lease" && leaseStands(s)) awaitApplied(s, input.requestId, s.commit)
    else s.newReads.push({ requestId: input.requestId, remote: undefined, until: s.now + s.limits.requestTicks })
  } else if (s.leader === undefined) deny(s, input.requestId)
  else s.batchNew.push(input.requestId)
}

/** A follower's batch. */
export const receiveReadIndex = (s: State, message: ReadIndex): void => {
  const remote = { peer: message.from, batch: message.batch, life: message.life }
  const entry: LeaderRead = { requestId: 0, remote, until: s.now + s.limits.requestTicks }
  if (s.role !== "leader" || waiting(s) >= s.limits.readsMax) return finishRead(s, entry, 0)
  s.newReads.push(entry)
}

/** Index 0: refused. */
const finishRead = (s: State, one: LeaderRead, index: Index): void => {
  const { remote } = one
  if (remote !== undefined) {
    const { batch, life, peer } = remote
    s.messages.push({ _tag: "ReadIndexReply", from: s.id, to: peer, term: s.term, batch, life, index })
    const progress = s.progress.get(peer)
    if (progress !== undefined) progress.commitWanted = Math.max(progress.commitWanted, index)
    s.replicate = true
  } else if (index === 0) deny(s, one.requestId)
  else awaitApplied(s, one.requestId, index)
}

const awaitApplied = (s: State, requestId: number, index: Index): void => {
  s.readsAt.push({ requestId, index, until: s.now + s.limits.requestTicks })
}

export const receiveReadIndexReply = (s: State, message: ReadIndexReply): void => {
  if (message.life !== s.life) return
  const batch = s.batches.get(message.batch)
  if (batch === undefined) return
  s.batches.delete(message.batch)
  for (const requestId of batch.reads) {
    if (message.index === 0) deny(s, requestId)
    else awaitApplied(s, requestId, message.index)
  }
}

/** Closes the turn: one round for the new reads of a leader, one question for those of a follower. */
export const closeReads = (s: State): void => {
  if (s.role === "leader" && s.newReads.length > 0 && s.commit >= s.termStart) {
    const reads = s.newReads
    s.newReads = []
    s.round++
    // A leader always knows itself.
    ;(s.self as Progress).round = s.round
    s.rounds.push({ round: s.round, index: s.commit, reads })
    sendHeartbeats(s, true)
    roundAnswered(s)
  }
  if (s.batchNew.length > 0) {
    const batch = ++s.lastBatch
    s.batches.set(batch, { reads: s.batchNew, until: s.now + s.limits.requestTicks })
    s.batchNew = []
    if (s.leader !== undefined && s.leader !== s.id) {
      s.messages.push({ _tag: "ReadIndex", from: s.id, to: s.leader, term: s.term, batch, life: s.life })
    }
  }
}

/** Finishes the rounds that a majority of every half has answered. */
export const roundAnswered = (s: State): void => {
  if (s.rounds.length === 0) return
  const reached = reachedByQuorum(s.halves, (peer: Progress) => peer.round)
  let done = 0
  while (done < s.rounds.length && (s.rounds[done] as ReadRound).round <= reached) {
    const round = s.rounds[done] as ReadRound
    for (const one of round.reads) finishRead(s, one, round.index)
    done++
  }
  if (done > 0) s.rounds.splice(0, done)
}

/** Hands out the reads whose index has been applied. */
export const serveReads = (s: State): void => {
  if (s.readsAt.length === 0) return
  const later: typeof s.readsAt = []
  for (const one of s.readsAt) {
    if (one.index <= s.applied) s.reads.push({ requestId: one.requestId, index: one.index })
    else later.push(one)
  }
  s.readsAt = later
}

/** This node does not lead any more, or its leader is gone: reads that have no index yet are refused. */
export const failReads = (s: State): void => {
  for (const one of s.newReads) finishRead(s, one, 0)
  for (const round of s.rounds) for (const one of round.reads) finishRead(s, one, 0)
  s.newReads = []
  s.rounds = []
  for (const requestId of s.batchNew) deny(s, requestId)
  for (const batch of s.batches.values()) for (const requestId of batch.reads) deny(s, requestId)
  s.batchNew = []
  s.batches.clear()
}

/** Refuses reads whose time is up. */
export const expireReads = (s: State): void => {
  for (const [id, batch] of s.batches) {
    if (batch.until > s.now) break
    for (const requestId of batch.reads) deny(s, requestId)
    s.batches.delete(id)
  }
  if (s.newReads.some((one) => one.until <= s.now)) {
    const late = s.newReads.filter((one) => one.until <= s.now)
    s.newReads = s.newReads.filter((one) => one.until > s.now)
    for (const one of late) finishRead(s, one, 0)
  }
  if (s.readsAt.some((one) => one.until <= s.now)) {
    for (const one of s.readsAt) if (one.until <= s.now) deny(s, one.requestId)
    s.readsAt = s.readsAt.filter((one) => one.until > s.now)
  }
  while (s.rounds.length > 0 && (s.rounds[0] as ReadRound).reads.every((one) => one.until <= s.now)) {
    for (const one of (s.rounds.shift() as ReadRound).reads) finishRead(s, one, 0)
  }
}
