/**
 * A process that does nothing but wait for a change of a store: `waitWorker.ts FILE`. No `runMain` and no timer of its own
 * keeps it alive. Prints a line before it waits and one with what it has seen.
 */
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as Cells from "@weft/domain/testing/Cells"
import * as Tx from "@weft/domain/Tx"
import * as FileBackend from "../../src/FileBackend.ts"

if (process.argv[1] === import.meta.filename) {
  const seen = Tx.transact(
    Effect.gen(function* () {
      const value = yield* Cells.get("k")
      if (value !== undefined) return value
      yield* Effect.sync(() => process.stdout.write("waits\n"))
      return yield* Tx.retry
    })
  )
  // An hour between two looks: a wake-up is an event, and what holds the process is no work that ends by itself.
  const layer = Store.layer(FileBackend.layer({ path: process.argv[2]!, pollMillis: 3_600_000 }))
  process.stdout.write(`saw ${String(await Effect.runPromise(Effect.provide(seen, layer)))}\n`)
}
