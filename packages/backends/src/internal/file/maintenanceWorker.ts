/** The thread in which long work on a file runs; one task a thread. */
import { parentPort, workerData } from "node:worker_threads"
import { Database } from "./Database.ts"
import * as Maintenance from "./maintenance.ts"
import type { Outcome, Task } from "./Maintainer.ts"
import * as SqliteError from "./sqliteError.ts"

/** A thread may stand still for a lock, in milliseconds. */
const lockMillis = 10_000

const run = (task: Task): Maintenance.Integrity => {
  if (task._tag === "restore") return Maintenance.restore(task.from, task.path)
  const database = new Database({ path: task.path, journal: task.journal, pageBytes: 4096, version: 0, lockMillis })
  try {
    return task._tag === "backup" ? Maintenance.backup(database, task.to) : Maintenance.integrity(database)
  } finally {
    database.close()
  }
}

const task = workerData as Task
let outcome: Outcome
try {
  outcome = { _tag: "Done", integrity: run(task) }
} catch (error) {
  const { reason } = SqliteError.describe(task.path, `at the task "${task._tag}"`, error)
  outcome = { _tag: "Failed", reason: { ...reason, _tag: reason._tag, message: reason.message } }
}
parentPort!.postMessage(outcome)
