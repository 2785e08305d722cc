/** Who gets what: tables, and random scenes against the sequential rule. */
import { assert, describe, it } from "@effect/vitest"
import * as Handing from "../src/core/Handing.ts"
import { Prng } from "@weft/domain/testing/Prng"

interface Ticket {
  readonly stamp: string
  /** Kinds that it takes. */
  readonly takes: string
}
interface Tuple {
  readonly stamp: string
  readonly kind: string
}

const sceneOf = (tickets: ReadonlyArray<Ticket>, tuples: ReadonlyArray<Tuple>): Handing.Scene<Ticket, Tuple> => ({
  fits: ({ takes }) => tuples.filter(({ kind }) => takes.includes(kind)),
  first: ({ kind }, except) => tickets.find(({ stamp, takes }) => takes.includes(kind) && !except.has(stamp))
})

/** `"1ab"`: the ticket with stamp 1 takes kinds a and b; `"2a"`: the tuple with stamp 2 is of kind a. */
const ticket = (text: string): Ticket => ({ stamp: text[0]!, takes: text.slice(1) })
const tuple = (text: string): Tuple => ({ stamp: text[0]!, kind: text[1]! })
const words = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split(" "))
const shown = ({ pairs }: Handing.Plan<Ticket, Tuple>): string =>
  pairs.map(({ ticket, tuple }) => `${ticket.stamp}<${tuple.stamp}`).join(" ")

/** The sequential rule: in line, each its oldest fit. */
const sequential = (tickets: ReadonlyArray<Ticket>, tuples: ReadonlyArray<Tuple>): ReadonlySet<string> => {
  const left = [...tuples]
  const pairs = new Set<string>()
  for (const { stamp, takes } of tickets) {
    const at = left.findIndex(({ kind }) => takes.includes(kind))
    if (at !== -1) pairs.add(`${stamp}<${left.splice(at, 1)[0]!.stamp}`)
  }
  return pairs
}

describe("a plan", () => {
  const rows = [
    { name: "nobody waits", tickets: "", tuples: "1a", freshTickets: "", freshTuples: "1a", want: "" },
    { name: "one waits", tickets: "1a", tuples: "2a", freshTickets: "", freshTuples: "2a", want: "1<2" },
    { name: "the first in line", tickets: "1a 2a", tuples: "3a", freshTickets: "", freshTuples: "3a", want: "1<3" },
    {
      name: "a fresh ticket lets an earlier one go first, which takes its own oldest",
      tickets: "1ab 2b",
      tuples: "3a 4b",
      freshTickets: "2b",
      freshTuples: "",
      want: "1<3 2<4"
    },
    {
      name: "each its oldest fit, whatever tuple is fresh",
      tickets: "1a",
      tuples: "2a 3a",
      freshTickets: "",
      freshTuples: "3a",
      want: "1<2"
    },
    {
      name: "not a tuple of another kind",
      tickets: "1b",
      tuples: "2a",
      freshTickets: "1b",
      freshTuples: "2a",
      want: ""
    }
  ]
  for (const { freshTickets, freshTuples, name, tickets, tuples, want } of rows) {
    it(name, () => {
      const scene = sceneOf(words(tickets).map(ticket), words(tuples).map(tuple))
      const fresh = { tickets: words(freshTickets).map(ticket), tuples: words(freshTuples).map(tuple) }
      assert.strictEqual(shown(Handing.plan(scene, fresh, 64)), want)
    })
  }

  it("a ticket that finds nothing after all does not hold up the next", () => {
    const tickets = ["1a", "2a"].map(ticket)
    const scene = sceneOf(tickets, [tuple("3a")])
    const blind = { ...scene, fits: (asked: Ticket) => (asked.stamp === "1" ? [] : scene.fits(asked)) }
    assert.strictEqual(shown(Handing.plan(blind, { tickets: [], tuples: [tuple("3a")] }, 64)), "2<3")
  })

  it("a plan that is cut says so, and what is left is found by the next", () => {
    const tickets = ["1a", "2a", "3a"].map(ticket)
    const tuples = ["4a", "5a", "6a"].map(tuple)
    const first = Handing.plan(sceneOf(tickets, tuples), { tickets: [], tuples }, 2)
    assert.deepStrictEqual([shown(first), first.isCut], ["1<4 2<5", true])
    const second = Handing.plan(sceneOf(tickets.slice(2), tuples.slice(2)), { tickets: [], tuples }, 2)
    assert.deepStrictEqual([shown(second), second.isCut], ["3<6", false])
  })

  it("of random scenes is what the sequential rule says (2,000 scenes)", () => {
    const random = new Prng(11)
    const kinds = ["a", "b", "c", "ab", "bc", "abc"]
    for (let n = 0; n < 2_000; n++) {
      const tickets = Array.from({ length: random.below(6) }, (_, i) => ({
        stamp: `${i}`,
        takes: kinds[random.below(6)]!
      }))
      const tuples = Array.from({ length: random.below(6) }, (_, i) => ({
        stamp: `x${i}`,
        kind: kinds[random.below(3)]!
      }))
      const all = sequential(tickets, tuples)
      const whole = Handing.plan(sceneOf(tickets, tuples), { tickets: [], tuples }, 64)
      assert.deepStrictEqual(new Set(shown(whole).split(" ").filter(Boolean)), all)
      // Of a part of what is fresh: pairs of the rule, nothing else.
      const some = {
        tickets: tickets.filter(() => random.chance(0.5)),
        tuples: tuples.filter(() => random.chance(0.5))
      }
      for (const pair of words(shown(Handing.plan(sceneOf(tickets, tuples), some, 64)))) {
        assert.isTrue(all.has(pair), `scene ${n}: ${pair}`)
      }
    }
  })
})

describe("a hand-over, a passer-by, a reader", () => {
  it("a pair stands while its will, ticket and tuple do", () => {
    for (const will of ["ticket", "restore", undefined] as const) {
      for (const isTicketThere of [true, false]) {
        for (const isTupleThere of [true, false]) {
          const want = will === "ticket" && isTicketThere && isTupleThere
          assert.strictEqual(Handing.stands({ will, isTicketThere, isTupleThere }), want)
        }
      }
    }
  })

  it("passers-by take the oldest that nobody waits for", () => {
    assert.strictEqual(
      Handing.free([1, 2, 3], (n) => n < 2),
      2
    )
    assert.isUndefined(Handing.free([1, 2], () => true))
  })

  it("news is what came after the look", () => {
    assert.deepStrictEqual(
      [4, 5, 6].map((version) => Handing.isNews(version, 5)),
      [false, false, true]
    )
  })
})
