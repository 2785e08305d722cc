/**
 * The lock tree of one process: the rules of `LockRules.ts` over tickets in memory. Pure and synchronous: time, fibers and
 * waiting are the caller's; what becomes free is told by the `granted` callback of the request.
 *
 * Cost of a request: O(depth x roots), whatever else is held. Tickets of one node stand in one list per mode, in stamp
 * order; the count per mode says without a walk that nothing is in the way. Idle nodes are kept and swept in bulk:
 * V8's Map slows down by two orders of magnitude when a hot key is deleted and set again.
 */
import * as Rules from "./LockRules.ts"
import type { Mode, NodeMode } from "./LockRules.ts"
import { chained, nearest, type NodeEntry, opposedCount, Request, type Spot, Ticket } from "./LockTickets.ts"

export { Request, type Ticket } from "./LockTickets.ts"

/** Nodes kept while idle before a sweep, at least. */
export const idleNodesMin = 4096

/** A cycle of requests each waiting for the next; the first is the one that would have closed it. */
export type Cycle = ReadonlyArray<Request>

export class LockTable {
  private nodes = new Map<string, NodeEntry>()
  private stamps = 0
  private idle = 0
  /** Times a waiting request was looked at again: a release should cost one or two, however many wait. */
  wakeUps = 0

  /** Requests on a node, in stamp order: holders first, then waiters. */
  requestsAt(node: string): ReadonlyArray<{ readonly request: Request; readonly mode: Mode }> {
    const entry = this.nodes.get(node)
    if (entry === undefined) return []
    const found: Array<{ request: Request; mode: Mode }> = []
    for (const tail of entry.tails) {
      for (let t = tail; t !== undefined; t = t.before) found.push({ request: t.request, mode: t.mode })
    }
    return found.sort((a, b) => a.request.stamp - b.request.stamp)
  }

  /** Nodes with a ticket. */
  occupied(): ReadonlyArray<string> {
    const found: Array<string> = []
    for (const entry of this.nodes.values()) if (entry.total > 0) found.push(entry.node)
    return found
  }

  /** Nodes kept in memory, idle ones included. */
  get size(): number {
    return this.nodes.size
  }

  /**
   * Asks. The result's `state` is "granted" or "waiting"; then `granted` is called once, later. A request made while
   * holding others (`holding`) may close a cycle of waits: then nothing is left behind and the cycle is returned.
   */
  request(
    nodes: ReadonlyArray<Spot>,
    options: { readonly owner: unknown; readonly holding?: ReadonlyArray<Request>; readonly granted: () => void }
  ): Request | { readonly cycle: Cycle } {
    const request = this.append(nodes, options.owner, options.holding ?? none)
    if (this.settle(request)) return request
    request.granted = options.granted
    if (request.holding.length > 0) {
      const cycle = this.cycleThrough(request)
      if (cycle !== undefined) {
        this.release(request)
        return { cycle }
      }
    }
    return request
  }

  /** As `request`, but takes nothing unless it is free at once. */
  requestIfFree(nodes: ReadonlyArray<Spot>, owner: unknown): Request | undefined {
    for (const spot of nodes) {
      const entry = spot.entry?.home === this.nodes ? spot.entry : this.nodes.get(spot.node)
      if (entry !== undefined && opposedCount(entry, spot.mode) > 0) return undefined
    }
    const request = this.append(nodes, owner, none)
    request.state = "granted"
    return request
  }

  /** Gives back, or cancels a request that waits. Doing it twice is no effect. */
  release(request: Request): void {
    if (request.state === "ended") return
    request.state = "ended"
    request.granted = undefined
    if (request.waitsFor !== undefined) this.stopWaiting(request)
    if (request.upgrade !== undefined) this.cancelUpgrade(request)
    this.unlink(request.first)
  }

  /**
   * Asks for more on top of a granted request, whose stamp is kept. Returns undefined when granted at once or when
   * `granted` will be called, and the cycle when waiting would never end (two upgraders of one node, for one): then the
   * request still holds what it held.
   */
  upgrade(
    request: Request,
    target: ReadonlyArray<NodeMode>,
    options: { readonly holding?: ReadonlyArray<Request>; readonly granted: () => void }
  ): { readonly cycle: Cycle } | undefined {
    const changed = Rules.changed(request.nodes, target)
    if (changed.length === 0) {
      options.granted()
      return undefined
    }
    const tail = this.append(changed, request.owner, [request, ...(options.holding ?? none)])
    request.upgrade = { changed, tail }
    request.state = "upgrading"
    request.granted = options.granted
    if (this.settleUpgrade(request)) return undefined
    const cycle = this.cycleThrough(tail)
    if (cycle === undefined) return undefined
    this.cancelUpgrade(request)
    return { cycle }
  }

