/** `DRef`, `DStruct`, `DCounter` and `DSet` against plain JavaScript. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DCounter from "../../src/DCounter.ts"
import * as DRef from "../../src/DRef.ts"
import * as DSet from "../../src/DSet.ts"
import * as DStruct from "../../src/DStruct.ts"
import type { Step, Subject } from "./Subject.ts"

interface Ref {
  value: string
  deadline: number
}
const refValue = (m: Ref, now: number): string => (m.deadline > now ? m.value : "initial")
const setRef = (m: Ref, value: string, now: number): void => {
  m.value = value
  m.deadline = now + 50
}

/** A ref whose value lives 50 ms. */
export const refSubject: Subject<DRef.DRef<string>, Ref> = {
  name: "DRef",
  make: () => DRef.make("ref", { value: Schema.String, initial: "initial", timeToLive: 50 }),
  model: () => ({ value: "initial", deadline: 0 }),
  step: (ref, _model, random): Step<Ref> => {
    const v = `v${random.below(1000)}é`
    const f = (old: string) => `${old.slice(-6)}${v}`
    const update = (
      text: string,
      effect: Step<Ref>["effect"],
      result: (before: string, next: string) => unknown
    ): Step<Ref> => ({
      text,
      effect,
      model: (m, now) => {
        const before = refValue(m, now)
        setRef(m, f(before), now)
        return result(before, f(before))
      }
    })
    switch (random.below(9)) {
      case 0:
        return { text: "get", effect: ref.get, model: refValue }
      case 1:
        return { text: `set(${v})`, effect: ref.set(v), model: (m, now) => setRef(m, v, now) }
      case 2:
        return update("update", ref.update(f), () => undefined)
      case 3:
        return update("updateAndGet", ref.updateAndGet(f), (_, next) => next)
      case 4:
        return update("getAndUpdate", ref.getAndUpdate(f), (before) => before)
      case 5:
        return update(
          "modify",
          ref.modify((old) => [old.length, f(old)] as const),
          (before) => before.length
        )
      case 6:
        return {
          text: `getAndSet(${v})`,
          effect: ref.getAndSet(v),
          model: (m, now) => {
            const before = refValue(m, now)
            setRef(m, v, now)
            return before
          }
        }
      case 7:
        return {
          text: `compareAndSet("empty", ${v})`,
          effect: ref.compareAndSet("empty", v),
          model: (m, now) => {
            if (m.deadline > now) return false
            setRef(m, v, now)
            return true
          }
        }
      default:
        return { text: "reset", effect: ref.reset, model: (m) => void (m.deadline = 0) }
    }
  },
  dump: (ref) => ({ text: "everything", effect: ref.get, model: refValue })
}

interface Fields {
  readonly a: number
  readonly b: ReadonlyArray<string>
  readonly c: boolean
}
const initial: Fields = { a: 1, b: ["x"], c: false }

/** A record of three fields. */
export const structSubject: Subject<DStruct.DStruct<Fields>, { now: Fields }> = {
  name: "DStruct",
  make: () =>
    DStruct.make("struct", {
      fields: { a: Schema.Number, b: Schema.Array(Schema.String), c: Schema.Boolean },
      initial
    }),
  model: () => ({ now: initial }),
  step: (struct, _model, random): Step<{ now: Fields }> => {
    const n = random.below(1000)
    switch (random.below(7)) {
      case 0:
        return { text: "get", effect: struct.get, model: (m) => m.now }
      case 1:
        return { text: "getField(b)", effect: struct.getField("b"), model: (m) => m.now.b }
      case 2:
        return {
          text: `setField(a, ${n})`,
          effect: struct.setField("a", n),
          model: (m) => void (m.now = { ...m.now, a: n })
        }
      case 3:
        return {
          text: `setField(b, [${n}])`,
          effect: struct.setField("b", [String(n)]),
          model: (m) => void (m.now = { ...m.now, b: [String(n)] })
        }
      case 4:
        return {
          text: `patch({ a: ${n}, c: true })`,
          effect: struct.patch({ a: n, c: true }),
          model: (m) => void (m.now = { ...m.now, a: n, c: true })
        }
      case 5:
        return {
          text: "modifyField(a)",
          effect: struct.modifyField("a", (a) => a + n),
          model: (m) => {
            const before = m.now.a
            m.now = { ...m.now, a: before + n }
            return before
          }
        }
      default:
        return { text: "reset", effect: struct.reset, model: (m) => void (m.now = initial) }
    }
  },
  dump: (struct) => ({ text: "everything", effect: struct.get, model: (m) => m.now })
}

