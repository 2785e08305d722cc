/**
 * Counts of what a run has met: faults by kind, messages by type, transitions, invariant checks.
 *
 * A fault that is configured but never happens proves nothing, so every fault counts itself where it *takes effect*
 * (a message really dropped, a write really torn), not where it is drawn.
 */

/** Every kind of fault the simulation makes. The list is closed: a report names those that a run did not reach. */
export const faultKinds = [
  "messageLost",
  "messageDoubled",
  "messageReordered",
  "messageStraggled",
  "messageBlocked",
  "messageSpoilt",
  "linkSlow",
  "linkClogged",
  "partitionSplit",
  "partitionOneWay",
  "partitionRing",
  "partitionBridge",
  "partitionIsolate",
  "partitionFlapping",
  "partitionAlongChange",
  "crash",
  "crashInWrite",
  "restart",
  "crashLoop",
  "cutOffLeaderFlooded",
  "pause",
  "clockSkew",
  "clockDrift",
  "diskSlow",
  "diskHung",
  "diskFull",
  "diskSyncFailed",
  "writeTorn",
  "writesLost",
  "entryFlipped",
  "snapshotFlipped",
  "snapshotPiecesLost",
  "diskLost",
  "diskRolledBack",
  "memberAdded",
  "memberRemoved",
  "memberReplaced",
  "memberDemoted",
  "leaderTransferred",
  "versionSwitched",
  "programTakenBack",
  "compactionForced",
  "connectionReset",
  "clientRetried",
  "replyLost",
  "aimedAtFreshLeader",
  "aimedAtMembershipChange",
  "aimedAtCompaction"
] as const

/** One kind of fault. */
export type FaultKind = (typeof faultKinds)[number]

/** Named counters; cheap enough for every message of a run. */
export class Tally {
  readonly counts = new Map<string, number>()

  add(name: string, amount = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + amount)
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0
  }

  merge(other: ReadonlyMap<string, number> | Readonly<Record<string, number>>): void {
    const entries = other instanceof Map ? other.entries() : Object.entries(other as Readonly<Record<string, number>>)
    for (const [name, amount] of entries) this.add(name, amount)
  }

  total(): number {
    let sum = 0
    for (const amount of this.counts.values()) sum += amount
    return sum
  }

  toRecord(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
