/**
 * What is durable, and what waits for it (thesis 10.2.1).
 *
 * The driver writes numbered works in order. A message that tells persistent state is held until the work that contains
 * that state is durable: `holdForLog` waits for everything so far, `holdForHard` for term and vote alone (so a read round
 * does not wait for a large append). A truncation lowers what the works in flight can still make durable: an old write
 * that ends late never counts for a tail that was cut and written again.
 *
 * While the disk hangs nothing more is held (an answer that late helps nobody, and a hang has no bound): the leader asks
 * again with its heartbeats.
 */
import { invariant } from "./invariant.ts"
import type { Fifo, Outbox } from "./Fifo.ts"
import type { Held, State } from "./State.ts"
import type { Entry, Index, Message, PersistWork } from "./Types.ts"

export const holdForLog = (s: State, message: Message): void => void s.newForLog.push(message)

export const holdForHard = (s: State, message: Message): void => void s.newForHard.push(message)

/** A new term: what was held speaks for the old one, and must not be said any more. */
export const dropHeld = (s: State): void => {
  s.heldForLog.clear()
  s.heldForHard.clear()
  s.newForLog.take()
  s.newForHard.take()
  s.ack = undefined
}

export const appendToLog = (s: State, entry: Entry): void => {
  s.log.append(entry)
  if (entry.index < s.dirtyFrom) s.dirtyFrom = entry.index
}

/** Deletes the log from `from` on, in memory, on the disk to come, and in what writes in flight stand for. */
export const truncateLog = (s: State, from: Index): void => {
  invariant(from > s.commit, "a committed entry is never truncated", () => `${from} <= commit ${s.commit}`)
  s.log.truncateFrom(from)
  if (from < s.dirtyFrom) s.dirtyFrom = from
  s.durable = Math.min(s.durable, from - 1)
  for (const write of s.writes) write.lastIndex = Math.min(write.lastIndex, from - 1)
  s.matched = Math.min(s.matched, from - 1)
}

export const hasPersistWork = (s: State): boolean =>
  s.hardDirty || s.dirtyFrom !== Infinity || s.filled.length > 0 || s.compactPending > 0

const noEntries: ReadonlyArray<Entry> = []

const isRun = (entries: ReadonlyArray<Entry>, length = entries.length): boolean =>
  length === 0 || (entries[length - 1] as Entry).index === (entries[0] as Entry).index + length - 1

/**
 * What fills holes, with the new tail behind it: a write is one run of indexes. Where the two do not touch, all from the first on
 * is written anew, in the same atomic step. With a hole still open in between only the first run goes: nothing that
 * waits for this write speaks of what lies beyond the hole, and the rest goes with the next one.
 */
const withFilled = (
  s: State,
  tail: ReadonlyArray<Entry>
): { readonly entries: ReadonlyArray<Entry>; readonly truncateFrom?: Index } => {
  const { dirtyFrom, log } = s
  const known = new Map<Index, Entry>()
  for (const entry of s.filled) if (entry.index < dirtyFrom && entry.index > log.base) known.set(entry.index, entry)
  const filled = [...known.values()].sort((a, b) => a.index - b.index)
  s.filled = []
  const first = filled[0]?.index
  if (first === undefined) return { entries: tail }
  const joined = [...filled, ...tail]
  if (isRun(joined)) return { entries: joined }
  const anew = log.range(first, log.lastIndex)
  if (anew.every(({ kind }) => kind !== "damaged")) return { entries: anew, truncateFrom: first }
  invariant(tail.length === 0, "nothing is appended beyond a hole", () => `${dirtyFrom} of ${log.lastIndex}`)
  let length = 1
  while (isRun(filled, length + 1)) length++
  s.filled = filled.slice(length)
  return { entries: filled.slice(0, length) }
}

/** Gathers everything that is not yet with the disk into one work. */
export const takePersistWork = (s: State): PersistWork | undefined => {
  if (!hasPersistWork(s)) return undefined
  const { log } = s
  const tail = s.dirtyFrom <= log.lastIndex ? log.slice(s.dirtyFrom, Infinity, Infinity) : noEntries
  const truncateFrom = s.dirtyFrom <= s.handed ? s.dirtyFrom : 0
  const joined = s.filled.length > 0 ? withFilled(s, tail) : undefined
  const work: PersistWork = {
    write: ++s.lastWrite,
    hardState:
      s.hardDirty || s.commit > s.commitStored
        ? { term: s.term, vote: s.vote, commit: s.commit, recoverTo: s.recoverTo }
        : undefined,
    truncateFrom: joined?.truncateFrom ?? truncateFrom,
    entries: joined?.entries ?? tail,
    compactTo: s.compactPending
  }
  if (s.hardDirty) s.lastHardWrite = work.write
  // What a lost entry hides is not durable, whatever stands behind it.
  const lastIndex = (s.holes[0]?.origin ?? log.lastIndex + 1) - 1
  s.writes.push({ write: work.write, lastIndex, at: s.now })
  s.hardDirty = false
  s.commitStored = s.commit
  s.dirtyFrom = Infinity
  s.handed = log.lastIndex
  s.compactPending = 0
  return work
}

const hold = (s: State, messages: Outbox<Message>, held: Fifo<Held>, write: number): void => {
  if (messages.isEmpty) return
  for (const message of messages.take()) {
    if (write <= s.persistedWrite) s.messages.push(message)
    else if (!s.diskHung) held.push({ write, message })
  }
}

/** One message that waits for everything so far, after `takePersistWork`. */
export const holdNow = (s: State, message: Message): void => {
  if (s.lastWrite <= s.persistedWrite) s.messages.push(message)
  else if (!s.diskHung) s.heldForLog.push({ write: s.lastWrite, message })
}

/** Dates the messages that this turn has held; sends those whose state is durable already. */
export const closeHeld = (s: State): void => {
  hold(s, s.newForLog, s.heldForLog, s.lastWrite)
  hold(s, s.newForHard, s.heldForHard, s.lastHardWrite)
}

const release = (s: State, held: Fifo<Held>): void => {
  for (let one = held.first; one !== undefined && one.write <= s.persistedWrite; one = held.first) {
    s.messages.push(one.message)
    held.drop()
  }
}

/** Everything up to work `write` is durable. */
export const persisted = (s: State, write: number): void => {
  invariant(write <= s.lastWrite, "only a write that was asked for is reported", () => `${write} > ${s.lastWrite}`)
  s.persistedWrite = Math.max(s.persistedWrite, write)
  const { writes } = s
  for (let one = writes.first; one !== undefined && one.write <= write; one = writes.first) {
    s.durable = Math.max(s.durable, one.lastIndex)
    writes.drop()
  }
  release(s, s.heldForLog)
  release(s, s.heldForHard)
}
