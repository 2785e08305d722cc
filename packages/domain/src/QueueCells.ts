/**
 * The cells of a queue and what its operations do to them (docs/COLLECTIONS.md has the layout). Synchronous functions over
 * a `TxView`.
 *
 * An offer is a blind append plus blind additions; a take reads up to the first item it returns, so takers conflict with
 * takers alone. A bounded queue splits its room over up to 16 counters: an offer reads one that has room, so two offers
 * conflict one time in 16, and only offers to a nearly full queue read more of them.
 */
import type { Collection } from "./Collection.ts"
import { isExpired_ } from "./Collection.ts"
import { deliveriesOf } from "./core/Envelope.ts"
import { type Key, prefixEnd } from "./core/Key.ts"
import { encodePart, stampLength } from "./core/KeyCodec.ts"
import { decodePart } from "./core/KeyDecode.ts"
import type { GiveBack } from "./core/SessionCells.ts"
import type { Value } from "./core/Value.ts"
import type { Item, TxView } from "./internal/TxView.ts"

/** Counters that the room of a bounded queue is split over. */
export const roomShardsMax = 16

/** Prefixes and single cells of one queue. */
export class QueueCells {
  readonly items: Key
  readonly itemsEnd: Key
  /** `(name, false, "delayed", dueMillis, stamp)` */
  readonly delayed: Key
  readonly inFlight: Key
  readonly dead: Key
  readonly size: Key
  readonly capacity: number | undefined
  readonly deliveriesMax: number
  readonly #room: ReadonlyArray<Key>
  #turn = 0

  constructor(base: Collection<any>, capacity: number | undefined, deliveriesMax: number) {
    this.items = base.items
    this.itemsEnd = prefixEnd(base.items)
    this.delayed = base.index + encodePart("delayed")
    this.inFlight = base.index + encodePart("inFlight")
    this.dead = base.index + encodePart("dead")
    this.size = base.meta + encodePart("size")
    this.capacity = capacity
    this.deliveriesMax = deliveriesMax
    const shards = capacity === undefined ? 0 : Math.min(roomShardsMax, capacity)
    this.#room = Array.from({ length: shards }, (_, i) => base.meta + encodePart("room") + encodePart(i))
  }

  #capacityOf(shard: number): number {
    const shards = this.#room.length
    return Math.floor(this.capacity! / shards) + (shard < this.capacity! % shards ? 1 : 0)
  }

  /**
   * Takes room for up to `count` items: the shard of each. Begins at another shard each time, which decides nothing but who
   * meets whom. Reads shards until there is room enough.
   */
  reserve(tx: TxView, count: number): ReadonlyArray<number> {
    const shards = this.#room.length
    const first = this.#turn++
    const out: Array<number> = []
    for (let i = 0; i < shards && out.length < count; i++) {
      const shard = (first + i) % shards
      const room = Math.max(0, this.#capacityOf(shard) - tx.counter(this.#room[shard]!))
      const used = Math.min(room, count - out.length)
      for (let n = 0; n < used; n++) out.push(shard)
      if (used > 0) tx.add(this.#room[shard]!, used)
    }
    return out
  }

  /** How many more fit. Reads all shards. */
  room(tx: TxView): number {
    let room = 0
    for (let i = 0; i < this.#room.length; i++) room += Math.max(0, this.#capacityOf(i) - tx.counter(this.#room[i]!))
    return room
  }

  /** Gives back the room of an item, told by the end of its key. */
  release(tx: TxView, key: Key): void {
    if (this.capacity === undefined) return
    const shard = decodePart(key, key.length - 9).part as number
    tx.add(this.#room[shard]!, -1)
  }

  append(tx: TxView, value: Value, shard: number | undefined, dueMillis: number | undefined): void {
    const prefix = dueMillis === undefined ? this.items : this.delayed + encodePart(dueMillis)
    tx.append(prefix, tx.nextIndex(), shard === undefined ? "" : encodePart(shard), value)
    tx.add(this.size, 1)
  }

  /** The stamp and what follows it: the same in all sections. */
  tail(key: Key): Key {
    const length = stampLength + (this.capacity === undefined ? 0 : 9)
    return key.slice(key.length - length)
  }

  /** Up to `max` items that may be taken now, due ones of the delayed first; removes the expired ones it meets. */
  next(tx: TxView, max: number): ReadonlyArray<Item> {
    for (;;) {
      const due = tx.range({ start: this.delayed, end: this.dueEnd(tx), limit: max })
      const rest = max - due.length
      const ready = rest > 0 ? tx.range({ start: this.items, end: this.itemsEnd, limit: rest }) : []
      const found = due.length === 0 ? ready : [...due, ...ready]
      const expired = found.filter(({ value }) => isExpired_(tx, value))
      if (expired.length === 0) return found
      for (const { key } of expired) this.remove(tx, key)
    }
  }

  /** End of the delayed items that are due now. */
  dueEnd(tx: TxView): Key {
    return this.delayed + encodePart(tx.nowMillis()) + "\xff"
  }

  /** When the next delayed item is due. */
  nextDue(tx: TxView): number | undefined {
    const item = tx.range({ start: this.delayed, end: prefixEnd(this.delayed), limit: 1 })[0]
    return item === undefined ? undefined : (decodePart(item.key, this.delayed.length).part as number)
  }

  /** Up to `max` items to make room by: those that may be taken, then delayed ones. */
  victims(tx: TxView, max: number): ReadonlyArray<Item> {
    const items = this.next(tx, max)
    if (items.length >= max) return items
    const due = new Set(items.map(({ key }) => key))
    const delayed = tx.range({ start: this.delayed, end: prefixEnd(this.delayed), limit: max })
    return [...items, ...delayed.filter(({ key }) => !due.has(key))].slice(0, max)
  }

  /** Removes an item for good. */
  remove(tx: TxView, key: Key): void {
    tx.delete(key)
    tx.add(this.size, -1)
    this.release(tx, key)
  }

  /** The will of an item in flight: where it goes back to. */
  will(key: Key): GiveBack {
    const tail = this.tail(key)
    return {
      kind: "giveBack",
      inFlight: this.inFlight + tail,
      ready: this.items + tail,
      dead: this.dead + tail,
      deliveriesMax: this.deliveriesMax,
      size: this.size
    }
  }
}

/**
 * Gives an item in flight back to its old place, or to the dead letters once it was delivered often enough. Nothing when it
 * is no longer in flight. Dead letters keep their room in a bounded queue until they are removed.
 */
export const giveBack = (tx: TxView, will: GiveBack): void => {
  const value = tx.get(will.inFlight)
  if (value === undefined) return
  tx.delete(will.inFlight)
  if (deliveriesOf(value) >= will.deliveriesMax) {
    tx.set(will.dead, value)
    return
  }
  tx.set(will.ready, value)
  tx.add(will.size, 1)
}
