/**
 * What tree locks do to the cells of a store, each as one synchronous operation over the view of a transaction. The rules
 * are those of `core/LockRules.ts`; here they look at tickets in a store. Numbers in brackets are lines of the algorithm
 * in docs/LOCKS.md.
 */
import type { Range } from "../core/Commit.ts"
import { type Key, prefixEnd } from "../core/Key.ts"
import * as KeyDecode from "../core/KeyDecode.ts"
import * as Cells from "../core/LockCells.ts"
import * as Rules from "../core/LockRules.ts"
import type { Mode, NodeMode } from "../core/LockRules.ts"
import { prefixes, sidOf, type Unlock, willOf, willValue } from "../core/SessionCells.ts"
import { Value } from "../core/Value.ts"
import { decodeString, encodeString, codecBytes } from "../core/ValueCodec.ts"
import * as sessionOps from "./sessionOps.ts"
import type { TxView } from "./TxView.ts"

/** The session that a request is made under. */
export interface Under {
  readonly id: string
}

/** A request as it stands in the store. */
export interface Standing {
  readonly sid: string
  readonly stamp: Key
  readonly recordKey: Key
  readonly will: Unlock
}

/** A ticket's value: the session it belongs to. A process writes those of one session for nearly all of its time. */
const sidValue = (sid: string): Value => {
  if (sid !== lastSid) {
    lastSid = sid
    lastSidValue = new Value(encodeString(sid, 0, codecBytes.string))
  }
  return lastSidValue
}
let lastSid = ""
let lastSidValue = new Value(encodeString("", 0, codecBytes.string))
const sidOfTicket = (value: Value): string => decodeString(value.bytes, codecBytes.string)

/** [6] Record and tickets with one stamp; the index of that stamp, or `undefined` when the session has ended. */
export const append = (tx: TxView, session: Under, will: Unlock): number | undefined => {
  if (!sessionOps.exists(tx, session.id)) return undefined
  const index = tx.nextIndex()
  const value = sidValue(session.id)
  tx.append(Cells.recordPrefix(session.id), index, "", willValue(will))
  for (const prefix of Cells.ticketPlaces(will.tree, will.nodes)) tx.append(prefix, index, "", value)
  return index
}

/** [10] Where all tickets stand that exclude nodes, waiting ones too; each range is asked for its first ticket alone. */
export const freeRanges = (tree: Key, nodes: ReadonlyArray<NodeMode>): ReadonlyArray<Range> => {
  const prefixOf = Cells.ticketPrefixes(tree)
  return nodes.flatMap(({ mode, node }) =>
    Rules.opposedRuns[mode]!.map(([first, last]) => ({
      start: prefixOf(node, first),
      end: prefixEnd(prefixOf(node, last)),
      limit: 1
    }))
  )
}

/** Whether no ticket at all, earlier or later, stands in ranges. `key` is fetched in the same trip. */
export const isFree = (tx: TxView, ranges: ReadonlyArray<Range>, key: Key): boolean => {
  tx.prefetch([key], ranges)
  return ranges.every((range) => tx.range(range).length === 0)
}

/** The rules' view of the tickets in a store: each look is an exact range that ends at the stamp of who looks. */
const ticketsIn = (tx: TxView, prefixOf: (node: Key, mode: Mode) => Key): Rules.Tickets<Key, Key> => ({
  nearest: (node, mode, before) => {
    const start = prefixOf(node, mode)
    const [item] = tx.range({ start, end: start + before, limit: 1, reverse: true })
    return item === undefined ? undefined : item.key.slice(start.length)
  }
})

