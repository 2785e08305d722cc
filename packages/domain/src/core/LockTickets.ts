/** Tickets of a lock tree in memory: what stands where, in stamp order per node and mode. Pure data and two looks at it. */
import * as Rules from "./LockRules.ts"
import type { Mode, NodeMode } from "./LockRules.ts"

/**
 * One request's place on one node. This and `Request` are classes and hold no arrays for the collector's sake: of literals
 * V8 learns, where many are held, that they live long, and from then on makes each in old space, also those that are given
 * back at once. That cost half of the rate.
 */
export class Ticket {
  readonly entry: NodeEntry
  readonly request: Request
  readonly mode: Mode
  /** Neighbours on the node. */
  before: Ticket | undefined
  after: Ticket | undefined
  /** The request's ticket on its next node. */
  next: Ticket | undefined
  /** Requests that wait for this ticket to go. */
  waiters: Array<Request> | undefined

  constructor(entry: NodeEntry, request: Request, mode: Mode, before: Ticket | undefined, after: Ticket | undefined) {
    this.entry = entry
    this.request = request
    this.mode = mode
    this.before = before
    this.after = after
    this.next = undefined
    this.waiters = undefined
  }
}

export interface NodeEntry {
  readonly node: string
  /** The map of a table that it stands in; after a sweep that let it go, no longer the table's. */
  home: Map<string, NodeEntry>
  /** First and last ticket of each mode, in stamp order. */
  readonly heads: Array<Ticket | undefined>
  readonly tails: Array<Ticket | undefined>
  readonly counts: [number, number, number, number, number]
  total: number
}

/** A node of a request that remembers where it was found: the same request again need not look it up. */
export interface Spot extends NodeMode {
  entry?: NodeEntry | undefined
}

export type State = "waiting" | "granted" | "upgrading" | "ended"

/** One request for nodes, in force from `request` to `release`. Fields are read-only for callers. */
export class Request {
  readonly stamp: number
  /** Fencing token: of the moment of the grant or conversion, so greater than that of everyone it had to wait for. */
  token: number
  /** The ticket on its first node; the others follow by `next`. */
  first: Ticket | undefined
  /** Who asks, for people and for `holders`. */
  readonly owner: unknown
  /** Requests that the same flow holds while it asks for this one. */
  readonly holding: ReadonlyArray<Request>
  state: State
  waitsFor: Ticket | undefined
  /** Called once when the request, or its upgrade, is granted. */
  granted: (() => void) | undefined
  upgrade: Upgrade | undefined

  constructor(stamp: number, owner: unknown, holding: ReadonlyArray<Request>) {
    this.stamp = stamp
    this.token = stamp
    this.first = undefined
    this.owner = owner
    this.holding = holding
    this.state = "waiting"
    this.waitsFor = undefined
    this.granted = undefined
    this.upgrade = undefined
  }

  get tickets(): ReadonlyArray<Ticket> {
    const tickets: Array<Ticket> = []
    for (let t = this.first; t !== undefined; t = t.next) tickets.push(t)
    return tickets
  }

  get nodes(): ReadonlyArray<NodeMode> {
    return this.tickets.map(({ entry, mode }) => ({ node: entry.node, mode }))
  }
}

/** Makes tickets follow one another, and gives the first. */
export const chained = (tickets: ReadonlyArray<Ticket>): Ticket | undefined => {
  for (let i = 0; i < tickets.length; i++) tickets[i]!.next = tickets[i + 1]
  return tickets[0]
}

export interface Upgrade {
  readonly changed: ReadonlyArray<NodeMode>
  /** Tickets at the tail of the target modes: they stop later arrivals while the upgrade waits. */
  readonly tail: Request
}

/** How many tickets of a node, earlier or later, exclude a mode. */
export const opposedCount = ({ counts, total }: NodeEntry, mode: Mode): number => {
  switch (mode) {
    case Rules.IS:
      return counts[4]
    case Rules.IX:
      return counts[2] + counts[3] + counts[4]
    case Rules.S:
      return counts[1] + counts[3] + counts[4]
    case Rules.SIX:
      return total - counts[0]
    default:
      return total
  }
}

/**
 * The latest ticket of a node in a mode before a stamp. Looked for from both ends at once: who has just come stands near
 * the last, whose turn comes near the first, so that neither pays for the other end of a long line.
 */
export const nearest = (entry: NodeEntry, mode: Mode, before: number): Ticket | undefined => {
  let front = entry.heads[mode]
  if (front === undefined || front.request.stamp >= before) return undefined
  // Some ticket is earlier, so both walks end.
  let back = entry.tails[mode]!
  for (;;) {
    if (back.request.stamp < before) return back
    back = back.before!
    const next: Ticket | undefined = front.after
    if (next === undefined || next.request.stamp >= before) return front
    front = next
  }
}
