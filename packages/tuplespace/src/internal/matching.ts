/**
 * Who gets what: waiting takers by ticket, each its oldest fit that no earlier taker would get [12, 13]. Any process that
 * waits may do it for all; each hand-over checks its ticket, its tuple and its will, and nothing else.
 */
import type { Access } from "@weft/domain/Collection"
import type { Key } from "@weft/domain/core/Key"
import { willOf } from "@weft/domain/core/SessionCells"
import { PredicateFailed } from "../core/Template.ts"
import { type Found, type SpaceCells, type Waiting } from "./SpaceCells.ts"
import { stampOf, takes } from "./SpaceKeys.ts"
import { ofValue, type Readied } from "./Tickets.ts"

/** Hand-overs of one commit. */
const pairsMax = 64

/** What has changed since it was last looked at. */
export interface Fresh {
  /** Keys of own tickets. */
  readonly tickets: ReadonlyArray<Key>
  /** Keys of tuples. */
  readonly tuples: ReadonlyArray<Key>
}

export interface Pair<T> {
  readonly waiting: Waiting
  readonly found: Found<T>
}

export interface Plan<T> {
  readonly pairs: ReadonlyArray<Pair<T>>
  /** Whether there may be more. */
  readonly isCut: boolean
}

/** Reads who gets what. Writes nothing. */
export const plan = <T extends ReadonlyArray<unknown>>(
  access: Access,
  cells: SpaceCells<T>,
  readied: Readied,
  fresh: Fresh
): Plan<T> => new Planner(access, cells, readied).run(fresh)

class Planner<T extends ReadonlyArray<unknown>> {
  readonly access: Access
  readonly cells: SpaceCells<T>
  readonly readied: Readied
  readonly pairs: Array<Pair<T>> = []
  readonly served = new Set<Key>()
  readonly given = new Set<Key>()

  constructor(access: Access, cells: SpaceCells<T>, readied: Readied) {
    this.access = access
    this.cells = cells
    this.readied = readied
  }

  run({ tickets, tuples }: Fresh): Plan<T> {
    const { access, cells, readied } = this
    const { tx } = access
    for (const key of tickets) {
      if (this.pairs.length >= pairsMax) return this.plan(true)
      const value = tx.get(key)
      const stamp = stampOf(key)
      if (value === undefined || this.served.has(stamp)) continue
      const record = ofValue(value)
      const template = readied.of(record)
      if (template !== undefined) this.serve({ key, stamp, record, template })
    }
    for (const key of tuples) {
      const value = tx.get(key)
      if (value === undefined) continue
      const stamp = stampOf(key)
      const tuple = cells.base.decode(access, value, key)
      while (!this.given.has(stamp)) {
        if (this.pairs.length >= pairsMax) return this.plan(true)
        const waiting = cells.firstWaiter(tx, tuple, readied, this.served)
        if (waiting === undefined || !this.serve(waiting)) break
      }
    }
    return this.plan(false)
  }

  private plan(isCut: boolean): Plan<T> {
    return { pairs: this.pairs, isCut }
  }

  /** Gives a ticket its oldest fit, once those that came before it and fit that tuple have theirs. */
  private serve(waiting: Waiting): boolean {
    for (;;) {
      const found = this.oldest(waiting)
      if (found === undefined) return false
      const first = this.cells.firstWaiter(this.access.tx, found.tuple, this.readied, this.served)
      const isOthers = first !== undefined && first.stamp < waiting.stamp
      if (isOthers && this.serve(first)) continue
      this.served.add(waiting.stamp)
      this.given.add(found.stamp)
      this.pairs.push({ waiting, found })
      return true
    }
  }

  private oldest({ record, template }: Waiting): Found<T> | undefined {
    // Only the predicate of a template throws this; what the view throws passes through.
    try {
      for (const found of this.cells.fits(this.access, template, false)) if (!this.given.has(found.stamp)) return found
    } catch (error) {
      if (!(error instanceof PredicateFailed)) throw error
      this.readied.failed(record.nonce, error)
    }
    return undefined
  }
}

/** Hands over what was planned, if all of it still stands. False: plan again. */
export const handOver = <T extends ReadonlyArray<unknown>>(
  { tx }: Access,
  cells: SpaceCells<T>,
  pairs: ReadonlyArray<Pair<T>>
): boolean => {
  tx.prefetch(
    pairs.flatMap(({ found, waiting }) => [waiting.key, found.key, willKeyOf(waiting)]),
    []
  )
  for (const { found, waiting } of pairs) {
    const will = tx.get(willKeyOf(waiting))
    if (will === undefined || willOf(will).kind !== "ticket") return false
    if (tx.get(waiting.key) === undefined || tx.get(found.key) === undefined) return false
  }
  for (const { found, waiting } of pairs) {
    tx.delete(waiting.key)
    cells.handOver(tx, found, willKeyOf(waiting), waiting.record.nonce)
  }
  return true
}

const willKeyOf = ({ record, stamp }: Waiting): Key => takes(record.sid) + stamp
