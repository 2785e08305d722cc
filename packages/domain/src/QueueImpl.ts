/** The operations of `DQueue` (its interface and laws are in `DQueue.ts`). */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Changes from "./Changes.ts"
import { type Access, type Collection, millisOf } from "./Collection.ts"
import { withDeadline, withDeliveries } from "./core/Envelope.ts"
import { type Key, prefixEnd, type Stamp } from "./core/Key.ts"
import { decodePart } from "./core/KeyDecode.ts"
import type { Value } from "./core/Value.ts"
import type { Delivery, DQueue, OfferOptions } from "./DQueue.ts"
import { type Item, retry, type TxView } from "./internal/TxView.ts"
import * as Items from "./Items.ts"
import { QueueCells } from "./QueueCells.ts"
import * as Deliveries from "./QueueDeliveries.ts"
import { InvalidInput, make as storeError } from "./StoreError.ts"

/** Items that one take, poll or change of dead letters moves at most: it must fit into one request. */
const bulkMax = 10_000

const checkCount = (what: string, count: number, least: number): number => {
  if (Number.isSafeInteger(count) && count >= least && count <= bulkMax) return count
  throw storeError(
    new InvalidInput({
      message: `${what} must be a whole number of ${least} to ${bulkMax}, not ${count}. Nothing was taken`
    })
  )
}

export class QueueImpl<A> implements DQueue<A, any> {
  readonly name: string
  readonly base: Collection<A>
  readonly cells: QueueCells
  readonly #strategy: "suspend" | "dropping" | "sliding"
  readonly #capacity: number

  constructor(
    base: Collection<A>,
    capacity: number | undefined,
    strategy: "suspend" | "dropping" | "sliding",
    deliveriesMax: number
  ) {
    this.name = base.name
    this.base = base
    this.cells = new QueueCells(base, capacity, deliveriesMax)
    this.#strategy = strategy
    this.#capacity = capacity ?? Number.POSITIVE_INFINITY
  }

  // Offers -----------------------------------------------------------------------------------------------------------