/** [7] The stamp of the latest earlier ticket in the way, or `undefined`: granted. `key` is fetched in the same trip. */
export const blocker = (
  tx: TxView,
  tree: Key,
  nodes: ReadonlyArray<NodeMode>,
  stamp: Key,
  key?: Key
): Key | undefined => {
  const prefixOf = Cells.ticketPrefixes(tree)
  const ranges: Array<Range> = []
  for (const { mode, node } of nodes) {
    for (const other of Rules.opposed[mode]!) {
      const start = prefixOf(node, other)
      ranges.push({ start, end: start + stamp, limit: 1, reverse: true })
    }
  }
  tx.prefetch(key === undefined ? [] : [key], ranges)
  return Rules.blocker(ticketsIn(tx, prefixOf), nodes, stamp)
}

/**
 * [7 to 9] Where a request stands: `behind` is the key of a ticket of the latest earlier request in the way. That ticket
 * alone is worth waiting for (`isBehind`): before it goes the request cannot be granted.
 */
export const look = (
  tx: TxView,
  recordKey: Key,
  tree: Key,
  nodes: ReadonlyArray<NodeMode>
): "granted" | "gone" | { readonly behind: Key } => {
  const latest = blocker(tx, tree, nodes, Cells.stampOf(recordKey), recordKey)
  if (tx.get(recordKey) === undefined) return "gone"
  if (latest === undefined) return "granted"
  const keys = nodes.flatMap(({ mode, node }) =>
    Rules.opposed[mode]!.map((other) => Cells.ticketPrefix(tree, node, other) + latest)
  )
  tx.prefetch(keys, [])
  return { behind: keys.find((key) => tx.get(key) !== undefined)! }
}

/** [9] Whether a request has to wait on for a ticket to go. What was looked at is in the read set: two keys. */
export const isBehind = (tx: TxView, recordKey: Key, ticket: Key): boolean => {
  tx.prefetch([recordKey, ticket], [])
  return tx.get(recordKey) !== undefined && tx.get(ticket) !== undefined
}

/** [12] Takes record and tickets away; false when they were gone. */
export const release = (tx: TxView, recordKey: Key): boolean => {
  const value = tx.get(recordKey)
  if (value === undefined) return false
  const will = willOf(value) as Unlock
  tx.delete(recordKey)
  for (const key of Cells.ticketKeys(will.tree, will.nodes, Cells.stampOf(recordKey))) tx.delete(key)
  return true
}

/** Takes a request away that is known by its nonce alone: its commit was not heard of, or was interrupted. */
export const releaseByNonce = (tx: TxView, sid: string, nonce: string): void => {
  const start = Cells.recordPrefix(sid)
  for (const { key, value } of tx.range({ start, end: prefixEnd(start) })) {
    if ((willOf(value) as Unlock).nonce === nonce) release(tx, key)
  }
}

/** [13] Holds only `nodes` from now on, at the old stamp. False when the request is gone. */
export const downgrade = (tx: TxView, recordKey: Key, nodes: ReadonlyArray<NodeMode>): boolean => {
  const value = tx.get(recordKey)
  if (value === undefined) return false
  replace(tx, recordKey, willOf(value) as Unlock, nodes)
  return true
}

const replace = (tx: TxView, recordKey: Key, will: Unlock, nodes: ReadonlyArray<NodeMode>): void => {
  const stamp = Cells.stampOf(recordKey)
  const wanted = new Set(Cells.ticketKeys(will.tree, nodes, stamp))
  const held = new Set(Cells.ticketKeys(will.tree, will.nodes, stamp))
  const value = sidValue(sidOf(recordKey, prefixes.will))
  for (const key of held) if (!wanted.has(key)) tx.delete(key)
  for (const key of wanted) if (!held.has(key)) tx.set(key, value)
  tx.set(recordKey, willValue({ ...will, nodes }))
}

/** The request that a ticket belongs to; `undefined` when its record is gone and the ticket is being swept. */
export const standingOf = (tx: TxView, tree: Key, ticketKey: Key, value: Value): Standing | undefined => {
  const { stamp } = Cells.ticketOf(ticketKey, tree)
  const sid = sidOfTicket(value)
  const recordKey = Cells.recordPrefix(sid) + stamp
  const record = tx.get(recordKey)
  return record === undefined ? undefined : { sid, stamp, recordKey, will: willOf(record) as Unlock }
}

