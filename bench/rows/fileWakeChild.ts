/** The process that waits in `fileWake.ts`: `fileWakeChild.ts FILE ROUNDS`. Tells when it saw each number. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DRef from "@weft/domain/DRef"
import * as Tx from "@weft/domain/Tx"
import { onFile } from "./fileSupport.ts"

export const number = DRef.make("number", { value: Schema.Int, initial: 0 })

/** Milliseconds on a clock that all processes of the machine share. */
export const now = (): number => performance.timeOrigin + performance.now()

const wait = (rounds: number) =>
  Effect.gen(function* () {
    process.send!({ ready: true })
    for (let n = 1; n <= rounds; n++) {
      yield* Tx.transact(Effect.flatMap(number.get, (found) => (found >= n ? Effect.void : Tx.retry)))
      process.send!({ n, at: now() })
    }
  })

if (process.argv[1] === import.meta.filename) {
  const [, , file, rounds] = process.argv as [string, string, string, string]
  // Waiting for others keeps no process alive; listening to the parent does.
  process.on("message", () => {})
  await onFile(file, wait(Number(rounds)))
  process.disconnect()
}
