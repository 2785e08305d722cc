/**
 * Footprints: sets of keys and ranges that a turn guards, and whether writes meet them. Pure. Stored in the turn cells
 * `(null, "turn", stamp)` by which engines of several processes let a starving transaction through.
 */
import type { Write } from "./Commit.ts"
import { prefixEnd, type Key } from "./Key.ts"
import { encode } from "./KeyCodec.ts"
import { Value } from "./Value.ts"
import { codecBytes, decodeString, encodeString } from "./ValueCodec.ts"

/** Keys and ranges kept one by one; beyond it the whole namespace is meant. */
export const footprintMax = 4_096

/** Keys of a footprint written to a turn cell one by one; beyond it the whole namespace is guarded. */
const storedMax = 512

/** Turn cells are appended under this prefix. */
export const turnPrefix: Key = encode([null, "turn"])
export const turnPrefixEnd: Key = prefixEnd(turnPrefix)

export class Footprint {
  readonly keys: Set<Key> = new Set()
  private ranges: Array<{ readonly start: Key; readonly end: Key }> = []
  /** The whole namespace. */
  isAll = false

  addKey(key: Key): void {
    if (this.isAll) return
    this.keys.add(key)
    if (this.keys.size > footprintMax) this.addAll()
  }

  addRange(start: Key, end: Key): void {
    if (this.isAll || this.ranges.some((range) => range.start <= start && range.end >= end)) return
    this.ranges.push({ start, end })
    if (this.ranges.length > footprintMax) this.addAll()
  }

  addAll(): void {
    this.isAll = true
    this.keys.clear()
    this.ranges = []
  }

  /** Whether any of the writes would fall into it. */
  meets(writes: ReadonlyArray<Write>): boolean {
    if (this.isAll) return writes.length > 0
    return writes.some((write) => {
      if (write._tag === "DeleteRange") return this.overlaps(write.start, write.end)
      if (write._tag === "Append") return this.overlaps(write.prefix, prefixEnd(write.prefix))
      return this.keys.has(write.key) || this.ranges.some(({ end, start }) => write.key >= start && write.key < end)
    })
  }

  private overlaps(start: Key, end: Key): boolean {
    if (this.ranges.some((range) => range.start < end && start < range.end)) return true
    for (const key of this.keys) if (key >= start && key < end) return true
    return false
  }

  /** Whether two footprints have a key in common. */
  meetsOther(other: Footprint): boolean {
    if (this.isAll || other.isAll) return true
    for (const key of this.keys) if (other.keys.has(key)) return true
    return (
      this.ranges.some(({ end, start }) => other.overlaps(start, end)) ||
      other.ranges.some(({ end, start }) => this.overlaps(start, end))
    )
  }

  /** As a turn cell holds it: who guards, and what. */
  toValue(session: string): Value {
    const isAll = this.isAll || this.keys.size + this.ranges.length > storedMax
    const stored = isAll
      ? { session }
      : { session, keys: [...this.keys], ranges: this.ranges.map(({ end, start }) => [start, end]) }
    return new Value(encodeString(JSON.stringify(stored), 0, codecBytes.json))
  }
}

/** What a turn cell says. A cell that cannot be read guards nothing: turns are for fairness, never for safety. */
export const fromValue = (value: Value): { readonly session: string; readonly footprint: Footprint } | undefined => {
  try {
    const stored: unknown = JSON.parse(decodeString(value.bytes, codecBytes.json))
    if (!isStored(stored)) return undefined
    const footprint = new Footprint()
    if (stored.keys === undefined) footprint.addAll()
    for (const key of stored.keys ?? []) footprint.addKey(key)
    for (const [start, end] of stored.ranges ?? []) footprint.addRange(start, end)
    return { session: stored.session, footprint }
  } catch {
    return undefined
  }
}

interface Stored {
  readonly session: string
  readonly keys?: ReadonlyArray<Key>
  readonly ranges?: ReadonlyArray<readonly [Key, Key]>
}

const isStored = (u: unknown): u is Stored =>
  typeof u === "object" && u !== null && "session" in u && typeof u.session === "string"
