/** Models of sets, queues and locks. Pure. `null` is the answer "nothing", and of operations that say nothing. */
import { type Operation, type Unknown, unknown } from "./History.ts"
import { illegal, type Model, type Value, valueKey } from "./Model.ts"

const text = (value: Value | Unknown): string => (value === unknown ? "?" : valueKey(value))

export type SetInput =
  | { readonly op: "add" | "remove" | "has"; readonly element: Value }
  | { readonly op: "size" }
  | { readonly op: "members" }

/** `add`: was it new; `remove`: was it there; `has`; each boolean, or null where the client was told nothing. */
export type SetOutput = Value

type SetState = ReadonlyMap<string, Value>

const runSet = (state: SetState, input: SetInput): readonly [SetState, Value] => {
  if (input.op === "size") return [state, state.size]
  if (input.op === "members") return [state, membersOf(state)]
  const key = valueKey(input.element)
  const present = state.has(key)
  if (input.op === "has") return [state, present]
  if (input.op === "add") return [present ? state : new Map(state).set(key, input.element), !present]
  if (!present) return [state, false]
  const next = new Map(state)
  next.delete(key)
  return [next, true]
}

const membersOf = (state: SetState): ReadonlyArray<Value> =>
  Array.from(state)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, element]) => element)

const sortedMembers = (output: Value): Value =>
  Array.isArray(output) ? output.toSorted((a, b) => (valueKey(a) < valueKey(b) ? -1 : 1)) : output

/** A set. Split by element unless somebody asked for its size or members (any order of members is accepted). */
export const set = (initial: Iterable<Value> = []): Model<SetState, SetInput, SetOutput> => ({
  name: "set",
  initial: new Map(Array.from(initial, (element) => [valueKey(element), element])),
  step: (state, input, output) => {
    const [next, answer] = runSet(state, input)
    if (output === unknown || (output === null && (input.op === "add" || input.op === "remove"))) return next
    return valueKey(input.op === "members" ? sortedMembers(output) : output) === valueKey(answer) ? next : illegal
  },
  stateKey: (state) => Array.from(state.keys()).sort().join(","),
  observes: (input, output) => input.op === "has" || input.op === "size" || input.op === "members" || output === false,
  partition: (input) => ("element" in input ? valueKey(input.element) : undefined),
  show: (input, output) => `${input.op}${"element" in input ? ` ${text(input.element)}` : ""} -> ${text(output)}`,
  showState: (state) => `{${Array.from(state.keys()).sort().join(", ")}}`
})

export type QueueInput = { readonly op: "offer"; readonly value: Value } | { readonly op: "poll" | "peek" | "size" }

/** `offer`: true, or false when full (null where the client was told nothing); `poll`, `peek`: the value, or null when empty. */
export type QueueOutput = Value

type QueueOperation = Operation<QueueInput, QueueOutput>

/** First in, first out; `capacity` values at most. Values of one history should be unique, else checking is slower. */
export const queue = (
  options: { readonly capacity?: number; readonly initial?: ReadonlyArray<Value> } = {}
): Model<ReadonlyArray<Value>, QueueInput, QueueOutput> => {
  const capacity = options.capacity ?? Infinity
  return {
    name: "queue",
    initial: options.initial ?? [],
    step: (state, input, output) => {
      if (input.op === "offer") {
        const fits = state.length < capacity
        return output === unknown || output === null || output === fits
          ? fits
            ? [...state, input.value]
            : state
          : illegal
      }
      const answer = input.op === "size" ? state.length : (state[0] ?? null)
      if (output !== unknown && valueKey(output) !== valueKey(answer)) return illegal
      return input.op === "poll" && state.length > 0 ? state.slice(1) : state
    },
    stateKey: (state) => state.map(valueKey).join(","),
    observes: (input, output) =>
      input.op === "peek" || input.op === "size" || (input.op === "poll" ? output === null : output === false),
    useful: (unknowns, known) => (capacity === Infinity ? usefulOffers(unknowns, known) : unknowns),
    refute: (operations) => (options.initial === undefined ? refuteQueue(operations, capacity) : undefined),
    hint: dueFirst,
    deadEnd: brokenOrder,
    show: (input, output) => {
      if (input.op === "offer") return `offer ${text(input.value)}${output === true ? "" : ` -> ${text(output)}`}`
      return `${input.op} -> ${input.op !== "size" && output === null ? "empty" : text(output)}`
    },
    showState: (state) => `[${state.map(valueKey).join(", ")}]`
  }
}

/** An offer nobody saw can only have stayed behind, or have gone to an unknown poll: leaving both out changes nothing. */
const usefulOffers = (
  unknowns: ReadonlyArray<QueueOperation>,
  known: ReadonlyArray<QueueOperation>
): ReadonlyArray<QueueOperation> => {
  if (known.some(({ input }) => input.op === "size")) return unknowns
  const seen = new Set(known.map(({ input, output }) => (input.op === "offer" ? "" : text(output))))
  return unknowns.filter(({ input }) => input.op !== "offer" || seen.has(valueKey(input.value)))
}

