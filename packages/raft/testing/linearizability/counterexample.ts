/**
 * From a history without an order to the few operations that show it. Pure. Every step is a weakening that a
 * linearizable history survives, so what is left proves the violation by itself:
 * - cut the history after the first return that breaks it (histories are prefix-closed; open operations become unknown);
 * - leave out operations that change nothing;
 * - let a changing operation become unknown: if that cannot save the history, neither can the operation itself.
 */
import { type Operation, unknown } from "./History.ts"
import { illegal, type Model } from "./Model.ts"
import { type Limits, search, type Spent } from "./search.ts"

export interface Counterexample<I, O> {
  readonly model: string
  readonly partition: string | undefined
  /** The operations that no order explains, by call time. */
  readonly operations: ReadonlyArray<Operation<I, O>>
  /** Operations before the violation that cannot help, even if each took effect at any time after its call, or never. */
  readonly powerless: ReadonlyArray<Operation<I, O>>
  /** An order that explains as many of them as possible. */
  readonly deepest: ReadonlyArray<Operation<I, O>>
  /** State after `deepest`, as text. */
  readonly state: string
  /** Why none of the rest comes next, one line each. */
  readonly stuck: ReadonlyArray<string>
  /** False when the limit for shrinking was reached: still a proof, perhaps not the smallest. */
  readonly minimal: boolean
}

/** Work for shrinking: per question, and in all. */
const shrinkStepsMax = 50_000
const shrinkStepsAllMax = 5_000_000

type Operations<I, O> = ReadonlyArray<Operation<I, O>>

/** What was seen by the time `until`: later operations are gone, those still open then are unknown. */
export const cut = <I, O>(operations: Operations<I, O>, until: number): Operations<I, O> =>
  operations
    .filter(({ call }) => call <= until)
    .map((operation) =>
      operation.returned !== undefined && operation.returned > until ? asUnknown(operation) : operation
    )

const asUnknown = <I, O>(operation: Operation<I, O>): Operation<I, O> => ({
  ...operation,
  returned: undefined,
  output: unknown
})

class Shrinker<S, I, O> {
  readonly #model: Model<S, I, O>
  readonly #spent: Spent = { steps: 0, startedAt: 0 }
  minimal = true

  constructor(model: Model<S, I, O>) {
    this.#model = model
  }

  /** True only if it is certain that there is no order. */
  #broken(operations: Operations<I, O>, stepsMax = shrinkStepsMax): boolean {
    if (this.#spent.steps > shrinkStepsAllMax) {
      this.minimal = false
      return false
    }
    const limits: Limits = { stepsMax: this.#spent.steps + stepsMax, configurationsMax: stepsMax }
    const found = search(this.#model, operations, limits, this.#spent)
    if (found._tag === "GaveUp") this.minimal = false
    return found._tag === "NoOrder"
  }

  /** The first return after which the history is broken. Cost: log n searches. */
  shortestPrefix(operations: Operations<I, O>): Operations<I, O> {
    const returns = operations
      .flatMap(({ returned }) => (returned === undefined ? [] : [returned]))
      .sort((a, b) => a - b)
    let low = 0
    let high = returns.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#broken(cut(operations, returns[middle]!), 10 * shrinkStepsMax)) high = middle
      else low = middle + 1
    }
    const prefix = cut(operations, returns[high] ?? Infinity)
    return this.#broken(prefix, 10 * shrinkStepsMax) ? prefix : operations
  }

