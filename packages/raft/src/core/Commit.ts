/**
 * The commit rule (paper 5.3, 5.4.2): an entry is committed when a majority of every half of the configuration in force
 * has it durably and it is of the leader's own term; with it everything before. The leader counts itself by what is durable
 * at it, as any follower, so its own slow disk delays nothing.
 */
import { entryBytes } from "./Log.ts"
import { configurationCommitted } from "./Membership.ts"
import type { Progress } from "./Progress.ts"
import { reachedByQuorum } from "./Quorum.ts"
import type { State } from "./State.ts"
import { invariant } from "./invariant.ts"
import type { Index } from "./Types.ts"

const matchOf = (peer: Progress): Index => peer.match

/** Leader: moves the commit index as far as it may go. True if it moved. */
export const advanceCommit = (s: State): boolean => {
  const index = reachedByQuorum(s.halves, matchOf)
  if (index <= s.commit || s.log.termAt(index) !== s.term) return false
  commitTo(s, index)
  if (s.configurationPending && s.configurations.inForce.index <= s.commit) configurationCommitted(s)
  return true
}

const committedBytes = (s: State, index: Index): number => {
  let bytes = 0
  for (let at = s.commit + 1; at <= index; at++) bytes += entryBytes(s.log.at(at))
  return bytes
}

/** Raises the commit index; the hint on the disk follows with the next write. */
export const commitTo = (s: State, index: Index): void => {
  if (index <= s.commit) return
  invariant(index <= s.log.lastIndex, "only what is in the log is committed", () => `${index} > ${s.log.lastIndex}`)
  if (s.role === "leader") {
    if (index === s.log.lastIndex) s.uncommittedBytes = 0
    else s.uncommittedBytes = Math.max(0, s.uncommittedBytes - committedBytes(s, index))
  }
  s.commit = index
}

/** The leader's own writes have become durable. */
export const countOwnLog = (s: State): void => {
  if (s.self === undefined || s.durable <= s.self.match) return
  s.self.match = s.durable
  s.self.next = s.durable + 1
  advanceCommit(s)
}
