import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { prefixEnd, type Key } from "../../src/core/Key.ts"
import { fromCounter, toCounter, type Value } from "../../src/core/Value.ts"
import * as Operation from "../../src/internal/Operation.ts"
import type { TxView } from "../../src/internal/TxView.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import { Prng } from "../../testing/Prng.ts"
import * as Sim from "../../testing/Sim.ts"
import * as Lanes from "./support/lanes.ts"
import { replay, scale, seedOf } from "./support/scale.ts"

/** What a transaction should see: a sorted map in plain JavaScript. Keys of appends are the placeholders that it was given. */
type Model = Map<Key, string>

const prefixes = ["a", "b", "c"].map((name) => Cells.key(name))
/** Sorts before all stamps, as a part of a tuple before the stamp part would. */
const keyOf = (prng: Prng): Key => prng.pick(prefixes) + String.fromCharCode(0x21 + prng.below(6))
const counterOf = (prng: Prng): Key => Cells.key("n") + prng.below(3)

const show = (value: Value): string => String(toCounter(value) ?? Cells.decode(value))

const sorted = (model: Model, start: Key, end: Key): Array<readonly [Key, string]> =>
  [...model].filter(([key]) => start <= key && key < end).sort(([a], [b]) => (a < b ? -1 : 1))

/** One random step: what the transaction says, and what the model says. */
interface Step {
  readonly text: string
  readonly run: (tx: TxView) => unknown
  readonly model: (model: Model) => unknown
}

const step = (prng: Prng, stamp: number, appended: ReadonlyArray<Key>): Step => {
  const roll = prng.unit()
  const key = appended.length > 0 && prng.chance(0.15) ? prng.pick(appended) : keyOf(prng)
  if (roll < 0.15) {
    const run = (tx: TxView) => {
      const value = tx.get(key)
      return value === undefined ? undefined : show(value)
    }
    return { text: `get ${key}`, run, model: (model) => model.get(key) }
  }
  if (roll < 0.3) {
    const value = Cells.encode(stamp)
    const target = keyOf(prng)
    return {
      text: `set ${target}`,
      run: (tx) => tx.set(target, value),
      model: (m) => void m.set(target, String(stamp))
    }
  }
  if (roll < 0.4) {
    return { text: `delete ${key}`, run: (tx) => tx.delete(key), model: (model) => void model.delete(key) }
  }
  if (roll < 0.48) return removal(prng)
  if (roll < 0.58) {
    const name = counterOf(prng)
    const delta = prng.between(-3, 9)
    const model = (m: Model) => void m.set(name, String(Number(m.get(name) ?? 0) + delta))
    return { text: `add ${name} ${delta}`, run: (tx) => tx.add(name, delta), model }
  }
  if (roll < 0.66) {
    const name = counterOf(prng)
    return { text: `counter ${name}`, run: (tx) => tx.counter(name), model: (m) => Number(m.get(name) ?? 0) }
  }
  return scan(prng)
}

const removal = (prng: Prng): Step => {
  const start = keyOf(prng)
  const end = prng.chance(0.3) ? prefixEnd(start.slice(0, -1)) : keyOf(prng)
  const model = (m: Model) => sorted(m, start, end).forEach(([key]) => m.delete(key))
  return { text: `deleteRange ${start} ${end}`, run: (tx) => tx.deleteRange(start, end), model }
}

const scan = (prng: Prng): Step => {
  const prefix = prng.pick(prefixes)
  const start = prng.chance(0.5) ? prefix : keyOf(prng)
  const end = prng.chance(0.5) ? prefixEnd(prefix) : keyOf(prng)
  const limit = prng.chance(0.5) ? prng.between(1, 4) : undefined
  const reverse = prng.chance(0.4)
  const text = `range ${start} ${end} limit ${limit} ${reverse ? "reverse" : ""}`
  const run = (tx: TxView) => tx.range({ start, end, limit, reverse }).map(({ key, value }) => `${key}=${show(value)}`)
  const model = (m: Model) => {
    const all = sorted(m, start, end).map(([key, value]) => `${key}=${value}`)
    return (reverse ? all.reverse() : all).slice(0, limit)
  }
  return { text, run, model }
}

