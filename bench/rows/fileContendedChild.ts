/** A process of row 11: `fileContendedChild.ts FILE FIBERS SECONDS`. Says when it is ready, begins when told to, says how far it came. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DRef from "@weft/domain/DRef"
import * as Tx from "@weft/domain/Tx"
import { countUntil, onFile } from "./fileSupport.ts"

/** Bytes beside the number, so that the cell has about 1 kB. */
const PAD_BYTES = 1000
const Counted = Schema.Struct({ n: Schema.Int, pad: Schema.String })
export const counted = (n: number) => ({ n, pad: "x".repeat(PAD_BYTES) })
export const cell = DRef.make("cell", { value: Counted, initial: counted(0) })

const WARM_UP_SECONDS = 0.5

const run = (fibers: number, seconds: number) =>
  Effect.gen(function* () {
    let attempts = 0
    const one = Tx.transact(
      Effect.flatMap(cell.get, ({ n }) => {
        attempts += 1
        return cell.set(counted(n + 1))
      })
    )
    yield* cell.get
    yield* Effect.callback<void>((resume) => {
      process.once("message", () => resume(Effect.void))
      process.send!({ ready: true })
    })
    const sum = (counts: ReadonlyArray<number>) => counts.reduce((total, count) => total + count, 0)
    const body = () => () => one
    const warm = sum(yield* countUntil(body, fibers, performance.now() + WARM_UP_SECONDS * 1000))
    const timed = sum(yield* countUntil(body, fibers, performance.now() + seconds * 1000))
    // The others go on a little, so that nobody is alone in the time that counts.
    const after = sum(yield* countUntil(body, fibers, performance.now() + WARM_UP_SECONDS * 1000))
    yield* Effect.callback<void>((resume) => {
      process.send!({ all: warm + timed + after, timed, attempts }, () => resume(Effect.void))
    })
  })

if (process.argv[1] === import.meta.filename) {
  const [, , file, fibers, seconds] = process.argv as [string, string, string, string, string]
  await onFile(file, run(Number(fibers), Number(seconds)))
  process.disconnect()
}
