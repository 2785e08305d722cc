/** `DMap` against a plain `Map`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DMap from "../../src/DMap.ts"
import type { Store } from "../../src/Store.ts"
import type * as Prng from "../Prng.ts"
import type { Step, Subject } from "./Subject.ts"

interface Cell<V> {
  readonly value: V
  readonly deadline: number | undefined
}
type Model<V> = Map<string, Cell<V>>
type Handle<V> = DMap.DMap<string, V, Store>

const names = ["", "a", "aa", "b", "b\0", "é", "z", "\u{1f600}"]

/** UTF-8 order, which is the order of keys. */
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b))

const live = <V>(model: Model<V>, key: string, now: number): V | undefined => {
  const cell = model.get(key)
  return cell === undefined || (cell.deadline !== undefined && cell.deadline <= now) ? undefined : cell.value
}

const all = <V>(model: Model<V>, now: number): Array<[string, V]> =>
  [...model]
    .filter(([key]) => live(model, key, now) !== undefined)
    .map(([key, { value }]): [string, V] => [key, value])
    .sort(byKey)

const inRange = <V>(model: Model<V>, range: DMap.Range<string>, now: number): Array<[string, V]> => {
  const { after, from, limit = Infinity, reverse, through, until } = range
  const before = (a: string, b: string) => byKey([a, 0], [b, 0])
  const found = all(model, now).filter(
    ([key]) =>
      (from === undefined || before(key, from) >= 0) &&
      (after === undefined || before(key, after) > 0) &&
      (until === undefined || before(key, until) < 0) &&
      (through === undefined || before(key, through) <= 0)
  )
  return (reverse === true ? found.reverse() : found).slice(0, limit)
}

const option = <A>(value: A | undefined): Option.Option<A> => Option.fromUndefinedOr(value)

const drawRange = (random: Prng.Prng): DMap.Range<string> => ({
  ...(random.chance(0.3) ? { from: random.pick(names) } : {}),
  ...(random.chance(0.2) ? { after: random.pick(names) } : {}),
  ...(random.chance(0.2) ? { until: random.pick(names) } : {}),
  ...(random.chance(0.2) ? { through: random.pick(names) } : {}),
  ...(random.chance(0.4) ? { limit: random.between(0, 4) } : {}),
  ...(random.chance(0.4) ? { reverse: random.chance(0.5) } : {})
})

type Draw<V> = (map: Handle<V>, random: Prng.Prng, value: (n: number) => V, now: number) => Step<Model<V>>

const key = (random: Prng.Prng) => random.pick(names)
const show = JSON.stringify

const writes = <V>(): ReadonlyArray<Draw<V>> => [
  (map, random, value) => {
    const [at, v] = [key(random), value(random.below(100))]
    const ttl = random.chance(0.3) ? random.between(1, 60) : undefined
    return {
      text: `set(${show(at)}, ${show(v)}, ${ttl})`,
      effect: map.set(at, v, ttl === undefined ? {} : { timeToLive: ttl }),
      model: (m, now) => {
        const before = option(live(m, at, now))
        m.set(at, { value: v, deadline: ttl === undefined ? undefined : now + ttl })
        return before
      }
    }
  },
  (map, random, value) => {
    const entries = Array.from({ length: random.below(5) }, () => [key(random), value(random.below(100))] as const)
    return {
      text: `setMany(${show(entries)})`,
      effect: map.setMany(entries),
      model: (m) => void entries.forEach(([at, v]) => m.set(at, { value: v, deadline: undefined }))
    }
  },
  (map, random) => {
    const at = key(random)
    return {
      text: `remove(${show(at)})`,
      effect: map.remove(at),
      model: (m, now) => {
        const before = option(live(m, at, now))
        m.delete(at)
        return before
      }
    }
  },
  (map, random) => {
    const keys = [key(random), key(random)]
    return {
      text: `removeMany(${show(keys)})`,
      effect: map.removeMany(keys),
      model: (m, now) =>
        keys.reduce((n, at) => {
          const was = live(m, at, now) !== undefined
          m.delete(at)
          return n + (was ? 1 : 0)
        }, 0)
    }
  },
  (map, random, value) => {
    const [at, v] = [key(random), value(random.below(100))]
    return {
      text: `modify(${show(at)})`,
      effect: map.modify(at, () => v),
      model: (m, now) => {
        const before = live(m, at, now)
        if (before !== undefined) m.set(at, { value: v, deadline: m.get(at)!.deadline })
        return option(before)
      }
    }
  },
  (map, random, value) => {
    const [at, v] = [key(random), random.chance(0.3) ? undefined : value(random.below(100))]
    return {
      text: `modifyAt(${show(at)}, ${show(v)})`,
      effect: map.modifyAt(at, (old) => (Option.isSome(old) ? option(v) : option(v))),
      model: (m) => void (v === undefined ? m.delete(at) : m.set(at, { value: v, deadline: undefined }))
    }
  },
  (map, random, value) => {
    const [at, v] = [key(random), value(random.below(100))]
    return {
      text: `getOrSet(${show(at)})`,
      effect: map.getOrSet(at, () => v),
      model: (m, now) => {
        const before = live(m, at, now)
        if (before === undefined) m.set(at, { value: v, deadline: undefined })
        return before ?? v
      }
    }
  },
  (map, random, value) => {
    const [at, v] = [key(random), value(random.below(100))]
    return {
      text: `compareAndSet(${show(at)}, "empty")`,
      effect: map.compareAndSet(at, "empty", v),
      model: (m, now) => {
        if (live(m, at, now) !== undefined) return false
        m.set(at, { value: v, deadline: undefined })
        return true
      }
    }
  },
  (map, random, value) => {
    const [at, v] = [key(random), value(random.below(100))]
    return {
      text: `compareAndSet(${show(at)}, its version)`,
      effect: Effect.flatMap(map.getVersioned(at), (seen) =>
        map.compareAndSet(at, Option.isSome(seen) ? seen.value.version : Number.MAX_SAFE_INTEGER, v)
      ),
      model: (m, now) => {
        if (live(m, at, now) === undefined) return false
        m.set(at, { value: v, deadline: undefined })
        return true
      }
    }
  },
  (map, random) => {
    const range = drawRange(random)
    return {
      text: `takeFirst(${show(range)})`,
      effect: map.takeFirst(range),
      model: (m, now) => {
        const first = inRange(m, { ...range, limit: 1 }, now)[0]
        if (first !== undefined) m.delete(first[0])
        return option(first)
      }
    }
  },
  (map) => ({ text: "clear", effect: map.clear, model: (m) => m.clear() }),
  (map, random) => {
    const limit = random.chance(0.5) ? 1 : 100
    return {
      text: `evictExpired(${limit})`,
      effect: map.evictExpired(limit),
      model: (m, now) => {
        const over = [...m].filter(([, { deadline }]) => deadline !== undefined && deadline <= now)
        over.sort((a, b) => a[1].deadline! - b[1].deadline! || byKey(a, b))
        for (const [at] of over.slice(0, limit)) m.delete(at)
        return Math.min(limit, over.length)
      }
    }
  }
]

