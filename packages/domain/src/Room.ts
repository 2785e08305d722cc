/**
 * Room that is bounded and shared by all who write to a store: how much of it is taken stands in up to 16 counters, each
 * with its part of the whole. Who takes room reads one counter that has some, so two of them conflict one time in 16, and
 * only where there is nearly none are more of them read; giving room back reads nothing.
 *
 * Exact: the counters together are what was taken, and no part of it was taken where there was no room. Room may be given
 * back at another counter than it was taken at: that one lends it.
 */
import { encodePart } from "./core/KeyCodec.ts"
import type { Key } from "./core/Key.ts"
import type { TxView } from "./internal/TxView.ts"

/** Counters that room is split over. */
export const shardsMax = 16

export class Room {
  readonly max: number
  /** The counters. */
  readonly shards: ReadonlyArray<Key>
  #turn = 0

  /** Room for `max` things, whose counters begin with `prefix`. */
  constructor(prefix: Key, max: number) {
    this.max = max
    this.shards = Array.from({ length: Math.min(shardsMax, max) }, (_, i) => prefix + encodePart(i))
  }

  #left(tx: TxView, shard: number): number {
    const shards = this.shards.length
    const part = Math.floor(this.max / shards) + (shard < this.max % shards ? 1 : 0)
    return Math.max(0, part - tx.counter(this.shards[shard]!))
  }

  /**
   * Takes room for up to `count` things: the counter of each. Begins at another counter each time, which decides nothing but
   * who meets whom. Reads counters until there is room enough.
   */
  reserve(tx: TxView, count: number): ReadonlyArray<number> {
    const shards = this.shards.length
    const first = this.#turn++
    const out: Array<number> = []
    for (let i = 0; i < shards && out.length < count; i++) {
      const shard = (first + i) % shards
      const used = Math.min(this.#left(tx, shard), count - out.length)
      for (let n = 0; n < used; n++) out.push(shard)
      if (used > 0) tx.add(this.shards[shard]!, used)
    }
    return out
  }

  /** How much is left. Reads all counters. */
  left(tx: TxView): number {
    let left = 0
    for (let i = 0; i < this.shards.length; i++) left += this.#left(tx, i)
    return left
  }

  /** Gives back the room of one thing. Reads nothing. */
  release(tx: TxView, shard: number): void {
    tx.add(this.shards[shard]!, -1)
  }

  /** Takes room for one thing though there may be none: for what comes back and cannot be refused. Reads nothing. */
  force(tx: TxView, shard: number): void {
    tx.add(this.shards[shard]!, 1)
  }
}
