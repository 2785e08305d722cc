/**
 * The rules of a tuple space over tuples in memory: what matches, who is served, in which order. Pure and synchronous;
 * waiting is the caller's, who is told through `deliver`.
 *
 * Rules (the sequential Linda rule, made exact): a tuple that is put out goes first to *every* reader that waits for it,
 * then to *one* taker, the one with the oldest ticket, and is kept only if there is none. A take that finds tuples gets the
 * oldest. A tuple given back keeps its age. So no kept tuple ever matches a taker that waits.
 *
 * Cost: tuples and waiters stand in an index by arity and by each set of literal places that templates use, so a match does
 * not pay for tuples that differ in a literal. Taken tuples are marked and swept in bulk, idle index entries are kept
 * until then: V8's Map slows down by orders of magnitude when a hot key is deleted and set again.
 */
import type { Compiled } from "./Template.ts"
import { isIndexableAt, literalsOf, PredicateFailed } from "./Template.ts"

/** A tuple in the space. */
export interface Entry<T> {
  readonly tuple: T
  /** Age: smaller is older. */
  readonly stamp: number
  /** Times it was leased and given back. */
  returns: number
  /** Not to be matched from this time on; `Infinity` for ever. */
  readonly expiresAtMillis: number
  gone: boolean
}

/** Someone who waits for a tuple. */
export interface Waiter<T> {
  readonly template: Compiled
  readonly takes: boolean
  readonly stamp: number
  /** What the owner wants people to see of its template. */
  readonly shown: ReadonlyArray<unknown>
  readonly deliver: (entry: Entry<T>) => void
  /** A predicate of this waiter threw: it is no longer in line. */
  readonly fail: (error: PredicateFailed) => void
  gone: boolean
}

/** Items in age order, those that are gone skipped and dropped from the front. */
interface Bucket<I extends { readonly stamp: number; gone: boolean }> {
  items: Array<I>
  head: number
}

/** One index: all items of an arity by the literals at the places of a mask. */
interface Index<I extends { readonly stamp: number; gone: boolean }> {
  readonly mask: number
  buckets: Map<unknown, Bucket<I>>
}

interface Arity<T> {
  readonly arity: number
  /** `tuples[0]` has mask 0: everything, in age order. */
  readonly tuples: Array<Index<Entry<T>>>
  readonly waiters: Array<Index<Waiter<T>>>
  live: number
  waiting: number
  /** Taken tuples and waiters that are gone but still stand in some bucket. */
  dead: number
}

/** Marked items before a sweep, at least; it also waits until they outnumber the live. */
const deadMin = 1024
/** A sweep removes idle buckets when they are one in so many, or more. */
const idleShare = 4

/**
 * A class and no literal: V8 learns of a literal that the first thousands of its objects stayed, and makes all later ones in
 * the old space, where those that come and go cost twice as much.
 */
class Kept<T> implements Entry<T> {
  readonly tuple: T
  readonly stamp: number
  readonly returns: number
  readonly expiresAtMillis: number
  gone: boolean

  constructor(tuple: T, stamp: number, returns: number, expiresAtMillis: number) {
    this.tuple = tuple
    this.stamp = stamp
    this.returns = returns
    this.expiresAtMillis = expiresAtMillis
    this.gone = false
  }
}

export class SpaceTable<T extends ReadonlyArray<unknown>> {
  private readonly arities = new Map<number, Arity<T>>()
  private stamps = 0
  private expiring = false
  /** No tuple in the space is to go before. */
  private nextExpiryMillis = Infinity

  /** Tuples in the space, expired ones that nobody has met yet included. */
  get size(): number {
    let size = 0
    for (const { live } of this.arities.values()) size += live
    return size
  }

  /** Waiters in line. */
  get waiting(): number {
    let waiting = 0
    for (const arity of this.arities.values()) waiting += arity.waiting
    return waiting
  }

  /** Serves all readers and one taker that wait for it, or keeps it. Whether it was kept. */
  out(tuple: T, expiresAtMillis: number = Infinity): boolean {
    if (expiresAtMillis !== Infinity) this.expiring = true
    return this.put(new Kept(tuple, ++this.stamps, 0, expiresAtMillis))
  }

  /** A leased tuple comes back with its old age; waiting takers are served before it is kept. */
  giveBack(entry: Entry<T>): void {
    const { expiresAtMillis, returns, stamp, tuple } = entry
    this.put(new Kept(tuple, stamp, returns + 1, expiresAtMillis))
  }