const reads = <V>(): ReadonlyArray<Draw<V>> => [
  (map, random) => {
    const at = key(random)
    return { text: `get(${show(at)})`, effect: map.get(at), model: (m, now) => option(live(m, at, now)) }
  },
  (map, random) => {
    const at = key(random)
    return { text: `has(${show(at)})`, effect: map.has(at), model: (m, now) => live(m, at, now) !== undefined }
  },
  (map, random) => {
    const range = drawRange(random)
    return { text: `entries(${show(range)})`, effect: map.entries(range), model: (m, now) => inRange(m, range, now) }
  },
  (map, random) => {
    const range = drawRange(random)
    return {
      text: `keys(${show(range)})`,
      effect: map.keys(range),
      model: (m, now) => inRange(m, range, now).map(([k]) => k)
    }
  },
  (map, random) => {
    const range = drawRange(random)
    return {
      text: `values(${show(range)})`,
      effect: map.values(range),
      model: (m, now) => inRange(m, range, now).map(([, v]) => v)
    }
  },
  (map, random) => {
    const range = drawRange(random)
    return {
      text: `first(${show(range)})`,
      effect: map.first(range),
      model: (m, now) => option(inRange(m, { ...range, limit: 1 }, now)[0])
    }
  },
  (map) => ({ text: "size", effect: map.size, model: (m, now) => all(m, now).length }),
  (map) => ({ text: "isEmpty", effect: map.isEmpty, model: (m, now) => all(m, now).length === 0 })
]

const subject = <V>(name: string, value: Schema.Codec<V, any>, of: (n: number) => V): Subject<Handle<V>, Model<V>> => ({
  name: `DMap ${name}`,
  make: () => DMap.make(`map-${name}`, { key: Schema.String, value }),
  model: () => new Map(),
  step: (map, _model, random, now) => {
    const draws = random.chance(0.55) ? writes<V>() : reads<V>()
    // Clearing often would leave little to look at.
    const draw =
      draws === undefined || random.chance(0.05) ? writes<V>()[10]! : random.pick(draws.filter((_, i) => i !== 10))
    return draw(map, random, of, now)
  },
  dump: (map) => ({
    text: "everything",
    effect: Effect.all([map.entries(), map.size, map.isEmpty]),
    model: (m, now) => [all(m, now), all(m, now).length, all(m, now).length === 0]
  })
})

/** Numbers are kept as they are; structs are copied and frozen beside their bytes. */
export const mapSubject = (kind: "numbers" | "structs"): Subject<any, any> =>
  kind === "numbers"
    ? subject("numbers", Schema.Number, (n) => n)
    : subject(
        "plain structs",
        Schema.Struct({ id: Schema.Int, name: Schema.optionalKey(Schema.String), tags: Schema.Array(Schema.String) }),
        (n) => (n % 3 === 0 ? { id: n, tags: ["x", String(n)] } : { id: -n, name: `n${n}`, tags: [] })
      )