/** Where the tickets stand that exclude nodes: all, or those before a stamp. */
export const opposedRanges = (tree: Key, nodes: ReadonlyArray<NodeMode>, before?: Key): ReadonlyArray<Range> =>
  nodes.flatMap(({ mode, node }) =>
    Rules.opposed[mode]!.map((other) => {
      const start = Cells.ticketPrefix(tree, node, other)
      return { start, end: before === undefined ? prefixEnd(start) : start + before }
    })
  )

/** The requests that the tickets of some ranges belong to, one for each ticket. Cost: a trip for the ranges, one for the records of each. */
export function* standingsIn(tx: TxView, tree: Key, ranges: ReadonlyArray<Range>): Generator<Standing | undefined> {
  tx.prefetch([], ranges)
  for (const range of ranges) {
    const tickets = tx.range(range)
    tx.prefetch(
      tickets.map(({ key, value }) => recordKeyOf(tree, key, value)),
      []
    )
    for (const { key, value } of tickets) yield standingOf(tx, tree, key, value)
  }
}

const recordKeyOf = (tree: Key, ticketKey: Key, value: Value): Key =>
  Cells.recordPrefix(sidOfTicket(value)) + Cells.ticketOf(ticketKey, tree).stamp

/**
 * [15, 16] Puts an upgrade in place if nobody holds it up: "done"; "wait" with everything that was looked at in the read
 * set; "gone" when the request is.
 */
export const convert = (
  tx: TxView,
  recordKey: Key,
  tailKey: Key,
  changed: ReadonlyArray<NodeMode>
): "done" | "wait" | "gone" => {
  const base = tx.get(recordKey)
  if (base === undefined || tx.get(tailKey) === undefined) return "gone"
  const will = willOf(base) as Unlock
  const own = new Set([recordKey, tailKey])
  for (const standing of standingsIn(tx, will.tree, opposedRanges(will.tree, changed))) {
    if (standing !== undefined && own.has(standing.recordKey)) continue
    if (standing === undefined || isInTheWay(tx, Cells.stampOf(recordKey), changed, standing)) return "wait"
  }
  release(tx, tailKey)
  const stronger = new Map(changed.map(({ mode, node }) => [node, mode]))
  const kept = will.nodes.filter(({ node }) => !stronger.has(node))
  replace(tx, recordKey, will, [...kept, ...changed])
  return "done"
}

const isInTheWay = (tx: TxView, base: Key, changed: ReadonlyArray<NodeMode>, { stamp, will }: Standing): boolean => {
  const modes = new Map(will.nodes.map(({ mode, node }) => [node, mode]))
  const facts = { stamp, granted: true, modeOf: (node: Key): Mode | undefined => modes.get(node) }
  if (!Rules.holdsUpUpgrade(base, changed, facts)) return false
  // The tail of another upgrade is no holder; its base, which it leads to, is looked at for itself.
  if (stamp > base && will.upgrades !== undefined) return false
  return stamp < base || blocker(tx, will.tree, will.nodes, stamp) === undefined
}

/** All tickets of a tree for people. */
export const list = (tx: TxView, tree: Key) =>
  tx.range({ start: tree, end: prefixEnd(tree) }).map(({ key, value }) => {
    const { mode, node, stamp } = Cells.ticketOf(key, tree)
    const standing = standingOf(tx, tree, key, value)
    const holds = standing !== undefined && blocker(tx, tree, standing.will.nodes, stamp) === undefined
    const { version } = KeyDecode.decodePart(stamp, 0).part as { readonly version: number }
    return {
      path: KeyDecode.decode(node),
      mode: Rules.modeNames[mode],
      owner: standing?.will.owner ?? "a session that has ended",
      state: holds ? ("holds" as const) : ("waits" as const),
      stamp: version
    }
  })
