/**
 * What a tuple space does to the cells of a store, each as a synchronous step over the view of a transaction. Numbers in
 * brackets are lines of the algorithm in docs/TUPLES.md.
 */
import { type Access, type Collection, isExpired_ } from "@weft/domain/Collection"
import { deliveriesOf, withDeadline } from "@weft/domain/core/Envelope"
import { type Key, prefixEnd, successor } from "@weft/domain/core/Key"
import * as KeyDecode from "@weft/domain/core/KeyDecode"
import { type Restore, type Ticket, type Will, willOf, willValue } from "@weft/domain/core/SessionCells"
import { settle, type Settlement, type TakeEnd, type TakeWill } from "@weft/domain/core/TupleRules"
import type { Range } from "@weft/domain/core/Commit"
import type { Value } from "@weft/domain/core/Value"
import type { Version } from "@weft/domain/core/Version"
import type { TxView } from "@weft/domain/internal/TxView"
import * as Sessions from "@weft/domain/Sessions"
import { buildingValue, entryValue, putBack, readyValue } from "@weft/domain/TupleCells"
import * as Handing from "../core/Handing.ts"
import { type Compiled, fits } from "../core/Template.ts"
import { classOf, headOf, rangeOf, SpaceKeys, stampOf, takes } from "./SpaceKeys.ts"
import { firstWaiterIn, type Waiting } from "./Line.ts"
import { isReadyIn, isReadyValue, type Kept, MaskRegistry } from "./MaskRegistry.ts"
import { SpaceRoom } from "./SpaceRoom.ts"
import { ofValue, type Readied, type TicketRecord, toValue } from "./Tickets.ts"

/** A tuple that is there. */
export interface Found<T> {
  readonly stamp: Key
  readonly key: Key
  readonly value: Value
  readonly tuple: T
}

/** A tuple taken out, with what puts it back. */
export interface Taken<T> {
  readonly tuple: T
  readonly value: Value
  readonly restore: Restore
}

/** How far a mask is built. */
export interface Built {
  /** Version of the mask's cell when it was begun. */
  readonly since: Version
  /** Tuples before this key are indexed. */
  readonly from: Key
}

/** Masks of one arity that have an index; mask 0 always has one. */
export const masksMax = 16
/** Tuples that are indexed in one step when a mask is new. */
const buildMax = 512
const pageMax = 256

export class SpaceCells<T extends ReadonlyArray<unknown>> {
  readonly base: Collection<T>
  readonly keys: SpaceKeys
  readonly returnsMax: number
  readonly #room: SpaceRoom
  readonly #registry: MaskRegistry

  constructor(base: Collection<T>, returnsMax: number, tuplesMax?: number) {
    this.base = base
    this.keys = new SpaceKeys(base)
    this.returnsMax = returnsMax
    this.#registry = new MaskRegistry(this.keys)
    this.#room = new SpaceRoom(base.name, this.keys.room, tuplesMax)
  }

  // Masks [2] --------------------------------------------------------------------------------------------------------

  /** Masks that are kept up for an arity, 0 first. */
  masks(tx: TxView, arity: number): ReadonlyArray<number> {
    return this.#registry.read(tx, arity).masks
  }