  #encode(access: Access, value: A, options: OfferOptions | undefined): Value {
    const encoded = this.base.encode(access, value, this.cells.items)
    const deadline = this.base.deadline(access.tx, options?.timeToLive)
    return deadline === undefined ? encoded : withDeadline(encoded, deadline)
  }

  /** Offers as many as the strategy lets in; gives how many that are. */
  #offer(access: Access, values: ReadonlyArray<A>, options: OfferOptions | undefined, strategy: string): number {
    const { cells } = this
    const { tx } = access
    const encoded = values.map((value) => this.#encode(access, value, options))
    const delay = millisOf(options?.delay)
    const due = delay === undefined ? undefined : tx.nowMillis() + delay
    if (cells.capacity === undefined) {
      for (const value of encoded) cells.append(tx, value, undefined, due)
      return encoded.length
    }
    let shards = cells.reserve(tx, encoded.length)
    if (shards.length < encoded.length && strategy === "suspend") {
      if (encoded.length > this.#capacity) throw this.#neverFits(encoded.length)
      throw retry
    }
    let first = 0
    if (shards.length < encoded.length && strategy === "sliding") {
      first = Math.max(0, encoded.length - this.#capacity)
      const missing = encoded.length - first - shards.length
      for (const { key } of missing > 0 ? cells.victims(tx, missing) : []) cells.remove(tx, key)
      if (missing > 0) shards = [...shards, ...cells.reserve(tx, missing)]
    }
    for (let i = 0; i < shards.length; i++) cells.append(tx, encoded[first + i]!, shards[i], due)
    return first + shards.length
  }

  #neverFits(count: number) {
    return storeError(
      new InvalidInput({
        message: `${count} items can never have room in queue ${JSON.stringify(this.name)} of capacity ${this.#capacity}. Nothing was offered`
      })
    )
  }

  offer(value: A, options?: OfferOptions) {
    return this.base.operation("offer", (access) => this.#offer(access, [value], options, this.#strategy) === 1)
  }

  offerIfRoom(value: A, options?: OfferOptions) {
    return this.base.operation("offerIfRoom", (access) => this.#offer(access, [value], options, "dropping") === 1)
  }

  offerAll(values: Iterable<A>, options?: OfferOptions) {
    const given = Array.from(values)
    return this.base.operation("offerAll", (access): ReadonlyArray<A> =>
      given.slice(this.#offer(access, given, options, this.#strategy))
    )
  }

  // Takes ------------------------------------------------------------------------------------------------------------

  #decode(access: Access, items: ReadonlyArray<Item>): ReadonlyArray<A> {
    return this.base.decodeAll(access, items, (item) => this.base.decode(access, item.value, item.key))
  }

  #take(access: Access, min: number, max: number): ReadonlyArray<A> {
    const items = this.cells.next(access.tx, max)
    if (items.length < min) this.wait(access.tx)
    const values = this.#decode(access, items)
    for (const { key } of items) this.cells.remove(access.tx, key)
    return values
  }

  /** Waits for an offer, or for the next delayed item to be due. */
  wait(tx: TxView): never {
    const due = this.cells.nextDue(tx)
    if (due !== undefined) tx.wakeAt(due)
    throw retry
  }

  get take() {
    return this.base.operation("take", (access) => this.#take(access, 1, 1)[0]!)
  }

  takeN(count: number) {
    return this.base.operation("takeN", (access) => {
      checkCount("the number to take", count, 0)
      return this.#take(access, count, count)
    })
  }

  takeBetween(min: number, max: number) {
    return this.base.operation("takeBetween", (access) => {
      checkCount("the least number to take", min, 0)
      return this.#take(access, min, checkCount("the greatest number to take", max, min))
    })
  }

  get poll() {
    return this.base.operation("poll", (access): Option.Option<A> => Option.fromUndefinedOr(this.#first(access)))
  }

  #first(access: Access): A | undefined {
    return this.#take(access, 0, 1)[0]
  }

  pollUpTo(max: number) {
    return this.base.operation("pollUpTo", (access) => this.#take(access, 0, checkCount("the number to take", max, 0)))
  }

  /** What may be taken now; expired items are passed over, not removed: that is for takes. */
  #seen(access: Access, limit: number): ReadonlyArray<A> {
    const { delayed, items, itemsEnd } = this.cells
    const { tx } = access
    const bounded = (start: Key, end: Key, count: number) =>
      Items.live(tx, { start, end, limit: count === Number.POSITIVE_INFINITY ? undefined : count })
    const due = bounded(delayed, this.cells.dueEnd(tx), limit)
    return this.#decode(access, [...due, ...bounded(items, itemsEnd, limit - due.length)])
  }

  get peek() {
    return this.base.operation("peek", (access): Option.Option<A> => {
      const seen = this.#seen(access, 1)
      return seen.length === 0 ? Option.none() : Option.some(seen[0]!)
    })
  }

  values(limit = Number.POSITIVE_INFINITY) {
    return this.base.operation("values", (access) => this.#seen(access, limit))
  }

  // The whole --------------------------------------------------------------------------------------------------------

  get size() {
    return this.base.operation("size", ({ tx }) => tx.counter(this.cells.size))
  }

  get isEmpty() {
    return this.base.operation("isEmpty", (access) => this.#seen(access, 1).length === 0)
  }

  get isFull() {
    return this.base.operation("isFull", ({ tx }) => this.cells.capacity !== undefined && this.cells.room(tx) === 0)
  }

  get clear() {
    const { cells } = this
    return this.base.operation("clear", ({ tx }) => {
      const ranges = [
        { start: cells.items, end: cells.itemsEnd },
        { start: cells.delayed, end: prefixEnd(cells.delayed) }
      ]
      for (const range of ranges) {
        if (cells.capacity !== undefined) for (const { key } of tx.range(range)) cells.release(tx, key)
        tx.deleteRange(range.start, range.end)
      }
      tx.delete(cells.size)
    })
  }

  get stream() {
    return Stream.fromEffectRepeat(this.take)
  }

  changes(options?: Changes.Options) {
    return Changes.items<Stamp, A>(
      this.base,
      (key: Key) => decodePart(key, this.cells.items.length).part as Stamp,
      (access, value, key) => this.base.decode(access, value, key),
      options
    )
  }

  // Acknowledged takes -----------------------------------------------------------------------------------------------

  process<B, E, R2>(handler: (value: A, delivery: Delivery<A>) => Effect.Effect<B, E, R2>) {
    return Deliveries.process(this, handler)
  }

  get takeAcknowledged() {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Deliveries.begin(this)), (held) =>
        Effect.as(
          Effect.addFinalizer((exit) =>
            Effect.orDie(Exit.isSuccess(exit) ? Deliveries.acknowledge(this, held) : Deliveries.giveBack(this, held))
          ),
          held.delivery
        )
      )
    )
  }

  deadLetters(limit?: number) {
    return this.base.operation("deadLetters", (access) => {
      const { dead } = this.cells
      return this.#decode(access, access.tx.range({ start: dead, end: prefixEnd(dead), limit }))
    })
  }

  #dead(tx: TxView, limit: number): ReadonlyArray<Item> {
    const { dead } = this.cells
    return tx.range({ start: dead, end: prefixEnd(dead), limit: checkCount("the limit", limit, 1) })
  }

  reviveDeadLetters(limit = 256) {
    return this.base.operation("reviveDeadLetters", ({ tx }) => {
      const items = this.#dead(tx, limit)
      for (const { key, value } of items) {
        tx.delete(key)
        tx.set(this.cells.items + this.cells.tail(key), withDeliveries(value, 0))
      }
      if (items.length > 0) tx.add(this.cells.size, items.length)
      return items.length
    })
  }

  clearDeadLetters(limit = 256) {
    return this.base.operation("clearDeadLetters", ({ tx }) => {
      const items = this.#dead(tx, limit)
      for (const { key } of items) {
        tx.delete(key)
        this.cells.release(tx, key)
      }
      return items.length
    })
  }
}
