/**
 * What a checker must know of an object: its sequential behaviour. Pure.
 *
 * Laws of a model (tested for the built-in ones by comparing with an exhaustive checker):
 * - `step` is a function: same state, input and output give the same result; it never changes its arguments;
 * - with an output, `step` answers the next state, or `illegal` if the object could not have answered so;
 * - with `unknown`, `step` answers the state after the operation took effect (it may be any answer);
 * - inputs are JSON values, and equal inputs have equal effects;
 * - equal states have equal `stateKey`, different ones different keys;
 * - `observes(input, output)` says that the operation with this answer leaves every state as it is;
 * - operations of different partitions do not influence each other (P-compositionality, Horn & Kroening 2015).
 */
import type { Operation, Unknown } from "./History.ts"

/** The object could not have answered so in this state. */
export const illegal: unique symbol = Symbol("weft/illegal")
export type Illegal = typeof illegal

export interface Model<S, I, O> {
  readonly name: string
  readonly initial: S
  readonly step: (state: S, input: I, output: O | Unknown) => S | Illegal
  readonly stateKey: (state: S) => string
  readonly observes: (input: I, output: O | Unknown) => boolean
  /** The part of the object an operation touches; `undefined` when it touches all of it (then nothing is split). */
  readonly partition?: (input: I) => string | undefined
  /**
   * The unknown operations that can matter, given the answered ones. An operation may be left out only if every legal
   * order that uses it can be mended to one that does not. Unknown operations are what makes checking exponential.
   */
  readonly useful?: (
    unknowns: ReadonlyArray<Operation<I, O>>,
    known: ReadonlyArray<Operation<I, O>>
  ) => ReadonlyArray<Operation<I, O>>
  /** A few operations that no order can explain, found without a search; the checker searches them again as proof. */
  readonly refute?: (operations: ReadonlyArray<Operation<I, O>>) => ReadonlyArray<Operation<I, O>> | undefined
  /** Where to look first: operations with smaller numbers are tried earlier. A hint, never a verdict. */
  readonly hint?: (operations: ReadonlyArray<Operation<I, O>>) => (operation: Operation<I, O>) => number
  /** True only if no order can go on once `input` has taken effect in `state`: saves finding that out much later. */
  readonly deadEnd?: (operations: ReadonlyArray<Operation<I, O>>) => (state: S, input: I) => boolean
  readonly show: (input: I, output: O | Unknown) => string
  readonly showState: (state: S) => string
}

/** Values that models store: compared by their JSON text. */
export type Value = string | number | boolean | null | ReadonlyArray<Value> | { readonly [name: string]: Value }

/** Text that is equal exactly for equal values; keys of objects in any order. */
export const valueKey = (value: Value): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(valueKey).join(",")}]`
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, part]) => `${JSON.stringify(name)}:${valueKey(part)}`).join(",")}}`
}
