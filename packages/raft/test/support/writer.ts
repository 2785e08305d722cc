/**
 * A process that writes to a log in its worker thread, several writes in flight, and prints the number of each one that was
 * acknowledged. Ends when a write fails: prints the reason, and that of the next call.
 */
import { Result } from "effect"
import { openWorker } from "../../src/SqliteLogStorage.ts"
import { entry, hardState, work } from "../../testing/logStorage/support.ts"

const log = await openWorker({ path: process.argv[2]! })
let next = 1
let failed = false

const write = (): void => {
  const number = next++
  const entries = [entry(2 * number - 1, number, 500), entry(2 * number, number, 500)]
  log.persist([work({ hardState: hardState(number, "me"), entries })], (result) => {
    if (Result.isSuccess(result)) {
      process.stdout.write(`${number}\n`)
      return write()
    }
    if (failed) return
    failed = true
    const reason = result.failure.reason
    const kind = reason._tag === "IoFailed" ? ` ${reason.kind}` : ""
    process.stdout.write(`${reason._tag}${kind}\n`)
    log.persist([], (later) => {
      process.stdout.write(`then ${Result.isFailure(later) ? later.failure.reason._tag : "success"}\n`)
      process.exit(0)
    })
  })
}

for (let inFlight = 0; inFlight < 4; inFlight++) write()