/** A counter. */
export const counterSubject: Subject<DCounter.DCounter, { n: number }> = {
  name: "DCounter",
  make: () => DCounter.make("counter"),
  model: () => ({ n: 0 }),
  step: (counter, _model, random): Step<{ n: number }> => {
    const n = random.between(-50, 50)
    switch (random.below(7)) {
      case 0:
        return { text: "get", effect: counter.get, model: (m) => m.n }
      case 1:
        return { text: `add(${n})`, effect: counter.add(n), model: (m) => void (m.n += n) }
      case 2:
        return { text: "increment", effect: counter.increment, model: (m) => void m.n++ }
      case 3:
        return { text: "decrement", effect: counter.decrement, model: (m) => void m.n-- }
      case 4:
        return { text: `addAndGet(${n})`, effect: counter.addAndGet(n), model: (m) => (m.n += n) }
      case 5:
        return { text: `set(${n})`, effect: counter.set(n), model: (m) => void (m.n = n) }
      default:
        return { text: "reset", effect: counter.reset, model: (m) => void (m.n = 0) }
    }
  },
  dump: (counter) => ({ text: "everything", effect: counter.get, model: (m) => m.n })
}

type Pair = readonly [string, number]
const pairs: ReadonlyArray<Pair> = ["a", "b", "b\0"].flatMap((s) => [-1, 0, 0.5].map((n): Pair => [s, n]))
type SetModel = Map<string, number>
const text = (pair: Pair): string => JSON.stringify(pair)
const has = (m: SetModel, pair: Pair, now: number): boolean => (m.get(text(pair)) ?? 0) > now
const inOrder = (m: SetModel, now: number): Array<Pair> => pairs.filter((pair) => has(m, pair, now))

const addTo = (m: SetModel, pair: Pair, deadline: number, now: number): boolean => {
  const was = has(m, pair, now)
  m.set(text(pair), deadline)
  return !was
}
const removeFrom = (m: SetModel, pair: Pair, now: number): boolean => {
  const was = has(m, pair, now)
  m.delete(text(pair))
  return was
}

/** A set of tuples. */
export const setSubject: Subject<DSet.DSet<Pair>, SetModel> = {
  name: "DSet",
  make: () => DSet.make("set", { value: Schema.Tuple([Schema.String, Schema.Number]) }),
  model: () => new Map(),
  step: (set, _model, random): Step<SetModel> => {
    const pair = random.pick(pairs)
    const two = [pair, random.pick(pairs)]
    const ttl = random.between(1, 60)
    const prefix = { prefix: [pair[0]] }
    const begins = ([s]: Pair) => s === pair[0]
    switch (random.below(12)) {
      case 0:
        return { text: `has ${text(pair)}`, effect: set.has(pair), model: (m, now) => has(m, pair, now) }
      case 1:
        return { text: `add ${text(pair)}`, effect: set.add(pair), model: (m, now) => addTo(m, pair, Infinity, now) }
      case 2:
        return {
          text: `add ${text(pair)} for ${ttl}`,
          effect: set.add(pair, { timeToLive: ttl }),
          model: (m, now) => addTo(m, pair, now + ttl, now)
        }
      case 3:
        return {
          text: `addMany ${JSON.stringify(two)}`,
          effect: set.addMany(two),
          model: (m, now) => two.filter((each) => addTo(m, each, Infinity, now)).length
        }
      case 4:
        return { text: `remove ${text(pair)}`, effect: set.remove(pair), model: (m, now) => removeFrom(m, pair, now) }
      case 5:
        return {
          text: `removeMany ${JSON.stringify(two)}`,
          effect: set.removeMany(two),
          model: (m, now) => two.filter((each) => removeFrom(m, each, now)).length
        }
      case 6:
        return { text: "values", effect: set.values(), model: inOrder }
      case 7:
        return {
          text: `values ${JSON.stringify(prefix)}`,
          effect: set.values(prefix),
          model: (m, now) => inOrder(m, now).filter(begins)
        }
      case 8:
        return {
          text: "first, reversed",
          effect: set.first({ reverse: true }),
          model: (m, now) => Option.fromUndefinedOr(inOrder(m, now).at(-1))
        }
      case 9:
        return {
          text: "takeFirst",
          effect: set.takeFirst(),
          model: (m, now) => {
            const first = inOrder(m, now)[0]
            if (first !== undefined) m.delete(text(first))
            return Option.fromUndefinedOr(first)
          }
        }
      case 10:
        return random.chance(0.2)
          ? { text: "clear", effect: set.clear, model: (m) => m.clear() }
          : { text: "size", effect: set.size, model: (m, now) => inOrder(m, now).length }
      default:
        return {
          text: "evictExpired",
          effect: set.evictExpired(),
          model: (m, now) => {
            const over = [...m].filter(([, deadline]) => deadline <= now)
            for (const [each] of over) m.delete(each)
            return over.length
          }
        }
    }
  },
  dump: (set) => ({
    text: "everything",
    effect: Effect.all([set.values(), set.size, set.isEmpty]),
    model: (m, now) => [inOrder(m, now), inOrder(m, now).length, inOrder(m, now).length === 0]
  })
}
