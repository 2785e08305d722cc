/** A process of the lock chaos: `worker.ts FILE NAME SEED FIBERS LEASE_MILLIS`. Tells its parent its sessions and how far it is. */
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as LockChaos from "@weft/domain/testing/LockChaos"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"

/** Time between two words on the oldest history that has not ended. */
const tellMillis = 2000

/** Histories between two words on what became of them. */
const tellEvery = 20

const [, , path, name, seed, fibers, lease] = process.argv as [string, string, string, string, string, string, string]

let isToldToStop = false
process.on("message", () => (isToldToStop = true))
const orphaned = (): never => process.exit(1)
process.on("disconnect", orphaned)

/** When each fiber began the history that it is at. */
const begun = new Map<number, number>()
// Monotonic by the machine, whatever its wall clock says.
const nowMillis = (): number => Number(process.hrtime.bigint()) / 1e6
const oldestMillis = (): number => nowMillis() - Math.min(nowMillis(), ...begun.values())
// A history that never ends is noticed while others go on.
const telling = setInterval(() => process.send!({ oldestMillis: oldestMillis() }), tellMillis)

let asked = 0
let told = 0
const main = LockChaos.client({
  name,
  fibers: Number(fibers),
  prng: new Prng(Number(seed)),
  leaseMillis: Number(lease),
  shouldStop: () => isToldToStop,
  onBegin: (fiber, tally) => {
    begun.set(fiber, nowMillis())
    if (++asked - told < tellEvery) return
    process.send!({ done: asked - told, tally })
    told = asked
  },
  nowMillis,
  onSession: (session) => process.send!({ session, wall: Date.now() })
})

const tally = await Effect.runPromise(Effect.provide(main, Store.layer(FileBackend.layer({ path }))))
clearInterval(telling)
await new Promise<void>((go) => process.send!({ tally, done: asked - told }, () => go()))
process.off("disconnect", orphaned)
process.disconnect()
