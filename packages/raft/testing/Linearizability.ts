/**
 * Checker for linearizability (Herlihy & Wing 1990): is there one order of all operations, each at an instant between
 * its call and its return, that a sequential object would have answered in the same way? Pure; no clock of its own.
 *
 * Laws (test/linearizability*.test.ts): agrees with an exhaustive search on small histories; every answer
 * `NotLinearizable` carries operations that are not linearizable by themselves; `Undecided` names the limit reached.
 *
 * Cost: a history is split by partition (key, element); each part is searched depth first with a memo. Linear where few
 * operations overlap; the price is paid for overlap and above all for unknown operations, each of which may take effect
 * at any later time. Deciding is NP-complete (Gibbons & Korach 1997), hence the limits.
 */
import { counterexample, type Counterexample, render } from "./linearizability/counterexample.ts"
import { type History, type Operation, validate } from "./linearizability/History.ts"
import type { Model } from "./linearizability/Model.ts"
import { type Found, type Limits, search, type Spent } from "./linearizability/search.ts"
import { timelineHtml } from "./linearizability/timeline.ts"

export * from "./linearizability/History.ts"
export { illegal, type Illegal, type Model, type Value, valueKey } from "./linearizability/Model.ts"
export * from "./linearizability/registers.ts"
export * from "./linearizability/containers.ts"
export type { Counterexample, Limits }

/** Enough for millions of operations that overlap little; some seconds and 200 MB at most. */
export const defaultLimits: Limits = { stepsMax: 20_000_000, configurationsMax: 1_000_000 }

export type Verdict<I, O> =
  | {
      readonly _tag: "Linearizable"
      /** An order for each partition; unknown operations that it does not need are missing. */
      readonly orders: ReadonlyMap<string | undefined, ReadonlyArray<Operation<I, O>>>
      readonly steps: number
    }
  | {
      readonly _tag: "NotLinearizable"
      readonly counterexample: Counterexample<I, O>
      readonly text: string
      /** A self-contained HTML file. */
      readonly html: () => string
      readonly steps: number
    }
  | {
      readonly _tag: "Undecided"
      /** The limit that was reached. */
      readonly limit: "stepsMax" | "configurationsMax" | "millisMax"
      /** Parts of the object without a verdict; all others are linearizable. */
      readonly partitions: ReadonlyArray<string | undefined>
      readonly text: string
      readonly steps: number
    }

/** Checks a whole history against a model. Throws `HistoryMalformed` for a history that no client can have seen. */
export const check = <S, I, O>(
  model: Model<S, I, O>,
  history: History<I, O>,
  limits: Partial<Limits> = {}
): Verdict<I, O> => {
  validate(history)
  const bounds = { ...defaultLimits, ...limits }
  const spent: Spent = { steps: 0, startedAt: bounds.now?.() ?? 0 }
  const orders = new Map<string | undefined, ReadonlyArray<Operation<I, O>>>()
  const undecided: Array<{ readonly partition: string | undefined; readonly found: Found<I, O> & { _tag: "GaveUp" } }> =
    []
  for (const [partition, operations] of split(model, history)) {
    const refuted = model.refute?.(operations)
    const found = search(model, refuted ?? operations, bounds, spent)
    if (found._tag === "Order" && refuted === undefined) orders.set(partition, found.order)
    else if (found._tag === "NoOrder") return violated(model, partition, refuted ?? operations, spent)
    else if (found._tag === "GaveUp") undecided.push({ partition, found })
    else throw new Error(`model ${model.name}: refute named operations that have an order; the model is wrong`)
  }
  const [first] = undecided
  if (first === undefined) return { _tag: "Linearizable", orders, steps: spent.steps }
  const { limit } = first.found
  const partitions = undecided.map(({ partition }) => partition)
  const text =
    `undecided: ${model.name}: ${limit} (${bounds[limit]}) was reached after ${spent.steps} steps; ` +
    `no verdict on ${partitions
      .map((partition) => partition ?? "the whole object")
      .slice(0, 10)
      .join(", ")}. ` +
    `Raise the limit, or record fewer unknown operations`
  return { _tag: "Undecided", limit, partitions, text, steps: spent.steps }
}

const violated = <S, I, O>(
  model: Model<S, I, O>,
  partition: string | undefined,
  operations: ReadonlyArray<Operation<I, O>>,
  spent: Spent
): Verdict<I, O> => {
  const example = counterexample(model, partition, operations)
  const text = render(model, example)
  const html = (): string => timelineHtml(model, example, text)
  return { _tag: "NotLinearizable", counterexample: example, text, html, steps: spent.steps }
}

/** By partition; one operation that touches the whole object keeps everything together. */
const split = <S, I, O>(
  model: Model<S, I, O>,
  history: History<I, O>
): Map<string | undefined, Array<Operation<I, O>>> => {
  const parts = new Map<string | undefined, Array<Operation<I, O>>>()
  for (const operation of history) {
    const partition = model.partition?.(operation.input)
    if (partition === undefined) return new Map([[undefined, [...history]]])
    const part = parts.get(partition)
    if (part === undefined) parts.set(partition, [operation])
    else part.push(operation)
  }
  return parts
}
