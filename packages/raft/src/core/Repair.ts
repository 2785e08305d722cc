/**
 * Repair of what a disk has lost (after CTRL/PAR, FAST'18): ask for it, never truncate it.
 *
 * Damaged entries stand as holes in the log. With a leader, plain appends fill them: the node refuses any append that does
 * not reach back before its first hole (`damaged`), and acknowledges nothing beyond it. Without one it asks all members.
 * A node with holes votes (its last index and term are known) and does not campaign.
 *
 * A hole is closed when what fills it is known to be of one log with what follows: an append reaches past it (a match at the
 * next intact entry proves it by Log Matching, a conflict cuts that entry off), or a peer's run of entries ends in our intact
 * entry. Until then `from` = `to` + 1 says "filled, not confirmed", and what was filled is in memory alone and not
 * acknowledged: a crash in between must find the hole again, not a log that is joined of two.
 *
 * A node whose disk went back in time learns it from the leader's `Heartbeat.match`: it asks for the rest and casts no vote
 * before it has it (`recoverTo`).
 */
import { decodeConfiguration, membersOf } from "./Configurations.ts"
import { holdForHard } from "./Disk.ts"
import { cutLog } from "./Follower.ts"
import { entryBytes } from "./Log.ts"
import { configurationChanged } from "./Membership.ts"
import { leaderHeard } from "./Election.ts"
import type { Hole, State } from "./State.ts"
import {
  RECOVER_UNKNOWN,
  type EntriesFound,
  type EntriesWanted,
  type Entry,
  type Heartbeat,
  type Index,
  type Term
} from "./Types.ts"

/** Questions to all members without any use before the node says that a majority seems damaged. */
const REPAIR_ROUNDS_BEFORE_REPORT = 3

export const firstHole = (s: State): Hole | undefined => s.holes[0]

const announceRepaired = (s: State): void => {
  s.repairRounds = 0
  if (s.holes.length > 0 || !s.repairing) return
  s.repairing = false
  s.repairReported = false
  s.events.push({ _tag: "DamageRepaired" })
}

/** Puts the entry back in memory; the disk gets it when the hole is closed. */
export const fillHole = (s: State, entry: Entry): void => {
  s.log.fill(entry)
  if (entry.kind !== "configuration") return
  s.configurations.insert(entry.index, decodeConfiguration(entry.data))
  configurationChanged(s)
}

/** What filled the hole is what stood there: on its way to the disk, in one write. */
const store = (s: State, hole: Hole, to: Index): void => {
  for (let index = Math.max(hole.origin, s.log.base + 1); index <= to; index++) s.filled.push(s.log.at(index))
}

const finish = (s: State, hole: Hole): void => {
  store(s, hole, hole.end)
  s.holes.shift()
  announceRepaired(s)
}

/** The highest term that an entry still missing can have: terms never fall along a log, nor exceed the node's own. */
const missingTermMax = (s: State, hole: Hole): Term => {
  const known = s.log.termAt(Math.min(hole.to + 1, s.log.lastIndex))
  return known >= 0 ? known : s.restoredTerm
}

/**
 * What is still missing is older than the leader's entry before it, so it conflicts with whatever the leader will put there: cut
 * as in any conflict. A leader with nothing to append would leave the hole open for ever.
 */
const cutStale = (s: State, hole: Hole): void => {
  if (hole.from > s.commit && missingTermMax(s, hole) < s.log.termAt(hole.from - 1)) cutLog(s, hole.from)
}

/** A leader's append has covered the log up to `matched`. */
export const closeHoles = (s: State, matched: Index): void => {
  const { log } = s
  for (let hole = s.holes[0]; hole !== undefined && matched >= hole.from - 1; hole = s.holes[0]) {
    hole.from = Math.min(matched, hole.to) + 1
    if (hole.from <= hole.to) return cutStale(s, hole)
    const next = hole.to + 1
    // What is committed here belongs to every leader's log.
    if (matched >= next || next > log.lastIndex || next <= s.commit) finish(s, hole)
    else if (log.termAt(next) >= log.termAt(hole.to)) return
    // Terms never fall along a log: an entry of a lower term than its new predecessor is no leader's.
    else cutLog(s, next)
  }
}