const operation = <A>(run: (tx: TxView) => A) => Operation.make(Store, "step", run)

/** Random steps in one transaction, each compared with the model; branches of `orElse` are taken back. */
const body = (prng: Prng, model: Model, trace: Array<string>) => {
  const appended: Array<Key> = []
  let stamp = 1000
  const steps = (most: number): Effect.Effect<void, unknown, Store> =>
    Effect.gen(function* () {
      for (let n = prng.between(1, most); n > 0; n--) {
        const roll = prng.unit()
        if (roll < 0.12) {
          const prefix = prng.pick(prefixes)
          const value = Cells.encode(++stamp)
          const placeholder = yield* operation((tx) => tx.append(prefix, tx.nextIndex(), "", value))
          trace.push(`append ${prefix} ${stamp}`)
          const last = sorted(model, prefix, prefixEnd(prefix))
            .filter(([key]) => !appended.includes(key))
            .at(-1)
          expect(last === undefined || last[0] < placeholder, "a placeholder is after all stored keys").toBe(true)
          appended.push(placeholder)
          model.set(placeholder, String(stamp))
          continue
        }
        const { model: expected, run, text } = step(prng, ++stamp, appended)
        trace.push(text)
        const seen = yield* operation(run)
        expect(seen, text).toEqual(expected(model))
      }
    })
  return Effect.gen(function* () {
    for (let n = prng.between(1, 3); n > 0; n--) {
      yield* steps(6)
      if (!prng.chance(0.4)) continue
      const before = new Map(model)
      const known = appended.length
      trace.push("orElse {")
      yield* Tx.orElse(Effect.andThen(steps(4), Tx.retry), () =>
        Effect.sync(() => {
          trace.push("} taken back")
          appended.length = known
          model.clear()
          for (const [key, value] of before) model.set(key, value)
        })
      )
    }
    yield* steps(4)
  })
}

/** Values in the order of their keys: placeholders sort as the stamps that take their place. */
const contents = (model: Model): ReadonlyArray<string> => [
  ...prefixes.flatMap((prefix) => sorted(model, prefix, prefixEnd(prefix)).map(([, value]) => value)),
  ...[0, 1, 2].map((i) => model.get(Cells.key("n") + i) ?? "0")
]

for (const lane of [Lanes.inProcess, Lanes.byBatches]) {
  describe(`a transaction sees its own writes, ${lane.name}`, () => {
    it("as a sorted map in plain JavaScript would show them, and leaves them so", async () => {
      const rounds = scale(400, 10_000)
      for (let seed = seedOf(1), n = 0; n < rounds; n++, seed++) {
        const prng = new Prng(seed)
        const trace: Array<string> = []
        const program = Effect.gen(function* () {
          const model: Model = new Map()
          const fill = operation((tx) => {
            for (let i = prng.below(12); i > 0; i--) {
              const key = keyOf(prng)
              tx.set(key, Cells.encode(i))
              model.set(key, String(i))
            }
            const name = counterOf(prng)
            tx.set(name, fromCounter(7))
            model.set(name, "7")
          })
          yield* fill
          yield* Tx.transact(body(prng, model, trace))
          const left: Model = new Map()
          yield* operation((tx) => {
            for (const prefix of [...prefixes, Cells.key("n")]) {
              for (const { key, value } of tx.range({ start: prefix, end: prefixEnd(prefix) }))
                left.set(key, show(value))
            }
          })
          expect(contents(left)).toEqual(contents(model))
        })
        const store = lane.store(MemoryBackend.make(), seed)
        await Sim.make({ seed })
          .run(Effect.provide(program, store) as Effect.Effect<void>)
          .catch((error: unknown) => {
            throw new Error(`${trace.join("\n")}\n${replay("readYourWrites.test.ts", seed)}`, { cause: error })
          })
      }
    })
  })
}
