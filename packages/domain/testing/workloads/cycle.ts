/** Cycle (FoundationDB's): cells hold the index of the next one in a ring; every transaction turns three links, and the ring stays one ring. */
import * as Effect from "effect/Effect"
import type { Op } from "../History.ts"
import type { Context, Workload } from "./harness.ts"
import { maybeAbort, pause, transact } from "./harness.ts"
import { problem, read, write } from "./support.ts"

/** A ring of `nodes` cells (at least 4). */
export const cycle = (space: string, options: { readonly nodes: number }): Workload => {
  const { nodes } = options
  const name = (i: number) => `${space}/${i}`

  const turn = (context: Context) =>
    transact(context, (ops) =>
      Effect.gen(function* () {
        const start = context.prng.below(nodes)
        const a = (yield* read(name(start), ops))!
        yield* pause(context)
        const b = (yield* read(name(a), ops))!
        yield* pause(context)
        const c = (yield* read(name(b), ops))!
        yield* write(context, name(start), b, ops)
        yield* pause(context)
        yield* write(context, name(b), a, ops)
        yield* write(context, name(a), c, ops)
        yield* maybeAbort(context)
      })
    )

  const walk = (context: Context) =>
    transact(context, (ops: Array<Op>) =>
      Effect.gen(function* () {
        const seen: Array<number> = []
        let at = 0
        do {
          seen.push(at)
          at = (yield* read(name(at), ops)) ?? -1
          if (context.prng.chance(0.2)) yield* Effect.yieldNow
        } while (at > 0 && seen.length <= nodes)
        if (at !== 0 || seen.length !== nodes) problem(context, `the ring of ${nodes} is ${seen.join(" ")} then ${at}`)
      })
    )

  return {
    name: "cycle",
    setup: (context) =>
      Effect.asVoid(
        transact(context, (ops) =>
          Effect.forEach(
            Array.from({ length: nodes }, (_, i) => i),
            (i) => write(context, name(i), (i + 1) % nodes, ops),
            { discard: true }
          )
        )
      ),
    step: (context) => Effect.suspend(() => (context.prng.chance(0.8) ? turn(context) : walk(context))),
    finish: (context) => Effect.asVoid(walk(context))
  }
}
