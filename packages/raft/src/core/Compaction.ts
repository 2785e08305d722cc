/**
 * When to make a snapshot and how much of the log to drop (paper, section 7). By count and by bytes (20 MB
 * commands fill the memory long before a count does), by command, and never what a live follower still needs as long as
 * that stays within `keepEntries` and `keepBytes`: else every hiccup becomes a snapshot.
 */
import { entryBytes } from "./Log.ts"
import { isActive, type State } from "./State.ts"
import type { Index } from "./Types.ts"

/** Above this multiple of the limits a snapshot is made although one is being sent. */
const HARD_FACTOR = 4

const sending = (s: State): boolean => {
  for (const peer of s.peers) if (peer.transfer !== undefined && isActive(s, peer)) return true
  return false
}

/** It is time for a snapshot of what has been applied, and all of that is durable. */
export const snapshotDue = (s: State): boolean => {
  if (s.snapshotAsked > 0 || s.installing !== undefined || s.needsSnapshot || s.failed) return false
  const entries = s.applied - (s.snapshot?.index ?? 0)
  if (entries <= 0 || s.applied > s.durable || s.now < s.snapshotNotBefore) return false
  if (s.compactAsked) return true
  const { snapshotBytes, snapshotEntries } = s.limits
  const bytes = s.bytesSinceSnapshot
  if (entries < snapshotEntries && bytes < snapshotBytes) return false
  return !sending(s) || entries >= snapshotEntries * HARD_FACTOR || bytes >= snapshotBytes * HARD_FACTOR
}

/** Closes the turn: the index that a snapshot is asked for; 0: none. */
export const wantSnapshot = (s: State): Index => {
  if (!snapshotDue(s)) return 0
  s.compactAsked = false
  s.snapshotAsked = s.applied
  return s.applied
}

const bytesBetween = (s: State, from: Index, to: Index): number => {
  let bytes = 0
  for (let index = Math.max(from, s.log.base + 1); index <= to; index++) bytes += entryBytes(s.log.at(index))
  return bytes
}

/** The snapshot that was asked for could not be made, or is no newer than the one there is: again, but not at once. */
export const snapshotFailed = (s: State): void => {
  s.snapshotAsked = 0
  s.snapshotNotBefore = s.now + s.limits.electionTicks
}

/** A snapshot of `index` is durable: it may stand for the log up to there. */
export const snapshotMade = (s: State, index: Index, bytes: number): void => {
  snapshotFailed(s)
  if (index <= (s.snapshot?.index ?? 0) || index > s.applied || index <= s.log.base) return
  s.snapshotNotBefore = s.now
  const at = s.configurations.at(index)
  s.snapshot = {
    index,
    term: s.log.termAt(index),
    configuration: at.configuration,
    configurationIndex: at.index,
    bytes
  }
  s.configurations.compactTo(index)
  s.bytesSinceSnapshot = bytesBetween(s, index + 1, s.applied)
  s.keptBytes = s.log.bytes - s.bytesSinceSnapshot - bytesBetween(s, s.applied + 1, s.log.lastIndex)
  compactLog(s)
}

/** Lowest index that some live follower still needs after it; followers of others keep what the limits allow. */
const neededAfter = (s: State): Index => {
  if (s.role !== "leader") return 0
  let needed = Infinity
  for (const peer of s.peers) {
    if (peer.transfer !== undefined) needed = Math.min(needed, peer.transfer.meta.index)
    else if (isActive(s, peer)) needed = Math.min(needed, peer.match)
  }
  return needed
}

/** Drops the log up to the snapshot, less what is kept. */
export const compactLog = (s: State): void => {
  const { limits, log, snapshot } = s
  if (snapshot === undefined || log.base >= snapshot.index) return
  const needed = neededAfter(s)
  // The common case first: nobody alive needs anything of it.
  let target = needed >= snapshot.index ? snapshot.index : log.base
  let kept = target === log.base ? s.keptBytes : 0
  while (target < snapshot.index) {
    const within = snapshot.index - target <= limits.keepEntries && kept <= limits.keepBytes
    if (target >= needed && within) break
    target++
    kept -= entryBytes(log.at(target))
  }
  if (target === log.base) return
  s.keptBytes = Math.max(0, kept)
  log.compactTo(target)
  s.compactPending = target
}
