/**
 * Code versions of commands, switched by a log entry (rolling upgrade): first all nodes get the new code, then one entry
 * switches it on everywhere at the same place of the log. `Replica.ts` carries the version in force.
 */
import { decodeNumber } from "./Configurations.ts"
import type { State } from "./State.ts"
import type { RefusedReason } from "./Types.ts"

/** A version that some member cannot apply would stop that member: refused until all have told that they can. */
export const versionRefused = (s: State, data: Uint8Array): RefusedReason | undefined => {
  if (data.length !== 8) return "VersionUnsupported"
  const version = decodeNumber(data)
  for (const peer of s.progress.values()) {
    if (!peer.leaving && peer.supports < version) return "VersionUnsupported"
  }
  return undefined
}
