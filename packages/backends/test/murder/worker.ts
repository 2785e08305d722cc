/** A process of the murder test: `worker.ts FILE JOURNAL NAME SEED`. Tells its parent each transaction before and after. */
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"
import { work } from "./load.ts"

const [, , path, journal, name, seed] = process.argv as [string, string, string, "wal" | "rollback", string, string]
const prng = new Prng(Number(seed))
const draw = (n: number): number => prng.below(n)

const told = { toStop: false }
process.on("message", () => (told.toStop = true))
const orphaned = (): never => process.exit(1)
process.on("disconnect", orphaned)

const say = (message: object): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    process.send!(message, () => resume(Effect.void))
  })

const main = Effect.gen(function* () {
  yield* say({ ready: name })
  for (let n = 0; !told.toStop; n++) {
    yield* say({ begin: `${name}:${n}` })
    // The same draws in every attempt of one transaction are not needed: what counts is what took effect.
    yield* work(`${name}:${n}`, draw)
    yield* say({ ack: `${name}:${n}` })
  }
})

await Effect.runPromise(Effect.provide(main, Store.layer(FileBackend.layer({ path, journal }))))
process.off("disconnect", orphaned)
process.disconnect()