  /** Gives up an upgrade that waits; the request holds what it held. */
  cancelUpgrade(request: Request): void {
    const upgrade = request.upgrade
    if (upgrade === undefined) return
    request.upgrade = undefined
    request.granted = undefined
    if (request.state === "upgrading") request.state = "granted"
    this.release(upgrade.tail)
  }

  /** Keeps the stamp and holds only `nodes`, each in a mode that the held one covers; others are given back. */
  downgrade(request: Request, nodes: ReadonlyArray<NodeMode>): void {
    const wanted = new Map(nodes.map(({ mode, node }) => [node, mode]))
    const weaker: Array<Ticket> = []
    const old = request.first
    for (let t = old; t !== undefined; t = t.next) {
      const mode = wanted.get(t.entry.node)
      if (mode !== undefined) weaker.push(this.insert(t.entry, request, mode))
    }
    request.first = chained(weaker)
    this.unlink(old)
  }

  private append(nodes: ReadonlyArray<Spot>, owner: unknown, holding: ReadonlyArray<Request>): Request {
    const request = new Request(++this.stamps, owner, holding)
    let last: Ticket | undefined
    for (let i = 0; i < nodes.length; i++) {
      const spot = nodes[i]!
      const { mode } = spot
      const entry = spot.entry?.home === this.nodes ? spot.entry : (spot.entry = this.entry(spot.node))
      const tail = entry.tails[mode]
      const ticket = new Ticket(entry, request, mode, tail, undefined)
      if (tail === undefined) entry.heads[mode] = ticket
      else tail.after = ticket
      entry.tails[mode] = ticket
      this.count(entry, mode, 1)
      if (last === undefined) request.first = ticket
      else last.next = ticket
      last = ticket
    }
    return request
  }

  private entry(node: string): NodeEntry {
    let entry = this.nodes.get(node)
    if (entry === undefined) {
      if (this.idle > idleNodesMin && this.idle * 2 > this.nodes.size) this.sweep()
      entry = {
        node,
        home: this.nodes,
        heads: [undefined, undefined, undefined, undefined, undefined],
        tails: [undefined, undefined, undefined, undefined, undefined],
        counts: [0, 0, 0, 0, 0],
        total: 0
      }
      this.nodes.set(node, entry)
      this.idle++
    }
    return entry
  }

  private sweep(): void {
    const kept = new Map<string, NodeEntry>()
    for (const [node, entry] of this.nodes) {
      if (entry.total === 0) continue
      entry.home = kept
      kept.set(node, entry)
    }
    this.nodes = kept
    this.idle = 0
  }

  private count(entry: NodeEntry, mode: Mode, by: 1 | -1): void {
    entry.counts[mode] += by
    if (by === 1 && entry.total === 0) this.idle--
    entry.total += by
    if (entry.total === 0) this.idle++
  }

  /** Puts a ticket at its stamp's place in the list of a mode: behind no later one. Only conversions need it. */
  private insert(entry: NodeEntry, request: Request, mode: Mode): Ticket {
    let after: Ticket | undefined
    let before = entry.tails[mode]
    while (before !== undefined && before.request.stamp > request.stamp) {
      after = before
      before = before.before
    }
    const ticket = new Ticket(entry, request, mode, before, after)
    if (before === undefined) entry.heads[mode] = ticket
    else before.after = ticket
    if (after === undefined) entry.tails[mode] = ticket
    else after.before = ticket
    this.count(entry, mode, 1)
    return ticket
  }

  /** Takes a ticket and those that follow it away, then looks again at those who waited for one of them. */
  private unlink(first: Ticket | undefined): void {
    let awake: Array<Request> | undefined
    for (let ticket = first; ticket !== undefined; ticket = ticket.next) {
      const { after, before, entry, mode } = ticket
      if (before === undefined) entry.heads[mode] = after
      else before.after = after
      if (after === undefined) entry.tails[mode] = before
      else after.before = before
      this.count(entry, mode, -1)
      if (ticket.waiters !== undefined) {
        for (const waiter of ticket.waiters) waiter.waitsFor = undefined
        awake = awake === undefined ? ticket.waiters : awake.concat(ticket.waiters)
        ticket.waiters = undefined
      }
    }
    if (awake === undefined) return
    for (const request of awake) {
      if (request.waitsFor !== undefined || request.state === "ended") continue
      this.wakeUps++
      if (request.state === "upgrading") this.settleUpgrade(request)
      else if (request.state === "waiting" && this.settle(request)) resume(request)
    }
  }

