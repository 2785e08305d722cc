/** `DQueue` against a plain array. Operations that would wait are not drawn. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DQueue from "../../src/DQueue.ts"
import type { Store } from "../../src/Store.ts"
import type * as Prng from "../Prng.ts"
import type { Step, Subject } from "./Subject.ts"

interface Entry {
  readonly value: number
  readonly due: number | undefined
  readonly deadline: number | undefined
  readonly place: number
}
interface Model {
  entries: Array<Entry>
  places: number
}
type Queue = DQueue.DQueue<number, Store>
interface Options {
  readonly capacity?: number
  readonly strategy?: "dropping" | "sliding"
}

const isOver = ({ deadline }: Entry, now: number): boolean => deadline !== undefined && deadline <= now

/** Due ones by the time they were due, then the others, each in the order of their offers. */
const ready = (m: Model, now: number): Array<Entry> => {
  const due = m.entries.filter((e) => e.due !== undefined && e.due <= now)
  due.sort((a, b) => a.due! - b.due! || a.place - b.place)
  return [...due, ...m.entries.filter((e) => e.due === undefined).sort((a, b) => a.place - b.place)]
}

const drop = (m: Model, gone: ReadonlyArray<Entry>): void => {
  m.entries = m.entries.filter((e) => !gone.includes(e))
}

/** What a take finds: it removes the expired ones it meets on its way. */
const next = (m: Model, max: number, now: number): Array<Entry> => {
  for (;;) {
    const found = ready(m, now).slice(0, max)
    const over = found.filter((e) => isOver(e, now))
    if (over.length === 0) return found
    drop(m, over)
  }
}

const take = (m: Model, max: number, now: number): Array<number> => {
  const found = next(m, max, now)
  drop(m, found)
  return found.map((e) => e.value)
}

const seen = (m: Model, now: number): Array<number> =>
  ready(m, now)
    .filter((e) => !isOver(e, now))
    .map((e) => e.value)

const append = (
  m: Model,
  values: ReadonlyArray<number>,
  due: number | undefined,
  deadline: number | undefined
): void => {
  for (const value of values) m.entries.push({ value, due, deadline, place: m.places++ })
}

/** Gives how many were let in. */
const offer = (
  m: Model,
  options: Options,
  strategy: string | undefined,
  values: ReadonlyArray<number>,
  now: number,
  delay: number | undefined,
  ttl: number | undefined
): number => {
  const capacity = options.capacity ?? Infinity
  let room = Math.max(0, capacity - m.entries.length)
  let first = 0
  if (room < values.length && strategy === "sliding") {
    first = Math.max(0, values.length - capacity)
    const missing = values.length - first - room
    const victims = next(m, missing, now)
    const rest = m.entries
      .filter((e) => !victims.includes(e) && e.due !== undefined)
      .sort((a, b) => a.due! - b.due! || a.place - b.place)
    drop(m, [...victims, ...rest].slice(0, missing))
    room = capacity - m.entries.length
  }
  const let_ = values.slice(first, first + room)
  append(m, let_, delay === undefined ? undefined : now + delay, ttl === undefined ? undefined : now + ttl)
  return first + let_.length
}

const steps = (queue: Queue, options: Options, m: Model, random: Prng.Prng): Step<Model> => {
  const { capacity = Infinity, strategy } = options
  const v = random.below(1000)
  const delay = random.chance(0.25) ? random.between(1, 30) : undefined
  const ttl = random.chance(0.25) ? random.between(1, 30) : undefined
  const given = { ...(delay === undefined ? {} : { delay }), ...(ttl === undefined ? {} : { timeToLive: ttl }) }
  const waits = strategy === undefined && m.entries.length >= capacity
  const count = random.below(4)
  const draw = random.below(12)
  if (draw <= 2 && !waits) {
    return {
      text: `offer(${v}, ${JSON.stringify(given)})`,
      effect: queue.offer(v, given),
      model: (m, now) => offer(m, options, strategy, [v], now, delay, ttl) === 1
    }
  }
  if (draw === 3 || draw <= 2) {
    return {
      text: `offerIfRoom(${v})`,
      effect: queue.offerIfRoom(v),
      model: (m, now) => offer(m, options, "dropping", [v], now, undefined, undefined) === 1
    }
  }
  if (draw === 4 && !(strategy === undefined && m.entries.length + count > capacity)) {
    const values = Array.from({ length: count }, (_, i) => v + i)
    return {
      text: `offerAll(${JSON.stringify(values)})`,
      effect: queue.offerAll(values, given),
      model: (m, now) => values.slice(offer(m, options, strategy, values, now, delay, ttl))
    }
  }
  return takes(queue, m, random, draw, count)
}

const takes = (queue: Queue, m: Model, random: Prng.Prng, draw: number, count: number): Step<Model> => {
  switch (draw) {
    case 4:
    case 5:
    case 6:
      return { text: "poll", effect: queue.poll, model: (m, now) => Option.fromUndefinedOr(take(m, 1, now)[0]) }
    case 7:
      return { text: `pollUpTo(${count})`, effect: queue.pollUpTo(count), model: (m, now) => take(m, count, now) }
    case 8:
      return { text: "peek", effect: queue.peek, model: (m, now) => Option.fromUndefinedOr(seen(m, now)[0]) }
    case 9:
      return { text: "size", effect: queue.size, model: (m) => m.entries.length }
    case 10:
      return random.chance(0.15)
        ? { text: "clear", effect: queue.clear, model: (m) => void (m.entries = []) }
        : {
            text: `values(${count + 1})`,
            effect: queue.values(count + 1),
            model: (m, now) => seen(m, now).slice(0, count + 1)
          }
    default:
      // Only what is there for sure: delayed and ending items may not be.
      return m.entries.some((e) => e.due === undefined && e.deadline === undefined)
        ? { text: "take", effect: queue.take, model: (m, now) => take(m, 1, now)[0] }
        : { text: "isEmpty", effect: queue.isEmpty, model: (m, now) => seen(m, now).length === 0 }
  }
}

/** A queue by its options. */
export const queueSubject = (name: string, options: Options): Subject<Queue, Model> => ({
  name: `DQueue ${name}`,
  make: () => DQueue.make(`queue-${name}`, { value: Schema.Number, ...options }),
  model: () => ({ entries: [], places: 0 }),
  step: (queue, model, random) => steps(queue, options, model, random),
  dump: (queue) => ({
    text: "everything",
    effect: Effect.all([queue.values(), queue.size, queue.isEmpty, queue.isFull]),
    model: (m, now) => [
      seen(m, now),
      m.entries.length,
      seen(m, now).length === 0,
      m.entries.length >= (options.capacity ?? Infinity)
    ]
  })
})
