/**
 * Majorities of simple and joint configurations (thesis 4.3). A configuration is given as its halves: one list of voters,
 * or two while it is joint; a decision needs a majority of each half. Pure.
 */

import { invariant } from "./invariant.ts"

/** Smallest number of voters that is a majority of `size`. */
export const majority = (size: number): number => Math.floor(size / 2) + 1

export type VoteResult = "won" | "lost" | "pending"

const half = (voters: ReadonlyArray<string>, votes: ReadonlyMap<string, boolean>): VoteResult => {
  let granted = 0
  let refused = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === true) granted++
    else if (vote === false) refused++
  }
  if (granted >= majority(voters.length)) return "won"
  return refused > voters.length - majority(voters.length) ? "lost" : "pending"
}

/** Won if every half is won, lost if one is. An empty half (no configuration known) never wins. */
export const voteResult = (
  halves: ReadonlyArray<ReadonlyArray<string>>,
  votes: ReadonlyMap<string, boolean>
): VoteResult => {
  let result: VoteResult = "won"
  for (const voters of halves) {
    const one = half(voters, votes)
    if (one === "lost") return "lost"
    if (one === "pending") result = "pending"
  }
  return result
}

/** The largest value that a majority of `members` has reached. Cost O(n log n), without garbage for n <= 3. */
const reachedByHalf = <T>(members: ReadonlyArray<T>, value: (member: T) => number): number => {
  const size = members.length
  if (size === 1) return value(members[0] as T)
  if (size === 3) {
    const a = value(members[0] as T)
    const b = value(members[1] as T)
    const c = value(members[2] as T)
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
  }
  const scratch = members.map(value)
  scratch.sort((left, right) => right - left)
  return scratch[majority(size) - 1] as number
}

/** The largest value that a majority of every half has reached. */
export const reachedByQuorum = <T>(halves: ReadonlyArray<ReadonlyArray<T>>, value: (member: T) => number): number => {
  invariant(halves.length > 0, "a decision is of voters", () => "no set of them")
  let reached = Infinity
  for (const members of halves) {
    invariant(members.length > 0, "a decision is of voters", () => "an empty set")
    reached = Math.min(reached, reachedByHalf(members, value))
  }
  return reached
}
