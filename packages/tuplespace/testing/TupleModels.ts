/**
 * The worlds that tuple spaces are checked in (`npm run model`), each small enough to see every state of it: takers and
 * tuples with cancels, crashes and live expiry; readers, leases, time to live, masks and private templates.
 */
import * as Schema from "effect/Schema"
import type { Model } from "@weft/domain/testing/ModelChecker"
import { any, is } from "../src/core/Template.ts"
import { model } from "./model/model.ts"
import type { Act, Faults, State, World } from "./model/world.ts"

export type { Act, Faults, State, World } from "./model/world.ts"

/** Models that are counted together. */
export interface Group {
  readonly name: string
  readonly models: ReadonlyArray<Model<State>>
}

type Script = ReadonlyArray<Act>

/** Every tuple. */
const all = [any, any]
/** Tuples of one word: under a mask. */
const jobs = ["job", any]
/** Tuples of one number: under another mask. */
const one = [any, 1]
/** A Schema of one's own: only the process that asks can decide it. */
const own = [any, is(Schema.Number.check(Schema.isLessThan(10)))]

const out = (id: number, word = "job"): Act => ({ act: "out", tuple: [word, id] })
const expiring = (id: number): Act => ({ act: "out", tuple: ["job", id], expires: true })
const take = (template: ReadonlyArray<unknown> = all): Act => ({ act: "take", template })
const pass = (template: ReadonlyArray<unknown> = all): Act => ({ act: "takeIfPresent", template })
const read = (template: ReadonlyArray<unknown> = all): Act => ({ act: "read", template })
const lease = (isDone: boolean, template: ReadonlyArray<unknown> = all): Act => ({ act: "lease", template, isDone })

/** Each client a process of its own. */
const apart = (...scripts: ReadonlyArray<Script>): World["processes"] => scripts.map((script) => [script])

const world = (name: string, processes: World["processes"], faults: Faults, more: Partial<World> = {}) =>
  model({ name, processes, faults, ...more })

/** Takers and tuples without masks. */
export const takers = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("one out, two takers", apart([out(1)], [take()], [take()]), faults),
  world("two outs, two takers", apart([out(1), out(2)], [take()], [take()]), faults),
  world("two who put out, two takers", apart([out(1)], [out(2)], [take()], [take()]), faults),
  world("a taker twice, a passer-by", apart([out(1), out(2)], [take(), take()], [pass()]), faults),
  world("two takers of one process", [[[out(1), out(2)]], [[take()], [take()]]], faults)
]

/** More tuples than takers. */
export const manyOuts = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("three outs, two takers", apart([out(1), out(2), out(3)], [take(), take()], [take()]), faults),
  world("four outs, a taker, a passer-by", apart([out(1), out(2)], [out(3), out(4)], [take()], [pass()]), faults)
]

/** Takers that wait, and readers. */
export const readers = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a reader, a taker", apart([out(1)], [read()], [take()]), faults),
  world("two readers, two outs", apart([out(1), out(2)], [read()], [read()]), faults),
  world("a reader beside a passer-by", apart([out(1)], [read()], [pass()]), faults)
]

/** Leases: done, given back, lost. */
export const leases = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a lease, done", apart([out(1)], [lease(true)]), faults),
  world("a lease given back, a taker", apart([out(1)], [lease(false)], [take()]), faults),
  world("two leases, one tuple", apart([out(1)], [lease(true)], [lease(true)]), faults),
  world("a tuple that comes back too often", apart([out(1)], [lease(false)], [lease(false)]), faults, { returnsMax: 0 })
]

/** Tuples whose time ends. */
export const timeToLive = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a tuple expires, a taker", apart([expiring(1)], [take()]), faults, { passes: true }),
  world("the older one expires", apart([expiring(1), out(2)], [take()]), faults, { passes: true }),
  world("a leased one expires", apart([expiring(1)], [lease(false)], [take()]), faults, { passes: true })
]

/** Masks that are registered and built while tuples come and go. */
export const masks = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a mask, a taker", apart([out(1)], [take(jobs)]), faults),
  world("two masks, one tuple", apart([out(1)], [take(jobs)], [take(one)]), faults),
  world("a mask and none", apart([out(1), out(2, "other")], [take(jobs)], [take()]), faults),
  world("a mask while a tuple comes back", apart([out(1)], [lease(false)], [take(jobs)]), faults)
]

/** Templates that one process alone can decide. */
export const privates = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a private template, a taker", apart([out(1)], [take(own)], [take()]), faults),
  world("two private templates", apart([out(1), out(2)], [take(own)], [take(own)]), faults)
]

/** Followers as they are: what is heard when, who helps whom. */
export const followers = (faults: Faults): ReadonlyArray<Model<State>> => [
  world("a taker alone", apart([out(1), out(2)], [take()]), faults, { isFollowing: true }),
  world("two takers of one process", [[[out(1)]], [[take()], [take()]]], faults, { isFollowing: true }),
  world("two takers apart", apart([out(1)], [take()], [take()]), faults, { isFollowing: true })
]

/** The sizes that `npm test` runs: about five seconds. */
export const short = (): ReadonlyArray<Group> => [
  { name: "tuples: takers", models: takers({}).filter(({ name }) => name !== "two who put out, two takers") },
  { name: "tuples: takers, cancel", models: takers({ cancels: 1 }).slice(0, 1) },
  { name: "tuples: takers, crash", models: takers({ crashes: 1 }).slice(3, 4) },
  { name: "tuples: readers, cancel", models: readers({ cancels: 1 }) },
  { name: "tuples: leases, crash", models: leases({ crashes: 1 }).slice(0, 1) },
  { name: "tuples: leases", models: leases({}) },
  { name: "tuples: time to live", models: timeToLive({}) },
  { name: "tuples: masks", models: masks({}).filter(({ name }) => name !== "a mask and none") },
  { name: "tuples: private templates", models: privates({}).slice(0, 1) },
  { name: "tuples: followers", models: followers({}).slice(0, 2) }
]

const each: Faults = { cancels: 1, crashes: 1, expiries: 1 }

/** The sizes of `npm run model`. */
export const full = (): ReadonlyArray<Group> => [
  { name: "tuples: takers, cancel", models: takers({ cancels: 2 }) },
  { name: "tuples: many outs", models: manyOuts({}) },
  { name: "tuples: takers, crash", models: takers({ crashes: 1 }) },
  { name: "tuples: takers, live expiry", models: takers({ expiries: 1 }) },
  { name: "tuples: takers, cancel and crash", models: takers({ cancels: 1, crashes: 1 }) },
  { name: "tuples: few takers, all faults", models: [...takers(each).slice(0, 1), ...takers(each).slice(3, 4)] },
  { name: "tuples: readers, all faults", models: readers(each) },
  { name: "tuples: leases, cancel and crash", models: leases({ cancels: 1, crashes: 1 }) },
  { name: "tuples: leases, live expiry", models: leases({ expiries: 1 }) },
  { name: "tuples: time to live, cancel and crash", models: timeToLive({ cancels: 1, crashes: 1 }) },
  { name: "tuples: masks, cancel and crash", models: masks({ cancels: 1, crashes: 1 }) },
  { name: "tuples: private templates, cancel and crash", models: privates({ cancels: 1, crashes: 1 }) },
  { name: "tuples: followers, cancel", models: followers({ cancels: 1 }) },
  { name: "tuples: followers, crash", models: followers({ crashes: 1 }) },
  { name: "tuples: followers, live expiry", models: followers({ expiries: 1 }) }
]
