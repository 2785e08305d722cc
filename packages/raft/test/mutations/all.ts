/** Every known bug that is put back, in the order of the table in docs/MUTATIONS-RAFT.md. */
import { aims } from "./aims.ts"
import { elections } from "./elections.ts"
import { memberships } from "./membership.ts"
import type { Mutation } from "./Mutation.ts"
import { readsAndLeases } from "./reads.ts"
import { replication } from "./replication.ts"
import { snapshotsAndSessions } from "./snapshots.ts"
import { storageAndRepair } from "./storage.ts"

const listed: ReadonlyArray<Mutation> = [
  ...elections,
  ...replication,
  ...readsAndLeases,
  ...memberships,
  ...snapshotsAndSessions,
  ...storageAndRepair
]

export const mutations: ReadonlyArray<Mutation> = listed.map((mutation) => {
  const aimed = aims[mutation.id]
  return aimed === undefined ? mutation : { ...mutation, aimed }
})
