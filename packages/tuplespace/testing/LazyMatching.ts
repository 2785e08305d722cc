/**
 * Lazy matching against the sequential Linda rule: tuples and takes in a random order, matched at random later moments, some
 * of what is fresh at a time and some pairs of it. Who gets what must be what the rule says that serves each at once.
 */
import { Prng } from "@weft/domain/testing/Prng"
import * as Handing from "../src/core/Handing.ts"
import { SpaceTable } from "../src/core/SpaceTable.ts"

/** What happened, in order: a tuple of a kind, or a take of one of some kinds. */
type Event = { readonly kind: string } | { readonly takes: string }

interface Ticket {
  readonly stamp: string
  readonly takes: string
}

interface Tuple {
  readonly stamp: string
  readonly kind: string
}

/** Which tuple each take got, by place in the order of events. */
type Outcome = ReadonlyMap<number, number>

export interface Compared {
  readonly orders: number
  /** Takes that got a tuple. */
  readonly pairs: number
  /** The first order with different outcomes. */
  readonly difference: string | undefined
}

/** Compares `orders` random orders. Cost: about 20 microseconds each. */
export const compare = (seed: number, orders: number): Compared => {
  const random = new Prng(seed)
  let pairs = 0
  for (let order = 0; order < orders; order++) {
    const events = eventsOf(random)
    const [rule, lazy, local] = [sequential(events), lazily(events, random), locally(events)]
    pairs += rule.size
    const difference = [lazy, local].find((outcome) => show(outcome) !== show(rule))
    if (difference === undefined) continue
    const told = `${JSON.stringify(events)}: ${show(difference)}, by the rule ${show(rule)} (order ${order} of seed ${seed})`
    return { orders: order + 1, pairs, difference: told }
  }
  return { orders, pairs, difference: undefined }
}

const kinds = ["a", "b", "c"]
const tastes = ["a", "b", "c", "ab", "bc", "ac", "abc"]

const eventsOf = (random: Prng): ReadonlyArray<Event> =>
  Array.from({ length: 2 + random.below(9) }, () =>
    random.chance(0.5) ? { kind: kinds[random.below(kinds.length)]! } : { takes: tastes[random.below(tastes.length)]! }
  )

const show = (outcome: Outcome): string =>
  [...outcome]
    .sort(([a], [b]) => a - b)
    .map(([take, tuple]) => `${take}<${tuple}`)
    .join(" ")

/** The rule: a tuple goes to the first in line that it fits, a take gets its oldest fit, else each waits. */
const sequential = (events: ReadonlyArray<Event>): Outcome => {
  const outcome = new Map<number, number>()
  const kept: Array<{ readonly at: number; readonly kind: string }> = []
  const line: Array<{ readonly at: number; readonly takes: string }> = []
  events.forEach((event, at) => {
    if ("kind" in event) {
      const first = line.findIndex(({ takes }) => takes.includes(event.kind))
      if (first === -1) kept.push({ at, kind: event.kind })
      else outcome.set(line.splice(first, 1)[0]!.at, at)
    } else {
      const oldest = kept.findIndex(({ kind }) => event.takes.includes(kind))
      if (oldest === -1) line.push({ at, takes: event.takes })
      else outcome.set(at, kept.splice(oldest, 1)[0]!.at)
    }
  })
  return outcome
}

/** As a store does it: takes look first, what is left is planned later, piece by piece. */
const lazily = (events: ReadonlyArray<Event>, random: Prng): Outcome => {
  const space = new Lazy(random)
  events.forEach((event, at) => {
    space.happen(event, stampAt(at))
    if (random.chance(0.4)) space.match()
  })
  while (space.isBusy) space.match()
  return space.outcome
}

const stampAt = (at: number): string => String(at).padStart(3, "0")

class Lazy {
  readonly outcome = new Map<number, number>()
  private readonly random: Prng
  private tuples: Array<Tuple> = []
  private tickets: Array<Ticket> = []
  private fresh: { tickets: Array<Ticket>; tuples: Array<Tuple> } = { tickets: [], tuples: [] }

  constructor(random: Prng) {
    this.random = random
  }

  get isBusy(): boolean {
    return this.fresh.tickets.length + this.fresh.tuples.length > 0
  }

  happen(event: Event, stamp: string): void {
    if ("kind" in event) {
      const tuple = { stamp, kind: event.kind }
      this.tuples.push(tuple)
      this.fresh.tuples.push(tuple)
      return
    }
    const ticket = { stamp, takes: event.takes }
    const found = Handing.atOnce(this.fits(ticket), ({ kind }) => this.first(kind, new Set()) !== undefined)
    if (found !== undefined) {
      this.give(ticket, found)
      return
    }
    this.tickets.push(ticket)
    this.fresh.tickets.push(ticket)
  }

  /** Plans for some of what is fresh, and hands over. */
  match(): void {
    const { random } = this
    const isNow = () => random.chance(0.7)
    const now = { tickets: this.fresh.tickets.filter(isNow), tuples: this.fresh.tuples.filter(isNow) }
    const present = {
      tickets: now.tickets.filter((ticket) => this.tickets.includes(ticket)),
      tuples: now.tuples.filter((tuple) => this.tuples.includes(tuple))
    }
    const scene = {
      fits: (ticket: Ticket) => this.fits(ticket),
      first: ({ kind }: Tuple, except: ReadonlySet<string>) => this.first(kind, except)
    }
    const { isCut, pairs } = Handing.plan(scene, present, 1 + random.below(3))
    for (const { ticket, tuple } of pairs) this.give(ticket, tuple)
    if (isCut) return
    this.fresh = {
      tickets: this.fresh.tickets.filter((ticket) => !now.tickets.includes(ticket)),
      tuples: this.fresh.tuples.filter((tuple) => !now.tuples.includes(tuple))
    }
  }

  private fits({ takes }: Ticket): ReadonlyArray<Tuple> {
    return this.tuples.filter(({ kind }) => takes.includes(kind))
  }

  private first(kind: string, except: ReadonlySet<string>): Ticket | undefined {
    return this.tickets.find(({ stamp, takes }) => takes.includes(kind) && !except.has(stamp))
  }

  private give(ticket: Ticket, tuple: Tuple): void {
    this.outcome.set(Number(ticket.stamp), Number(tuple.stamp))
    this.tuples = this.tuples.filter((each) => each !== tuple)
    this.tickets = this.tickets.filter((each) => each !== ticket)
  }
}

/** The form of one process. */
const locally = (events: ReadonlyArray<Event>): Outcome => {
  const outcome = new Map<number, number>()
  const table = new SpaceTable<readonly [kind: string, at: number]>()
  events.forEach((event, at) => {
    if ("kind" in event) {
      table.out([event.kind, at])
      return
    }
    const { takes } = event
    const rest = ([kind]: ReadonlyArray<unknown>): boolean => takes.includes(kind as string)
    const template = { arity: 2, places: [], mask: 0, literals: undefined, rest }
    const found = table.find(template, 0)
    if (found !== undefined) {
      table.remove(found)
      outcome.set(at, found.tuple[1])
      return
    }
    const deliver = ({ tuple }: { readonly tuple: readonly [string, number] }) => void outcome.set(at, tuple[1])
    table.wait({ template, takes: true, shown: [], deliver, fail: () => {} })
  })
  return outcome
}