/** The log was truncated at `from`. */
export const cutHoles = (s: State, from: Index): void => {
  if (s.holes.length === 0) return
  s.holes = s.holes.filter((hole) => {
    if (hole.origin >= from) return false
    hole.to = Math.min(hole.to, from - 1)
    hole.end = Math.min(hole.end, from - 1)
    if (hole.from < from) return true
    store(s, hole, hole.end)
    return false
  })
  announceRepaired(s)
}

/** The entry at `index` was lost, so nothing says that what follows it belongs to the log of a snapshot that ends there. */
export const endsInHole = (s: State, index: Index): boolean =>
  s.holes.some((hole) => hole.origin <= index && index <= hole.to)

/** A snapshot of `index` has replaced the log below. If the log goes on, its entry at `index` has confirmed the holes. */
export const installedHoles = (s: State, index: Index, keepLog: boolean): void => {
  if (s.holes.length === 0) return
  if (keepLog) for (const hole of s.holes) if (hole.origin <= index) store(s, hole, hole.end)
  s.holes = s.holes.filter((hole) => keepLog && hole.origin > index)
  announceRepaired(s)
}

/**
 * The log will be dropped for a snapshot though it may hold entries that were acknowledged: no votes before the leader's log
 * is here again.
 */
export const giveUpLog = (s: State): void => {
  s.recoverTo = s.log.lastIndex
  s.recoverTerm = s.term - 1
  s.hardDirty = true
  s.events.push({ _tag: "LogLost", recoverTo: s.recoverTo })
}

/** A running node's disk has lost entries. What is still in memory is written again; there is nothing to ask for. */
export const damageFound = (s: State, from: Index, to: Index): void => {
  s.events.push({ _tag: "DamageFound", from, to })
  for (let index = Math.max(from, s.log.base + 1); index <= Math.min(to, s.log.lastIndex); index++) {
    if (!s.holes.some((hole) => hole.origin <= index && index <= hole.end)) s.filled.push(s.log.at(index))
  }
}

/** The leader of this term has our acknowledgement for more than we hold: the disk went back. */
export const lostLog = (s: State, message: Heartbeat): void => {
  if (s.recoverTo !== message.lastIndex) {
    s.recoverTo = message.lastIndex
    s.recoverTerm = message.term
    s.hardDirty = true
    s.events.push({ _tag: "LogLost", recoverTo: s.recoverTo })
  }
  holdForHard(s, {
    _tag: "AppendReply",
    from: s.id,
    to: message.from,
    term: s.term,
    ok: false,
    index: s.commit,
    // Of an old log only what was committed is certain to be the leader's.
    hintIndex: s.commit,
    hintTerm: Math.max(0, s.log.termAt(s.commit)),
    damaged: true,
    wantsSnapshot: false,
    stamp: message.stamp,
    supports: s.supports,
    recovering: s.recoverTo > 0
  })
}

/** Ends `recoverTo` when the log is again equal to a leader's up to there. A later leader's shorter log is enough. */
export const recovered = (s: State, message: Heartbeat): void => {
  if (s.recoverTo === 0) return
  if (s.recoverTo === RECOVER_UNKNOWN || message.term > s.recoverTerm) {
    s.recoverTo = s.recoverTo === RECOVER_UNKNOWN ? message.lastIndex : Math.min(s.recoverTo, message.lastIndex)
    s.recoverTerm = message.term
    s.hardDirty = true
  }
  endRecovery(s)
}

/**
 * The log is equal to a leader's up to `recoverTo`. That is written together with the entries that made it so, and no later:
 * a voter whose entries count and whose votes do not, because it crashed between the two, can leave a cluster leaderless.
 */
export const endRecovery = (s: State): void => {
  if (s.recoverTo === 0 || s.matched < s.recoverTo) return
  s.recoverTo = 0
  s.hardDirty = true
  s.events.push({ _tag: "Recovered" })
}

