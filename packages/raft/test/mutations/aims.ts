/**
 * Seeds aimed at a bug: a small cluster, few kinds of fault, many of them, and limits that make its place common. They
 * show that the place is reached, for bugs that no text scenario notices, and are the first thing to run after a change
 * of the simulation that makes general seeds miss one.
 */
import type { Overrides } from "../../testing/sim/Options.ts"

const reads = { reads: 0.9, leaseReads: 0, thinkMicros: 20_000, outstanding: 2 }
const leaseReads = { reads: 0.9, leaseReads: 1, thinkMicros: 20_000, outstanding: 2 }
const stragglers = { stragglers: 0.1, stragglerMaxMicros: 3_000_000 }
const smallLogs = { snapshotEntries: 3, keepEntries: 0, keepBytes: 0 }
const parts = { entryBytesMax: 16, commandBytesMax: 1 << 20, uncommittedBytesMax: 1 << 20, uncommittedEntriesMax: 4096 }

/** Old leaders write much that is lost, and appends come in small pieces, late and out of order. */
const divergent: Overrides = {
  network: { reordering: 0.5, stragglers: 0.05, stragglerMaxMicros: 300_000, doubling: 0.1, delayMaxMicros: 50_000 },
  limits: {
    appendEntriesMax: 1,
    windowMessages: 8,
    windowBytes: 1 << 20,
    uncommittedEntriesMax: 4096,
    requestsMax: 1024
  },
  clients: { count: 4, outstanding: 6, thinkMicros: 20_000, reads: 0 }
}

/** Logs stay whole and are mended entry by entry, not by snapshots. */
const longLogs: Overrides = {
  nodes: 3,
  spares: 0,
  limits: {
    appendEntriesMax: 4096,
    appendBytesMax: 65_536,
    snapshotEntries: 100_000,
    snapshotBytes: 1 << 20,
    uncommittedEntriesMax: 4096,
    uncommittedBytesMax: 1 << 20,
    entryBytesMax: 65_536
  },
  clients: { count: 4, outstanding: 2, thinkMicros: 100_000, reads: 0 }
}

const only = (faults: Overrides["faults"], rest: Overrides = {}): Overrides => ({
  onlyThese: true,
  faults: faults ?? {},
  aim: 0.5,
  ...rest
})

/** A minority whose disks lose much, again and again, tails that no leader has among it. */
const lostTails: Overrides = {
  nodes: 5,
  spares: 0,
  onlyThese: true,
  faults: { damage: 60, crash: 10, partition: 10 },
  minorityDamaged: true,
  limits: { snapshotEntries: 50, snapshotBytes: 1 << 20 }
}

