/**
 * Who gets what, over the cells of a store: `core/Handing.ts` decides. Any process that waits may do it for all; each
 * hand-over checks its ticket, its tuple and its will, and nothing else.
 */
import type { Access } from "@weft/domain/Collection"
import type { Key } from "@weft/domain/core/Key"
import { willOf } from "@weft/domain/core/SessionCells"
import * as Handing from "../core/Handing.ts"
import { PredicateFailed } from "../core/Template.ts"
import type { Waiting } from "./Line.ts"
import { type Found, type SpaceCells, takeWillOf } from "./SpaceCells.ts"
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

export type Pair<T> = Handing.Pair<Waiting, Found<T>>

/** Reads who gets what. Writes nothing. */
export const plan = <T extends ReadonlyArray<unknown>>(
  access: Access,
  cells: SpaceCells<T>,
  readied: Readied,
  fresh: Fresh
): Handing.Plan<Waiting, Found<T>> => {
  const scene: Handing.Scene<Waiting, Found<T>> = {
    fits: (waiting) => fitsOf(access, cells, readied, waiting),
    first: ({ tuple }, except) => cells.firstWaiter(access.tx, tuple, readied, except)
  }
  // What has changed is looked at in one trip, most of which is gone again when others were faster.
  access.tx.prefetch([...fresh.tickets, ...fresh.tuples], [])
  const present = {
    tickets: ticketsAt(access, readied, fresh.tickets),
    tuples: tuplesAt(access, cells, fresh.tuples)
  }
  return Handing.plan(scene, present, pairsMax)
}

function* ticketsAt({ tx }: Access, readied: Readied, keys: ReadonlyArray<Key>): Generator<Waiting> {
  for (const key of keys) {
    const value = tx.get(key)
    if (value === undefined) continue
    const record = ofValue(value)
    const template = readied.of(record)
    if (template !== undefined) yield { key, stamp: stampOf(key), record, template }
  }
}

function* tuplesAt<T extends ReadonlyArray<unknown>>(
  access: Access,
  cells: SpaceCells<T>,
  keys: ReadonlyArray<Key>
): Generator<Found<T>> {
  for (const key of keys) {
    const value = access.tx.get(key)
    if (value !== undefined) {
      yield { key, stamp: stampOf(key), value, tuple: cells.base.decode(access, value, key) }
    }
  }
}

/** A predicate that throws fits nothing more, and its taker is told. */
function* fitsOf<T extends ReadonlyArray<unknown>>(
  access: Access,
  cells: SpaceCells<T>,
  readied: Readied,
  { record, template }: Waiting
): Generator<Found<T>> {
  // Only the predicate of a template throws this; what the view throws passes through.
  try {
    yield* cells.fits(access, template, false)
  } catch (error) {
    if (!(error instanceof PredicateFailed)) throw error
    readied.failed(record.nonce, error)
  }
}

/** [13] Hands over what was planned, if all of it still stands. False: plan again. */
export const handOver = <T extends ReadonlyArray<unknown>>(
  { tx }: Access,
  cells: SpaceCells<T>,
  pairs: ReadonlyArray<Pair<T>>
): boolean => {
  tx.prefetch(
    pairs.flatMap(({ ticket, tuple }) => [ticket.key, tuple.key, willKeyOf(ticket)]),
    []
  )
  for (const { ticket, tuple } of pairs) {
    const will = tx.get(willKeyOf(ticket))
    const standing: Handing.Standing = {
      will: will === undefined ? undefined : takeWillOf(willOf(will)),
      isTicketThere: tx.get(ticket.key) !== undefined,
      isTupleThere: tx.get(tuple.key) !== undefined
    }
    if (!Handing.stands(standing)) return false
  }
  for (const { ticket, tuple } of pairs) {
    tx.delete(ticket.key)
    cells.handOver(tx, tuple, willKeyOf(ticket), ticket.record.nonce)
  }
  return true
}

const willKeyOf = ({ record, stamp }: Waiting): Key => takes(record.sid) + stamp
