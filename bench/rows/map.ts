/** `DMap` at a thousand and at a million entries: an operation on one key must not know how many others there are. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DMap from "@weft/domain/DMap"
import { effectRate, type Row, type Subject } from "../lib.ts"
import { onMemory } from "./ours.ts"
import { must } from "./peers.ts"

const FEW = 1_000
const MANY = 1_000_000
const ENTRIES_A_TRANSACTION = 5_000

type Kind = "get" | "set" | "insert and remove"

const subject = (kind: Kind, entries: number): Subject => ({
  name: `DMap ${kind}, ${entries.toLocaleString("en")} entries`,
  run: (seconds) => {
    const map = DMap.make("map", { key: Schema.Int, value: Schema.Int })
    // A step that has no divisor in common with the number of entries visits every key, in no order of the tree.
    const step = 611_953
    let at = 0
    const next = () => (at = (at + step) % entries)
    const one = {
      get: Effect.suspend(() => map.get(next())),
      set: Effect.suspend(() => map.set(next(), at)),
      "insert and remove": Effect.suspend(() => {
        const key = next() - entries
        return Effect.andThen(map.set(key, at), map.remove(key))
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

const workload = (kind: Kind) => ({
  name: `${kind} at a million entries, against a thousand`,
  unit: "perSecond" as const,
  ours: subject(kind, MANY),
  peer: subject(kind, FEW),
  targets: [{ of: "peer" as const, floor: 0.5, aim: 0.7 }]
})

export const row: Row = {
  id: "map",
  title: "DMap, small and of a million entries",
  workloads: [workload("get"), workload("set"), workload("insert and remove")]
}
