/**
 * The leader's side of replication (paper 5.3; thesis 10.2): appends are built once a turn, ahead of their answers, within
 * a window of messages and bytes for each peer.
 */
import { advanceCommit } from "./Commit.ts"
import { ENTRY_OVERHEAD_BYTES, TERM_UNKNOWN } from "./Log.ts"
import type { Progress } from "./Progress.ts"
import { roundAnswered } from "./ReadIndex.ts"
import { appendNoop } from "./Requests.ts"
import { sendSnapshot } from "./SnapshotSend.ts"
import type { State } from "./State.ts"
import { transferStep } from "./Transfer.ts"
import type { AppendReply, Entry, HeartbeatReply, Index, Term } from "./Types.ts"

/** A new leader's first entry, which asserts it at its peers with this turn's appends. */
export const startTerm = (s: State): void => {
  s.termStart = appendNoop(s)
}

const entriesBytes = (entries: ReadonlyArray<Entry>): number => {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.length + ENTRY_OVERHEAD_BYTES
  return bytes
}

const sendAppend = (s: State, peer: Progress, prevIndex: Index, entries: ReadonlyArray<Entry>): void => {
  s.messages.push({
    _tag: "Append",
    from: s.id,
    to: peer.id,
    term: s.term,
    prevIndex,
    prevTerm: s.log.termAt(prevIndex),
    entries,
    commit: s.commit,
    stamp: s.now
  })
  peer.appendedAt = s.now
  peer.commitTold = s.commit
}

/** Sends a peer all that its state and window allow. */
const replicateTo = (s: State, peer: Progress): void => {
  const { limits, log } = s
  peer.check()
  if (peer.state === "snapshot") return
  if (peer.snapshotAtLeast > 0 || peer.next <= log.base || log.termAt(peer.next - 1) === TERM_UNKNOWN)
    return sendSnapshot(s, peer)
  if (peer.state === "probe") {
    if (peer.probing) return
    peer.probing = true
    sendAppend(s, peer, peer.next - 1, log.slice(peer.next, limits.appendEntriesMax, limits.appendBytesMax))
    return
  }
  while (
    peer.next <= log.lastIndex &&
    peer.inflightMessages < limits.windowMessages &&
    (peer.inflightBytes < limits.windowBytes || peer.inflightMessages === 0)
  ) {
    const entries = log.slice(peer.next, limits.appendEntriesMax, limits.appendBytesMax)
    sendAppend(s, peer, peer.next - 1, entries)
    peer.sent((entries[entries.length - 1] as Entry).index, entriesBytes(entries))
  }
  // Somebody waits at that peer for an entry that is committed by now: tell it without waiting for the next append.
  if (peer.commitTold < peer.commitWanted && s.commit > peer.commitTold && peer.next > log.base) {
    sendAppend(s, peer, peer.next - 1, [])
  }
}

/** Closes the leader's turn. */
export const replicateAll = (s: State): void => {
  s.replicate = false
  for (const peer of s.peers) replicateTo(s, peer)
}

/** Heartbeats to all peers; with `voters`, to voters alone (a read round). */
export const sendHeartbeats = (s: State, voters: boolean): void => {
  for (const peer of s.peers) {
    if (voters && !s.halves.some((half) => half.includes(peer))) continue
    const matchTerm = Math.max(0, s.log.termAt(peer.match))
    s.messages.push({
      _tag: "Heartbeat",
      from: s.id,
      to: peer.id,
      term: s.term,
      // Nothing is told to be committed that the receiver cannot compare.
      commit: matchTerm === 0 ? 0 : Math.min(s.commit, peer.match),
      match: peer.match,
      matchTerm,
      lastIndex: s.log.lastIndex,
      round: s.round,
      stamp: s.now
    })
  }
}

const heard = (s: State, peer: Progress, message: AppendReply | HeartbeatReply): void => {
  peer.heardAt = s.now
  peer.stamp = Math.max(peer.stamp, message.stamp)
  peer.supports = message.supports
  peer.recovering = message.recovering
}

/** The last index, at most `index`, whose term is at most `term`: where the logs can meet (fast back-off, 5.3). */
export const meetingPoint = (s: State, index: Index, term: Term): Index => {
  let at = Math.min(index, s.log.lastIndex)
  while (at > s.log.base && s.log.termAt(at) > term) at--
  return at
}

export const receiveAppendReply = (s: State, message: AppendReply): void => {
  const peer = s.progress.get(message.from)
  if (peer === undefined) return
  heard(s, peer, message)
  s.replicate = true
  if (message.wantsSnapshot) return wantSnapshot(s, peer, message.hintIndex)
  if (message.damaged) return damaged(s, peer, message)
  if (!message.ok) return refused(s, peer, message)
  if (message.index > s.log.lastIndex) return
  const news = peer.acknowledge(message.index)
  if (peer.state === "probe") peer.becomeReplicate()
  else if (peer.state === "snapshot" && peer.match >= s.log.base && peer.snapshotAtLeast === 0)
    peer.becomeProbe(peer.match + 1)
  if (!news) return
  if (advanceCommit(s) || s.transfer !== undefined) transferStep(s)
}

/**
 * The peer has lost entries. Where it has all of this log and still misses some, what it misses may be of this term for all it
 * knows, so it cuts nothing: one more entry, a no-op, fills one more place, until its hole ends.
 */
const damaged = (s: State, peer: Progress, message: AppendReply): void => {
  const { lastIndex, lastTerm } = s.log
  peer.regress(message.index, message.hintIndex, lastIndex, message.stamp < peer.appendedAt)
  if (message.hintIndex === lastIndex && message.hintTerm === lastTerm && s.transfer === undefined) appendNoop(s)
}

const refused = (s: State, peer: Progress, message: AppendReply): void => {
  if (peer.state === "snapshot" || message.index <= peer.match) return
  if (peer.state === "replicate") return peer.becomeProbe(peer.match + 1)
  // An answer to an older probe says nothing about this one.
  if (message.index !== peer.next - 1) return
  peer.becomeProbe(Math.min(message.index, meetingPoint(s, message.hintIndex, message.hintTerm) + 1))
}

/** The peer's own snapshot is unreadable; its log goes on after `atLeast`. */
const wantSnapshot = (s: State, peer: Progress, atLeast: Index): void => {
  peer.snapshotAtLeast = Math.max(1, atLeast)
  if (peer.transfer !== undefined && peer.transfer.meta.index >= peer.snapshotAtLeast) return
  peer.becomeProbe(peer.match + 1)
  sendSnapshot(s, peer)
}

export const receiveHeartbeatReply = (s: State, message: HeartbeatReply): void => {
  const peer = s.progress.get(message.from)
  if (peer === undefined) return
  heard(s, peer, message)
  if (peer.state === "probe") {
    if (message.stamp > peer.appendedAt) {
      peer.probing = false
      s.replicate = true
    }
  } else if (peer.state === "replicate" && peer.match < peer.next - 1 && message.stamp > peer.appendedAt) {
    // Heartbeats come back and the last appends do not: ask (with an empty append, cheap if they are only slow).
    if (peer.next - 1 >= s.log.base) sendAppend(s, peer, peer.next - 1, [])
  } else if (peer.state === "snapshot") s.replicate = true
  if (message.round > peer.round) {
    peer.round = message.round
    roundAnswered(s)
  }
}
