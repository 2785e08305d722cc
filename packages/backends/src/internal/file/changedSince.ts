/** What changed between two versions, as a reply to a read names it. */
import type { Key } from "@weft/domain/core/Key"
import type { Recent } from "@weft/domain/core/Recent"
import type { Version } from "@weft/domain/core/Version"

/** Changed keys that a reply names at most; beyond it they are `unknown`. */
const changedKeysMax = 10_000

/** Keys changed in (at, version], in order, where the last commits are remembered that far. Cost: O(changes). */
export const changedSince = (recent: Recent, at: Version, to: Version): ReadonlyArray<Key> | "unknown" => {
  const keys = new Set<Key>()
  for (let version = at + 1; version <= to; version++) {
    for (const { key } of recent.changes(version)) keys.add(key)
    if (keys.size > changedKeysMax) return "unknown"
  }
  return [...keys].sort()
}
