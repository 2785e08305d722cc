/** Runs long work on a file in a thread of its own, as an Effect. */
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as StoreError from "@weft/domain/StoreError"
import type { Journal } from "./openFile.ts"
import type { Integrity } from "./maintenance.ts"

export type Task =
  | { readonly _tag: "integrity"; readonly path: string; readonly journal: Journal }
  | { readonly _tag: "backup"; readonly path: string; readonly journal: Journal; readonly to: string }
  | { readonly _tag: "restore"; readonly path: string; readonly from: string }

export type Outcome =
  | { readonly _tag: "Done"; readonly integrity: Integrity }
  | { readonly _tag: "Failed"; readonly reason: { readonly _tag: string; readonly message: string } }

const workerUrl = new URL(
  import.meta.url.endsWith(".ts") ? "./maintenanceWorker.ts" : "./maintenanceWorker.js",
  import.meta.url
)

/** Interruption ends the thread; what it was making stands beside as `.part`. */
export const perform = (task: Task): Effect.Effect<Integrity, StoreError.StoreError> =>
  Effect.callback<Integrity, StoreError.StoreError>((resume) => {
    const worker = new Worker(workerUrl, { workerData: task, name: `weft-file-${task._tag}` })
    worker.once("message", (outcome: Outcome) =>
      resume(outcome._tag === "Done" ? Effect.succeed(outcome.integrity) : Effect.fail(revive(outcome.reason)))
    )
    worker.once("error", (error) => resume(Effect.fail(revive({ _tag: "Unavailable", message: error.message }))))
    return Effect.promise(() => worker.terminate())
  })

const decodeReason = Schema.decodeUnknownExit(StoreError.Reason)

/** Threads pass no classes: the reason is built again. */
const revive = (reason: { readonly _tag: string; readonly message: string }): StoreError.StoreError => {
  const exit = decodeReason(reason)
  return StoreError.make(exit._tag === "Success" ? exit.value : new StoreError.Unavailable({ message: reason.message }))
}
