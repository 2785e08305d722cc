/**
 * The worlds that tree locks are checked in (`npm run model`), each small enough to see every state of it: pairs of
 * requests with everything that can go wrong, three clients on three nodes, upgrades and downgrades, nested requests.
 */
import type { Use } from "../src/core/FenceRules.ts"
import type { Model } from "./ModelChecker.ts"
import { model } from "./locks/model.ts"
import { type Act, type Faults, type Request, show, type State } from "./locks/world.ts"

export type { Act, Faults, Request, State, World } from "./locks/world.ts"

/** Models that are counted together. */
export interface Group {
  readonly name: string
  readonly models: ReadonlyArray<Model<State>>
}

/** Eight requests on a root, a child and a grandchild. */
export const chain: ReadonlyArray<Request> = [
  { read: ["/"] },
  { write: ["/"] },
  { read: ["/a"] },
  { write: ["/a"] },
  { read: ["/a/b"] },
  { write: ["/a/b"] },
  { read: ["/"], write: ["/a/b"] },
  { read: ["/a"], write: ["/a/b"] }
]

/** Eight requests on a root and two children. */
export const fork: ReadonlyArray<Request> = [
  { read: ["/"] },
  { write: ["/"] },
  { read: ["/a"] },
  { write: ["/a"] },
  { read: ["/b"] },
  { write: ["/b"] },
  { read: ["/"], write: ["/a"] },
  { read: ["/a"], write: ["/b"] }
]

const take = (request: Request): Act => ({ act: "take", request })
const upgrade = (request: Request): Act => ({ act: "upgrade", request })
const downgrade = (request: Request): Act => ({ act: "downgrade", request })
const write = (node: string): Act => ({ act: "write", node })
const use = (node: string, how: Use): Act => ({ act: "use", node, use: how })
const give: Act = { act: "give" }

type Script = ReadonlyArray<Act>

const world = (name: string, scripts: ReadonlyArray<Script>, faults: Faults): Model<State> =>
  model({ name, scripts, faults })

/** Takes, shows its token outside, writes data under it, gives back. */
const whole = (request: Request): ReadonlyArray<Act> => {
  const [written] = request.write ?? []
  const [read] = request.read ?? []
  const inside = written === undefined ? [use(read!, "read")] : [use(written, "write"), write(written)]
  return [take(request), ...inside, give]
}

