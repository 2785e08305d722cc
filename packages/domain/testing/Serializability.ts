/**
 * Is a history strictly serializable? In the manner of Elle (Kingsbury, Alvaro, VLDB 2020): infer who must precede whom,
 * look for cycles, name the simplest of each knot. Near linear. Pure.
 *
 * Tested on hand-written histories with known verdict and against a search over all serial orders.
 */
import * as Graph from "./checker/Graph.ts"
import type { LocalKind } from "./checker/infer.ts"
import { infer } from "./checker/infer.ts"
import type { History } from "./History.ts"
import { format as formatTransaction } from "./History.ts"

/**
 * Names after Adya and Elle:
 * - `G0` dirty write, `G1a` aborted read, `G1b` intermediate read, `G1c` circular information flow;
 * - `GSingle` read skew, `LostUpdate`, `WriteSkew`, `LongFork`, `G2` any other cycle of anti-dependencies;
 * - `StaleRead` a read older than what real time demands, `RealTime` another cycle that only real time closes;
 * - `Internal` a transaction disagrees with itself, `Garbage` a value nobody wrote, `Duplicate` an append applied twice,
 *   `IncompatibleOrder` two reads of a list of which neither is a prefix of the other.
 */
export type Kind =
  | LocalKind
  | "G0"
  | "G1c"
  | "GSingle"
  | "LostUpdate"
  | "WriteSkew"
  | "LongFork"
  | "G2"
  | "StaleRead"
  | "RealTime"

export interface Anomaly {
  readonly kind: Kind
  /** Indices into the history, in the order of the cycle. */
  readonly transactions: ReadonlyArray<number>
  readonly message: string
}

export interface Verdict {
  readonly ok: boolean
  readonly transactions: number
  readonly edges: number
  readonly anomalies: ReadonlyArray<Anomaly>
}

export interface Options {
  /** Whether a transaction that ended before another began must precede it. Default true: *strict* serializability. */
  readonly realTime?: boolean | undefined
}

/** Nodes that the search for the simplest cycle of one knot may visit; beyond it any cycle of the knot is reported. */
const searchVisitsMax = 200_000

/** Judges a history. Throws `RangeError` on a history that is no test (a value written twice to one key). */
export const check = (history: History, options: Options = {}): Verdict => {
  const judged = options.realTime === false ? history.map((t) => ({ ...t, start: 0, end: 0 })) : history
  const { graph, keys, locals } = infer(judged)
  const anomalies: Array<Anomaly> = [...locals]
  for (const component of graph.components()) {
    anomalies.push(describe(history, keys, graph, simplestCycle(graph, component)))
  }
  return { ok: anomalies.length === 0, transactions: history.length, edges: graph.edges, anomalies }
}

/** Throws an `Error` that prints the anomalies with their transactions, unless the history is strictly serializable. */
export const assert = (history: History, options?: Options): Verdict => {
  const verdict = check(history, options)
  if (!verdict.ok) throw new Error(format(history, verdict))
  return verdict
}

/** A verdict for people; at most ten anomalies in full. */
export const format = (history: History, verdict: Verdict): string => {
  if (verdict.ok) return `${verdict.transactions} transactions, ${verdict.edges} edges: strictly serializable`
  const counts = new Map<Kind, number>()
  for (const { kind } of verdict.anomalies) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const head = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ")
  const blocks = verdict.anomalies.slice(0, 10).map(({ kind, message, transactions }) => {
    const lines = transactions.slice(0, 12).map((i) => `    T${i} ${formatTransaction(history[i]!)}`)
    return [`  ${kind}: ${message}`, ...lines].join("\n")
  })
  return [`${verdict.transactions} transactions, ${verdict.anomalies.length} anomalies (${head})`, ...blocks].join("\n")
}

const searches = [Graph.ww, Graph.ww | Graph.wr, Graph.ww | Graph.wr | Graph.rw] as const

