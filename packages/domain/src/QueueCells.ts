/**
 * The cells of a queue and what its operations do to them (docs/COLLECTIONS.md has the layout). Synchronous functions over
 * a `TxView`.
 *
 * An offer is a blind append plus blind additions; a take reads up to the first item it returns, so takers conflict with
 * takers alone. An offer to a bounded queue takes its room first (`Room.ts`).
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
import { Room } from "./Room.ts"

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
  readonly #room: Room | undefined

  constructor(base: Collection<any>, capacity: number | undefined, deliveriesMax: number) {
    this.items = base.items
    this.itemsEnd = prefixEnd(base.items)
    this.delayed = base.index + encodePart("delayed")
    this.inFlight = base.index + encodePart("inFlight")
    this.dead = base.index + encodePart("dead")
    this.size = base.meta + encodePart("size")
    this.capacity = capacity
    this.deliveriesMax = deliveriesMax
    this.#room = capacity === undefined ? undefined : new Room(base.meta + encodePart("room"), capacity)
  }

  /** Takes room for up to `count` items of a bounded queue: the shard of each. */
  reserve(tx: TxView, count: number): ReadonlyArray<number> {
    return this.#room!.reserve(tx, count)
  }

  /** How many more fit into a bounded queue. Reads all its counters. */
  room(tx: TxView): number {
    return this.#room!.left(tx)
  }

  /** Gives back the room of an item, told by the end of its key. */
  release(tx: TxView, key: Key): void {
    if (this.#room !== undefined) this.#room.release(tx, decodePart(key, key.length - 9).part as number)
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
