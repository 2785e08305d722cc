/** Ranges of the keys of maps and sets, in the words of their users and of the store. Pure. */
import type * as Commit from "./core/Commit.ts"
import { type Key, prefixEnd, successor } from "./core/Key.ts"
import { encodeTuplePrefix } from "./core/KeyCodec.ts"
import type { KeyOf, Part } from "./Key.ts"

/** Which keys, in key order. Without bounds: all. */
export interface Range<out K> {
  /** From this key on. */
  readonly from?: K | undefined
  /** From the next key after this one on. */
  readonly after?: K | undefined
  /** Up to this key, excluded. */
  readonly until?: K | undefined
  /** Up to this key, included. */
  readonly through?: K | undefined
  /** For keys that encode to tuples: those that begin with these encoded parts. */
  readonly prefix?: ReadonlyArray<Part> | undefined
  /** At most so many, in the order asked. */
  readonly limit?: number | undefined
  /** From the greatest key down. */
  readonly reverse?: boolean | undefined
}

/** The range of stored keys under `items`. Throws `StoreError` (`InvalidInput`) for a bound that is no key. */
export const rangeOf = <K>(items: Key, key: KeyOf<K>, range: Range<K> | undefined): Commit.Range => {
  let start = items
  let end = prefixEnd(items)
  if (range === undefined) return { start, end }
  const from = (bound: Key) => void (bound > start && (start = bound))
  const to = (bound: Key) => void (bound < end && (end = bound))
  if (range.prefix !== undefined) {
    const prefix = items + encodeTuplePrefix(range.prefix)
    from(prefix)
    to(prefixEnd(prefix))
  }
  if (range.from !== undefined) from(key.encode(items, range.from))
  if (range.after !== undefined) from(successor(key.encode(items, range.after)))
  if (range.until !== undefined) to(key.encode(items, range.until))
  if (range.through !== undefined) to(successor(key.encode(items, range.through)))
  return { start, end, limit: range.limit, reverse: range.reverse }
}
