/**
 * `DMap` at a thousand and at a million entries: an operation on one key must not know how many others there are.
 *
 * With keys spread evenly over the map but used again and again, that is what shows. With all million keys in turn, the
 * memory of the machine shows instead: a plain JavaScript `Map` of the same keys is 15 to 20 times slower there than one of
 * a thousand, since each look is several misses of every cache. So that workload stands beside the plain `Map`, its limit.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DMap from "@weft/domain/DMap"
import { effectRate, syncRate, type Row, type Subject } from "../lib.ts"
import { onMemory } from "./ours.ts"
import { must } from "./peers.ts"

const FEW = 1_000
const MANY = 1_000_000
const ENTRIES_A_TRANSACTION = 5_000

type Kind = "get" | "set" | "insert and remove"
type Keys = "a thousand keys of it" | "every key"

const subject = (kind: Kind, entries: number, keys: Keys): Subject => ({
  name: `DMap ${kind}, ${entries.toLocaleString("en")} entries, ${keys}`,
  run: (seconds) => {
    const map = DMap.make("map", { key: Schema.Int, value: Schema.Int })
    const next = walk(entries, keys)
    let at = 0
    const one = {
      get: Effect.suspend(() => map.get(next())),
      set: Effect.suspend(() => map.set(next(), at++)),
      "insert and remove": Effect.suspend(() => {
        const key = next() - entries
        return Effect.andThen(map.set(key, at++), map.remove(key))
      })
    }[kind]
    const program = Effect.gen(function* () {
      for (let from = 0; from < entries; from += ENTRIES_A_TRANSACTION) {
        const length = Math.min(ENTRIES_A_TRANSACTION, entries - from)
        yield* map.setMany(Array.from({ length }, (_, i) => [from + i, i] as const))
      }
      const value = yield* effectRate(one, seconds)
      const size = yield* map.size
      must(size === entries, `${size} entries instead of ${entries}`)
      return { value }
    })
    return onMemory(program)
  }
})

/** A step that has no divisor in common with the number of entries visits every key, in no order of the map. */
const walk = (entries: number, keys: Keys) => {
  const [step, of] = keys === "every key" ? [611_953, entries] : [entries / FEW, entries]
  let at = 0
  return () => (at = (at + step) % of)
}

const encode = (n: number) =>
  `map\u0000\u0001${String.fromCharCode((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255)}`

/** The same walk over a plain map of strings as a key of ours is one. */
const plainMap: Subject = {
  name: "plain Map get, 1,000,000 entries, every key",
  run: async (seconds) => {
    const map = new Map(Array.from({ length: MANY }, (_, i) => [encode(i), { cell: { value: i } }]))
    const next = walk(MANY, "every key")
    let sum = 0
    const value = syncRate(() => (sum += map.get(encode(next()))!.cell.value), seconds)
    must(sum > 0, "nothing was read")
    return { value }
  }
}

const workload = (kind: Kind) => ({
  name: `${kind} at a million entries, against a thousand`,
  unit: "perSecond" as const,
  ours: subject(kind, MANY, "a thousand keys of it"),
  peer: subject(kind, FEW, "a thousand keys of it"),
  targets: [{ of: "peer" as const, floor: 0.5, aim: 0.7 }]
})

export const row: Row = {
  id: "map",
  title: "DMap, small and of a million entries",
  workloads: [
    workload("get"),
    workload("set"),
    workload("insert and remove"),
    {
      name: "get at a million entries, every key in turn",
      unit: "perSecond",
      ours: subject("get", MANY, "every key"),
      peer: subject("get", FEW, "every key"),
      limit: plainMap
    }
  ]
}
