/**
 * Small transactions as data, with two meanings: `interpret` runs one on a store, `runModel` on plain JavaScript. What the
 * bodies of a concurrent run saw and left must be what some serial order of the model gives (`serialOutcomes`).
 */
import * as Effect from "effect/Effect"
import type { Store } from "../src/Store.ts"
import type { StoreError } from "../src/StoreError.ts"
import type { Transaction } from "../src/Transaction.ts"
import * as Tx from "../src/Tx.ts"
import * as Cells from "./Cells.ts"
import { Aborted } from "./workloads/harness.ts"

/** One step of a body. What it sees goes into its log; writes depend on what was seen, so a wrong read leaves a trace. */
export type Step =
  | { readonly op: "read"; readonly key: string }
  /** Sets a key to the sum of all numbers seen so far, plus `plus`. */
  | { readonly op: "write"; readonly key: string; readonly plus: number }
  | { readonly op: "remove"; readonly key: string }
  /** Adds to the counter of that name without reading it. */
  | { readonly op: "add"; readonly key: string; readonly plus: number }
  | { readonly op: "counter"; readonly key: string }
  /** Reads all keys that begin so. */
  | { readonly op: "range"; readonly key: string }
  /** Appends the sum plus `plus` to a log, without reading it. */
  | { readonly op: "append"; readonly key: string; readonly plus: number }
  | { readonly op: "takeFirst"; readonly key: string }
  /** Reads a key and waits while it is absent. */
  | { readonly op: "await"; readonly key: string }
  | { readonly op: "retry" }
  | { readonly op: "abort" }
  | { readonly op: "orElse"; readonly left: Body; readonly right: Body }

export type Body = ReadonlyArray<Step>

/** How a body ended: `blocked` waits for ever. */
export type Ending = "ok" | "abort" | "blocked"

export interface State {
  readonly cells: ReadonlyMap<string, number>
  readonly counters: ReadonlyMap<string, number>
  readonly logs: ReadonlyMap<string, ReadonlyArray<number>>
}

export const empty: State = { cells: new Map(), counters: new Map(), logs: new Map() }

/** What an attempt knows: its log and the sum of what it saw. `orElse` does not take them back, unlike the writes. */
export interface Sight {
  readonly log: Array<string>
  sum: number
}

const see = (sight: Sight, what: string, value: number | undefined) => {
  sight.log.push(`${what}=${value ?? "-"}`)
  sight.sum += value ?? 0
}

type ModelExit = { readonly end: "ok" | "abort" | "retry"; readonly state: State }

const put = <A>(map: ReadonlyMap<string, A>, key: string, value: A | undefined): ReadonlyMap<string, A> => {
  const next = new Map(map)
  if (value === undefined) next.delete(key)
  else next.set(key, value)
  return next
}

/** Runs a body alone on a state. */
export const runModel = (body: Body, before: State, sight: Sight): ModelExit => {
  let state = before
  for (const step of body) {
    if (step.op === "orElse") {
      const left = runModel(step.left, state, sight)
      const taken = left.end === "retry" ? runModel(step.right, state, sight) : left
      if (taken.end !== "ok") return { end: taken.end, state: before }
      state = taken.state
      continue
    }
    const end = runStep(step, state, sight)
    if (typeof end === "string") return { end, state: before }
    state = end
  }
  return { end: "ok", state }
}

const runStep = (step: Exclude<Step, { op: "orElse" }>, state: State, sight: Sight): State | "abort" | "retry" => {
  switch (step.op) {
    case "read":
      see(sight, step.key, state.cells.get(step.key))
      return state
    case "await":
      see(sight, step.key, state.cells.get(step.key))
      return state.cells.has(step.key) ? state : "retry"
    case "write":
      return { ...state, cells: put(state.cells, step.key, sight.sum + step.plus) }
    case "remove":
      return { ...state, cells: put(state.cells, step.key, undefined) }
    case "add":
      return { ...state, counters: put(state.counters, step.key, (state.counters.get(step.key) ?? 0) + step.plus) }
    case "counter":
      see(sight, step.key, state.counters.get(step.key) ?? 0)
      return state
    case "range":
      for (const key of [...state.cells.keys()].sort()) {
        if (key.startsWith(step.key)) see(sight, `${step.key}*`, state.cells.get(key))
      }
      return state
    case "append":
      return { ...state, logs: put(state.logs, step.key, [...(state.logs.get(step.key) ?? []), sight.sum + step.plus]) }
    case "takeFirst": {
      const [first, ...rest] = state.logs.get(step.key) ?? []
      see(sight, step.key, first)
      return first === undefined ? state : { ...state, logs: put(state.logs, step.key, rest) }
    }
    case "retry":
    case "abort":
      return step.op
  }
}

