/**
 * The two lists that every step touches, in forms that cost no call into the engine's runtime. Pure data, mutable in place.
 *
 * Setting an array's `length` is such a call, and the first push on an empty literal makes room for seventeen: one entry a
 * turn pays for both a dozen times.
 */

/** A power of two, so that positions wrap by a mask. */
const FIRST_CAPACITY = 8

/**
 * First in, first out, in a ring that only grows: to the next power of two above what the limit of its owner allows at once.
 * All operations cost O(1), `insert` the length of what it moves.
 */
export class Fifo<T> {
  length = 0
  private head = 0
  private ring: Array<T | undefined> = new Array<T | undefined>(FIRST_CAPACITY).fill(undefined)

  /** The oldest; `undefined` if there is none. */
  get first(): T | undefined {
    return this.ring[this.head]
  }

  /** By age, 0 for the oldest; `place` is below `length`. */
  at(place: number): T {
    return this.ring[(this.head + place) & (this.ring.length - 1)] as T
  }

  push(item: T): void {
    if (this.length === this.ring.length) this.grow()
    this.ring[(this.head + this.length) & (this.ring.length - 1)] = item
    this.length++
  }

  /** Puts an item before the one at `place`; at the end with `place` = `length`. */
  insert(place: number, item: T): void {
    this.push(item)
    const { head, ring } = this
    const mask = ring.length - 1
    for (let at = this.length - 1; at > place; at--) ring[(head + at) & mask] = ring[(head + at - 1) & mask]
    ring[(head + place) & mask] = item
  }

  /** Removes the oldest; there must be one. */
  drop(): void {
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & (this.ring.length - 1)
    this.length--
  }

  clear(): void {
    while (this.length > 0) this.drop()
  }

  *[Symbol.iterator](): Generator<T> {
    for (let place = 0; place < this.length; place++) yield this.at(place)
  }

  private grow(): void {
    const { head, ring } = this
    this.ring = [...ring.slice(head), ...ring.slice(0, head), ...new Array<undefined>(ring.length).fill(undefined)]
    this.head = 0
  }
}

const nothing: ReadonlyArray<never> = []

/** Gathers the items of a turn and gives them away: what comes later never shows up in an array that is out already. */
export class Outbox<T> {
  private items: Array<T> | undefined = undefined

  get isEmpty(): boolean {
    return this.items === undefined
  }

  push(item: T): void {
    if (this.items === undefined) this.items = [item]
    else this.items.push(item)
  }

  take(): ReadonlyArray<T> {
    const { items } = this
    if (items === undefined) return nothing
    this.items = undefined
    return items
  }
}
