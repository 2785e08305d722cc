/**
 * List-append: transactions read and append to lists. As `cell` a list is one cell, read before each append; as `log` each
 * element is a key of its own, appended without reading and read by range.
 */
import * as Effect from "effect/Effect"
import * as Cells from "../Cells.ts"
import type { Op } from "../History.ts"
import type { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import type { Context, Workload } from "./harness.ts"
import { maybeAbort, pause, transact } from "./harness.ts"

/** Appends to one list before the next one takes its place: keeps reads, and the history, small. */
const appendsPerList = 40

/** `keys` lists in use at a time. */
export const listAppend = (
  space: string,
  options: { readonly keys: number; readonly layout: "cell" | "log" }
): Workload => {
  const used = new Map<number, number>()
  const all = new Set<string>()

  const current = (slot: number): string => {
    const name = `${space}/${slot}/${Math.floor((used.get(slot) ?? 0) / appendsPerList)}`
    all.add(name)
    return name
  }

  const read = (name: string, ops: Array<Op>): Effect.Effect<ReadonlyArray<number>, StoreError, Store> =>
    Effect.map(options.layout === "log" ? Cells.log(name) : Cells.get(name), (json) => {
      const value = (json ?? []) as ReadonlyArray<number>
      ops.push({ f: "list", key: name, value })
      return value
    })

  const append = (context: Context, slot: number, name: string, ops: Array<Op>) =>
    Effect.gen(function* () {
      used.set(slot, (used.get(slot) ?? 0) + 1)
      const value = context.recorder.value()
      if (options.layout === "log") yield* Cells.append(name, value)
      else yield* Cells.set(name, [...(yield* read(name, ops)), value])
      ops.push({ f: "append", key: name, value })
    })

  return {
    name: `listAppend-${options.layout}`,
    setup: () => Effect.void,
    step: (context) =>
      transact(context, (ops) =>
        Effect.gen(function* () {
          for (let n = context.prng.between(1, 4); n > 0; n--) {
            const slot = context.prng.below(options.keys)
            const name = current(slot)
            if (context.prng.chance(0.5)) yield* read(name, ops)
            else yield* append(context, slot, name, ops)
            yield* pause(context)
          }
          yield* maybeAbort(context)
        })
      ),
    finish: (context) =>
      Effect.forEach([...all], (name) => transact(context, (ops) => read(name, ops)), { discard: true })
  }
}