type Run = Effect.Effect<void, StoreError | Aborted, Store | Transaction>

/** A body over the store it stands in; `pause` comes before every step and at the end. */
export const interpret = (body: Body, sight: Sight, pause: Effect.Effect<void>): Run =>
  Effect.gen(function* () {
    for (const step of body) {
      yield* pause
      yield* interpretStep(step, sight, pause)
    }
    yield* pause
  })

const interpretStep = (step: Step, sight: Sight, pause: Effect.Effect<void>): Run => {
  const seen = (what: string) => (value: unknown) => see(sight, what, value as number | undefined)
  switch (step.op) {
    case "read":
      return Effect.map(Cells.get(step.key), seen(step.key))
    case "await":
      return Effect.flatMap(Cells.get(step.key), (value) => {
        seen(step.key)(value)
        return Tx.check(value !== undefined)
      })
    case "write":
      return Effect.suspend(() => Cells.set(step.key, sight.sum + step.plus))
    case "remove":
      return Cells.remove(step.key)
    case "add":
      return Cells.add(step.key, step.plus)
    case "counter":
      return Effect.map(Cells.counter(step.key), seen(step.key))
    case "range":
      return Effect.map(Cells.range(step.key), (values) => values.forEach(seen(`${step.key}*`)))
    case "append":
      return Effect.suspend(() => Cells.append(step.key, sight.sum + step.plus))
    case "takeFirst":
      return Effect.map(Cells.takeFirst(step.key), seen(step.key))
    case "retry":
      return Tx.retry
    case "abort":
      return Effect.fail(new Aborted())
    case "orElse":
      return Tx.orElse(interpret(step.left, sight, pause), () => interpret(step.right, sight, pause))
  }
}

/** Reads a whole state back from a store: cells, counters and logs of the given names. */
export const readState = (names: {
  readonly cells: ReadonlyArray<string>
  readonly counters: ReadonlyArray<string>
  readonly logs: ReadonlyArray<string>
}): Effect.Effect<State, StoreError, Store> =>
  Effect.gen(function* () {
    const cells = new Map<string, number>()
    const counters = new Map<string, number>()
    const logs = new Map<string, ReadonlyArray<number>>()
    for (const name of names.cells) {
      const value = yield* Cells.get(name)
      if (value !== undefined) cells.set(name, value as number)
    }
    for (const name of names.counters) counters.set(name, yield* Cells.counter(name))
    for (const name of names.logs) logs.set(name, (yield* Cells.log(name)) as ReadonlyArray<number>)
    return { cells, counters, logs }
  })

/** What a run of several bodies came to, as text that compares. */
export const outcomeText = (
  ends: ReadonlyArray<{ readonly end: Ending; readonly log: ReadonlyArray<string> }>,
  state: State
): string => {
  const bodies = ends.map(({ end, log }) => (end === "blocked" ? end : `${end}(${log.join(" ")})`))
  const part = (map: ReadonlyMap<string, unknown>) =>
    [...map]
      .filter(([, v]) => v !== 0 && !(Array.isArray(v) && v.length === 0))
      .sort()
      .map(([k, v]) => `${k}:${String(v)}`)
  return `${bodies.join(" | ")} => ${[...part(state.cells), ...part(state.counters), ...part(state.logs)].join(" ")}`
}

/** All that serial orders of the bodies can come to: a body that would wait is put off until it need not, or blocked. */
export const serialOutcomes = (bodies: ReadonlyArray<Body>, start: State): ReadonlySet<string> => {
  const outcomes = new Set<string>()
  const ends = bodies.map((): { end: Ending; log: ReadonlyArray<string> } => ({ end: "blocked", log: [] }))
  const go = (left: ReadonlyArray<number>, state: State): void => {
    let moved = false
    for (const i of left) {
      const sight: Sight = { log: [], sum: 0 }
      const exit = runModel(bodies[i]!, state, sight)
      if (exit.end === "retry") continue
      moved = true
      ends[i] = { end: exit.end, log: sight.log }
      go(
        left.filter((j) => j !== i),
        exit.state
      )
      ends[i] = { end: "blocked", log: [] }
    }
    if (!moved) outcomes.add(outcomeText(ends, state))
  }
  go(
    bodies.map((_, i) => i),
    start
  )
  return outcomes
}
