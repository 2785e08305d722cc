/**
 * Repair of what a disk has lost (after CTRL/PAR, FAST'18): ask for it, never truncate it.
 *
 * Damaged entries stand as holes in the log. With a leader, plain appends fill them: the node refuses any append that does
 * not reach back before its first hole (`damaged`), and acknowledges nothing beyond it. Without one it asks all members.
 * A node with holes votes (its last index and term are known) and does not campaign.
 *
 * A hole is closed when what fills it is known to be what stood there: an append reaches past it (a match at the next intact
 * entry proves it by Log Matching, a conflict cuts that entry off), or a peer's run of entries ends in our intact entry.
 * Until then `from` = `to` + 1 says "filled, not confirmed".
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
  type Index
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

/** Puts the entry back in memory and on the way to the disk. */
export const fillHole = (s: State, entry: Entry): void => {
  s.log.fill(entry)
  s.filled.push(entry)
  if (entry.kind !== "configuration") return
  s.configurations.insert(entry.index, decodeConfiguration(entry.data))
  configurationChanged(s)
}

/** A leader's append has covered the log up to `matched`. */
export const closeHoles = (s: State, matched: Index): void => {
  const { log } = s
  let hole = s.holes[0]
  if (hole === undefined || matched < hole.from) return
  while (hole !== undefined && matched >= hole.from) {
    hole.from = Math.min(matched, hole.to) + 1
    if (matched <= hole.to && hole.from <= hole.to) break
    // Terms never fall along a log: an entry of a lower term than its new predecessor is no leader's.
    const next = hole.to + 1
    if (matched === hole.to && next <= log.lastIndex) {
      if (log.termAt(next) >= log.termAt(hole.to)) break
      cutLog(s, next)
    }
    if (s.holes[0] === hole) s.holes.shift()
    hole = s.holes[0]
  }
  if (s.holes.length === 0) announceRepaired(s)
}

/** The log was truncated at `from`. */
export const cutHoles = (s: State, from: Index): void => {
  if (s.holes.length === 0) return
  s.holes = s.holes.filter((hole) => hole.from < from)
  for (const hole of s.holes) hole.to = Math.min(hole.to, from - 1)
  if (s.holes.length === 0) announceRepaired(s)
}

/** A snapshot of `index` has replaced the log below; `boundary`: our entry at that index was lost itself. */
export const installedHoles = (s: State, index: Index, keepLog: boolean, boundary: boolean): void => {
  if (s.holes.length === 0) return
  if (!keepLog) s.holes = []
  s.holes = s.holes.filter((hole) => hole.to > index || (boundary && hole.from <= index && hole.to >= index))
  for (const hole of s.holes) hole.from = Math.max(hole.from, index + 1)
  const last = s.holes[0]
  if (last !== undefined && last.from > last.to && last.to >= s.log.lastIndex) s.holes.shift()
  if (s.holes.length === 0) announceRepaired(s)
}

/** A running node's disk has lost entries. What is still in memory is written again; there is nothing to ask for. */
export const damageFound = (s: State, from: Index, to: Index): void => {
  s.events.push({ _tag: "DamageFound", from, to })
  for (let index = Math.max(from, s.log.base + 1); index <= Math.min(to, s.log.lastIndex); index++) {
    const entry = s.log.at(index)
    if (entry.kind !== "damaged") s.filled.push(entry)
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
    index: s.log.lastIndex,
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

/** Highest index of the hole that is not filled. */
const highestLost = (s: State, hole: Hole): Index => {
  for (let index = hole.to; index >= hole.from; index--) if (s.log.at(index).kind === "damaged") return index
  return hole.from - 1
}

/** Without a leader: asks every member, once an election timeout. */
export const repairTick = (s: State): void => {
  const hole = s.holes[0]
  if (hole === undefined || s.leader !== undefined || leaderHeard(s) || s.now < s.repairAskAt) return
  s.repairAskAt = s.now + s.limits.electionTicks
  const top = Math.min(highestLost(s, hole) + 1, s.log.lastIndex)
  for (const to of membersOf(s.configurations.inForce.configuration)) {
    if (to === s.id) continue
    const fromIndex = Math.min(hole.from, top)
    s.messages.push({ _tag: "EntriesWanted", from: s.id, to, term: s.term, fromIndex, toIndex: top })
  }
  s.repairRounds++
  if (s.repairRounds <= REPAIR_ROUNDS_BEFORE_REPORT || s.repairReported) return
  s.repairReported = true
  s.events.push({ _tag: "DamageOnMajority", from: hole.from, to: hole.to })
}

export const receiveEntriesWanted = (s: State, message: EntriesWanted): void => {
  const { limits, log } = s
  let top = Math.min(message.toIndex, log.lastIndex)
  while (top > log.base && log.at(top).kind === "damaged") top--
  let bottom = top + 1
  let bytes = 0
  while (bottom - 1 >= Math.max(message.fromIndex, log.base + 1)) {
    const entry = log.at(bottom - 1)
    bytes += entryBytes(entry)
    const full = bottom <= top && (bytes > limits.appendBytesMax || top - bottom + 2 > limits.appendEntriesMax)
    if (entry.kind === "damaged" || full) break
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
  const anchor = Math.min(hole.to + 1, log.lastIndex)
  const anchored = last.index === anchor && log.termAt(anchor) === last.term
  let filled = 0
  for (const entry of message.entries) {
    if (entry.index < hole.from || entry.index > hole.to || log.at(entry.index).kind !== "damaged") continue
    if (!anchored && entry.index > message.commit) continue
    fillHole(s, entry)
    filled++
  }
  if (filled > 0) s.repairRounds = 0
  if (anchored) hole.to = Math.max(first.index, hole.from) - 1
  while (hole.from <= hole.to && log.at(hole.from).kind !== "damaged") hole.from++
  const whole = hole.from > hole.to
  if (whole && (anchored || hole.to >= log.lastIndex)) {
    s.holes.shift()
    announceRepaired(s)
  }
}
