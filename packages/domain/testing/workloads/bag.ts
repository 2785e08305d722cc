/**
 * Bag: producers put items, consumers take the oldest. Every item that was put is taken once or still there at the end,
 * none twice; a counter that is added to without reading counts them. Its history is of no use to the checker: it judges
 * itself.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cells from "../Cells.ts"
import type { Context, Workload } from "./harness.ts"
import { maybeAbort, pause, statusOf, transact } from "./harness.ts"
import { problem } from "./support.ts"

/** `bags` bags. */
export const bag = (space: string, options: { readonly bags: number }): Workload => {
  const put = new Map<number, "ok" | "unknown">()
  const taken = new Set<number>()
  /** Items of takes whose outcome is unknown: they may be gone. */
  const doubtful = new Set<number>()
  const name = (i: number) => `${space}/${i}`
  const count = `${space}/count`

  const produce = (context: Context) =>
    Effect.gen(function* () {
      let items: Array<number> = []
      const exit = yield* transact(context, () =>
        Effect.gen(function* () {
          items = []
          for (let n = context.prng.between(1, 2); n > 0; n--) {
            const item = context.recorder.value()
            items.push(item)
            yield* Cells.append(name(context.prng.below(options.bags)), item)
            yield* Cells.add(count, 1)
            yield* pause(context)
          }
          yield* maybeAbort(context)
        })
      )
      const status = yield* statusOf(exit)
      if (status !== "failed") for (const item of items) put.set(item, status)
    })

  const consume = (context: Context) =>
    Effect.gen(function* () {
      let item: number | undefined
      const exit = yield* transact(context, () =>
        Effect.gen(function* () {
          item = (yield* Cells.takeFirst(name(context.prng.below(options.bags)))) as number | undefined
          yield* pause(context)
          if (item !== undefined) yield* Cells.add(count, -1)
          yield* maybeAbort(context)
        })
      )
      if (item === undefined) return
      if (Exit.isFailure(exit)) {
        if ((yield* statusOf(exit)) === "unknown") doubtful.add(item)
        return
      }
      if (taken.has(item)) problem(context, `item ${item} was taken twice`)
      taken.add(item)
    })

  const judge = (context: Context) =>
    Effect.gen(function* () {
      const left: Array<number> = []
      for (let i = 0; i < options.bags; i++) left.push(...((yield* Cells.log(name(i))) as ReadonlyArray<number>))
      const there = new Set(left)
      if (there.size !== left.length) problem(context, `an item is there twice: [${left.join(" ")}]`)
      for (const item of [...there, ...taken]) if (!put.has(item)) problem(context, `item ${item} was never put`)
      for (const [item, status] of put) {
        if (there.has(item) && taken.has(item)) problem(context, `item ${item} was taken and is still there`)
        const gone = !there.has(item) && !taken.has(item) && !doubtful.has(item)
        if (gone && status === "ok") problem(context, `item ${item} is lost`)
      }
      const counted = yield* Cells.counter(count)
      if (counted !== left.length) problem(context, `the counter says ${counted}, and ${left.length} items are there`)
    })

  return {
    name: "bag",
    setup: () => Effect.void,
    step: (context) => Effect.suspend(() => (context.prng.chance(0.55) ? produce(context) : consume(context))),
    finish: judge
  }
}