  /** The oldest tuple that matches. Throws `PredicateFailed`. */
  find(template: Compiled, nowMillis: number): Entry<T> | undefined {
    const at = this.arities.get(template.arity)
    if (at === undefined || at.live === 0) return undefined
    const bucket = this.tupleIndex(at, template.mask).buckets.get(template.literals)
    if (bucket === undefined) return undefined
    skip(bucket)
    const { items } = bucket
    for (let i = bucket.head; i < items.length; i++) {
      const entry = items[i]!
      if (entry.gone || this.isExpired(at, entry, nowMillis)) continue
      if (template.rest(entry.tuple)) return entry
    }
    return undefined
  }

  /** All tuples that match, oldest first, at most `limit`. Throws `PredicateFailed`. */
  findAll(template: Compiled, nowMillis: number, limit: number = Infinity): ReadonlyArray<Entry<T>> {
    const found: Array<Entry<T>> = []
    const at = this.arities.get(template.arity)
    const bucket = at === undefined ? undefined : this.tupleIndex(at, template.mask).buckets.get(template.literals)
    if (at === undefined || bucket === undefined) return found
    for (let i = bucket.head; i < bucket.items.length && found.length < limit; i++) {
      const entry = bucket.items[i]!
      if (entry.gone || this.isExpired(at, entry, nowMillis)) continue
      if (template.rest(entry.tuple)) found.push(entry)
    }
    return found
  }

  /** Takes a tuple that was found out of the space. */
  remove(entry: Entry<T>): void {
    if (entry.gone) return
    const at = this.arities.get(entry.tuple.length)!
    entry.gone = true
    at.live--
    this.buried(at)
  }

  /** Drops every tuple whose time is over; how many. Cost: O(tuples), nothing before the first one's time is over. */
  expire(nowMillis: number): number {
    if (nowMillis < this.nextExpiryMillis) return 0
    let expired = 0
    this.nextExpiryMillis = Infinity
    for (const at of this.arities.values()) {
      for (const entry of at.tuples[0]!.buckets.get(undefined)?.items ?? []) {
        if (entry.gone) continue
        if (this.isExpired(at, entry, nowMillis)) expired++
        else this.nextExpiryMillis = Math.min(this.nextExpiryMillis, entry.expiresAtMillis)
      }
      if (at.dead >= deadMin) this.buried(at)
    }
    return expired
  }

  /** Stands in line. The caller has looked for a kept tuple first. */
  wait(waiter: Omit<Waiter<T>, "stamp" | "gone">): Waiter<T> {
    const inLine: Waiter<T> = { ...waiter, stamp: ++this.stamps, gone: false }
    const at = this.arity(waiter.template.arity)
    let index = at.waiters.find(({ mask }) => mask === waiter.template.mask)
    if (index === undefined) at.waiters.push((index = { mask: waiter.template.mask, buckets: new Map() }))
    push(index, waiter.template.literals, inLine)
    at.waiting++
    return inLine
  }

  /** Leaves the line; no effect when it was served already. */
  cancel(waiter: Waiter<T>): void {
    if (waiter.gone) return
    const at = this.arities.get(waiter.template.arity)!
    waiter.gone = true
    at.waiting--
    this.buried(at)
  }

  /** Everyone in line, oldest first. */
  interests(): ReadonlyArray<Waiter<T>> {
    const found: Array<Waiter<T>> = []
    for (const { waiters } of this.arities.values()) {
      for (const { buckets } of waiters) {
        for (const { items } of buckets.values()) for (const waiter of items) if (!waiter.gone) found.push(waiter)
      }
    }
    return found.sort((a, b) => a.stamp - b.stamp)
  }

  private put(entry: Entry<T>): boolean {
    const at = this.arity(entry.tuple.length)
    if (at.waiting > 0 && this.serve(at, entry)) return false
    if (entry.expiresAtMillis < this.nextExpiryMillis) this.nextExpiryMillis = entry.expiresAtMillis
    for (const index of at.tuples) {
      if (isIndexableAt(entry.tuple, index.mask)) push(index, literalsOf(entry.tuple, index.mask), entry)
    }
    at.live++
    return true
  }

