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
import type { Held, State, WriteInFlight } from "./State.ts"
import type { Entry, Index, Message, PersistWork } from "./Types.ts"

export const holdForLog = (s: State, message: Message): void => void s.newForLog.push(message)

export const holdForHard = (s: State, message: Message): void => void s.newForHard.push(message)

/** A new term: what was held speaks for the old one, and must not be said any more. */
export const dropHeld = (s: State): void => {
  s.heldForLog = []
  s.heldForHard = []
  s.newForLog = []
  s.newForHard = []
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

/** Gathers everything that is not yet with the disk into one work. */
export const takePersistWork = (s: State): PersistWork | undefined => {
  if (!hasPersistWork(s)) return undefined
  const { log } = s
  const tail = s.dirtyFrom <= log.lastIndex ? log.slice(s.dirtyFrom, Infinity, Infinity) : []
  const filled =
    s.filled.length === 0 ? s.filled : s.filled.filter(({ index }) => index < s.dirtyFrom && index > log.base)
  const joined = filled.length === 0 ? tail : [...filled, ...tail]
  // What fills holes and what is appended may not touch: then all from the first on is written anew, in the same atomic step.
  const first = joined[0]?.index ?? 0
  const isBroken = filled.length > 0 && joined.some(({ index }, i) => index !== first + i)
  const rewritten = isBroken ? log.slice(first, Infinity, Infinity) : joined
  const isSound = !isBroken || rewritten.every(({ kind }) => kind !== "damaged")
  const truncateFrom = s.dirtyFrom <= s.handed ? s.dirtyFrom : 0
  const work: PersistWork = {
    write: ++s.lastWrite,
    hardState:
      s.hardDirty || s.commit > s.commitStored
        ? { term: s.term, vote: s.vote, commit: s.commit, recoverTo: s.recoverTo }
        : undefined,
    truncateFrom: isBroken && isSound ? first : truncateFrom,
    entries: isSound ? rewritten : joined,
    compactTo: s.compactPending
  }
  if (s.hardDirty) s.lastHardWrite = work.write
  s.writes.push({ write: work.write, lastIndex: log.lastIndex, at: s.now })
  s.hardDirty = false
  s.commitStored = s.commit
  s.dirtyFrom = Infinity
  s.handed = log.lastIndex
  if (s.filled.length > 0) s.filled = []
  s.compactPending = 0
  return work
}

const hold = (s: State, messages: ReadonlyArray<Message>, held: Array<Held>, write: number): void => {
  for (const message of messages) {
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
  if (s.newForLog.length > 0) {
    hold(s, s.newForLog, s.heldForLog, s.lastWrite)
    s.newForLog = []
  }
  if (s.newForHard.length > 0) {
    hold(s, s.newForHard, s.heldForHard, s.lastHardWrite)
    s.newForHard = []
  }
}

const release = (s: State, held: Array<Held>): Array<Held> => {
  if (held.length === 0) return held
  let count = 0
  while (count < held.length && (held[count] as Held).write <= s.persistedWrite) {
    s.messages.push((held[count] as Held).message)
    count++
  }
  if (count === 0) return held
  return count === held.length ? [] : held.slice(count)
}

/** Everything up to work `write` is durable. */
export const persisted = (s: State, write: number): void => {
  invariant(write <= s.lastWrite, "only a write that was asked for is reported", () => `${write} > ${s.lastWrite}`)
  if (write <= s.persistedWrite) return
  s.persistedWrite = write
  const { writes } = s
  let done = 0
  while (done < writes.length && (writes[done] as WriteInFlight).write <= write) {
    s.durable = Math.max(s.durable, (writes[done] as WriteInFlight).lastIndex)
    done++
  }
  if (done === writes.length) writes.length = 0
  else writes.splice(0, done)
  s.heldForLog = release(s, s.heldForLog)
  s.heldForHard = release(s, s.heldForHard)
}
