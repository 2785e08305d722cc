/**
 * A model checker: every state that a small world can come to, each looked at once. A world is a start, the steps possible
 * in a state, a key by which two states are the same, what is wrong with a state, and what is wrong with one that has no
 * step left but those that need not come (faults). Nothing is sampled: `complete` says that all was seen.
 *
 * The search goes depth first, which keeps few states in memory; where it finds something wrong, a second one goes breadth
 * first and gives the shortest way there. Cost: one key a state, and one a step.
 */

/** One possible step: how it is told, and where it leads. */
export interface Step<S> {
  readonly name: string
  readonly to: S
  /** It may happen or not, as a fault may: a state with such steps alone is an end. */
  readonly isOptional?: boolean | undefined
}

/** A small world. All functions are pure. */
export interface Model<S> {
  readonly name: string
  readonly initial: S
  readonly steps: (state: S) => ReadonlyArray<Step<S>>
  /** Equal exactly for states that have the same future. */
  readonly key: (state: S) => string
  /** What is wrong with a state, `undefined` when nothing is. */
  readonly wrong: (state: S) => string | undefined
  /** What is wrong with a state that has no step left, but for optional ones. */
  readonly ended: (state: S) => string | undefined
}

/** Something wrong, with the shortest way to it. */
export interface Violation {
  readonly what: string
  readonly trace: ReadonlyArray<string>
}

export interface Checked {
  readonly name: string
  readonly states: number
  readonly steps: number
  /** States without a step that must come. */
  readonly ends: number
  /** Longest way that was gone. */
  readonly depth: number
  /** Whether every state was seen; `false` after `statesMax`, or where something is wrong. */
  readonly complete: boolean
  readonly violation: Violation | undefined
}

export interface Options {
  /** States after which the search gives up. */
  readonly statesMax?: number | undefined
  /** Called each `progressStates` states. */
  readonly progress?: ((states: number) => void) | undefined
}

/** States between two calls of `progress`. */
export const progressStates = 20_000

/** Looks at every state. */
export const check = <S>(model: Model<S>, options: Options = {}): Checked => {
  const search = new Search(model, options)
  const isWrong = search.run()
  const { depth, ends, states, steps } = search
  const found = { name: model.name, states, steps, ends, depth }
  if (isWrong) return { ...found, complete: false, violation: shortest(model) }
  return { ...found, complete: !search.isCut, violation: undefined }
}

class Search<S> {
  states = 0
  steps = 0
  ends = 0
  depth = 0
  isCut = false
  private readonly model: Model<S>
  private readonly statesMax: number
  private readonly progress: ((states: number) => void) | undefined
  private readonly seen = new Set<string>()

  constructor(model: Model<S>, { progress, statesMax }: Options) {
    this.model = model
    this.statesMax = statesMax ?? Number.POSITIVE_INFINITY
    this.progress = progress
  }

  /** Whether something is wrong. */
  run(): boolean {
    const { initial } = this.model
    const stack: Array<{ readonly steps: ReadonlyArray<Step<S>>; at: number }> = []
    const first = this.enter(initial)
    if (first === undefined) return true
    stack.push({ steps: first, at: 0 })
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const step = top.steps[top.at++]
      if (step === undefined) {
        stack.pop()
        continue
      }
      this.steps++
      if (!this.isNew(step.to)) continue
      if (this.states >= this.statesMax) {
        this.isCut = true
        return false
      }
      const next = this.enter(step.to)
      if (next === undefined) return true
      stack.push({ steps: next, at: 0 })
      if (stack.length > this.depth) this.depth = stack.length
    }
    return false
  }

  private isNew(state: S): boolean {
    const { size } = this.seen
    this.seen.add(this.model.key(state))
    return this.seen.size > size
  }

  /** The steps of a new state; `undefined` when something is wrong with it. */
  private enter(state: S): ReadonlyArray<Step<S>> | undefined {
    if (this.states === 0) this.isNew(state)
    this.states++
    if (this.states % progressStates === 0) this.progress?.(this.states)
    if (this.model.wrong(state) !== undefined) return undefined
    const steps = this.model.steps(state)
    if (!isEnd(steps)) return steps
    this.ends++
    return this.model.ended(state) === undefined ? steps : undefined
  }
}

const isEnd = (steps: ReadonlyArray<Step<unknown>>): boolean => steps.every(({ isOptional }) => isOptional === true)

interface Place<S> {
  readonly state: S
  readonly step: string
  readonly from: Place<S> | undefined
}

/** The shortest way to something wrong, which is known to be there. */
const shortest = <S>(model: Model<S>): Violation | undefined => {
  let row: Array<Place<S>> = [{ state: model.initial, step: "", from: undefined }]
  const seen = new Set([model.key(model.initial)])
  while (row.length > 0) {
    const next: Array<Place<S>> = []
    for (const place of row) {
      const steps = model.steps(place.state)
      const what = model.wrong(place.state) ?? (isEnd(steps) ? model.ended(place.state) : undefined)
      if (what !== undefined) return { what, trace: wayTo(place) }
      for (const { name, to } of steps) {
        const key = model.key(to)
        if (seen.has(key)) continue
        seen.add(key)
        next.push({ state: to, step: name, from: place })
      }
    }
    row = next
  }
  return undefined
}

const wayTo = <S>(place: Place<S>): ReadonlyArray<string> => {
  const trace: Array<string> = []
  for (let at: Place<S> | undefined = place; at?.from !== undefined; at = at.from) trace.unshift(at.step)
  return trace
}

/** A violation for people: one step a line, then what is wrong. */
export const render = (name: string, { trace, what }: Violation): string =>
  [`${name}: ${what}, after ${trace.length} steps:`, ...trace.map((step, i) => `  ${i + 1}. ${step}`)].join("\n")
