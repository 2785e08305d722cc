/**
 * Which life of the machine's memory this is. A commit that was not synced stands in memory that all processes of the
 * machine share: it survives them, and is lost with the machine's power alone. So a file that says in which life such
 * commits were made is whole in that life, and may have lost them in any other.
 */
import * as fs from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import type { CommitRequest } from "@weft/domain/core/Commit"

/** Linux's name of this boot; `undefined` where there is none: then all commits are synced. */
export const bootId = (): string | undefined => {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()
  } catch {
    return undefined
  }
}

const exists = (db: DatabaseSync): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'boot'").get() !== undefined

/** The boot in which commits were made that perhaps were never synced; `undefined` when there are none such. */
export const noted = (db: DatabaseSync): string | undefined => {
  const row = exists(db) ? db.prepare("SELECT id FROM boot").get() : undefined
  return row === undefined ? undefined : String(row["id"])
}

/** Says that such commits may be made in this boot. Must be on the disk before the first of them is made. */
export const note = (db: DatabaseSync, id: string): void => {
  forget(db)
  db.exec("CREATE TABLE boot (id TEXT NOT NULL)")
  db.prepare("INSERT INTO boot (id) VALUES (?)").run(id)
}

/** Says that all commits are on the disk, or that what was lost is counted as lost. */
export const forget = (db: DatabaseSync): void => db.exec("DROP TABLE IF EXISTS boot")

/** Whether a request asks for no sync: it says so, or writes nothing. */
export const isRelaxable = ({ durability, seal, writes }: CommitRequest): boolean =>
  durability === "relaxed" || (writes.length === 0 && seal !== true)
