/** Whoever is interrupted at any operation of a transaction is out of it: what it does after that is a transaction of its own. */
import { assert, describe, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as DCounter from "../../src/DCounter.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import { atEveryYield } from "../../testing/Interruptions.ts"

describe("a transaction that is interrupted at any of its operations", () => {
  it("leaves no attempt behind that a finalizer would write to", async () => {
    const done = DCounter.make("done")
    const ended = DCounter.make("ended")
    let victims = 0
    const strikes = await Effect.runPromise(
      Effect.gen(function* () {
        const struck = yield* atEveryYield((victim) =>
          Effect.gen(function* () {
            const begun = { isBegun: false }
            const self = Effect.uninterruptibleMask((restore) => {
              begun.isBegun = true
              return Effect.onExit(restore(Tx.transact(done.increment)), () => Effect.orDie(ended.increment))
            })
            yield* Fiber.await(yield* victim(self))
            if (begun.isBegun) victims++
          })
        )
        assert.strictEqual(yield* ended.get, victims)
        return struck
      }).pipe(Effect.provide(Store.layerMemory))
    )
    assert.isAbove(strikes, 2)
  })
})
