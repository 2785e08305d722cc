/**
 * Models of one cell and of maps of cells: register, map, counter. Pure.
 * Outputs are what the client saw; `null` stands for "nothing there" and for answers without content.
 */
import { type Operation, type Unknown, unknown } from "./History.ts"
import { illegal, type Illegal, type Model, type Value, valueKey } from "./Model.ts"

export type RegisterInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: Value }
  | { readonly op: "cas"; readonly from: Value; readonly to: Value }

/** `read` answers the value, `write` null, `cas` whether it swapped. */
export type RegisterOutput = Value

const same = (a: Value, b: Value): boolean => a === b || valueKey(a) === valueKey(b)

const stepRegister = (state: Value, input: RegisterInput, output: RegisterOutput | Unknown): Value | Illegal => {
  switch (input.op) {
    case "read":
      return output === unknown || same(output, state) ? state : illegal
    case "write":
      return input.value
    case "cas": {
      const swaps = same(state, input.from)
      return output === unknown || output === swaps ? (swaps ? input.to : state) : illegal
    }
  }
}

/** Without failed swaps, an unknown write matters only if somebody saw its value, or a needed swap started from it. */
const usefulWrites = (
  unknowns: ReadonlyArray<Operation<RegisterInput, RegisterOutput>>,
  known: ReadonlyArray<Operation<RegisterInput, RegisterOutput>>
): ReadonlyArray<Operation<RegisterInput, RegisterOutput>> => {
  const needed = new Set<string>()
  for (const { input, output } of known) {
    // A failed swap is explained by any other value, so every unknown write may help.
    if (input.op === "cas" && output === false) return unknowns
    if (input.op === "read" && output !== unknown) needed.add(valueKey(output))
    if (input.op === "cas") needed.add(valueKey(input.from))
  }
  for (let grown = true; grown;) {
    grown = false
    for (const { input } of unknowns) {
      if (input.op !== "cas" || !needed.has(valueKey(input.to)) || needed.has(valueKey(input.from))) continue
      needed.add(valueKey(input.from))
      grown = true
    }
  }
  return unknowns.filter(
    ({ input }) => input.op !== "read" && needed.has(valueKey(input.op === "write" ? input.value : input.to))
  )
}

/** An operation of a register or of one key of a map, as far as the quick look goes. */
interface Seen<Op> {
  readonly operation: Op
  readonly kind: "read" | "write" | "other"
  /** What was read (undefined: nobody knows) or written. */
  readonly value: Value | undefined
}

/**
 * A value from nowhere, a read before the write of its value, and a read of a value although another write lay wholly
 * between (after Gibbons & Korach 1997). Looks only where there is nothing but reads and writes; a value that was written
 * twice, or is also the initial one, is passed over. Cost: O(n log n).
 */
const refuteCells = <Op extends { readonly call: number; readonly returned: number | undefined }>(
  initial: Value,
  seen: ReadonlyArray<Seen<Op>>
): ReadonlyArray<Op> | undefined => {
  if (seen.some(({ kind }) => kind === "other")) return undefined
  const writes = new Map<string, Array<Op>>()
  for (const { kind, operation, value } of seen) {
    if (kind !== "write") continue
    const key = valueKey(value!)
    writes.set(key, [...(writes.get(key) ?? []), operation])
  }
  const known = seen.filter(({ kind, operation }) => kind === "write" && operation.returned !== undefined)
  const byReturn = known.map(({ operation }) => operation).sort((a, b) => a.returned! - b.returned!)
  const reads = seen.filter(({ kind, value }) => kind === "read" && value !== undefined)
  let returned = 0
  let latest: Op | undefined
  for (const { operation: read, value } of reads.sort((a, b) => a.operation.call - b.operation.call)) {
    // Of all writes that had returned when the read was called, the one called last.
    for (; returned < byReturn.length && byReturn[returned]!.returned! < read.call; returned++) {
      if (latest === undefined || byReturn[returned]!.call > latest.call) latest = byReturn[returned]
    }
    const sources = writes.get(valueKey(value!)) ?? []
    if (same(value!, initial)) {
      if (sources.length === 0 && latest !== undefined) return [latest, read]
      continue
    }
    const [write] = sources
    if (write === undefined) return [read]
    if (sources.length > 1) continue
    if (read.returned! < write.call) return [write, read]
    if (latest !== undefined && latest.call > (write.returned ?? Infinity)) return [write, latest, read]
  }
  return undefined
}

const text = (value: Value | Unknown): string => (value === unknown ? "?" : valueKey(value))

/** One cell with read, write and compare-and-set. */
export const register = (initial: Value = null): Model<Value, RegisterInput, RegisterOutput> => ({
  name: "register",
  initial,
  step: stepRegister,
  stateKey: valueKey,
  observes: (input, output) => input.op === "read" || (input.op === "cas" && output === false),
  useful: usefulWrites,
  refute: (operations) =>
    refuteCells(
      initial,
      operations.map((operation) => {
        const { input, output } = operation
        if (input.op === "write") return { operation, kind: "write", value: input.value }
        return {
          operation,
          kind: input.op === "read" ? "read" : "other",
          value: output === unknown ? undefined : output
        }
      })
    ),
  show: (input, output) => {
    if (input.op === "read") return `read -> ${text(output)}`
    if (input.op === "write") return `write ${text(input.value)}${output === unknown ? " -> ?" : ""}`
    return `cas ${text(input.from)} to ${text(input.to)} -> ${text(output)}`
  },
  showState: valueKey
})

