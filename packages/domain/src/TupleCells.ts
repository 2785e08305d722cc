/**
 * Cells of tuple spaces that outlive their session: how a tuple in flight is put back. Here and not in the tuple space's own
 * package, since any process with a session does the wills of the dead, whether it knows tuple spaces or not.
 */
import { deliveriesOf, withDeliveries } from "./core/Envelope.ts"
import { prefixEnd } from "./core/Key.ts"
import type { Restore } from "./core/SessionCells.ts"
import { Value } from "./core/Value.ts"
import { encodeString } from "./core/ValueCodec.ts"
import { isDeadLetter } from "./core/TupleRules.ts"
import type { TxView } from "./internal/TxView.ts"

/** Value of an index entry: there is nothing to say but that it is there. */
export const entryValue = new Value(encodeString("", 0))
/** Value of a mask whose index is not complete: it is kept up, but may not be looked at yet. */
export const buildingValue = new Value(encodeString("building", 0))
/** Value of a mask whose index is complete. */
export const readyValue = new Value(encodeString("ready", 0))

/**
 * Puts a tuple in flight back in its old place; nothing when it is no longer in flight. `counts`: it comes back from
 * somebody who had it, so after `returnsMax` times it is a dead letter.
 */
export const putBack = (tx: TxView, will: Restore, counts: boolean): void => {
  const value = tx.get(will.inFlight)
  if (value === undefined) return
  tx.delete(will.inFlight)
  const returns = deliveriesOf(value) + (counts ? 1 : 0)
  if (isDeadLetter(returns, will.returnsMax)) {
    tx.set(will.dead, value)
    return
  }
  const known = new Set(will.masks)
  for (const { key } of tx.range({ start: will.registry, end: prefixEnd(will.registry) })) {
    if (!known.has(key)) tx.set(key, buildingValue)
  }
  tx.set(will.ready, counts ? withDeliveries(value, returns) : value)
  for (const key of will.index) tx.set(key, entryValue)
}
