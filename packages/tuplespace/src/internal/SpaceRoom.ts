/** The room of a space in a store: without a limit there is nothing to count. */
import type { Key } from "@weft/domain/core/Key"
import type { TxView } from "@weft/domain/internal/TxView"
import { Room } from "@weft/domain/Room"
import { LimitExceeded, make as storeError } from "@weft/domain/StoreError"

export class SpaceRoom {
  readonly #name: string
  readonly #room: Room | undefined

  /** Counters begin with `prefix`. */
  constructor(name: string, prefix: Key, tuplesMax: number | undefined) {
    this.#name = name
    this.#room = tuplesMax === undefined ? undefined : new Room(prefix, tuplesMax)
  }

  /** For one more tuple. Throws `LimitExceeded` when the space is full. */
  take(tx: TxView): void {
    if (this.#room === undefined || this.#room.reserve(tx, 1).length === 1) return
    const { max } = this.#room
    throw storeError(
      new LimitExceeded({
        message: `space "${this.#name}" has ${max} tuples already, those in flight and dead letters included (tuplesMax): this one was refused, nothing was put out. Take some, or give all processes a larger limit`,
        limit: "tuplesMax",
        max,
        actual: max + 1
      })
    )
  }

  /** A tuple is neither kept nor in flight nor a dead letter any more; a key that ends with its stamp. */
  free(tx: TxView, key: Key): void {
    this.#room?.release(tx, shardOf(key, this.#room))
  }

  /** A tuple comes back that was gone: it is not refused. */
  force(tx: TxView, key: Key): void {
    this.#room?.force(tx, shardOf(key, this.#room))
  }
}

/** The counter at which the room of a tuple is given back: told by its stamp, so that all of them get some. */
const shardOf = (key: Key, { shards }: Room): number =>
  (key.charCodeAt(key.length - 3) + key.charCodeAt(key.length - 1)) % shards.length
