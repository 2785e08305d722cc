/**
 * Commits that were not synced stand in memory that all processes of the machine share. They survive the processes, but not
 * the power, and not a sync that failed: then the system forgets what it had to write, whether anybody was told or not. So
 * the file says, synced, that there may be such commits, before the first of them is made. Who finds the file alone and
 * its write-ahead log left behind counts them as lost; after a clean close nothing is said any more.
 */
import type { DatabaseSync } from "node:sqlite"
import type { CommitRequest } from "@weft/domain/core/Commit"

/** Whether the file says that commits may not have been synced, and whether they count as lost. */
export const noted = (db: DatabaseSync): { readonly isLost: boolean } | undefined => {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'relaxed'").get() === undefined) return undefined
  return { isLost: db.prepare("SELECT 1 FROM relaxed WHERE lost = 1").get() !== undefined }
}

/** Says that such commits may be made. Must be on the disk before the first of them is made. */
export const note = (db: DatabaseSync): void => {
  if (noted(db) === undefined) db.exec("CREATE TABLE relaxed (lost INTEGER NOT NULL); INSERT INTO relaxed VALUES (0)")
}

/** Says that those of before may be lost: the next opening begins a new epoch. Call it alone with the file. */
export const lose = (db: DatabaseSync): void => {
  if (noted(db)?.isLost === false) db.exec("UPDATE relaxed SET lost = 1")
}

/** Says that all commits are on the disk, or that what was lost is counted as lost. */
export const forget = (db: DatabaseSync): void => db.exec("DROP TABLE IF EXISTS relaxed")

/** Whether a request asks for no sync: it says so, or writes nothing. */
export const isRelaxable = ({ durability, seal, writes }: CommitRequest): boolean =>
  durability === "relaxed" || (writes.length === 0 && seal !== true)
