/**
 * The search for an order of one partition's operations (Wing & Gong 1993, with the memo of Lowe 2017). Pure: bounded by
 * counts, and by a clock only if one is passed in.
 *
 * Beyond the textbook, each justified by an exchange argument:
 * - an answered operation that changes nothing and is legal now is placed now, without a branch: any order that places
 *   it later can be mended by moving it here;
 * - an unknown operation that changes nothing now is not placed: leaving it out keeps more choices;
 * - of unknown operations with one input the one called first goes first: they are interchangeable, and it is available
 *   whenever the other is;
 * - a configuration that failed with fewer unknown operations used up fails with more of them too (dominance).
 */
import { type Operation, unknown } from "./History.ts"
import { illegal, type Model, valueKey, type Value } from "./Model.ts"

export interface Limits {
  /** Calls of `model.step` in the whole check, and 64 characters of states that were compared. */
  readonly stepsMax: number
  /** Remembered configurations (set placed, state) in one partition, long states counted by 64 characters; 100 to 200 bytes each. */
  readonly configurationsMax: number
  /** Time by `now`, if given. A check without a clock is the same on every machine. */
  readonly millisMax?: number
  readonly now?: () => number
}

/** Steps used so far, shared by all searches of a check. */
export interface Spent {
  steps: number
  readonly startedAt: number
}

export type Found<I, O> =
  | { readonly _tag: "Order"; readonly order: ReadonlyArray<Operation<I, O>> }
  | { readonly _tag: "NoOrder"; readonly deepest: ReadonlyArray<Operation<I, O>> }
  | { readonly _tag: "GaveUp"; readonly limit: "stepsMax" | "configurationsMax" | "millisMax" }

interface Frame<S> {
  readonly state: S
  readonly stateKey: string
  readonly candidates: ReadonlyArray<number>
  next: number
  /** Length of `order` before the operation that led here was placed. */
  readonly orderLength: number
  readonly highest: number
}

const head = 0
const callNode = (index: number): number => 2 * index + 1
const returnNode = (index: number): number => 2 * index + 2

/** Searches `operations` (any order). Cost: linear when few operations overlap; exponential in overlap at worst. */
export const search = <S, I, O>(
  model: Model<S, I, O>,
  operations: ReadonlyArray<Operation<I, O>>,
  limits: Limits,
  spent: Spent
): Found<I, O> => new Search(model, operations, limits, spent).run()

class Search<S, I, O> {
  readonly #model: Model<S, I, O>
  readonly #limits: Limits
  readonly #spent: Spent
  /** Answered operations by call time, then the unknown ones by call time. */
  readonly #known: ReadonlyArray<Operation<I, O>>
  readonly #unknowns: ReadonlyArray<Operation<I, O>>
  readonly #observes: Uint8Array
  readonly #rank: Float64Array
  readonly #sameBefore: Int32Array
  readonly #deadEnd: ((state: S, input: I) => boolean) | undefined
  /** Doubly linked list of the call and return events of answered operations that are not placed yet. */
  readonly #after: Int32Array
  readonly #before: Int32Array
  readonly #placed: Uint32Array
  readonly #used: Uint32Array
  readonly #seen = new Map<string, Array<Uint32Array>>()
  readonly #order: Array<number> = []
  #configurations = 0
  #rounds = 0
  #knownPlaced = 0
  #highest = -1
  #deepest: ReadonlyArray<number> = []
  #deepestKnown = -1

  constructor(model: Model<S, I, O>, operations: ReadonlyArray<Operation<I, O>>, limits: Limits, spent: Spent) {
    this.#model = model
    this.#limits = limits
    this.#spent = spent
    const byCall = operations.toSorted((a, b) => a.call - b.call)
    this.#known = byCall.filter((operation) => operation.output !== unknown)
    const open = byCall.filter((operation) => operation.output === unknown && !model.observes(operation.input, unknown))
    this.#unknowns = model.useful === undefined ? open : model.useful(open, this.#known)
    const count = this.#known.length
    this.#observes = Uint8Array.from(this.#known, ({ input, output }) => (model.observes(input, output) ? 1 : 0))
    const hint = model.hint?.(operations)
    this.#rank = Float64Array.from(this.#known, (operation) => hint?.(operation) ?? operation.returned ?? Infinity)
    this.#deadEnd = model.deadEnd?.(operations)
    this.#sameBefore = sameInputBefore(this.#unknowns)
    this.#placed = new Uint32Array((count >>> 5) + 1)
    this.#used = new Uint32Array((this.#unknowns.length + 31) >>> 5)
    this.#after = new Int32Array(2 * count + 1).fill(-1)
    this.#before = new Int32Array(2 * count + 1).fill(-1)
    this.#link()
  }

