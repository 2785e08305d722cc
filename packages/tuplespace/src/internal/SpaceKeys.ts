/**
 * Where a tuple space lives in a store (docs/TUPLES.md). Pure.
 *
 * | cell | key, under the space's name | value |
 * |---|---|---|
 * | tuple | `(true, stamp)` | the tuple, its deadline, how often it came back |
 * | entry | `(false, arity, mask, literals, stamp)` | nothing |
 * | mask | `(null, "mask", arity, mask)` | building or ready |
 * | ticket | `(null, "wait", arity, mask, literals, stamp)` | who waits and for what |
 * | in flight | `(null, "flight", stamp)` | a tuple that was handed out |
 * | dead letter | `(null, "dead", stamp)` | a tuple that came back too often |
 * | room | `(null, "room", shard)` | of a bounded space: tuples kept, in flight and dead letters, over up to 16 counters |
 */
import type { Collection } from "@weft/domain/Collection"
import type { Range } from "@weft/domain/core/Commit"
import { type Key, type Part, prefixEnd } from "@weft/domain/core/Key"
import { encodePart, stampLength } from "@weft/domain/core/KeyCodec"
import * as SessionCells from "@weft/domain/core/SessionCells"

/** Literals longer than this are told by their length and a hash in keys; the tuple itself decides. */
const literalLengthMax = 64

export class SpaceKeys {
  readonly tuples: Key
  readonly entries: Key
  readonly masks: Key
  readonly tickets: Key
  readonly inFlight: Key
  readonly dead: Key
  readonly room: Key

  constructor(base: Collection<any>) {
    this.tuples = base.items
    this.entries = base.index
    this.masks = base.meta + encodePart("mask")
    this.tickets = base.meta + encodePart("wait")
    this.inFlight = base.meta + encodePart("flight")
    this.dead = base.meta + encodePart("dead")
    this.room = base.meta + encodePart("room")
  }
}

/** Heads of classes that are known without encoding them again. */
const headsMax = 1024
const heads = new Map<number, Key>()

/** How the classes of a mask begin. */
export const headOf = (arity: number, mask: number): Key => {
  const name = arity * 2 ** 31 + mask
  let head = heads.get(name)
  if (head === undefined) {
    head = encodePart(arity) + encodePart(mask)
    if (heads.size >= headsMax) heads.clear()
    heads.set(name, head)
  }
  return head
}

/** The class of what has these literals at these places: the tail of entries' and tickets' prefixes. */
export const classOf = (tuple: ReadonlyArray<unknown>, mask: number): Key => {
  let key = headOf(tuple.length, mask)
  for (let rest = mask; rest !== 0; rest &= rest - 1) key += encodePart(literal(tuple[31 - Math.clz32(rest & -rest)]))
  return key
}

/** All keys that begin with a prefix, at most `limit` of them. */
export const rangeOf = (start: Key, limit?: number): Range => ({ start, end: prefixEnd(start), limit })

/** The stamp that a key ends with. */
export const stampOf = (key: Key): Key => key.slice(-stampLength)

/** Tickets and hand-overs of a session. */
export const takes = (sid: string): Key => SessionCells.willPrefix(sid) + encodePart("take")

/** A literal as a part of a key. Equal literals have equal parts; unequal ones may share one, since tuples are compared. */
const literal = (value: unknown): Part => {
  switch (typeof value) {
    case "string":
      return value.length <= literalLengthMax && value.isWellFormed() ? value : ["string", value.length, hash(value)]
    case "number":
      return Number.isNaN(value) ? ["NaN"] : value
    case "bigint":
      return value > -(2n ** 64n) && value < 2n ** 64n ? value : ["bigint", hash(String(value))]
    case "boolean":
      return value
    default:
      return value === null ? null : ["undefined"]
  }
}

/** FNV-1a, twice with different starts: 64 bits, enough for a filter. */
const hash = (text: string): string => {
  let a = 0x811c9dc5
  let b = 0x01234567
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b ^ (unit + i), 0x01000193)
  }
  return (a >>> 0).toString(16) + (b >>> 0).toString(16)
}
