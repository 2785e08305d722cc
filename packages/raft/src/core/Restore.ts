/** A node's state from what its disk gave back. */
import {
  Configurations,
  decodeConfiguration,
  emptyConfiguration,
  encodeConfiguration,
  normalConfiguration
} from "./Configurations.ts"
import { appendToLog } from "./Disk.ts"
import { invariant } from "./invariant.ts"
import { damagedEntry, entryBytes, Log, makeEntry, TERM_UNKNOWN } from "./Log.ts"
import { resetElectionTimer } from "./Role.ts"
import { State } from "./State.ts"
import { RECOVER_UNKNOWN, type RaftOptions, type Restored } from "./Types.ts"

/** A disk that says "joining" is not empty: with a bootstrap configuration it must not begin a cluster of its own. */
const isEmpty = (restored: Restored): boolean =>
  restored.hardState.term === 0 &&
  restored.hardState.recoverTo === 0 &&
  restored.snapshot === undefined &&
  restored.entries.length === 0 &&
  restored.damaged.length === 0

export const restore = (options: RaftOptions, restored: Restored): State => {
  const s = new State(options)
  const { electionTicks, heartbeatTicks } = s.limits
  invariant(
    electionTicks > heartbeatTicks,
    "electionTicks exceeds heartbeatTicks",
    () => `${electionTicks} <= ${heartbeatTicks}`
  )
  resetElectionTimer(s)
  // A start forgets when a leader was heard last, so it counts as heard now: its lease holds, and a disk that was lost or
  // went back is told by that leader before it votes.
  s.contactAt = s.now
  if (isEmpty(restored)) begin(s, options)
  else resume(s, restored)
  return s
}

/** An empty disk: the first entry of a new cluster, or nothing. */
const begin = (s: State, options: RaftOptions): void => {
  if (options.bootstrap === undefined) {
    s.recoverTo = RECOVER_UNKNOWN
    s.hardDirty = true
    return
  }
  const configuration = normalConfiguration(options.bootstrap)
  s.term = 1
  s.hardDirty = true
  appendToLog(s, makeEntry(1, 1, "configuration", encodeConfiguration(configuration)))
  s.configurations.append(1, configuration)
  s.commit = 1
}

const resume = (s: State, restored: Restored): void => {
  const { hardState, snapshot } = restored
  s.term = hardState.term
  s.restoredTerm = hardState.term
  s.vote = hardState.vote
  s.recoverTo = hardState.recoverTo
  if (snapshot !== undefined) {
    s.snapshot = snapshot
    s.configurations = new Configurations({ index: snapshot.configurationIndex, configuration: snapshot.configuration })
  } else s.configurations = new Configurations({ index: 0, configuration: emptyConfiguration })
  fillLog(s, restored)
  const base = snapshot?.index ?? 0
  s.needsSnapshot = restored.snapshotDamaged
  s.applied = restored.snapshotDamaged ? 0 : base
  s.commit = Math.max(base, Math.min(hardState.commit, s.log.lastIndex))
  s.commitStored = s.commit
  s.durable = (s.holes[0]?.origin ?? s.log.lastIndex + 1) - 1
  s.handed = s.log.lastIndex
  for (const { from, to } of restored.damaged) s.events.push({ _tag: "DamageFound", from, to })
  s.repairing = s.holes.length > 0
}

/** Entries and holes in order of index. */
const fillLog = (s: State, restored: Restored): void => {
  const { damaged, entries, snapshot, tail } = restored
  const base = snapshot?.index ?? 0
  const holes = damaged
    .map(({ from, to }) => ({ from: Math.max(from, base + 1), to }))
    .filter(({ from, to }) => from <= to)
    .sort((a, b) => a.from - b.from)
  // Of the tail kept below the snapshot that is of use which reaches up to it whole.
  let start = base
  for (let at = entries.findLastIndex(({ index }) => index <= base); entries[at]?.index === start; at--) start--
  // What is not taken back need not stay on the disk, damage in it least of all.
  if (start > 0 && ((entries[0]?.index ?? Infinity) <= start || damaged.some(({ from }) => from <= start))) {
    s.compactPending = start
  }
  s.log = new Log(start, start === base ? (snapshot?.term ?? 0) : TERM_UNKNOWN)
  for (const entry of entries) {
    if (entry.index <= start) continue
    addHoles(s, holes, entry.index - 1)
    s.log.append(entry)
    if (entry.index <= base) s.keptBytes += entryBytes(entry)
    else if (entry.kind === "configuration") s.configurations.append(entry.index, decodeConfiguration(entry.data))
  }
  addHoles(s, holes, tail?.index ?? Infinity)
  if (s.holes.length > 0 && tail !== undefined && tail.index === s.log.lastIndex) s.log.lastTerm = tail.term
  invariant(
    tail === undefined || tail.index <= s.log.lastIndex,
    "the storage gives its whole log or names the damage",
    () => `tail ${tail?.index}, last entry ${s.log.lastIndex}`
  )
}

/** Stands for the lost entries up to `until` in the log. */
const addHoles = (s: State, holes: Array<{ from: number; to: number }>, until: number): void => {
  while (holes.length > 0 && (holes[0] as { from: number }).from === s.log.lastIndex + 1 && s.log.lastIndex < until) {
    const { from, to } = holes.shift() as { from: number; to: number }
    for (let index = from; index <= Math.min(to, until); index++) s.log.append(damagedEntry(index))
    const previous = s.holes[s.holes.length - 1]
    const end = Math.min(to, until)
    if (previous !== undefined && previous.to + 1 === from) previous.to = previous.end = end
    else s.holes.push({ origin: from, from, to: end, end })
  }
}
