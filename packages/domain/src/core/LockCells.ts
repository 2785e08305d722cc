/**
 * Where tree locks live. Pure.
 *
 * | cell | key | value |
 * |---|---|---|
 * | ticket | `(null, "lock", tree, node, mode, stamp)` | the session's id |
 * | record | `(null, "session", null, sid, "lock", stamp)` | tree, nodes with modes, what the flow holds; a will of the session |
 *
 * One request is one commit: its record and one ticket a node, all with one stamp, the version of that commit. The record
 * is the request's fence cell: every transaction under the lock has it in its read set.
 */
import type { Key } from "./Key.ts"
import { encode, encodePart, stampLength } from "./KeyCodec.ts"
import { decodePart } from "./KeyDecode.ts"
import { type Mode, modes, type NodeMode } from "./LockRules.ts"
import { willPrefix, type Unlock } from "./SessionCells.ts"

const root = encode([null, "lock"])

/** All tickets of a tree begin so. */
export const treePrefix = (tree: string): Key => root + encodePart(tree)

/** Tickets of a node in a mode; the stamp follows. The node's own key is a part, so no node's tickets begin another's. */
export const ticketPrefix = (tree: Key, node: Key, mode: Mode): Key => tree + encodePart(node) + modeParts[mode]!

const modeParts: ReadonlyArray<Key> = modes.map((mode) => encodePart(mode))

/** The same for many look-ups of few nodes: each node is encoded once. */
export const ticketPrefixes = (tree: Key): ((node: Key, mode: Mode) => Key) => {
  const known = new Map<Key, Key>()
  return (node, mode) => {
    let at = known.get(node)
    if (at === undefined) known.set(node, (at = tree + encodePart(node)))
    return at + modeParts[mode]!
  }
}

/** What a ticket's key says, that of its tree left out. */
export const ticketOf = (key: Key, tree: Key): { readonly node: Key; readonly mode: Mode; readonly stamp: Key } => {
  const node = decodePart(key, tree.length)
  const mode = decodePart(key, node.next)
  return { node: node.part as Key, mode: mode.part as Mode, stamp: key.slice(mode.next) }
}

/** Records of a session; the stamp follows. */
export const recordPrefix = (sid: string): Key => willPrefix(sid) + encodePart("lock")

export const stampOf = (recordKey: Key): Key => recordKey.slice(-stampLength)

/** Where the tickets of a request stand; the stamp follows. A lock that is used again has the same nodes, and its keys are made once. */
export const ticketPlaces = (tree: Key, nodes: ReadonlyArray<NodeMode>): ReadonlyArray<Key> => {
  let known = places.get(nodes)
  if (known === undefined || known.tree !== tree) {
    known = { tree, prefixes: nodes.map(({ mode, node }) => ticketPrefix(tree, node, mode)) }
    places.set(nodes, known)
  }
  return known.prefixes
}

const places = new WeakMap<ReadonlyArray<NodeMode>, { readonly tree: Key; readonly prefixes: ReadonlyArray<Key> }>()

/** Keys of the tickets of a request. */
export const ticketKeys = (tree: Key, nodes: ReadonlyArray<NodeMode>, stamp: Key): ReadonlyArray<Key> =>
  ticketPlaces(tree, nodes).map((prefix) => prefix + stamp)

export type { Unlock }