  /** Gives the tuple to all readers in line for it and to its oldest taker; whether a taker has it. */
  private serve(at: Arity<T>, entry: Entry<T>): boolean {
    let taker: Waiter<T> | undefined
    const readers: Array<Waiter<T>> = []
    for (const { buckets, mask } of at.waiters) {
      const bucket = isIndexableAt(entry.tuple, mask) ? buckets.get(literalsOf(entry.tuple, mask)) : undefined
      if (bucket === undefined) continue
      skip(bucket)
      for (let i = bucket.head; i < bucket.items.length; i++) {
        const waiter = bucket.items[i]!
        if (waiter.gone) continue
        if (waiter.takes && taker !== undefined && taker.stamp < waiter.stamp) continue
        if (!this.fits(waiter, entry.tuple)) continue
        if (waiter.takes) taker = waiter
        else readers.push(waiter)
      }
    }
    for (const reader of readers) {
      this.cancel(reader)
      reader.deliver(entry)
    }
    if (taker === undefined) return false
    this.cancel(taker)
    entry.gone = true
    taker.deliver(entry)
    return true
  }

  /** A predicate that throws is no match, and its owner is told. */
  private fits(waiter: Waiter<T>, tuple: T): boolean {
    try {
      return waiter.template.rest(tuple)
    } catch (error) {
      if (!(error instanceof PredicateFailed)) throw error
      this.cancel(waiter)
      waiter.fail(error)
      return false
    }
  }

  private isExpired(at: Arity<T>, entry: Entry<T>, nowMillis: number): boolean {
    if (!this.expiring || entry.expiresAtMillis > nowMillis) return false
    entry.gone = true
    at.live--
    at.dead++
    return true
  }

  private arity(arity: number): Arity<T> {
    let at = this.arities.get(arity)
    if (at === undefined) {
      at = { arity, tuples: [{ mask: 0, buckets: new Map() }], waiters: [], live: 0, waiting: 0, dead: 0 }
      this.arities.set(arity, at)
    }
    return at
  }

  /** The index of a mask, made from everything when a template uses it for the first time. */
  private tupleIndex(at: Arity<T>, mask: number): Index<Entry<T>> {
    for (const index of at.tuples) if (index.mask === mask) return index
    const index: Index<Entry<T>> = { mask, buckets: new Map() }
    for (const entry of at.tuples[0]!.buckets.get(undefined)?.items ?? []) {
      if (!entry.gone && isIndexableAt(entry.tuple, mask)) push(index, literalsOf(entry.tuple, mask), entry)
    }
    at.tuples.push(index)
    return index
  }

  private buried(at: Arity<T>): void {
    at.dead++
    if (at.dead < deadMin || at.dead < at.live + at.waiting) return
    at.dead = 0
    for (const index of at.tuples) sweep(index)
    for (const index of at.waiters) sweep(index)
  }
}

/** Adds in age order: at the end but for a tuple that was given back. */
const push = <I extends { readonly stamp: number; gone: boolean }>(
  index: Index<I>,
  literals: unknown,
  item: I
): void => {
  const bucket = index.buckets.get(literals)
  if (bucket === undefined) {
    index.buckets.set(literals, { items: [item], head: 0 })
    return
  }
  const { items } = bucket
  skip(bucket)
  // What came and went at the end, behind others that stay, would else be kept until the next sweep.
  while (items.length > bucket.head && items[items.length - 1]!.gone) items.pop()
  let place = items.length
  while (place > bucket.head && items[place - 1]!.stamp > item.stamp) place--
  if (place === items.length) items.push(item)
  else items.splice(place, 0, item)
}

/** Drops what is gone from the front of a bucket. */
const skip = <I extends { readonly stamp: number; gone: boolean }>(bucket: Bucket<I>): void => {
  const { items } = bucket
  let { head } = bucket
  while (head < items.length && items[head]!.gone) head++
  if (head === items.length && head > 0) {
    items.length = 0
    head = 0
  } else if (head > 64 && head * 2 > items.length) {
    items.splice(0, head)
    head = 0
  }
  bucket.head = head
}

/** Drops all that is gone. Keeps idle buckets while they are few: a new Map for a large index costs more than they do. */
const sweep = <I extends { readonly stamp: number; gone: boolean }>(index: Index<I>): void => {
  let idle = 0
  for (const bucket of index.buckets.values()) {
    if (bucket.items.some(isGone)) {
      bucket.items = bucket.items.filter((item) => !item.gone)
      bucket.head = 0
    }
    if (bucket.items.length === 0) idle++
  }
  if (idle * idleShare < index.buckets.size) return
  const kept = new Map<unknown, Bucket<I>>()
  for (const [literals, bucket] of index.buckets) if (bucket.items.length > 0) kept.set(literals, bucket)
  index.buckets = kept
}

const isGone = (item: { readonly gone: boolean }): boolean => item.gone
