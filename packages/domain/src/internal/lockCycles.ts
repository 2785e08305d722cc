/**
 * Whether a wait in a store would never end [18, 19]: the graph of who waits for whom, read as far as it can be reached
 * from one request. A request that need not wait reads no more than its own look for a grant.
 *
 * Edges: a request that waits leads to everyone who keeps it waiting; one that is held leads to those that its flow waits
 * for elsewhere, which stand among the records of the same session.
 */
import { type Key, prefixEnd } from "../core/Key.ts"
import * as Cells from "../core/LockCells.ts"
import type { Range } from "../core/Commit.ts"
import * as Rules from "../core/LockRules.ts"
import { type Unlock, willOf } from "../core/SessionCells.ts"
import { blocker, opposedRanges, type Standing, standingsIn } from "./lockOps.ts"
import type { TxView } from "./TxView.ts"

/**
 * A cycle of waits through a request, from it on; `undefined` when there is none without a younger request, which is to
 * give way then. Cost: the tickets in the way of each request that can be reached, and the records of its session.
 */
export const cycleThrough = (tx: TxView, recordKey: Key, sid: string): ReadonlyArray<Standing> | undefined => {
  const record = tx.get(recordKey)
  if (record === undefined) return undefined
  const stamp = Cells.stampOf(recordKey)
  const start: Standing = { sid, stamp, recordKey, will: willOf(record) as Unlock }
  const graph = new Graph(tx, start)
  return graph.blockers(start).length === 0 ? undefined : Rules.cycleThrough(start, (standing) => graph.next(standing))
}

class Graph {
  private readonly tx: TxView
  private readonly start: Standing
  /** Each request is one node of the graph, however often it is met. */
  private readonly known = new Map<Key, Standing>()

  constructor(tx: TxView, start: Standing) {
    this.tx = tx
    this.start = start
    this.known.set(start.recordKey, start)
  }

  /** Younger ones than the start are left out: a cycle with one of them is its own to break. */
  next(standing: Standing): ReadonlyArray<Standing> {
    const { stamp, will } = standing
    const before = will.upgrades === undefined ? stamp : undefined
    this.tx.prefetch([], [...opposedRanges(will.tree, will.nodes, before), recordsOf(standing.sid)])
    return [...this.blockers(standing), ...this.waitingOfFlow(standing)].filter(
      ({ stamp }) => stamp <= this.start.stamp
    )
  }

  /** An upgrade waits as its conversion does: for all before its base, and for later ones that are granted. */
  blockers(standing: Standing): ReadonlyArray<Standing> {
    const { upgrades } = standing.will
    if (upgrades === undefined) return this.opposed(standing, standing.stamp)
    return this.opposed(standing).filter(
      (other) =>
        other.stamp < upgrades ||
        (other.stamp > upgrades && other.will.upgrades === undefined && !this.isBlocked(other))
    )
  }

  private isBlocked({ stamp, will }: Standing): boolean {
    return blocker(this.tx, will.tree, will.nodes, stamp) !== undefined
  }

  /** Requests that exclude one on a node, all or those before a stamp. */
  private opposed({ stamp, will }: Standing, before?: Key): ReadonlyArray<Standing> {
    const found = new Set<Standing>()
    for (const other of standingsIn(this.tx, will.tree, opposedRanges(will.tree, will.nodes, before))) {
      if (other !== undefined && other.stamp !== stamp) found.add(this.one(other))
    }
    return [...found]
  }

  /** Requests that wait and were made by the flow that holds one. */
  private waitingOfFlow({ sid, stamp, will }: Standing): ReadonlyArray<Standing> {
    return this.tx.range(recordsOf(sid)).flatMap(({ key, value }) => {
      const theirs = willOf(value) as Unlock
      if (theirs.tree !== will.tree || !theirs.holding.includes(stamp)) return []
      const one = this.one({ sid, stamp: Cells.stampOf(key), recordKey: key, will: theirs })
      return theirs.upgrades !== undefined || this.isBlocked(one) ? [one] : []
    })
  }

  private one(standing: Standing): Standing {
    const known = this.known.get(standing.recordKey)
    if (known === undefined) this.known.set(standing.recordKey, standing)
    return known ?? standing
  }
}

/** Where the requests of a session stand. */
const recordsOf = (sid: string): Range => {
  const start = Cells.recordPrefix(sid)
  return { start, end: prefixEnd(start) }
}