/**
 * Offers by the time their value must have come out: its own poll's return, or that of any value offered wholly after it
 * (earliest due date with precedence). Polls before offers: taking the head early is never a loss.
 */
const dueFirst = (operations: ReadonlyArray<QueueOperation>): ((operation: QueueOperation) => number) => {
  const polledAt = new Map<string, number>()
  for (const { input, output, returned } of operations) {
    if (input.op === "poll" && output !== unknown && output !== null) polledAt.set(valueKey(output), returned!)
  }
  const due = ({ input }: QueueOperation): number =>
    input.op === "offer" ? (polledAt.get(valueKey(input.value)) ?? Infinity) : Infinity
  const offers = operations.filter(({ input }) => input.op === "offer").sort((a, b) => b.call - a.call)
  const earliest: Array<number> = []
  for (const offer of offers) earliest.push(Math.min(due(offer), earliest.at(-1) ?? Infinity))
  return (operation) => {
    const { input, returned } = operation
    if (input.op !== "offer") return -1 / (1 + Math.abs(returned ?? 0))
    // How many offers were called after this one returned: they stand first, latest call first.
    let low = 0
    let high = offers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (offers[middle]!.call > (returned ?? Infinity)) low = middle + 1
      else high = middle
    }
    return Math.min(due(operation), low === 0 ? Infinity : earliest[low - 1]!)
  }
}

/** An offer behind a value that comes out later than its own: first in, first out is broken already. Values offered once. */
const brokenOrder = (
  operations: ReadonlyArray<QueueOperation>
): ((state: ReadonlyArray<Value>, input: QueueInput) => boolean) => {
  const polls = new Map<string, { readonly call: number; readonly returned: number }>()
  const offered = new Map<string, number>()
  let unknownPolls = false
  for (const { call, input, output, returned } of operations) {
    if (input.op === "offer") offered.set(valueKey(input.value), (offered.get(valueKey(input.value)) ?? 0) + 1)
    else if (input.op === "poll" && output === unknown) unknownPolls = true
    else if (input.op === "poll" && output !== null) polls.set(valueKey(output as Value), { call, returned: returned! })
  }
  return (state, input) => {
    if (input.op !== "offer" || offered.get(valueKey(input.value)) !== 1) return false
    const own = polls.get(valueKey(input.value))
    if (own === undefined) return false
    return state.some((value) => {
      const key = valueKey(value)
      if (offered.get(key) !== 1) return false
      const other = polls.get(key)
      return other === undefined ? !unknownPolls : own.returned < other.call
    })
  }
}

interface Journey {
  offers: Array<QueueOperation>
  polls: Array<QueueOperation>
}

/**
 * Violations of first in, first out that need at most four operations (after Henzinger, Sezgin & Vafeiadis 2013): a value
 * from nowhere, a value polled twice, two values that came out in the wrong order, a value that was passed over, "empty" while
 * a value was surely inside. Values offered twice are passed over.
 */
const refuteQueue = (
  operations: ReadonlyArray<QueueOperation>,
  capacity: number
): ReadonlyArray<QueueOperation> | undefined => {
  if (operations.some(({ input }) => input.op === "size" || input.op === "peek")) return undefined
  const journeys = new Map<string, Journey>()
  const journey = (value: Value): Journey => {
    const key = valueKey(value)
    const found = journeys.get(key) ?? { offers: [], polls: [] }
    journeys.set(key, found)
    return found
  }
  for (const operation of operations) {
    const { input, output } = operation
    if (input.op === "offer") {
      if (output !== false) journey(input.value).offers.push(operation)
    } else if (output !== unknown && output !== null) journey(output).polls.push(operation)
  }
  for (const { offers, polls } of journeys.values()) {
    const returned = polls.toSorted((a, b) => a.returned! - b.returned!)
    for (const [index, poll] of returned.entries()) {
      if (offers.filter((offer) => offer.call <= poll.returned!).length <= index) {
        return [...offers, ...returned.slice(0, index + 1)]
      }
    }
  }
  const single = Array.from(journeys.values()).flatMap(({ offers, polls }): ReadonlyArray<Moved> => {
    const [offer] = offers
    return offers.length === 1 && offer!.output !== unknown ? [{ offer: offer!, poll: polls[0] }] : []
  })
  // With an unknown poll about, a value that nobody was given may have gone to it.
  const stayed = !operations.some(({ input, output }) => input.op === "poll" && output === unknown)
  // A bounded queue may have been full where the client was told nothing: then the value never was inside.
  const sure = single.filter(
    ({ offer, poll }) => poll !== undefined || (stayed && (capacity === Infinity || offer.output === true))
  )
  return wrongOrder(sure) ?? wrongEmpty(sure, operations)
}