  /** Whether a template's mask may be looked at; otherwise mask 0 is. */
  isReady(tx: TxView, { arity, mask }: Compiled): boolean {
    if (mask === 0) return true
    const value = tx.get(this.#registry.cell(arity, mask))
    return value !== undefined && isReadyValue(value)
  }

  /** Begins to keep a mask up. False when it is ready, or when the arity has masks enough. */
  register(tx: TxView, { arity, mask }: Compiled): boolean {
    const key = this.#registry.cell(arity, mask)
    const value = tx.get(key)
    if (value !== undefined) return !isReadyValue(value)
    if (this.masks(tx, arity).length > masksMax) return false
    tx.set(key, buildingValue)
    return true
  }

  /**
   * Indexes the next tuples for a mask, at most `max`; gives where to go on, `undefined` when all are done. Begins anew when
   * the mask was set back meanwhile: a tuple that it missed came back, perhaps to a place that was indexed already.
   */
  build(access: Access, { arity, mask }: Compiled, at?: Built, max: number = buildMax): Built | undefined {
    const { tx } = access
    const registry = this.#registry.cell(arity, mask)
    const since = tx.versionOf(registry)
    const start = at?.since === since ? at.from : this.keys.tuples
    const items = tx.range({ start, end: prefixEnd(this.keys.tuples), limit: max })
    const tuples = this.base.decodeAll(access, items, ({ key, value }) => this.base.decode(access, value, key))
    for (let i = 0; i < items.length; i++) {
      const tuple = tuples[i]!
      if (tuple.length !== arity) continue
      tx.set(this.keys.entries + classOf(tuple, mask) + stampOf(items[i]!.key), entryValue)
    }
    if (items.length === max) return { since, from: successor(items[items.length - 1]!.key) }
    tx.set(registry, readyValue)
    return undefined
  }

  // Tuples -----------------------------------------------------------------------------------------------------------

  /** [7] Throws `LimitExceeded` when a bounded space is full. */
  out(access: Access, tuple: T, deadline: number | undefined): void {
    const { tx } = access
    this.#room.take(tx)
    const encoded = this.base.encode(access, tuple, this.keys.tuples)
    const value = deadline === undefined ? encoded : withDeadline(encoded, deadline)
    const masks = this.masks(tx, tuple.length)
    const index = tx.nextIndex()
    tx.append(this.keys.tuples, index, "", value)
    for (const mask of masks) tx.append(this.keys.entries + classOf(tuple, mask), index, "", entryValue)
  }

  /** Fits of a template, oldest first; what is expired is removed when `sweeps`. */
  fits(access: Access, template: Compiled, sweeps: boolean): Generator<Found<T>> {
    const isReady = this.isReady(access.tx, template)
    return this.#fitsIn(access, template, rangeOf(this.keys.entries + templateClass(template, isReady), 1), sweeps)
  }

  /** As `fits`; `first` is where they stand, of which one is read first. */
  *#fitsIn(access: Access, template: Compiled, first: Range, sweeps: boolean): Generator<Found<T>> {
    const { tx } = access
    const { end } = first
    let range = first
    for (let limit = 1; ;) {
      const entries = tx.range(range)
      if (entries.length > 1) {
        tx.prefetch(
          entries.map(({ key }) => this.keys.tuples + stampOf(key)),
          []
        )
      }
      for (const entry of entries) {
        const found = this.#found(access, stampOf(entry.key), sweeps)
        if (found !== undefined && fits(template, found.tuple)) yield found
      }
      if (entries.length < limit) return
      limit = Math.min(limit * 4, pageMax)
      range = { start: successor(entries[entries.length - 1]!.key), end, limit }
    }
  }

