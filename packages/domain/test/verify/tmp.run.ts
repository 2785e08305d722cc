import * as Layer from "effect/Layer"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as FaultyBackend from "../../testing/FaultyBackend.ts"
import * as Workloads from "../../testing/Workloads.ts"
import { runOn } from "./support/runs.ts"
import * as Serializability from "../../testing/Serializability.ts"
let bad = 0
for (let seed = 1; seed <= 40; seed++) {
  const faults = FaultyBackend.make({ seed, rates: { delayRequest: 0.3, delayReply: 0.3, reorder: 0.1 } })
  const r = await runOn(faults.layer(Layer.succeed(Backend, MemoryBackend.make())), Workloads.opacity("bank", { accounts: 4 }), { seed, clients: 8, transactions: 25, attempts: true })
  const v = Serializability.check(r.history)
  if (r.problems.length) { if (bad++ < 3) console.log(seed, r.problems.length, r.problems[0]) }
  if (!v.ok) console.log(seed, Serializability.format(r.history, v).slice(0, 600))
}
console.log("bad seeds", bad)