/** A value offered once; `poll` undefined: it never came out. */
interface Moved {
  readonly offer: QueueOperation
  readonly poll: QueueOperation | undefined
}

/** When its poll was called; never for a value that stayed. */
const leftAt = ({ poll }: Moved): number => poll?.call ?? Infinity

const shown = (...operations: ReadonlyArray<QueueOperation | undefined>): ReadonlyArray<QueueOperation> =>
  operations.filter((operation) => operation !== undefined)

/** a was offered before b, yet b was polled before a, or a never. Cost: O(n log n). */
const wrongOrder = (moved: ReadonlyArray<Moved>): ReadonlyArray<QueueOperation> | undefined => {
  const byOffered = moved.toSorted((a, b) => a.offer.returned! - b.offer.returned!)
  const byCall = moved.toSorted((a, b) => a.offer.call - b.offer.call)
  let offered = 0
  let latest: Moved | undefined
  for (const b of byCall) {
    // Of all values offered wholly before b, the one polled latest is the best witness.
    for (; offered < byOffered.length && byOffered[offered]!.offer.returned! < b.offer.call; offered++) {
      const a = byOffered[offered]!
      if (latest === undefined || leftAt(a) > leftAt(latest)) latest = a
    }
    if (latest !== undefined && b.poll !== undefined && b.poll.returned! < leftAt(latest)) {
      return shown(latest.offer, b.offer, b.poll, latest.poll)
    }
  }
  return undefined
}

/** A poll said "empty" while one value was inside all the time. Cost: O(n log n). */
const wrongEmpty = (
  moved: ReadonlyArray<Moved>,
  operations: ReadonlyArray<QueueOperation>
): ReadonlyArray<QueueOperation> | undefined => {
  const byOffered = moved.toSorted((a, b) => a.offer.returned! - b.offer.returned!)
  const empties = operations.filter(({ input, output }) => input.op === "poll" && output === null)
  let offered = 0
  let latest: Moved | undefined
  for (const empty of empties.toSorted((a, b) => a.call - b.call)) {
    for (; offered < byOffered.length && byOffered[offered]!.offer.returned! < empty.call; offered++) {
      const value = byOffered[offered]!
      if (latest === undefined || leftAt(value) > leftAt(latest)) latest = value
    }
    if (latest !== undefined && empty.returned! < leftAt(latest)) return shown(latest.offer, empty, latest.poll)
  }
  return undefined
}

export type LockInput =
  | { readonly op: "acquire"; readonly owner: string; readonly mode?: "shared" | "exclusive" }
  | { readonly op: "release"; readonly owner: string }
  | { readonly op: "holders" }

/** `acquire`: the fencing token, true where there is none, false when refused; `release`: was it held; `holders`: owners. */
export type LockOutput = number | boolean | ReadonlyArray<string>

interface LockState {
  readonly holders: ReadonlyArray<readonly [owner: string, mode: "shared" | "exclusive"]>
  /** The largest token given so far. */
  readonly token: number
}

/** A lock that is shared or exclusive, not re-entrant, with fencing tokens that rise with each grant. */
export const lock = (): Model<LockState, LockInput, LockOutput> => ({
  name: "lock",
  initial: { holders: [], token: -Infinity },
  step: (state, input, output) => {
    if (input.op === "holders") {
      const owners = state.holders.map(([owner]) => owner)
      const told = Array.isArray(output) ? output.toSorted().join("\n") : undefined
      return output === unknown || told === owners.join("\n") ? state : illegal
    }
    const others = state.holders.filter(([owner]) => owner !== input.owner)
    const held = others.length < state.holders.length
    if (input.op === "release") {
      return output === unknown || output === held ? { ...state, holders: others } : illegal
    }
    const mode = input.mode ?? "exclusive"
    const free = !held && state.holders.every(([, other]) => other === "shared" && mode === "shared")
    if (output === false) return free ? illegal : state
    if (!free) return output === unknown ? state : illegal
    if (typeof output === "number" && output <= state.token) return illegal
    const holders = [...state.holders, [input.owner, mode] as const].sort(([a], [b]) => (a < b ? -1 : 1))
    return { holders, token: typeof output === "number" ? output : state.token }
  },
  stateKey: ({ holders, token }) => `${JSON.stringify(holders)}${token}`,
  observes: (input, output) => input.op === "holders" || output === false,
  show: (input, output) => {
    const answer = output === unknown ? "?" : JSON.stringify(output)
    if (input.op === "holders") return `holders -> ${answer}`
    return `${input.op}${"mode" in input ? ` ${input.mode}` : ""} by ${input.owner} -> ${answer}`
  },
  showState: ({ holders, token }) => {
    const owners = holders.map(([owner, mode]) => `${owner} (${mode})`).join(", ")
    return `${owners === "" ? "free" : `held by ${owners}`}${token === -Infinity ? "" : `, last token ${token}`}`
  }
})
