import { describe, expect, it } from "vitest"
import * as History from "../../testing/History.ts"
import * as Prng from "../../testing/Prng.ts"
import * as Serializability from "../../testing/Serializability.ts"
import { scale, seedOf } from "./support/scale.ts"
import { serialOrder } from "./support/serialOrder.ts"
import { verdicts } from "./support/histories.ts"

describe("the checker on hand-written histories", () => {
  for (const { kinds, name, text } of verdicts) {
    it(`${name}: ${kinds.length === 0 ? "serializable" : kinds.join(", ")}`, () => {
      const history = History.parse(text)
      const verdict = Serializability.check(history)
      expect([...new Set(verdict.anomalies.map((a) => a.kind))].sort()).toEqual([...kinds].sort())
      expect(serialOrder(history) !== undefined).toBe(kinds.length === 0)
    })
  }

  it("without real time a stale read is serializable", () => {
    const history = History.parse("a ok [1,2] append x 1\nb ok [3,4] list x []")
    expect(Serializability.check(history).anomalies.map((a) => a.kind)).toEqual(["StaleRead"])
    expect(Serializability.check(history, { realTime: false }).ok).toBe(true)
  })

  it("says what is wrong, with the transactions", () => {
    const history = History.parse("a ok [1,2] append x 1\nb ok [3,4] list x []")
    expect(() => Serializability.assert(history)).toThrow(/1 StaleRead[\s\S]*rw on "x"[\s\S]*b ok \[3,4\] list x \[\]/)
  })

  it("refuses what is no test", () => {
    expect(() => Serializability.check(History.parse("a ok [1,2] append x 1\nb ok [1,2] append x 1"))).toThrow(
      RangeError
    )
    expect(() => Serializability.check(History.parse("a ok [1,2] append x 1, read x 1"))).toThrow(RangeError)
  })
})

describe("histories as data", () => {
  const text = "a ok [1,2] append x 1, list x [1]\nb unknown [3,4] read y null, write y 7\nc failed [5,6] "
  it("print and parse", () => {
    const history = History.parse(text)
    expect(history.map(History.format).join("\n")).toBe(text)
    expect(History.fromLines(History.toLines(history))).toEqual(history)
  })
  it("merge from several processes, and refuse a name that two of them use", () => {
    const [a, b] = [History.parse("a ok [1,2] append x 1"), History.parse("b ok [3,4] list x []")]
    expect(Serializability.check(History.merge([a, b])).ok).toBe(false)
    expect(() => History.merge([a, a])).toThrow(/process "a" occurs in histories 0 and 1/)
  })
})

interface Shape {
  readonly lists: boolean
  readonly blind: boolean
}

/** A history that some serial order gives, with overlapping times; then, half the time, spoilt in one or two places. */
const random = (prng: Prng.Prng, { blind, lists }: Shape): History.History => {
  const keys = ["x", "y", "z"].slice(0, prng.between(1, 3))
  const state = new Map<string, ReadonlyArray<number>>()
  const touched = new Set<number>()
  let next = 0
  const history = Array.from({ length: prng.between(2, 6) }, (_, i): History.Transaction => {
    const ops: Array<History.Op> = []
    const before = new Map(state)
    const read = (key: string) => {
      const value = state.get(key) ?? []
      ops.push(lists ? { f: "list", key, value } : { f: "read", key, value: value[0] ?? null })
    }
    const roll = prng.unit()
    const status = roll < 0.1 ? "failed" : roll < 0.25 ? "unknown" : "ok"
    for (let n = prng.between(1, 3); n > 0; n--) {
      const key = prng.pick(keys)
      if (prng.chance(0.5)) read(key)
      else {
        if (!lists && !blind && !ops.some((op) => op.key === key)) read(key)
        const value = ++next
        ops.push({ f: lists ? "append" : "write", key, value })
        state.set(key, lists ? [...(state.get(key) ?? []), value] : [value])
      }
    }
    if (status !== "ok" && prng.chance(0.7)) for (const key of keys) state.set(key, before.get(key) ?? [])
    const start = prng.chance(0.2) ? prng.below(40) : i * 4 + prng.below(6)
    return { process: `p${i}`, status, start, end: start + prng.between(0, 9), ops }
  })
  for (let n = prng.below(3); n > 0; n--) spoil(prng, history, touched)
  return prng.shuffle(history)
}

/** Replaces a read by another version that could be seen. */
const spoil = (prng: Prng.Prng, history: Array<History.Transaction>, touched: Set<number>) => {
  const i = prng.below(history.length)
  if (touched.has(i)) return
  touched.add(i)
  const t = history[i]!
  const longest = (key: string) =>
    history.flatMap((h) => h.ops.flatMap((op) => (op.key === key && op.f === "append" ? [op.value] : [])))
  const written = (key: string) =>
    history.flatMap((h) => h.ops.flatMap((op) => (op.key === key && op.f === "write" ? [op.value] : [])))
  const ops = t.ops.map((op): History.Op => {
    if (!prng.chance(0.6)) return op
    if (op.f === "list") return { ...op, value: longest(op.key).slice(0, prng.below(longest(op.key).length + 1)) }
    if (op.f === "read") return { ...op, value: prng.pick([null, ...written(op.key)]) }
    return op
  })
  history[i] = { ...t, ops }
}

describe("the checker against a search over all serial orders", () => {
  const rounds = scale(4_000, 100_000)
  const compare = (shape: Shape, judge: (found: boolean, exists: boolean) => boolean) => {
    const seed = seedOf(0x5e1)
    const prng = Prng.make(seed)
    const counts = { ok: 0, bad: 0 }
    for (let i = 0; i < rounds; i++) {
      const history = random(prng, shape)
      const verdict = Serializability.check(history)
      const exists = serialOrder(history) !== undefined
      if (exists) counts.ok++
      else counts.bad++
      if (judge(verdict.ok, exists)) continue
      const text = history.map(History.format).join("\n")
      expect.fail(
        `seed ${seed}, history ${i}: a serial order ${exists ? "exists" : "does not exist"}, but\n${text}\n${Serializability.format(history, verdict)}`
      )
    }
    // A comparison where one verdict hardly occurs would prove little.
    expect(Math.min(counts.ok, counts.bad)).toBeGreaterThan(rounds / 20)
  }
  it("lists: the same verdict", () => compare({ lists: true, blind: true }, (found, exists) => found === exists))
  it("registers that are read before they are written: the same verdict", () =>
    compare({ lists: false, blind: false }, (found, exists) => found === exists))
  it("registers written blindly: an anomaly is never a false alarm", () =>
    compare({ lists: false, blind: true }, (found, exists) => found || !exists))
})

it("takes time in proportion to the history", () => {
  const run = (count: number) => {
    const prng = Prng.make(1)
    const state = new Map<string, Array<number>>()
    const history: Array<History.Transaction> = []
    for (let i = 0; i < count; i++) {
      const key = `k${Math.floor(i / 64)}${prng.below(4)}`
      const list = state.get(key) ?? []
      const ops: Array<History.Op> = [
        { f: "list", key, value: list.slice() },
        { f: "append", key, value: i }
      ]
      state.set(key, [...list, i])
      history.push({ process: `p${i % 8}`, status: "ok", start: i * 2, end: i * 2 + 9, ops })
    }
    return Serializability.check(history)
  }
  const small = run(5_000)
  const large = run(50_000)
  expect(small.ok && large.ok).toBe(true)
  // Edges are what the time goes into; a quadratic inference would show here.
  expect(large.edges / small.edges).toBeLessThan(11)
})
