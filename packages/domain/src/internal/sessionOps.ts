/**
 * What sessions do to the cells of a store, each as one synchronous operation over the view of a transaction
 * (`core/SessionCells.ts` says where they live, `Sessions.ts` when they are done).
 */
import { type Key, prefixEnd } from "../core/Key.ts"
import * as LockCells from "../core/LockCells.ts"
import * as Cells from "../core/SessionCells.ts"
import { settle } from "../core/TupleRules.ts"
import { giveBack } from "../QueueCells.ts"
import { putBack } from "../TupleCells.ts"
import type { TxView } from "./TxView.ts"

/** Whether the session still exists; enters the read set. */
export const exists = (tx: TxView, sid: string): boolean => tx.get(Cells.existsKey(sid)) !== undefined

export const open = (tx: TxView, sid: string): void => {
  tx.set(Cells.existsKey(sid), Cells.bumpValue(1))
  tx.set(Cells.bumpKey(sid), Cells.bumpValue(0))
}

/** A sign of life; false when the session has ended. */
export const bump = (tx: TxView, sid: string, count: number): boolean => {
  if (!exists(tx, sid)) return false
  tx.set(Cells.bumpKey(sid), Cells.bumpValue(count))
  return true
}

export const close = (tx: TxView, sid: string): void => {
  tx.delete(Cells.existsKey(sid))
  tx.delete(Cells.bumpKey(sid))
}

/** Ends a session whose bump did not move from what was seen; false when it moved after all, or has ended. */
export const remove = (tx: TxView, sid: string, seenBump: number): boolean => {
  const seen = tx.get(Cells.bumpKey(sid))
  if (seen === undefined || Cells.bumpOf(seen) !== seenBump || !exists(tx, sid)) return false
  close(tx, sid)
  return true
}

/** Does the next wills of a session that has ended, at most `max`; how many. Any process may, any number of times. */
export const doWills = (tx: TxView, sid: string, max: number): number => {
  if (exists(tx, sid)) return 0
  const start = Cells.willPrefix(sid)
  const items = tx.range({ start, end: prefixEnd(start), limit: max })
  for (const { key, value } of items) {
    doWill(tx, key, Cells.willOf(value))
    tx.delete(key)
  }
  return items.length
}

const doWill = (tx: TxView, willKey: Key, will: Cells.Will): void => {
  if (will.kind === "giveBack") giveBack(tx, will)
  else if (will.kind === "remove") for (const key of will.keys) tx.delete(key)
  else if (will.kind === "ticket") tx.delete(will.prefix + LockCells.stampOf(willKey))
  else if (will.kind === "restore") putBack(tx, will, settle(will.kind, "died") === "return")
  else for (const key of LockCells.ticketKeys(will.tree, will.nodes, LockCells.stampOf(willKey))) tx.delete(key)
}