/** Without a leader: asks every member, once an election timeout. */
export const repairTick = (s: State): void => {
  const hole = s.holes[0]
  if (hole === undefined || s.leader !== undefined || leaderHeard(s) || s.now < s.repairAskAt) return
  s.repairAskAt = s.now + s.limits.electionTicks
  // The entry before comes along, to show that what is filled belongs to it, and the one after, to show that it is ours.
  const bottom = Math.max(hole.from - 1, s.log.base + 1)
  const top = Math.min(hole.to + 1, s.log.lastIndex)
  const part = Math.min(top, bottom + s.limits.appendEntriesMax - 1)
  for (const to of membersOf(s.configurations.inForce.configuration)) {
    if (to === s.id) continue
    const ask = { _tag: "EntriesWanted", from: s.id, to, term: s.term, fromIndex: bottom } as const
    s.messages.push({ ...ask, toIndex: top })
    if (part < top) s.messages.push({ ...ask, toIndex: part })
  }
  s.repairRounds++
  if (s.repairRounds <= REPAIR_ROUNDS_BEFORE_REPORT || s.repairReported) return
  s.repairReported = true
  s.events.push({ _tag: "DamageOnMajority", from: hole.from, to: hole.to })
}

/** A run of one log: never across the end of an own hole, whose two sides may belong to two logs. */
export const receiveEntriesWanted = (s: State, message: EntriesWanted): void => {
  const { limits, log } = s
  let top = Math.min(message.toIndex, log.lastIndex)
  while (top > log.base && log.at(top).kind === "damaged") top--
  let bottom = top + 1
  let bytes = 0
  while (bottom - 1 >= Math.max(message.fromIndex, log.base + 1)) {
    const entry = log.at(bottom - 1)
    bytes += entryBytes(entry)
    // Two entries always fit: less would show nothing.
    const full = bottom < top && (bytes > limits.appendBytesMax || top - bottom + 2 > limits.appendEntriesMax)
    if (entry.kind === "damaged" || full) break
    if (bottom <= top && s.holes.some((hole) => hole.to === bottom - 1)) break
    bottom--
  }
  const entries = bottom > top ? [] : log.range(bottom, top)
  s.messages.push({ _tag: "EntriesFound", from: s.id, to: message.from, term: s.term, entries, commit: s.commit })
}

export const receiveEntriesFound = (s: State, message: EntriesFound): void => {
  const hole = s.holes[0]
  const first = message.entries[0]
  const last = message.entries[message.entries.length - 1]
  if (hole === undefined || first === undefined || last === undefined) return
  const { log } = s
  const before = hole.from - 1
  const missing = hole.to - hole.from
  const joins = message.entries.some(({ index, term }) => index === before && term === log.termAt(before))
  const anchor = Math.min(hole.to + 1, log.lastIndex)
  const anchored = last.index === anchor && log.termAt(anchor) === last.term
  // Before the hole may stand what a leader has put there: then the run must show that it is of one log with what follows.
  if (anchored && (first.index > hole.from || hole.from === hole.origin || joins))
    takeOwn(s, hole, message.entries, first.index)
  else if (joins || before <= Math.max(s.commit, log.base)) takeCommitted(s, hole, message)
  if (hole.to - hole.from < missing) s.repairRounds = 0
}

/** A run that ends in our own entry is what stood in our log. */
const takeOwn = (s: State, hole: Hole, entries: ReadonlyArray<Entry>, first: Index): void => {
  for (const entry of entries) {
    if (entry.index >= hole.from && entry.index <= hole.to) fillHole(s, entry)
  }
  hole.to = Math.max(first, hole.from) - 1
  if (hole.from > hole.to) finish(s, hole)
}

/** Committed entries belong to every log, if they stand on an entry of ours or on a committed one. */
const takeCommitted = (s: State, hole: Hole, message: EntriesFound): void => {
  for (const entry of message.entries) {
    if (entry.index !== hole.from || entry.index > hole.to || entry.index > message.commit) continue
    fillHole(s, entry)
    hole.from++
  }
  if (hole.from > hole.to && (hole.to >= s.log.lastIndex || hole.to < s.commit)) finish(s, hole)
}
