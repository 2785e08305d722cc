/**
 * Who stands in line for a tuple: the tickets of its classes, oldest first.
 */
import type { Range } from "@weft/domain/core/Commit"
import { type Key, successor } from "@weft/domain/core/Key"
import type { TxView } from "@weft/domain/internal/TxView"
import { type Compiled, fits, PredicateFailed } from "../core/Template.ts"
import { stampOf } from "./SpaceKeys.ts"
import { ofValue, type Readied, type TicketRecord } from "./Tickets.ts"

/** A ticket that is there. */
export interface Waiting {
  readonly stamp: Key
  readonly key: Key
  readonly record: TicketRecord
  readonly template: Compiled
}

const pageMax = 256
const noKeys: ReadonlyArray<Key> = []

/**
 * The first ticket that a tuple fits, those of `except` left out. `ranges` are where such tickets stand; as many are read
 * of each first as its limit says. A predicate that throws fits nothing.
 */
export const firstWaiterIn = (
  tx: TxView,
  ranges: ReadonlyArray<Range>,
  tuple: ReadonlyArray<unknown>,
  readied: Readied,
  except: ReadonlySet<Key>
): Waiting | undefined => {
  let first: Waiting | undefined
  if (ranges.length > 1) tx.prefetch(noKeys, ranges)
  for (const each of ranges) {
    let range = each
    for (let limit = each.limit!; ;) {
      const items = tx.range(range)
      const found = items.find(({ key, value }) => {
        const stamp = stampOf(key)
        if (except.has(stamp)) return false
        const record = ofValue(value)
        const template = readied.of(record)
        if (template === undefined || !decides(readied, record.nonce, template, tuple)) return false
        if (first === undefined || stamp < first.stamp) first = { stamp, key, record, template }
        return true
      })
      if (found !== undefined || items.length < limit) break
      limit = Math.min(limit * 4, pageMax)
      range = { start: successor(items[items.length - 1]!.key), end: each.end, limit }
    }
  }
  return first
}

const decides = (readied: Readied, nonce: string, template: Compiled, tuple: ReadonlyArray<unknown>): boolean => {
  try {
    return fits(template, tuple)
  } catch (error) {
    if (!(error instanceof PredicateFailed)) throw error
    readied.failed(nonce, error)
    return false
  }
}
