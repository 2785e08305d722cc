/**
 * The load of the murder test: a bank, a ring and a queue, each transaction with an entry in a ledger and one on a counter,
 * so that afterwards one can tell which commits are there, and that none is there twice.
 */
import { Effect, Option, Schema } from "effect"
import * as DCounter from "@weft/domain/DCounter"
import * as DMap from "@weft/domain/DMap"
import * as DQueue from "@weft/domain/DQueue"
import * as Tx from "@weft/domain/Tx"

export const accounts = 8
export const ringSize = 16
export const openingBalance = 1000

export const bank = DMap.make("bank", { key: Schema.Int, value: Schema.Int })
export const ring = DMap.make("ring", { key: Schema.Int, value: Schema.Int })
export const inbox = DQueue.make("inbox", { value: Schema.String })
/** Items taken, by whom. */
export const taken = DMap.make("taken", { key: Schema.String, value: Schema.String })
/** `worker:number` of every transaction that took effect, and what it was. */
export const ledger = DMap.make("ledger", { key: Schema.String, value: Schema.String })
export const commits = DCounter.make("commits")

export const setUp = Tx.fn("setUp")(function* () {
  for (let i = 0; i < accounts; i++) yield* bank.set(i, openingBalance)
  for (let i = 0; i < ringSize; i++) yield* ring.set(i, (i + 1) % ringSize)
})

const at = (map: typeof bank, key: number) =>
  Effect.map(
    map.get(key),
    Option.getOrElse(() => Number.NaN)
  )

const transfer = Effect.fnUntraced(function* (draw: (n: number) => number) {
  const from = draw(accounts)
  const to = draw(accounts)
  const amount = 1 + draw(50)
  const balance = yield* at(bank, from)
  if (from === to || balance < amount) return "nothing"
  yield* bank.set(from, balance - amount)
  yield* bank.set(to, (yield* at(bank, to)) + amount)
  return "transfer"
})

/** Takes three nodes in a row, a to b to c to d, and makes them a to c to b to d: a ring stays a ring. */
const rotate = Effect.fnUntraced(function* (draw: (n: number) => number) {
  const a = draw(ringSize)
  const b = yield* at(ring, a)
  const c = yield* at(ring, b)
  const d = yield* at(ring, c)
  yield* ring.set(a, c)
  yield* ring.set(c, b)
  yield* ring.set(b, d)
  return "rotate"
})

/** One transaction of a worker. What it did, once it is on the disk. */
export const work = Tx.fn("work")(function* (id: string, draw: (n: number) => number) {
  const kind = draw(4)
  let did: string = "nothing"
  if (kind === 0) did = yield* transfer(draw)
  else if (kind === 1) did = yield* rotate(draw)
  else if (kind === 2) {
    yield* inbox.offer(id)
    did = "offer"
  } else {
    const item = yield* inbox.poll
    if (Option.isSome(item)) {
      const before = yield* taken.set(item.value, id)
      if (Option.isSome(before)) return yield* Effect.die(new Error(`the item ${item.value} was taken twice`))
      did = "take"
    }
  }
  yield* ledger.set(id, did)
  yield* commits.add(1)
  return did
})