export const aims: Readonly<Record<string, Overrides>> = {
  "hole-past-idle-leader": lostTails,
  "hole-cut-in-own-term": lostTails,
  "vote-not-stored": only({ crash: 20, campaign: 10, partition: 5 }),
  "vote-for-older-log": only({ crash: 10, campaign: 5, partition: 15 }),
  "promise-broken": only(
    { partition: 10, flap: 20, diskSlow: 20, pause: 10 },
    {
      nodes: 3,
      leases: true,
      network: stragglers,
      clients: leaseReads,
      limits: { electionTicks: 5, heartbeatTicks: 1 }
    }
  ),
  "restart-forgets-promise": only(
    { crash: 20, partition: 20 },
    { nodes: 3, spares: 0, aim: 0, leases: true, clients: leaseReads, limits: { electionTicks: 12, heartbeatTicks: 2 } }
  ),
  "old-replies-counted": only({ partition: 15, campaign: 20, crash: 5 }, { nodes: 3, network: stragglers }),
  "removed-voter-never-campaigns": only({ membership: 20, crash: 15, partition: 10 }, { aim: 0.8 }),
  "leader-counts-unsynced": only({ crash: 10, diskSlow: 10 }),
  "promise-ends-with-term": only(
    { crash: 20, pause: 15, partition: 10 },
    { nodes: 3, spares: 0, network: stragglers, limits: { electionTicks: 8, heartbeatTicks: 2 } }
  ),
  "acknowledged-too-far": only({ partition: 20, damage: 20 }, divergent),
  "committed-too-far": only({ partition: 20, damage: 20 }, divergent),
  "previous-entry-unchecked": only({ partition: 15, campaign: 10, crash: 5 }),
  "answer-to-earlier-life": only(
    { crash: 20 },
    {
      nodes: 3,
      spares: 0,
      network: { stragglers: 0.3, stragglerMaxMicros: 1_000_000 },
      clients: { count: 4, outstanding: 6, thinkMicros: 20_000, reads: 0 }
    }
  ),
  "read-before-term-commit": only({ campaign: 20, transfer: 10, partition: 5 }, { clients: reads }),
  "read-before-apply": only({ partition: 10, crash: 10 }, { clients: reads, limits: { applyEntriesMax: 1 } }),
  "read-joins-old-round": only({ partition: 15, pause: 10 }, { clients: reads }),
  "read-of-earlier-life": only({ crash: 20 }, { network: stragglers, clients: reads }),
  "lease-from-receipt": only(
    { slowLink: 20, clog: 10, partition: 10, pause: 10 },
    { leases: true, clients: leaseReads }
  ),
  "lease-ignores-drift": only({ clock: 20, partition: 15, pause: 10 }, { leases: true, clients: leaseReads }),
  "lease-forgets-outgoing": only({ membership: 20, partition: 15 }, { leases: true, clients: leaseReads, aim: 0.8 }),
  "lease-before-term-commit": only({ campaign: 20, transfer: 10, crash: 5 }, { leases: true, clients: leaseReads }),
  "lease-after-pause": only({ pause: 20, partition: 5 }, { leases: true, clients: leaseReads, aim: 0.8 }),
  "learner-counts": only({ membership: 20, partition: 10 }),
  "leader-outside-counts-itself": only({ membership: 20, partition: 10 }, { aim: 0.8 }),
  "snapshot-with-newest-members": only({ membership: 20, compact: 20, crash: 5 }, { limits: smallLogs }),
  "install-keeps-other-log": only({ partition: 15, campaign: 10, crash: 5 }, { limits: smallLogs }),
  "old-snapshot-installed": only(
    { crash: 20, partition: 20 },
    {
      nodes: 3,
      network: { doubling: 0.3, reordering: 0.5, stragglers: 0.2, stragglerMaxMicros: 500_000 },
      limits: { snapshotEntries: 20, snapshotBytes: 1 << 20, snapshotPieceBytes: 4096, keepEntries: 0, keepBytes: 0 },
      clients: { count: 4, outstanding: 2, thinkMicros: 20_000, reads: 0 }
    }
  ),
  "acts-while-installing": only({ crash: 5, diskSlow: 20, partition: 15 }, { limits: smallLogs }),
  "session-order-lost": only(
    { crash: 10, partition: 10 },
    { limits: { ...smallLogs, sessionsMax: 2 }, clients: { count: 4, thinkMicros: 20_000 } }
  ),
  "snapshot-inside-parts": only(
    { crash: 10, partition: 10 },
    { limits: { ...smallLogs, ...parts, applyEntriesMax: 1 }, clients: { paddingMax: 150, thinkMicros: 20_000 } }
  ),
  "parts-of-deposed-leader": only(
    { crash: 10, partition: 15, campaign: 10 },
    { limits: { ...parts, appendEntriesMax: 1 }, clients: { paddingMax: 150, thinkMicros: 20_000 } }
  ),
  "persisted-too-early": only({ crash: 10 }),
  "version-not-in-snapshot": only({ version: 15, compact: 10, crash: 10 }, { limits: smallLogs }),
  "failed-sync-ignored": only({ diskFail: 20 }),
  "repair-takes-uncommitted": only({ damage: 20, partition: 20, crash: 5 }, longLogs),
  "cut-tail-counts": only({ diskSlow: 20, campaign: 20, partition: 10 }),
  "read-forgets-outgoing": only({ membership: 20, partition: 15 }, { clients: reads, aim: 0.8 }),
  "hole-is-durable": only({ damage: 20, partition: 20 }, { aim: 0.2 }),
  "old-tail-taken-for-match": only({ diskRolledBack: 20, partition: 15, campaign: 5 }),
  "older-snapshot-asked": only(
    { damage: 20, compact: 10 },
    { limits: { snapshotEntries: 50, snapshotBytes: 1 << 20, keepEntries: 1000, keepBytes: 1 << 20 } }
  ),
  "repair-unconfirmed": only({ damage: 20, partition: 20, crash: 5 }, longLogs),
  "damaged-tail-votes": only({ damage: 20, crash: 10, campaign: 10 }),
  "old-disk-unnoticed": only({ diskRolledBack: 20, campaign: 5 })
}
