/**
 * Options for runs that count branches: most seeds are aimed at states that drawn options reach seldom. Pure data; a
 * profile is a set of overrides like any other, so a seed replays with `--set` and the profile printed with it.
 */
import type { Overrides } from "./Options.ts"

/** By what each one is after. The empty ones leave a third of the seeds as they are drawn. */
const profiles: ReadonlyArray<Overrides> = [
  {},
  // Damage, with leaders that change: holes filled by one leader and confirmed or cut by another.
  { onlyThese: true, faults: { damage: 20, partition: 15, crash: 10 }, aim: 0.5, safetyMicros: 15_000_000 },
  // Damage while members change, over the codec.
  { onlyThese: true, faults: { damage: 20, membership: 10, partition: 10, campaign: 5 }, codec: true },
  {},
  // Everything is compacted at once: snapshots for every hiccup, in the middle of damage.
  {
    onlyThese: true,
    faults: { damage: 10, partition: 20, campaign: 10, crash: 5, diskSlow: 5 },
    limits: { snapshotEntries: 3, keepEntries: 0, keepBytes: 0, appendEntriesMax: 1 }
  },
  // Several damaged disks that ask each other.
  {
    nodes: 5,
    spares: 0,
    onlyThese: true,
    faults: { damage: 60, crash: 10, partition: 10 },
    minorityDamaged: true,
    limits: { snapshotEntries: 50, snapshotBytes: 1 << 20 }
  },
  // Old disks, whose node hears of its loss more than once before the first entry comes.
  {
    onlyThese: true,
    faults: { diskRolledBack: 20, campaign: 3 },
    network: { delayMinMicros: 15_000, delayMaxMicros: 30_000, reordering: 0.5 },
    clients: { thinkMicros: 400_000, count: 1 },
    limits: { heartbeatTicks: 1, electionTicks: 15 }
  },
  // New leaders that cannot commit while requests run out of time: disks that hang below the limit.
  {
    onlyThese: true,
    faults: { diskHang: 30, campaign: 20, partition: 5 },
    limits: { requestTicks: 3, diskHangTicks: 30 },
    clients: { reads: 0.6, outstanding: 6 }
  },
  // Versions, members and disks that fail, with transfers between.
  { onlyThese: true, faults: { version: 20, membership: 10, crash: 10, diskFail: 10, transfer: 10, stop: 5 } }
]

/** The profile of a seed: seeds take turns. */
export const coverageProfile = (seed: number): Overrides => profiles[seed % profiles.length] as Overrides
