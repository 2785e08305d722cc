/**
 * Rules of entries: Log Matching, State Machine Safety, and what stands in the place of entries that a disk has lost. One
 * array of what is committed; each node is compared only over what it newly wrote or committed.
 */
import type { Entry, Index, PersistWork, Term } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"
import type { ObservedNode } from "./Observed.ts"
import { ReplicaInvariants } from "./ReplicaInvariants.ts"

export interface Committed {
  readonly term: Term
  readonly entry: Entry | undefined
  /** Term of the node that first knew it to be committed. */
  readonly committedIn: Term
}

/** Same command at the same place? Entries usually are one object everywhere; else their bytes are compared. */
const sameEntry = (a: Entry, b: Entry): boolean => {
  if (a === b) return true
  if (a.kind !== b.kind || a.session !== b.session || a.sequence !== b.sequence || a.data.length !== b.data.length) {
    return false
  }
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) return false
  return true
}

/** One number for index and term. */
const placeOf = ({ index, term }: Entry): number => term * 4_194_304 + index

export abstract class LogInvariants extends ReplicaInvariants {
  /** Place `i` is index `i + 1`. */
  protected readonly committed: Array<Committed> = []
  /** By index and term: the entry, and the term of the entry before it. */
  private readonly written = new Map<number, { readonly entry: Entry; readonly previous: Term | undefined }>()

  /** Highest index that any node knew to be committed. */
  override get commitIndex(): Index {
    return this.committed.length
  }

  /** The committed entry at an index, if any node has handed it out. */
  committedAt(index: Index): { readonly term: Term; readonly entry: Entry | undefined } | undefined {
    return this.committed[index - 1]
  }

  /** What a disk is given: entries, cuts, and what fills holes. */
  protected persists(node: ObservedNode, { entries }: PersistWork): void {
    for (const entry of entries) this.appended(node, entry)
    for (const [i, { index, term }] of entries.entries()) {
      const lost = node.durable.lost(index)
      invariant(
        lost === undefined || lost === term || this.committed[index - 1]?.term !== lost,
        "a committed entry that the disk has lost is mended by itself (Alagappan 2018)",
        () => `${node.id} puts an entry of term ${term} at ${index}, where the committed one of term ${lost} stood`
      )
      // The end of what is written must join what stands behind it.
      if (entries[i + 1]?.index === index + 1) continue
      const next = node.raft.entry(index + 1)
      const previous = next === undefined ? undefined : this.written.get(placeOf(next))?.previous
      invariant(
        previous === undefined || previous === term,
        "entries of one index and term are the same, and so is the log before them (Log Matching: paper, figure 3)",
        () => `${node.id} puts term ${term} at ${index}, before an entry that follows term ${String(previous)}`
      )
    }
  }

  /** Log Matching (paper, figure 3), by induction: an entry of one index and term is one entry after one term, everywhere. */
  private appended({ id, raft }: ObservedNode, entry: Entry): void {
    this.checks++
    invariant(
      entry.kind !== "damaged",
      "an entry that the disk has lost is never stored (Alagappan 2018)",
      () => `${id}, index ${entry.index}`
    )
    const previous = raft.termOf(entry.index - 1)
    const key = placeOf(entry)
    const known = this.written.get(key)
    if (known === undefined) {
      this.written.set(key, { entry, previous })
      return
    }
    invariant(
      sameEntry(known.entry, entry) &&
        (previous === undefined || known.previous === undefined || previous === known.previous),
      "entries of one index and term are the same, and so is the log before them (Log Matching: paper, figure 3)",
      () => `${id} has another entry ${entry.index} of term ${entry.term} (${entry.kind} against ${known.entry.kind})`
    )
    if (known.previous === undefined && previous !== undefined) this.written.set(key, { entry, previous })
  }

  /** State Machine Safety (paper, figure 3), and that commitment rests on quorums. */
  protected commits(node: ObservedNode, entry: Entry): void {
    this.checks++
    const { index, term } = entry
    invariant(
      entry.kind !== "damaged",
      "an entry that the disk has lost is never applied (Alagappan 2018)",
      () => `${node.id}, index ${index}`
    )
    const known = this.committed[index - 1]
    if (known !== undefined) {
      invariant(
        known.term === term && (known.entry === undefined || sameEntry(known.entry, entry)),
        "no two nodes commit different entries at one index (State Machine Safety: paper, figure 3)",
        () => `${node.id} commits ${index} of term ${term} (${entry.kind}), before it was term ${known.term}`
      )
      return
    }
    invariant(
      index === this.committed.length + 1,
      "an entry is committed with all before it (paper, 5.3)",
      () => `${node.id} commits ${index} after ${this.committed.length}`
    )
    this.committed.push({ term, entry, committedIn: node.raft.term })
  }
}