  run(): Found<I, O> {
    const frames: Array<Frame<S>> = []
    const first = this.#enter(this.#model.initial, 0)
    if (first === "ordered") return this.#found()
    if (first !== undefined) frames.push(first)
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const limit = this.#exceeded()
      if (limit !== undefined) return { _tag: "GaveUp", limit }
      const candidate = frame.candidates[frame.next++]
      if (candidate === undefined) {
        this.#noteDeepest()
        this.#undoTo(frame.orderLength)
        this.#highest = frame.highest
        frames.pop()
        continue
      }
      const next = this.#step(frame, candidate)
      if (next === illegal) continue
      const orderLength = this.#order.length
      const highest = this.#highest
      this.#place(candidate)
      const entered = this.#enter(next, orderLength, highest)
      if (entered === "ordered") return this.#found()
      if (entered === undefined) {
        this.#undoTo(orderLength)
        this.#highest = highest
      } else frames.push(entered)
    }
    return { _tag: "NoOrder", deepest: this.#deepest.map((index) => this.#operation(index)) }
  }

  /** Places what may be placed without a choice; then a frame, or `undefined` if this place was reached before. */
  #enter(state: S, orderLength: number, highest = -1): Frame<S> | "ordered" | undefined {
    let node = this.#after[head]!
    while (node !== -1 && (node & 1) === 1) {
      const index = node >> 1
      const { input, output } = this.#known[index]!
      const before = this.#before[node]!
      if (this.#observes[index] === 1) this.#spent.steps++
      if (this.#observes[index] === 1 && this.#model.step(state, input, output) !== illegal) {
        this.#place(index)
        // Not what followed the call: that may be its own return, which has left the list with it.
        node = this.#after[before]!
      } else node = this.#after[node]!
    }
    if (this.#knownPlaced === this.#known.length) return "ordered"
    const stateKey = this.#model.stateKey(state)
    if (this.#reachedBefore(stateKey)) {
      this.#noteDeepest()
      return undefined
    }
    // `node` is the first return left: whatever is called after it must wait for that operation.
    return { state, stateKey, candidates: this.#candidates(node), next: 0, orderLength, highest }
  }

  #candidates(firstReturn: number): ReadonlyArray<number> {
    const candidates: Array<number> = []
    for (let node = this.#after[head]!; node !== firstReturn; node = this.#after[node]!) {
      if (this.#observes[node >> 1] === 0) candidates.push(node >> 1)
    }
    candidates.sort((a, b) => this.#rank[a]! - this.#rank[b]!)
    const deadline = this.#known[(firstReturn >> 1) - 1]!.returned!
    for (let index = 0; index < this.#unknowns.length && this.#unknowns[index]!.call <= deadline; index++) {
      const earlier = this.#sameBefore[index]!
      if (!this.#isUsed(index) && (earlier === -1 || this.#isUsed(earlier))) candidates.push(this.#known.length + index)
    }
    return candidates
  }

  #step(frame: Frame<S>, candidate: number): S | typeof illegal {
    const { input, output } = this.#operation(candidate)
    this.#spent.steps++
    if (this.#deadEnd?.(frame.state, input) === true) return illegal
    const next = this.#model.step(frame.state, input, output)
    if (next === illegal || candidate < this.#known.length) return next
    return this.#model.stateKey(next) === frame.stateKey ? illegal : next
  }

  /** Remembers the configuration; true if it, or one that had at least as many choices left, was here before. */
  #reachedBefore(stateKey: string): boolean {
    const lowest = this.#after[head]! >> 1
    let key = String.fromCharCode(lowest & 0xffff, lowest >>> 16)
    for (let word = lowest >>> 5; word <= this.#highest >>> 5 && this.#highest >= 0; word++) {
      key += String.fromCharCode(this.#placed[word]! & 0xffff, this.#placed[word]! >>> 16)
    }
    key += `|${stateKey}`
    // States can be long (a queue): what is remembered is paid for by its length.
    const weight = 1 + (key.length >> 6)
    this.#spent.steps += weight - 1
    const visits = this.#seen.get(key)
    if (visits === undefined) {
      this.#seen.set(key, [this.#used.slice()])
      this.#configurations += weight
      return false
    }
    this.#spent.steps += visits.length
    if (visits.some((visit) => visit.every((word, index) => (word & ~this.#used[index]!) === 0))) return true
    visits.push(this.#used.slice())
    this.#configurations += weight
    return false
  }

  #place(index: number): void {
    this.#order.push(index)
    const open = index - this.#known.length
    if (open >= 0) {
      this.#used[open >>> 5]! |= 1 << (open & 31)
      return
    }
    this.#unlink(callNode(index))
    this.#unlink(returnNode(index))
    this.#placed[index >>> 5]! |= 1 << (index & 31)
    this.#knownPlaced++
    if (index > this.#highest) this.#highest = index
  }

  #undoTo(length: number): void {
    while (this.#order.length > length) {
      const index = this.#order.pop()!
      const open = index - this.#known.length
      if (open >= 0) {
        this.#used[open >>> 5]! &= ~(1 << (open & 31))
        continue
      }
      this.#relink(returnNode(index))
      this.#relink(callNode(index))
      this.#placed[index >>> 5]! &= ~(1 << (index & 31))
      this.#knownPlaced--
    }
  }

  /** Called just before undoing: keeps the order that explains most operations. */
  #noteDeepest(): void {
    if (this.#knownPlaced <= this.#deepestKnown) return
    this.#deepestKnown = this.#knownPlaced
    this.#deepest = this.#order.slice()
  }

  #exceeded(): "stepsMax" | "configurationsMax" | "millisMax" | undefined {
    if (this.#spent.steps > this.#limits.stepsMax) return "stepsMax"
    if (this.#configurations > this.#limits.configurationsMax) return "configurationsMax"
    const { millisMax, now } = this.#limits
    if (millisMax === undefined || now === undefined || (this.#rounds++ & 63) !== 0) return undefined
    return now() - this.#spent.startedAt > millisMax ? "millisMax" : undefined
  }

  #found(): Found<I, O> {
    return { _tag: "Order", order: this.#order.map((index) => this.#operation(index)) }
  }

  #operation(index: number): Operation<I, O> {
    return index < this.#known.length ? this.#known[index]! : this.#unknowns[index - this.#known.length]!
  }

  #isUsed(open: number): boolean {
    return (this.#used[open >>> 5]! & (1 << (open & 31))) !== 0
  }

  #link(): void {
    const events: Array<{ readonly node: number; readonly time: number }> = []
    for (const [index, operation] of this.#known.entries()) {
      events.push({ node: callNode(index), time: operation.call })
      events.push({ node: returnNode(index), time: operation.returned! })
    }
    // Calls come before returns of the same time: equal times are concurrent. Call nodes are odd.
    events.sort((a, b) => a.time - b.time || (b.node & 1) - (a.node & 1) || a.node - b.node)
    let last = head
    for (const { node } of events) {
      this.#after[last] = node
      this.#before[node] = last
      last = node
    }
  }

  #unlink(node: number): void {
    const before = this.#before[node]!
    const after = this.#after[node]!
    this.#after[before] = after
    if (after !== -1) this.#before[after] = before
  }

  #relink(node: number): void {
    const after = this.#after[node]!
    this.#after[this.#before[node]!] = node
    if (after !== -1) this.#before[after] = node
  }
}

/** For each operation the nearest earlier one with the same input, or -1. */
const sameInputBefore = <I, O>(unknowns: ReadonlyArray<Operation<I, O>>): Int32Array => {
  const last = new Map<string, number>()
  return Int32Array.from(unknowns, ({ input }, index) => {
    // A law of `Model`: inputs are JSON values, so equal text means the same effect.
    const key = valueKey(input as Value)
    const earlier = last.get(key) ?? -1
    last.set(key, index)
    return earlier
  })
}
