/** What change streams read: the commits of the log after a version. */
import type { CommitRecord } from "@weft/domain/core/Commit"
import type { Version } from "@weft/domain/core/Version"
import type { LogRow } from "./Database.ts"
import { decodeBatch } from "./logCodec.ts"

/** The commits after `from` that rows of the log hold, and the version they reach. */
export const commitsAfter = (
  from: Version,
  rows: ReadonlyArray<LogRow>
): { readonly records: ReadonlyArray<CommitRecord>; readonly to: Version } => {
  const records: Array<CommitRecord> = []
  let to = from
  for (const row of rows) {
    for (const { resolvedBelow: _, ...record } of decodeBatch(row.body).commits) {
      if (record.version > from) records.push(record)
    }
    to = Math.max(to, row.version)
  }
  return { records, to }
}
