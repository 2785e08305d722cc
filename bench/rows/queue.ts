/**
 * `DQueue`: one offer and one take, with nothing waiting and with a million items waiting. Beside it Effect's `TxQueue`, which
 * does the same in one process. With a million items each take meets an item that no cache holds any more.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TxQueue from "effect/TxQueue"
import * as DQueue from "@weft/domain/DQueue"
import { effectRate, type Row, type Subject } from "../lib.ts"
import { onMemory } from "./ours.ts"
import { must } from "./peers.ts"

const MANY = 1_000_000
const ITEMS_A_TRANSACTION = 5_000

const subject = (waiting: number): Subject => ({
  name: `DQueue offer + take, ${waiting.toLocaleString("en")} waiting`,
  run: (seconds) => {
    const queue = DQueue.make("queue", { value: Schema.Int })
    let offered = 0
    let taken = 0
    const pair = Effect.gen(function* () {
      yield* queue.offer(offered++)
      must((yield* queue.take) === taken++, "an item came out of turn")
    })
    const program = Effect.gen(function* () {
      for (let from = 0; from < waiting; from += ITEMS_A_TRANSACTION) {
        const length = Math.min(ITEMS_A_TRANSACTION, waiting - from)
        yield* queue.offerAll(Array.from({ length }, () => offered++))
      }
      const value = yield* effectRate(pair, seconds)
      const size = yield* queue.size
      must(size === waiting, `${size} items wait instead of ${waiting}`)
      return { value }
    })
    return onMemory(program)
  }
})

const txQueue: Subject = {
  name: "TxQueue.unbounded offer + take",
  run: (seconds) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const queue = yield* TxQueue.unbounded<number>()
        let offered = 0
        let taken = 0
        const pair = Effect.gen(function* () {
          yield* TxQueue.offer(queue, offered++)
          must((yield* TxQueue.take(queue)) === taken++, "an item came out of turn")
        })
        return { value: yield* effectRate(pair, seconds) }
      })
    )
}

export const row: Row = {
  id: "queue",
  title: "DQueue, short and long",
  workloads: [
    { name: "offer and take, nothing else waiting", unit: "perSecond", ours: subject(0), peer: txQueue },
    {
      name: "offer and take, a million waiting, against none",
      unit: "perSecond",
      ours: subject(MANY),
      peer: subject(0),
      targets: [{ of: "peer", floor: 0.5, aim: 0.7 }]
    }
  ]
}
