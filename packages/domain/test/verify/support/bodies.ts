/** Small bodies for exhaustive interleavings: every kind of step against every other. */
import type { Body, State } from "../../../testing/Programs.ts"

/** Cells x1, x2 and x3 (absent at first), a counter n, a log q of one element. */
export const start: State = {
  cells: new Map([
    ["x1", 1],
    ["x2", 10]
  ]),
  counters: new Map(),
  logs: new Map([["q", [100]]])
}

export const names = { cells: ["x1", "x2", "x3"], counters: ["n"], logs: ["q"] }

const read = (key: string) => ({ op: "read", key }) as const
const write = (key: string, plus: number) => ({ op: "write", key, plus }) as const
const remove = (key: string) => ({ op: "remove", key }) as const
const range = { op: "range", key: "x" } as const
const waitFor = (key: string) => ({ op: "await", key }) as const
const abort = { op: "abort" } as const
const retry = { op: "retry" } as const
const add = (plus: number) => ({ op: "add", key: "n", plus }) as const
const counter = { op: "counter", key: "n" } as const
const append = (plus: number) => ({ op: "append", key: "q", plus }) as const
const takeFirst = { op: "takeFirst", key: "q" } as const
const orElse = (left: Body, right: Body) => ({ op: "orElse", left, right }) as const

/** Each of one to three steps. */
export const bodies: ReadonlyArray<Body> = [
  [read("x1"), write("x2", 1000)],
  [read("x2"), write("x1", 2000)],
  [read("x1"), write("x1", 3000)],
  [write("x1", 4000), write("x2", 4000)],
  [read("x1"), read("x2")],
  [read("x2"), read("x1"), read("x2")],
  [range, write("x1", 5000)],
  [range, write("x3", 6000)],
  [range, read("x2")],
  [write("x1", 7000), abort],
  [read("x1"), read("x2"), abort],
  [remove("x1"), write("x2", 8000)],
  [waitFor("x3"), write("x1", 9000)],
  [write("x3", 11000)],
  [write("x3", 11500), write("x1", 11500)],
  [waitFor("x1"), remove("x1")],
  [waitFor("x3"), remove("x3")],
  [orElse([waitFor("x3")], [write("x2", 12000)]), read("x1")],
  [orElse([write("x1", 13000), retry], [read("x1")]), write("x2", 13000)],
  [orElse([waitFor("x3"), write("x1", 1)], [read("x2"), retry])],
  [orElse([read("x1"), abort], [write("x1", 14000)])],
  [add(1), read("x1")],
  [counter, write("x1", 15000)],
  [add(5), counter],
  [append(16000), read("x1")],
  [takeFirst, write("x2", 17000)],
  [takeFirst, add(7)],
  [append(18000), append(19000)]
]

/** All pairs, a body with itself included. */
export const pairs = (): ReadonlyArray<ReadonlyArray<Body>> =>
  bodies.flatMap((a, i) => bodies.slice(i).map((b) => [a, b]))

/** Bodies of at most two plain steps, three at a time: every third of all, so that each body occurs. */
export const triples = (): ReadonlyArray<ReadonlyArray<Body>> => {
  const short = bodies.filter((body) => body.length <= 2 && body.every((step) => step.op !== "orElse"))
  const all: Array<ReadonlyArray<Body>> = []
  short.forEach((a, i) => short.slice(i).forEach((b, j) => short.slice(i + j).forEach((c) => void all.push([a, b, c]))))
  return all
}
