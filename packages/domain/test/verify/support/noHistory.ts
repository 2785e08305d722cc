/** A store that cannot read the past, as most over a network: it answers as of now and names what changed since, or does not know. */
import * as Effect from "effect/Effect"
import type { Backend } from "../../../src/Backend.ts"
import type { Key } from "../../../src/core/Key.ts"
import type { Version } from "../../../src/core/Version.ts"
import { Prng } from "../../../testing/Prng.ts"

type Service = Backend["Service"]

/** Share of the reads at an older version of which it does not know what changed since. */
const unknownRate = 0.2

/** The store in memory without its history and its synchronous lane. */
export const withoutHistory = (memory: Service, seed: number): Service => {
  const prng = new Prng(seed)
  const commits: Array<{ readonly version: Version; readonly keys: ReadonlyArray<Key> }> = []
  memory.sync!.watch(({ changes, version }) => commits.push({ version, keys: changes.map(({ key }) => key) }))
  const changedSince = (at: Version): ReadonlyArray<Key> => {
    const keys = new Set<Key>()
    for (let i = commits.length - 1; i >= 0 && commits[i]!.version > at; i--) {
      for (const key of commits[i]!.keys) keys.add(key)
    }
    return [...keys]
  }
  return {
    capabilities: { ...memory.capabilities, name: "without history", history: false },
    commit: (requests) => memory.commit(requests),
    changes: (request) => memory.changes(request),
    outcome: (id) => memory.outcome(id),
    read: ({ at, keys, ranges }) =>
      Effect.map(memory.read({ keys, ranges }), (reply) => {
        if (at === undefined || at === reply.version) return reply
        return { ...reply, changed: prng.chance(unknownRate) ? "unknown" : changedSince(at) }
      })
  }
}
