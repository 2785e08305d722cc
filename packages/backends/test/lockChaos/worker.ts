/** A process of the lock chaos: `worker.ts FILE NAME SEED FIBERS LEASE_MILLIS`. Tells its parent its sessions and how far it is. */
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as LockChaos from "@weft/domain/testing/LockChaos"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"

const [, , path, name, seed, fibers, lease] = process.argv as [string, string, string, string, string, string, string]

const told = { toStop: false }
process.on("message", () => (told.toStop = true))
const orphaned = (): never => process.exit(1)
process.on("disconnect", orphaned)

let asked = 0
const main = LockChaos.client({
  name,
  fibers: Number(fibers),
  prng: new Prng(Number(seed)),
  leaseMillis: Number(lease),
  shouldStop: () => {
    // Once per history.
    if (++asked % 20 === 0) process.send!({ done: 20 })
    return told.toStop
  },
  // Monotonic by the machine, whatever its wall clock says.
  nowMillis: () => Number(process.hrtime.bigint()) / 1e6,
  onSession: (session) => process.send!({ session, wall: Date.now() })
})

const tally = await Effect.runPromise(Effect.provide(main, Store.layer(FileBackend.layer({ path }))))
await new Promise<void>((go) => process.send!({ tally, done: asked % 20 }, () => go()))
process.off("disconnect", orphaned)
process.disconnect()
