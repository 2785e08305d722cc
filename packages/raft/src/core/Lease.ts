/**
 * Leases (thesis 6.4.1): a leader that a majority has answered lately knows that no other can have been elected, because
 * those voters refuse votes for `electionTicks` after they heard it (`Election.leaderHeard`).
 *
 * The lease counts from the SENDING of what they answered, on the leader's clock, and is shortened by the named bound on
 * clock drift (`leaseDriftBound`) and by one tick for clocks that are read in whole ticks. It does not stand while a
 * leadership transfer may be under way in this term.
 */
import type { Progress } from "./Progress.ts"
import { reachedByQuorum } from "./Quorum.ts"
import type { State } from "./State.ts"

export const leaseStands = (s: State): boolean => {
  if (s.role !== "leader" || s.leaseTicks <= 0 || s.leaseBroken || s.commit < s.termStart) return false
  const answered = reachedByQuorum(s.halves, (peer: Progress) => (peer === s.self ? s.now : peer.stamp))
  return s.now < answered + s.leaseTicks
}
