/** What the processes of the chaos test share: the space, the ledger, and how a taker consumes. */
import { Effect, Option, Schema } from "effect"
import * as DMap from "@weft/domain/DMap"
import * as Tx from "@weft/domain/Tx"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import { any } from "@weft/tuplespace/TupleSpace"

export const spaceName = "work"
export const space = StoreTupleSpace.make(spaceName, {
  tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]),
  returnsMax: 1e9
})

/** Tuples consumed in a transaction, and how often. */
export const ledger = DMap.make("ledger", { key: Schema.Int, value: Schema.Int })

const enter = (n: number) =>
  Effect.flatMap(ledger.get(n), (times) => ledger.set(n, Option.getOrElse(times, () => 0) + 1))

export type Way = "take" | "lease" | "join"

/** Consumes one tuple: `note` outlives the process. A lease is done, and a joined take made, in one step with the ledger. */
export const consume = (way: Way, isDropped: boolean, note: (n: number) => void) => {
  switch (way) {
    case "take":
      return Effect.map(space.take(["job", any]), ([, n]) => note(n))
    case "lease":
      return Effect.scoped(
        Effect.flatMap(space.takeLeased(["job", any]), ({ done, tuple }) =>
          isDropped ? Effect.void : Tx.transact(Effect.andThen(done, enter(tuple[1])))
        )
      )
    case "join":
      return Tx.transact(Effect.flatMap(space.take(["job", any]), ([, n]) => enter(n)))
  }
}