/** Multisets of `size` from some requests. */
const multisets = <A>(from: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  size === 0 ? [[]] : from.flatMap((first, i) => multisets(from.slice(i), size - 1).map((rest) => [first, ...rest]))

/** Two clients, all 36 pairs of eight requests. */
export const pairs = (requests: ReadonlyArray<Request>, faults: Faults): ReadonlyArray<Model<State>> =>
  multisets(requests, 2).map((pair) => world(pair.map(show).join(" | "), pair.map(whole), faults))

/** Three clients, all 120 multisets of eight requests. */
export const triples = (requests: ReadonlyArray<Request>, faults: Faults): ReadonlyArray<Model<State>> =>
  multisets(requests, 3).map((three) =>
    world(
      three.map(show).join(" | "),
      three.map((request) => [take(request), give]),
      faults
    )
  )

const readA: Request = { read: ["/a"] }
const writeA: Request = { write: ["/a"] }
const readB: Request = { read: ["/b"] }
const writeB: Request = { write: ["/b"] }

const upgrader = [take(readA), upgrade(writeA), use("/a", "write"), write("/a"), give]
const reader = [take(readA), use("/a", "read"), give]
const writer = [take(writeA), use("/a", "write"), write("/a"), give]
const downgrader = [take(writeA), write("/a"), downgrade(readA), use("/a", "read"), give]
const both = { read: ["/a"], write: ["/b"] }

/** Upgrades and downgrades of two clients. */
export const upgradesOfTwo = (faults: Faults): ReadonlyArray<Model<State>> => {
  const at = (name: string, ...scripts: ReadonlyArray<Script>) => world(name, scripts, faults)
  return [
    at("one upgrader, one writer", upgrader, writer),
    at("one upgrader, one reader", upgrader, reader),
    at("two upgraders", upgrader, upgrader),
    at("upgrade above what another holds", [take({ write: ["/a/b"] }), upgrade(writeA), write("/a"), give], reader),
    at("upgrade of another node", [take(readA), upgrade(writeB), write("/b"), give], [take(both), give]),
    at("a downgrade and a reader", downgrader, reader),
    at("a downgrade and a writer", downgrader, writer),
    at("a downgrade and an upgrade", downgrader, upgrader)
  ]
}

/** Upgrades and downgrades of three clients. */
export const upgradesOfThree = (faults: Faults): ReadonlyArray<Model<State>> => {
  const at = (name: string, ...scripts: ReadonlyArray<Script>) => world(name, scripts, faults)
  const shared = { read: ["/a", "/b"] }
  const plain = [take(readA), upgrade(writeA), give]
  return [
    at("an upgrade past one who waits elsewhere", [take(writeB), give], [take(shared), give], plain),
    at(
      "a look at one node alone",
      [take({ read: ["/a"], write: ["/b"] }), upgrade(writeA), give],
      [take(shared), give]
    ),
    at("one upgrader, two writers", plain, [take(writeA), give], [take(writeA), give]),
    at("one upgrader, a reader, a writer", plain, [take(readA), give], [take(writeA), give]),
    at("two upgraders, a reader", plain, plain, [take(readA), give]),
    at("three upgraders", plain, plain, plain),
    at(
      "upgrades of two nodes",
      [take(readA), upgrade(writeB), give],
      [take(readB), upgrade(writeA), give],
      [take(shared), give]
    ),
    at("a downgrade, a reader, a writer", downgrader, [take(readA), give], [take(writeA), give])
  ]
}

/** Requests made while holding: cycles are found, and one gives way. */
export const nested = (faults: Faults): ReadonlyArray<Model<State>> => {
  const at = (name: string, ...scripts: ReadonlyArray<Script>) => world(name, scripts, faults)
  const two = (first: Request, second: Request) => [take(first), take(second), give, give]
  const writeC: Request = { write: ["/c"] }
  return [
    at("A then B, B then A", two(writeA, writeB), two(writeB, writeA)),
    at("a reader enters again behind a writer", two(readA, readA), [take(writeA), give]),
    model({
      name: "a ring of three",
      scripts: [two(writeA, writeB), two(writeB, writeC), two(writeC, writeA)],
      faults,
      firstAloneCrashes: true
    }),
    at("an upgrade while holding", [take(writeB), take(readA), upgrade(writeA), give, give], two(readA, readB))
  ]
}

/** Some of many: every `step`th. */
const some = <A>(all: ReadonlyArray<A>, step: number): ReadonlyArray<A> => all.filter((_, i) => i % step === 0)

const large = ["three upgraders", "two upgraders, a reader", "upgrades of two nodes", "a ring of three"]

const isSmall = ({ name }: Model<State>): boolean => !large.includes(name)

/** The sizes that `npm test` runs: about five seconds. */
export const short = (): ReadonlyArray<Group> => [
  { name: "locks: pairs, chain, cancel", models: pairs(chain, { cancels: 1 }) },
  { name: "locks: pairs, fork, crash", models: some(pairs(fork, { crashes: 1 }), 3) },
  { name: "locks: pairs, chain, live expiry", models: some(pairs(chain, { expiries: 1 }), 7) },
  { name: "locks: triples, chain", models: triples(chain, {}) },
  { name: "locks: triples, fork", models: some(triples(fork, {}), 2) },
  { name: "locks: upgrade and downgrade of two, cancel", models: upgradesOfTwo({ cancels: 1 }) },
  { name: "locks: upgrade and downgrade of three", models: upgradesOfThree({}).filter(isSmall) },
  { name: "locks: nested", models: nested({}).filter(isSmall) }
]

/** The sizes of `npm run model`. */
export const full = (): ReadonlyArray<Group> => [
  { name: "locks: pairs, chain, crash of both, cancel, live expiry", models: pairs(chain, allFaults) },
  { name: "locks: pairs, fork, crash of both, cancel, live expiry", models: pairs(fork, allFaults) },
  { name: "locks: pairs, chain, cancel, live expiry, bump", models: pairs(chain, paused) },
  { name: "locks: pairs, fork, cancel, live expiry, bump", models: pairs(fork, paused) },
  { name: "locks: triples, chain, cancel of all", models: triples(chain, { cancels: 3 }) },
  { name: "locks: triples, fork, cancel of all", models: triples(fork, { cancels: 3 }) },
  { name: "locks: triples, chain, crash", models: triples(chain, { crashes: 1 }) },
  { name: "locks: triples, fork, crash", models: triples(fork, { crashes: 1 }) },
  { name: "locks: upgrade and downgrade of two, all faults", models: upgradesOfTwo(allFaults) },
  { name: "locks: upgrade and downgrade of three, cancel", models: upgradesOfThree({ cancels: 1 }) },
  { name: "locks: nested, cancel", models: nested({ cancels: 1 }) },
  { name: "locks: nested, crash", models: nested({ crashes: 1 }) }
]

const allFaults: Faults = { cancels: 1, crashes: 2, expiries: 1 }
const paused: Faults = { cancels: 1, expiries: 1, bumps: 1 }
