/**
 * The follower's side of replication (figure 2, AppendEntries receiver). Only a real conflict of terms truncates: a log that
 * is longer than the leader's message lacks nothing (RAFT.md pitfalls). Damaged entries are neither a match nor a conflict:
 * they are filled from the leader's (`Repair.ts`).
 */
import { commitTo } from "./Commit.ts"
import { decodeConfiguration } from "./Configurations.ts"
import { appendToLog, holdForHard, holdNow, truncateLog } from "./Disk.ts"
import { configurationChanged } from "./Membership.ts"
import { closeHoles, cutHoles, endRecovery, fillHole, firstHole, lostLog, recovered } from "./Repair.ts"
import type { Hole, State } from "./State.ts"
import type { Append, Entry, Heartbeat, Index, NodeId, Term } from "./Types.ts"

/** A leader of this term has spoken. */
export const contact = (s: State): void => {
  s.contactAt = s.now
  s.electionAt = s.now + s.electionTimeout
  s.repairRounds = 0
}

const refuse = (
  s: State,
  message: { readonly from: NodeId; readonly stamp: number },
  prevIndex: Index,
  hintIndex: Index,
  hintTerm: Term,
  damaged: boolean
): void => {
  holdForHard(s, {
    _tag: "AppendReply",
    from: s.id,
    to: message.from,
    term: s.term,
    ok: false,
    index: prevIndex,
    hintIndex,
    hintTerm,
    damaged,
    wantsSnapshot: false,
    stamp: message.stamp,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}

/** Durable and certain is what stands before the hole; go on with the first entry that is still missing, and after it. */
const refuseForDamage = (s: State, message: Append | Heartbeat, { from, origin }: Hole): void =>
  refuse(s, message, origin - 1, from - 1, Math.max(0, s.log.termAt(from - 1)), true)

/** A snapshot of less is of no use to this node: its log does not go on there, or its disk has a newer one. */
export const newestSnapshot = (s: State): Index => Math.max(s.log.base, s.snapshot?.index ?? 0)

/** The bytes of this node's snapshot are lost: ask for another. The disk keeps the newest alone and takes none that is older. */
const refuseForSnapshot = (s: State, message: Append | Heartbeat): void => {
  holdForHard(s, {
    _tag: "AppendReply",
    from: s.id,
    to: message.from,
    term: s.term,
    ok: false,
    index: 0,
    hintIndex: newestSnapshot(s),
    hintTerm: 0,
    damaged: false,
    wantsSnapshot: true,
    stamp: message.stamp,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}

export const receiveAppend = (s: State, message: Append): void => {
  if (s.installing !== undefined) return
  if (s.needsSnapshot) return refuseForSnapshot(s, message)
  const { log } = s
  const hole = firstHole(s)
  if (hole !== undefined && message.prevIndex >= hole.from) return refuseForDamage(s, message, hole)
  const last = message.prevIndex + message.entries.length
  // What lies below the compacted prefix is committed, hence equal.
  if (last <= log.base) return acknowledge(s, message, log.base)
  if (message.prevIndex >= log.base && log.termAt(message.prevIndex) !== message.prevTerm) {
    let at = Math.min(message.prevIndex, log.lastIndex)
    while (at > log.base && log.termAt(at) > message.prevTerm) at--
    return refuse(s, message, message.prevIndex, at, log.termAt(at), false)
  }
  takeEntries(s, message.entries)
  closeHoles(s, last)
  const open = firstHole(s)
  s.matched = Math.max(s.matched, open === undefined ? last : Math.min(last, open.origin - 1))
  endRecovery(s)
  if (open === undefined) acknowledge(s, message, last)
  else refuseForDamage(s, message, open)
  commitTo(s, Math.min(message.commit, last))
}

/** Appends what is new, fills what is damaged, truncates at the first conflict of terms. */
const takeEntries = (s: State, entries: ReadonlyArray<Entry>): void => {
  const { log } = s
  for (const entry of entries) {
    if (entry.index <= log.base) continue
    if (entry.index <= log.lastIndex) {
      const own = log.at(entry.index)
      if (own.kind === "damaged") {
        fillHole(s, entry)
        continue
      }
      if (own.term === entry.term) continue
      cutLog(s, entry.index)
    }
    appendToLog(s, entry)
    if (entry.kind === "configuration") takeConfiguration(s, entry)
  }
}

/** A configuration is in force from its append (4.1). */
export const takeConfiguration = (s: State, entry: Entry): void => {
  s.configurations.append(entry.index, decodeConfiguration(entry.data))
  configurationChanged(s)
}

/** Truncates with all that hangs on the log: holes, and configurations that are undone. */
export const cutLog = (s: State, from: Index): void => {
  truncateLog(s, from)
  cutHoles(s, from)
  if (s.configurations.truncateFrom(from)) configurationChanged(s)
}

/** One acknowledgement a turn, released when all that it speaks for is durable. */
const acknowledge = (s: State, message: Append, index: Index): void => {
  if (s.ack === undefined || s.ack.to !== message.from) s.ack = { to: message.from, index, stamp: message.stamp }
  else {
    s.ack.index = Math.max(s.ack.index, index)
    s.ack.stamp = Math.max(s.ack.stamp, message.stamp)
  }
}

/** Closes the follower's turn, when its write has a number. */
export const closeAck = (s: State): void => {
  const { ack } = s
  if (ack === undefined) return
  s.ack = undefined
  holdNow(s, {
    _tag: "AppendReply",
    from: s.id,
    to: ack.to,
    term: s.term,
    ok: true,
    index: ack.index,
    hintIndex: 0,
    hintTerm: 0,
    damaged: false,
    wantsSnapshot: false,
    stamp: ack.stamp,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}

/** What this node has acknowledged to this leader is not here: an old disk, maybe with a longer tail of an older leader. */
const lacksMatch = (s: State, { match, matchTerm }: Heartbeat): boolean => {
  if (match > s.log.lastIndex) return true
  const own = s.log.termAt(match)
  return matchTerm > 0 && own >= 0 && own !== matchTerm
}

export const receiveHeartbeat = (s: State, message: Heartbeat): void => {
  if (s.installing === undefined) {
    if (s.needsSnapshot) refuseForSnapshot(s, message)
    else if (lacksMatch(s, message)) lostLog(s, message)
    else {
      commitTo(s, Math.min(message.commit, message.match))
      const hole = firstHole(s)
      // The leader may have nothing to append: it would not hear of the damage.
      if (hole !== undefined) refuseForDamage(s, message, hole)
    }
    recovered(s, message)
  }
  holdForHard(s, {
    _tag: "HeartbeatReply",
    from: s.id,
    to: message.from,
    term: s.term,
    round: message.round,
    stamp: message.stamp,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}