  #found(access: Access, stamp: Key, sweeps: boolean): Found<T> | undefined {
    const { tx } = access
    const key = this.keys.tuples + stamp
    const value = tx.get(key)
    if (value === undefined) return undefined
    const tuple = this.base.decode(access, value, key)
    if (!isExpired_(tx, value)) return { stamp, key, value, tuple }
    if (sweeps) {
      this.#remove(tx, { stamp, key, value, tuple }, this.#registry.read(tx, tuple.length))
      this.#room.free(tx, stamp)
    }
    return undefined
  }

  /** Stamps of those of the next `max` tuples from a key on whose time is over, and where to go on, if anywhere. */
  expired({ tx }: Access, from: Key, max: number): { readonly stamps: ReadonlyArray<Key>; readonly next?: Key } {
    const items = tx.range({ start: from, end: prefixEnd(this.keys.tuples), limit: max })
    const stamps = items.filter(({ value }) => isExpired_(tx, value)).map(({ key }) => stampOf(key))
    return items.length < max ? { stamps } : { stamps, next: successor(items[items.length - 1]!.key) }
  }

  /** Removes those of these tuples that are there and whose time is over. Reads no range of tuples, so outs do not conflict. */
  reap(access: Access, stamps: ReadonlyArray<Key>): void {
    for (const stamp of stamps) this.#found(access, stamp, true)
  }

  #remove(tx: TxView, { key, stamp, tuple }: Found<T>, kept: Kept): Pick<Restore, "index" | "masks"> {
    const index: Array<Key> = []
    tx.delete(key)
    for (const mask of kept.masks) {
      const entry = this.keys.entries + classOf(tuple, mask) + stamp
      index.push(entry)
      tx.delete(entry)
    }
    return { index, masks: kept.cells }
  }

  /** Takes a tuple out for good. */
  take(tx: TxView, found: Found<T>): Taken<T> {
    return this.#take(tx, found, this.#registry.read(tx, found.tuple.length))
  }

  #take(tx: TxView, found: Found<T>, kept: Kept): Taken<T> {
    this.#room.free(tx, found.stamp)
    return this.#takeOut(tx, found, "", kept)
  }

  #takeOut(tx: TxView, found: Found<T>, nonce: string, kept: Kept): Taken<T> {
    const { index, masks } = this.#remove(tx, found, kept)
    const restore: Restore = {
      kind: "restore",
      nonce,
      inFlight: this.keys.inFlight + found.stamp,
      ready: found.key,
      dead: this.keys.dead + found.stamp,
      index,
      masks,
      registry: this.#registry.range(found.tuple.length).start,
      returnsMax: this.returnsMax
    }
    return { tuple: found.tuple, value: found.value, restore }
  }

  /** Takes a tuple out on trial: it is in flight until `willKey` is settled. */
  handOver(tx: TxView, found: Found<T>, willKey: Key, nonce: string): void {
    const { restore } = this.#takeOut(tx, found, nonce, this.#registry.read(tx, found.tuple.length))
    tx.set(restore.inFlight, found.value)
    tx.set(willKey, willValue(restore))
  }

  /** Puts a tuple back that was taken and reached nobody; also into a space that is full by now. */
  putBack(tx: TxView, { restore, value }: Taken<T>): void {
    this.#room.force(tx, restore.inFlight)
    tx.set(restore.inFlight, value)
    putBack(tx, restore, false)
  }

  /** All dead letters, taken out. */
  takeDead(access: Access): ReadonlyArray<T> {
    const { tx } = access
    const { dead } = this.keys
    const items = tx.range({ start: dead, end: prefixEnd(dead) })
    const tuples = this.base.decodeAll(access, items, ({ key, value }) => this.base.decode(access, value, key))
    for (const { key } of items) {
      tx.delete(key)
      this.#room.free(tx, key)
    }
    return tuples
  }

  // Tickets ----------------------------------------------------------------------------------------------------------

  /** [10] A ticket under the session: its place but for the version, or `undefined` when the session has ended. */
  wait(
    tx: TxView,
    session: Pick<Sessions.Session, "id">,
    template: Compiled,
    record: TicketRecord
  ): { readonly prefix: Key; readonly index: number } | undefined {
    if (!Sessions.exists(tx, session)) return undefined
    const isKept = this.masks(tx, template.arity).includes(template.mask)
    const prefix = this.keys.tickets + templateClass(template, isKept)
    const index = tx.nextIndex()
    const will: Ticket = { kind: "ticket", prefix, nonce: record.nonce }
    tx.append(prefix, index, "", toValue(record))
    tx.append(takes(session.id), index, "", willValue(will))
    return { prefix, index }
  }

  /** The first ticket that a tuple fits, those of `except` left out. A predicate that throws fits nothing. */
  firstWaiter(tx: TxView, tuple: T, readied: Readied, except: ReadonlySet<Key>): Waiting | undefined {
    const ranges = this.masks(tx, tuple.length).map((mask) =>
      rangeOf(this.keys.tickets + classOf(tuple, mask), except.size + 1)
    )
    return firstWaiterIn(tx, ranges, tuple, readied, except)
  }

  /** The oldest fit, unless somebody waits for it already [9]. */
  atOnce(access: Access, template: Compiled, readied: Readied): Found<T> | undefined {
    return this.#atOnce(access, template, readied).found
  }

  /** Takes the oldest fit out for good, unless somebody waits for it already [9]. */
  takeAtOnce(access: Access, template: Compiled, readied: Readied): Taken<T> | undefined {
    const { found, kept } = this.#atOnce(access, template, readied)
    return found === undefined ? undefined : this.#take(access.tx, found, kept)
  }

  /** What it reads is asked for in one trip, as far as the template tells where it stands. */
  #atOnce(
    access: Access,
    template: Compiled,
    readied: Readied
  ): { readonly found: Found<T> | undefined; readonly kept: Kept } {
    const { tx } = access
    const { arity, mask } = template
    const any = headOf(arity, 0)
    const own = mask === 0 ? any : templateClass(template, true)
    const ownEntries = rangeOf(this.keys.entries + own, 1)
    const tickets = [rangeOf(this.keys.tickets + any, 1)]
    if (mask !== 0) tickets.push(rangeOf(this.keys.tickets + own, 1))
    tx.prefetch(noKeys, [this.#registry.range(arity), ownEntries, ...tickets])
    const kept = this.#registry.read(tx, arity)
    const entries = isReadyIn(kept, mask) ? ownEntries : rangeOf(this.keys.entries + any, 1)
    // A tuple is of the classes of the template that it fits; of others only it tells.
    const isOfTemplate = kept.masks.length === tickets.length && (mask === 0 || kept.masks[1] === mask)
    const found = Handing.atOnce(this.#fitsIn(access, template, entries, true), (fit) =>
      isOfTemplate
        ? firstWaiterIn(tx, tickets, fit.tuple, readied, none) !== undefined
        : this.#isAwaited(tx, fit, readied)
    )
    return { found, kept }
  }

  /** The oldest fit for which nobody waits already [9]. */
  free(access: Access, template: Compiled, readied: Readied, sweeps: boolean): Found<T> | undefined {
    return Handing.free(this.fits(access, template, sweeps), (found) => this.#isAwaited(access.tx, found, readied))
  }

  #isAwaited(tx: TxView, { tuple }: Found<T>, readied: Readied): boolean {
    return this.firstWaiter(tx, tuple, readied, none) !== undefined
  }

  /** All fits for which nobody waits, oldest first. */
  allFree(access: Access, template: Compiled, readied: Readied, sweeps: boolean): ReadonlyArray<Found<T>> {
    const out: Array<Found<T>> = []
    for (const found of this.fits(access, template, sweeps)) {
      if (!this.#isAwaited(access.tx, found, readied)) out.push(found)
    }
    return out
  }

  /** [14 to 17] Ends a take: what becomes of its ticket or its tuple is decided by `core/TupleRules.ts`. */
  settle(tx: TxView, willKey: Key, end: TakeEnd): Settlement {
    const value = tx.get(willKey)
    const will = value === undefined ? undefined : willOf(value)
    const settlement = settle(takeWillOf(will), end)
    if (settlement === "nothing") return settlement
    if (will?.kind === "ticket") tx.delete(will.prefix + stampOf(willKey))
    else if (will?.kind === "restore") {
      if (settlement === "consume") {
        if (tx.get(will.inFlight) === undefined) return "nothing"
        tx.delete(will.inFlight)
        this.#room.free(tx, will.inFlight)
      } else putBack(tx, will, settlement === "return")
    }
    tx.delete(willKey)
    return settlement
  }

  /** Cancels a take that is known by its nonce alone: its commit was not heard of. */
  cancelByNonce(tx: TxView, sid: string, nonce: string): void {
    const start = takes(sid)
    for (const { key, value } of tx.range({ start, end: prefixEnd(start) })) {
      const will = willOf(value)
      if ((will.kind === "ticket" || will.kind === "restore") && will.nonce === nonce) this.settle(tx, key, "cancelled")
    }
  }

  /** [14] What a take was given; `undefined` while it waits, "gone" when its session ended. */
  received(access: Access, willKey: Key): (Taken<T> & { readonly returns: number }) | undefined | "gone" {
    const { tx } = access
    const value = tx.get(willKey)
    if (value === undefined) return "gone"
    const will = willOf(value)
    if (will.kind !== "restore") return undefined
    const held = tx.get(will.inFlight)
    if (held === undefined) return "gone"
    const tuple = this.base.decode(access, held, will.inFlight)
    return { tuple, value: held, restore: will, returns: deliveriesOf(held) }
  }

  /** Tickets of all, by stamp. */
  tickets(tx: TxView): ReadonlyArray<{ readonly stamp: number; readonly record: TicketRecord }> {
    const { tickets } = this.keys
    return tx
      .range({ start: tickets, end: prefixEnd(tickets) })
      .map(({ key, value }) => ({ key: stampOf(key), record: ofValue(value) }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, record }) => {
        const { version } = KeyDecode.decodePart(key, 0).part as { readonly version: number }
        return { stamp: version, record }
      })
  }
}

/** What a will says of a take; those of other things say nothing. */
export const takeWillOf = (will: Will | undefined): TakeWill =>
  will?.kind === "ticket" || will?.kind === "restore" ? will.kind : undefined

const none: ReadonlySet<Key> = new Set()
const noKeys: ReadonlyArray<Key> = []

/** Where a template's fits and its ticket stand: the class of its literals where their mask is kept, else all of its arity. */
const templateClass = ({ mask, places }: Compiled, isKept: boolean): Key => classOf(places, isKept ? mask : 0)