export type MapInput =
  | { readonly op: "get" | "delete" | "has"; readonly key: string }
  | { readonly op: "set" | "setIfAbsent"; readonly key: string; readonly value: Value }
  | { readonly op: "cas"; readonly key: string; readonly from: Value; readonly to: Value }
  | { readonly op: "entries" }

/** `get`: value or null; `has`, `delete` (was it there), `setIfAbsent`, `cas`: boolean; `set`: null; `entries`: sorted pairs. */
export type MapOutput = Value

type MapState = ReadonlyMap<string, Value>

const withEntry = (state: MapState, key: string, value: Value): MapState => new Map(state).set(key, value)

const withoutEntry = (state: MapState, key: string): MapState => {
  const next = new Map(state)
  next.delete(key)
  return next
}

const entriesOf = (state: MapState): ReadonlyArray<readonly [string, Value]> =>
  Array.from(state).sort(([a], [b]) => (a < b ? -1 : 1))

/** The sequential map: next state and answer. */
const runMap = (state: MapState, input: MapInput): readonly [MapState, Value] => {
  if (input.op === "entries") return [state, entriesOf(state)]
  const { key } = input
  const present = state.has(key)
  switch (input.op) {
    case "get":
      return [state, state.get(key) ?? null]
    case "has":
      return [state, present]
    case "delete":
      return [present ? withoutEntry(state, key) : state, present]
    case "set":
      return [withEntry(state, key, input.value), null]
    case "setIfAbsent":
      return [present ? state : withEntry(state, key, input.value), !present]
    case "cas": {
      const swaps = present && same(state.get(key)!, input.from)
      return [swaps ? withEntry(state, key, input.to) : state, swaps]
    }
  }
}

/** Where a key saw only gets and sets, unknown sets nobody read are dropped; other keys keep all of theirs. */
const usefulSets = (
  unknowns: ReadonlyArray<Operation<MapInput, MapOutput>>,
  known: ReadonlyArray<Operation<MapInput, MapOutput>>
): ReadonlyArray<Operation<MapInput, MapOutput>> => {
  const seen = new Set<string>()
  for (const { input, output } of [...known, ...unknowns]) {
    if (input.op !== "get" && input.op !== "set") return unknowns
    if (input.op === "get" && output !== unknown) seen.add(`${input.key}=${valueKey(output)}`)
  }
  return unknowns.filter(({ input }) => input.op === "set" && seen.has(`${input.key}=${valueKey(input.value)}`))
}

/** Cells by key. Split by key unless somebody listed the entries. */
export const map = (initial: ReadonlyArray<readonly [string, Value]> = []): Model<MapState, MapInput, MapOutput> => ({
  name: "map",
  initial: new Map(initial),
  step: (state, input, output) => {
    const [next, answer] = runMap(state, input)
    return output === unknown || input.op === "set" || same(answer, output) ? next : illegal
  },
  stateKey: (state) => valueKey(entriesOf(state)),
  observes: (input, output) =>
    input.op === "get" || input.op === "has" || input.op === "entries" || (input.op !== "set" && output === false),
  partition: (input) => (input.op === "entries" ? undefined : input.key),
  useful: usefulSets,
  refute: (operations) => {
    const [first] = operations
    if (first === undefined || first.input.op === "entries") return undefined
    const before = new Map(initial).get(first.input.key) ?? null
    return refuteCells(
      before,
      operations.map((operation) => {
        const { input, output } = operation
        if (input.op === "set") return { operation, kind: "write", value: input.value }
        return {
          operation,
          kind: input.op === "get" ? "read" : "other",
          value: output === unknown ? undefined : output
        }
      })
    )
  },
  show: (input, output) => {
    const answer = input.op === "set" && output !== unknown ? "" : ` -> ${text(output)}`
    if (input.op === "entries") return `entries${answer}`
    if (input.op === "cas") return `cas ${input.key} ${text(input.from)} to ${text(input.to)}${answer}`
    return `${input.op} ${input.key}${"value" in input ? ` ${text(input.value)}` : ""}${answer}`
  },
  showState: (state) => valueKey(Object.fromEntries(entriesOf(state)))
})

export type CounterInput = { readonly op: "read" } | { readonly op: "add"; readonly amount: number }

/** A number; `add` answers the new value, or null where the client was told none. */
export const counter = (initial = 0): Model<number, CounterInput, number | null> => ({
  name: "counter",
  initial,
  step: (state, input, output) => {
    const next = input.op === "add" ? state + input.amount : state
    return output === unknown || output === next || (input.op === "add" && output === null) ? next : illegal
  },
  stateKey: String,
  observes: (input) => input.op === "read" || input.amount === 0,
  show: (input, output) => `${input.op === "add" ? `add ${input.amount}` : "read"} -> ${text(output)}`,
  showState: String
})