  /** Grants if nothing earlier is in the way, else waits for the latest of what is. */
  private settle(request: Request): boolean {
    let latest: Ticket | undefined
    for (let ticket = request.first; ticket !== undefined; ticket = ticket.next) {
      // SIX and X exclude themselves, and the own ticket is counted already.
      if (opposedCount(ticket.entry, ticket.mode) === (ticket.mode >= Rules.SIX ? 1 : 0)) continue
      for (const mode of Rules.opposed[ticket.mode]!) {
        const found = nearest(ticket.entry, mode, request.stamp)
        if (found !== undefined && (latest === undefined || found.request.stamp > latest.request.stamp)) latest = found
      }
    }
    if (latest === undefined) {
      request.state = "granted"
      // Others may have been granted, and upgraded, since it came.
      if (this.stamps > request.stamp) request.token = ++this.stamps
      return true
    }
    this.waitFor(request, latest)
    return false
  }

  private settleUpgrade(request: Request): boolean {
    const { changed, tail } = request.upgrade!
    let latest: Ticket | undefined
    for (const { ticket } of this.upgradeBlockers(request, changed)) {
      if (latest === undefined || ticket.request.stamp > latest.request.stamp) latest = ticket
    }
    if (latest !== undefined) {
      this.waitFor(request, latest)
      return false
    }
    request.upgrade = undefined
    const old: Array<Ticket> = []
    const held = Array.from(request.tickets)
    for (const { mode, node } of changed) {
      const at = held.findIndex((t) => t.entry.node === node)
      const stronger = this.insert(this.entry(node), request, mode)
      if (at === -1) held.push(stronger)
      else {
        old.push(held[at]!)
        held[at] = stronger
      }
    }
    request.first = chained(held)
    request.state = "granted"
    request.token = ++this.stamps
    tail.state = "ended"
    this.unlink(chained(old))
    this.unlink(tail.first)
    resume(request)
    return true
  }

  private upgradeBlockers(
    request: Request,
    changed: ReadonlyArray<NodeMode>
  ): ReadonlyArray<{ readonly ticket: Ticket }> {
    const found: Array<{ ticket: Ticket }> = []
    const tail = request.upgrade?.tail
    for (const { mode, node } of changed) {
      for (const other of Rules.opposed[mode]!) {
        for (let t = this.nodes.get(node)?.tails[other]; t !== undefined; t = t.before) {
          const { request: theirs } = t
          if (theirs === request || theirs === tail) continue
          const granted = theirs.state === "granted" || theirs.state === "upgrading"
          const facts = { stamp: theirs.stamp, granted, modeOf: (at: string) => (at === node ? t.mode : undefined) }
          if (Rules.holdsUpUpgrade(request.stamp, changed, facts)) found.push({ ticket: t })
        }
      }
    }
    return found
  }

  private waitFor(request: Request, ticket: Ticket): void {
    request.waitsFor = ticket
    if (ticket.waiters === undefined) ticket.waiters = [request]
    else ticket.waiters.push(request)
  }

  private stopWaiting(request: Request): void {
    const waiters = request.waitsFor!.waiters!
    waiters.splice(waiters.indexOf(request), 1)
    request.waitsFor = undefined
  }

  /** Everyone that keeps a waiting request, or an upgrade by its tail, from going on. */
  private blockersOf(request: Request): ReadonlyArray<Request> {
    const found = new Set<Request>()
    const upgrading = request.holding.find((h) => h.upgrade?.tail === request)
    if (upgrading !== undefined) {
      for (const { ticket } of this.upgradeBlockers(upgrading, upgrading.upgrade!.changed)) found.add(ticket.request)
      return [...found]
    }
    for (const { entry, mode } of request.tickets) {
      for (const other of Rules.opposed[mode]!) {
        for (let t = nearest(entry, other, request.stamp); t !== undefined; t = t.before) found.add(t.request)
      }
    }
    return [...found]
  }

  /** A cycle of the wait-for graph through `start`, which waits. Edges: waiting to blocker; held to what its flow waits for. */
  private cycleThrough(start: Request): Cycle | undefined {
    const waits = new Map<Request, Array<Request>>()
    for (const entry of this.nodes.values()) {
      for (const tail of entry.tails) {
        for (let t = tail; t !== undefined; t = t.before) {
          const { request } = t
          if (request.state !== "waiting") continue
          for (const held of request.holding) {
            const at = waits.get(held)
            if (at === undefined) waits.set(held, [request])
            else if (!at.includes(request)) at.push(request)
          }
        }
      }
    }
    return Rules.cycleThrough(start, (request) => [
      ...(request.state === "waiting" ? this.blockersOf(request) : none),
      ...(waits.get(request) ?? none)
    ])
  }
}

const none: ReadonlyArray<Request> = []

const resume = (request: Request): void => {
  const granted = request.granted
  request.granted = undefined
  granted?.()
}
