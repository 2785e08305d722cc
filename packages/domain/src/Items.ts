/**
 * Items of maps and sets as cells: the item itself, its cell in the expiry index when it ends, and the counter of the size,
 * which every writer adds to and no writer reads.
 */
import type { Collection } from "./Collection.ts"
import { isExpired_, marker } from "./Collection.ts"
import type { Range } from "./core/Commit.ts"
import { type Key, prefixEnd, successor } from "./core/Key.ts"
import { encodePart } from "./core/KeyCodec.ts"
import type { Value } from "./core/Value.ts"
import { deadlineOf, withDeadline } from "./core/Envelope.ts"
import type { Item, TxView } from "./internal/TxView.ts"

const sizeKeys = new WeakMap<object, Key>()

const sizeKey = (base: Collection<any>): Key => {
  const known = sizeKeys.get(base)
  if (known !== undefined) return known
  const key = base.meta + encodePart("size")
  sizeKeys.set(base, key)
  return key
}

/** Sets an item; `raw` is what its cell holds now, expired or not. */
export const write = (
  base: Collection<any>,
  tx: TxView,
  at: Key,
  raw: Value | undefined,
  value: Value,
  deadline: number | undefined
): void => {
  if (raw === undefined) tx.add(sizeKey(base), 1)
  else unindex(base, tx, at, raw)
  if (deadline === undefined) {
    tx.set(at, value)
    return
  }
  tx.set(at, withDeadline(value, deadline))
  tx.set(base.expiryKey(deadline, at), marker)
}

const unindex = (base: Collection<any>, tx: TxView, at: Key, raw: Value): void => {
  const deadline = deadlineOf(raw)
  if (deadline !== undefined) tx.delete(base.expiryKey(deadline, at))
}

/** Removes an item that is there. */
export const remove = (base: Collection<any>, tx: TxView, at: Key, raw: Value): void => {
  unindex(base, tx, at, raw)
  tx.delete(at)
  tx.add(sizeKey(base), -1)
}

/** Items of a range whose time is not over, up to its limit. */
export const live = (tx: TxView, range: Range): ReadonlyArray<Item> => {
  const { limit, reverse } = range
  if (limit === undefined) {
    const items = tx.range(range)
    return items.some(({ value }) => isExpired_(tx, value))
      ? items.filter(({ value }) => !isExpired_(tx, value))
      : items
  }
  const out: Array<Item> = []
  let { end, start } = range
  while (start < end) {
    const asked = limit - out.length
    if (asked <= 0) break
    const items = tx.range({ start, end, limit: asked, reverse })
    for (const item of items) if (!isExpired_(tx, item.value)) out.push(item)
    if (items.length < asked) break
    const last = items[items.length - 1]!.key
    if (reverse === true) end = last
    else start = successor(last)
  }
  return out
}

/** Items that are there and not over. */
export const size = (base: Collection<any>, tx: TxView): number => {
  const all = tx.counter(sizeKey(base))
  if (all === 0) return 0
  return all - expired(base, tx, undefined).length
}

/** Index cells of items whose time is over. Collections that never had any pay one empty range. */
const expired = (base: Collection<any>, tx: TxView, limit: number | undefined): ReadonlyArray<Item> =>
  tx.range({ start: base.index, end: base.index + encodePart(tx.nowMillis()) + "\xff", limit })

/** Removes everything, without reading. */
export const clear = (base: Collection<any>, tx: TxView): void => {
  tx.deleteRange(base.items, prefixEnd(base.items))
  tx.deleteRange(base.index, prefixEnd(base.index))
  tx.delete(sizeKey(base))
}

/** Removes items whose time is over: each guarded by its own deadline, so that one set anew stays. */
export const evictExpired = (base: Collection<any>, tx: TxView, limit = 256): number => {
  let count = 0
  for (const { key } of expired(base, tx, limit)) {
    const at = base.items + key.slice(base.index.length + 9)
    const raw = tx.get(at)
    if (raw === undefined || base.expiryKey(deadlineOf(raw) ?? -1, at) !== key) {
      tx.delete(key)
      continue
    }
    remove(base, tx, at, raw)
    count++
  }
  return count
}