/** The cycle of the least kinds of edges: without real time first, with the fewest anti-dependencies first. */
const simplestCycle = (graph: Graph.Graph, component: ReadonlyArray<number>): ReadonlyArray<Graph.Edge> => {
  const members = new Set(component)
  const edges = component.flatMap((node) => [...graph.out(node)]).filter((e) => members.has(graph.edge(e).to))
  for (const time of [0, Graph.rt]) {
    for (const kinds of searches) {
      const single = kinds === searches[2] ? shortest(graph, members, edges, Graph.rw, searches[1] | time) : undefined
      const cycle = single ?? shortest(graph, members, edges, kinds, kinds | time)
      if (cycle !== undefined) return cycle
    }
  }
  return shortest(graph, members, edges, 15, 15) ?? []
}

/** The shortest cycle of one edge of `firstMask` and then edges of `mask`, as far as the bound allows. */
const shortest = (
  graph: Graph.Graph,
  members: ReadonlySet<number>,
  edges: ReadonlyArray<number>,
  firstMask: number,
  mask: number
): ReadonlyArray<Graph.Edge> | undefined => {
  const budget: Graph.Budget = { visits: searchVisitsMax }
  let best: ReadonlyArray<number> | undefined
  for (const e of edges) {
    if (budget.visits <= 0) break
    const { from, kind, to } = graph.edge(e)
    if ((kind & firstMask) === 0) continue
    const back = graph.path({ from: to, to: from, mask, members, budget })
    if (back !== undefined && (best === undefined || back.length + 1 < best.length)) best = [e, ...back]
  }
  return best?.map((e) => graph.edge(e))
}

const describe = (
  history: History,
  keys: ReadonlyArray<string>,
  graph: Graph.Graph,
  cycle: ReadonlyArray<Graph.Edge>
): Anomaly => {
  const steps = withoutTimePoints(history.length, cycle)
  const names = steps.map(({ from, kind, subject }) => {
    const why = kind === Graph.rt ? "ended before the start of" : `${kindName(kind)} on "${keys[subject]}" before`
    return `T${from} ${why}`
  })
  const start = steps[0]?.from
  return {
    kind: classify(history, keys, steps),
    transactions: steps.map((step) => step.from),
    message: steps.length === 0 ? `a knot in ${graph.nodes} nodes` : `${names.join(" ")} T${start}`
  }
}

const kindName = (kind: number): string => (kind === Graph.ww ? "ww" : kind === Graph.wr ? "wr" : "rw")

/** Paths through points in time become one edge of real time; the cycle is turned to begin at a transaction. */
const withoutTimePoints = (transactions: number, cycle: ReadonlyArray<Graph.Edge>): ReadonlyArray<Graph.Edge> => {
  const first = cycle.findIndex((edge) => edge.from < transactions)
  if (first === -1) return []
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  const steps: Array<Graph.Edge> = []
  let from = -1
  for (const edge of turned) {
    if (edge.to >= transactions) {
      if (edge.from < transactions) from = edge.from
    } else steps.push(edge.from >= transactions ? { ...edge, from } : edge)
  }
  return steps
}

const classify = (history: History, keys: ReadonlyArray<string>, steps: ReadonlyArray<Graph.Edge>): Kind => {
  const count = (kind: number) => steps.filter((step) => step.kind === kind).length
  const anti = count(Graph.rw)
  if (count(Graph.rt) > 0) return anti === 1 ? "StaleRead" : "RealTime"
  if (anti === 0) return count(Graph.wr) === 0 ? "G0" : "G1c"
  const subject = steps[0]!.subject
  const updates = (t: number) => {
    const ops = history[t]!.ops.filter((op) => op.key === keys[subject])
    return (
      ops.some((op) => op.f === "read" || op.f === "list") && ops.some((op) => op.f === "write" || op.f === "append")
    )
  }
  if (steps.every((step) => step.subject === subject && updates(step.from))) return "LostUpdate"
  if (anti === 1) return "GSingle"
  if (anti === steps.length) return "WriteSkew"
  const adjacent = steps.some((step, i) => step.kind === Graph.rw && steps[(i + 1) % steps.length]!.kind === Graph.rw)
  return adjacent ? "G2" : "LongFork"
}
