/**
 * A worker process of a fleet: `workerProcess.ts ORDER` with an order in JSON. Tells its parent its figures, and ends when it
 * is told to or when the parent is gone. Ctrl-C is the parent's to hear.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Backends from "@weft/backends/Backends"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { Order } from "./Fleet.ts"
import { Workers } from "./Worker.ts"

/** Time between two reports, in milliseconds. */
const REPORT_MILLIS = 20

const told = Deferred.makeUnsafe<void>()
const stop = (): void => void Deferred.doneUnsafe(told, Effect.void)
process.on("message", stop)
process.on("disconnect", stop)
process.on("SIGINT", () => {})
process.on("SIGTERM", stop)

const main = Effect.gen(function* () {
  const { fibers, leaseMillis, root, run, store } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Order))(
    process.argv[2]
  )
  const workers = new Workers(root, run)
  let last = ""
  const report = Effect.map(workers.tally, (tally) => {
    const text = JSON.stringify(tally)
    if (text === last || !process.connected) return
    last = text
    // What cannot be sent any more has nobody who reads it.
    process.send?.(tally, () => {})
  })
  const reporting = Effect.forever(Effect.andThen(report, Effect.sleep(REPORT_MILLIS)))
  yield* Effect.raceFirst(Effect.raceFirst(workers.forever(fibers), reporting), Deferred.await(told)).pipe(
    Effect.provide(Layer.merge(Store.layer(Backends.layer(store)), NodeServices.layer)),
    Effect.provideService(Sessions.Lease, Duration.millis(leaseMillis))
  )
})

const exit = await Effect.runPromiseExit(main)
if (Exit.isFailure(exit)) {
  const error = Cause.squash(exit.cause)
  process.stderr.write(error instanceof Error && "_tag" in error ? error.message : Cause.pretty(exit.cause))
  process.exitCode = 1
}
if (process.connected) process.disconnect()
