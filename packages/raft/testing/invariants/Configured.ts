/**
 * Rules of configurations: the one in force is the last one of the log, neighbours share a majority, at most one is not
 * committed, and a leader begins none before an entry of its term is committed (thesis 4.1, 4.3; Ongaro, raft-dev 2015).
 */
import type { Configuration, Index, NodeId } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"
import type { ObservedNode } from "./Observed.ts"

const halves = ({ outgoing, voters }: Configuration): ReadonlyArray<string> => {
  const names = (ids: ReadonlyArray<NodeId>): string => [...ids].sort().join()
  return outgoing.length === 0 ? [names(voters)] : [names(voters), names(outgoing)]
}

export class Configured {
  /** Another configuration came in force. `highestCommit`: of all nodes. */
  changed({ id, raft }: ObservedNode, highestCommit: Index): void {
    const { configurations, damaged } = raft.snapshot()
    const commit = Math.max(highestCommit, raft.commit)
    const open = configurations.filter(({ index }) => index > commit)
    invariant(
      open.length <= 1,
      "a log holds at most one uncommitted configuration (thesis 4.1)",
      () => `${id} has ${open.map(({ index }) => index)} above ${commit}`
    )
    const [before, last] = configurations.slice(-2)
    // What a hole hides may stand between the two.
    if (before === undefined || last === undefined || before.index === 0 || damaged.length > 0) return
    const known = halves(before.configuration)
    invariant(
      halves(last.configuration).some((half) => known.includes(half)),
      "two configurations that follow each other decide by a common set of voters (thesis 4.1, 4.3)",
      () => `${id} has ${known.join(" & ")} at ${before.index}, then ${halves(last.configuration).join(" & ")}`
    )
    invariant(
      raft.role !== "leader" || raft.termOf(last.index) !== raft.term || raft.termOf(raft.commit) === raft.term,
      "a leader changes no configuration before it has committed an entry of its term (Ongaro, raft-dev 2015)",
      () => `${id}, leader of term ${raft.term}, has committed up to ${raft.commit}`
    )
  }

  /** After every turn. */
  inForce({ id, raft }: ObservedNode): void {
    const { index } = raft.configuration
    const entry = raft.entry(index)
    invariant(
      index <= raft.lastIndex && (entry === undefined || entry.kind === "configuration"),
      "the configuration in force is one of the log: what is cut off is undone (thesis 4.1)",
      () => `${id} follows the one at ${index}, its log ends at ${raft.lastIndex}, there stands ${entry?.kind}`
    )
  }
}