  /** Weakens halves, quarters, ... single operations (Zeller's delta debugging); the answer is still broken. */
  weaken(operations: Operations<I, O>): { readonly core: Operations<I, O>; readonly powerless: Operations<I, O> } {
    let strong = operations.filter(({ output }) => output !== unknown).sort((a, b) => a.call - b.call)
    let weak: Operations<I, O> = operations.filter(
      ({ input, output }) => output === unknown && !this.#model.observes(input, unknown)
    )
    for (let size = strong.length >>> 1; size >= 1; size >>>= 1) {
      for (let from = 0; from < strong.length;) {
        const rest = [...strong.slice(0, from), ...strong.slice(from + size)]
        const weakened = strong
          .slice(from, from + size)
          .filter(({ input, output }) => !this.#model.observes(input, output))
        const nextWeak = [...weak, ...weakened.map(asUnknown)]
        if (rest.length > 0 && this.#broken([...rest, ...nextWeak])) {
          strong = rest
          weak = nextWeak
        } else from += size
      }
    }
    return { core: strong, powerless: weak.toSorted((a, b) => a.call - b.call) }
  }
}

const explain = <S, I, O>(model: Model<S, I, O>, core: Operations<I, O>, powerless: Operations<I, O>) => {
  const limits: Limits = { stepsMax: 10 * shrinkStepsMax, configurationsMax: shrinkStepsMax }
  const found = search(model, [...core, ...powerless], limits, { steps: 0, startedAt: 0 })
  const deepest = found._tag === "NoOrder" ? found.deepest : []
  let state = model.initial
  for (const { input, output } of deepest) {
    const next = model.step(state, input, output)
    if (next !== illegal) state = next
  }
  const left = core.filter(({ id }) => !deepest.some((placed) => placed.id === id))
  const firstReturn = Math.min(...left.map(({ returned }) => returned ?? Infinity))
  const stuck = left.map((operation) => {
    const what = `${operation.client}: ${model.show(operation.input, operation.output)}`
    if (operation.call > firstReturn) return `${what} was called only after another of these had returned`
    const next = model.step(state, operation.input, operation.output)
    return next === illegal
      ? `${what} cannot be: the state is ${model.showState(state)}`
      : `${what} leads to a dead end`
  })
  return { deepest, state: model.showState(state), stuck }
}

/** Shrinks and explains. `operations` must be one partition for which the search found no order. */
export const counterexample = <S, I, O>(
  model: Model<S, I, O>,
  partition: string | undefined,
  operations: Operations<I, O>
): Counterexample<I, O> => {
  const shrinker = new Shrinker(model)
  const { core, powerless } = shrinker.weaken(shrinker.shortestPrefix(operations))
  return {
    model: model.name,
    partition,
    operations: core,
    powerless,
    ...explain(model, core, powerless),
    minimal: shrinker.minimal
  }
}

const span = <I, O>({ call, returned }: Operation<I, O>): string => `[${call} .. ${returned ?? "?"}]`

/** The counterexample for a terminal or a report; at most some 40 lines. */
export const render = <S, I, O>(model: Model<S, I, O>, example: Counterexample<I, O>): string => {
  const { deepest, minimal, operations, partition, powerless, state, stuck } = example
  const shown = operations.slice(0, 20)
  const width = Math.max(...shown.map(({ client }) => client.length))
  const spans = Math.max(...shown.map((operation) => span(operation).length))
  const lines = shown.map((operation) => {
    return `  ${operation.client.padEnd(width)} ${span(operation).padEnd(spans)} ${model.show(operation.input, operation.output)}`
  })
  if (operations.length > shown.length) lines.push(`  and ${operations.length - shown.length} more`)
  const order = deepest.map(({ input, output }) => model.show(input, output)).slice(-12)
  return [
    `not linearizable: ${model.name}${partition === undefined ? "" : ` ${partition}`}; no order explains these operations:`,
    ...lines,
    `longest order found: ${order.length === 0 ? "none" : order.join("; ")}`,
    `state then: ${state}`,
    ...stuck.slice(0, 8).map((line) => `  ${line}`),
    ...(powerless.length === 0
      ? []
      : [`${powerless.length} other operations cannot help, wherever they take effect: ${clients(powerless)}`]),
    ...(minimal ? [] : ["(the limit for shrinking was reached: a proof, but perhaps not the smallest one)"])
  ].join("\n")
}

const clients = <I, O>(operations: Operations<I, O>): string => {
  const counts = new Map<string, number>()
  for (const { client } of operations) counts.set(client, (counts.get(client) ?? 0) + 1)
  return Array.from(counts, ([client, count]) => `${client} ${count}`)
    .slice(0, 10)
    .join(", ")
}
