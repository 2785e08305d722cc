/** What locks with modes do to the cells of a store, each as one synchronous operation. The rules are those of `core/ModeRules.ts`. */
import * as Cells from "../core/CoordinationCells.ts"
import { type Key, prefixEnd } from "../core/Key.ts"
import { stampOf } from "../core/LockCells.ts"
import { type Modes, mustGiveWay, tally } from "../core/ModeRules.ts"
import { type Ticket, willOf, willValue } from "../core/SessionCells.ts"
import * as Sessions from "../Sessions.ts"
import * as lockErrors from "./lockErrors.ts"
import type { TxView } from "./TxView.ts"

/** One lock as its operations see it. */
export interface Line {
  readonly what: string
  readonly prefix: Key
  readonly modes: Modes
  readonly definition: string
}

export interface Standing extends Cells.PlaceValue {
  readonly stamp: Key
}

/** What a request says of itself. */
export type Asked = Pick<Cells.PlaceValue, "mode" | "weight" | "owner" | "holding">

const place = (tx: TxView, line: Line, key: Key): Cells.PlaceValue | undefined => {
  const value = tx.get(key)
  return value === undefined ? undefined : checked(line, Cells.fromValue(value))
}

/** Refuses a line in which others mean another lock. */
const checked = (line: Line, value: Cells.PlaceValue): Cells.PlaceValue => {
  if (value.definition === line.definition) return value
  throw lockErrors.otherDefinition(line.what, value.definition, line.definition)
}

const standings = (tx: TxView, line: Line, before?: Key): ReadonlyArray<Standing> => {
  const { prefix } = line
  const end = before === undefined ? prefixEnd(prefix) : prefix + before
  return tx
    .range({ start: prefix, end })
    .map(({ key, value }) => ({ ...checked(line, Cells.fromValue(value)), stamp: stampOf(key) }))
}

const isCompatible = ({ modes, what }: Line, { mode, weight }: Asked, holders: ReadonlyArray<Standing>): boolean => {
  try {
    return modes[mode]!(tally(holders), weight)
  } catch (cause) {
    throw lockErrors.threw(what, mode, cause)
  }
}

/** Record and place with one stamp, whose index is returned. */
const append = (tx: TxView, line: Line, sid: string, nonce: string, asked: Asked, granted: boolean): number => {
  const index = tx.nextIndex()
  const will: Ticket = { kind: "ticket", prefix: line.prefix, nonce }
  tx.append(Cells.modesRecordPrefix(sid), index, "", willValue(will))
  const { holding, mode, owner, weight } = asked
  const value = { sid, mode, weight, granted, owner, holding, definition: line.definition }
  tx.append(line.prefix, index, "", Cells.toValue(value))
  return index
}

/** Takes a place in line, granted at once where the line is empty. `undefined` when the session has ended. */
export const request = (
  tx: TxView,
  line: Line,
  session: Sessions.Session,
  nonce: string,
  asked: Asked
): { readonly index: number; readonly granted: boolean } | undefined => {
  if (!Sessions.exists(tx, session)) return undefined
  // The first place alone: those who come at once do not conflict with each other.
  const [first] = tx.range({ start: line.prefix, end: prefixEnd(line.prefix), limit: 1 })
  if (first !== undefined) checked(line, Cells.fromValue(first.value))
  const granted = first === undefined && isCompatible(line, asked, [])
  return { index: append(tx, line, session.id, nonce, asked, granted), granted }
}

/** The same, but nothing unless it is granted at once. */
export const requestIfFree = (
  tx: TxView,
  line: Line,
  session: Sessions.Session,
  nonce: string,
  asked: Asked
): { readonly index: number | undefined } => {
  const all = standings(tx, line)
  if (!all.every(({ granted }) => granted) || !isCompatible(line, asked, all)) return { index: -1 }
  if (!Sessions.exists(tx, session)) return { index: undefined }
  return { index: append(tx, line, session.id, nonce, asked, true) }
}

/**
 * Grants a place if it is its turn. "behind" says the key to wait for: the nearest place before, which waits itself, so that
 * one waiter alone looks at the holders. "wait": until one of the holders gives back.
 */
export const grant = (
  tx: TxView,
  line: Line,
  recordKey: Key
): "granted" | "gone" | "wait" | { readonly behind: Key } => {
  const stamp = stampOf(recordKey)
  const own = place(tx, line, line.prefix + stamp)
  if (own === undefined || tx.get(recordKey) === undefined) return "gone"
  if (own.granted) return "granted"
  const [last] = tx.range({ start: line.prefix, end: line.prefix + stamp, limit: 1, reverse: true })
  if (last !== undefined && !checked(line, Cells.fromValue(last.value)).granted) return { behind: last.key }
  if (!isCompatible(line, own, standings(tx, line, stamp))) return "wait"
  tx.set(line.prefix + stamp, Cells.toValue({ ...own, granted: true }))
  return "granted"
}

/** Whether a place still waits; enters the read set. */
export const waits = (tx: TxView, line: Line, key: Key): boolean => place(tx, line, key)?.granted === false

/** Whether a request made while its flow holds this lock must give way, since it would never be granted. */
export const givesWay = (tx: TxView, line: Line, stamp: Key): boolean => {
  const all = standings(tx, line)
  return mustGiveWay(
    all.map((at) => ({ ...at, id: at.stamp })),
    line.modes,
    stamp
  )
}

/** Takes record and place away, if they are there. */
export const release = (tx: TxView, recordKey: Key): void => {
  const record = tx.get(recordKey)
  if (record === undefined) return
  tx.delete(recordKey)
  tx.delete((willOf(record) as Ticket).prefix + stampOf(recordKey))
}

/** Takes a request away that is known by its nonce alone. `prefix`: records of its kind of its session. */
export const releaseByNonce = (tx: TxView, prefix: Key, nonce: string): void => {
  for (const { key, value } of tx.range({ start: prefix, end: prefixEnd(prefix) })) {
    if ((willOf(value) as Ticket).nonce === nonce) release(tx, key)
  }
}

/** Everyone in line, in the order of their stamps. */
export const list = (tx: TxView, line: Line): ReadonlyArray<Standing> => standings(tx, line)
