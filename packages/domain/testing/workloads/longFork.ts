/** Long fork: writers write one cell of a group each, once; readers of the whole group must agree on the order of the writes. */
import * as Effect from "effect/Effect"
import type { Context, Workload } from "./harness.ts"
import { pause, transact } from "./harness.ts"
import { read, write } from "./support.ts"

/** Groups of `size` cells; a group is done when all its cells are written. */
export const longFork = (space: string, options: { readonly size: number }): Workload => {
  const { size } = options
  let given = 0
  const name = (group: number, i: number) => `${space}/${group}/${i}`

  const readGroup = (context: Context, group: number) =>
    transact(context, (ops) =>
      Effect.gen(function* () {
        const order = context.prng.shuffle(Array.from({ length: size }, (_, i) => i))
        for (const i of order) {
          yield* read(name(group, i), ops)
          yield* pause(context)
        }
      })
    )

  return {
    name: "longFork",
    setup: () => Effect.void,
    step: (context) =>
      Effect.suspend(() => {
        const group = Math.floor(given / size)
        if (context.prng.chance(0.6)) return readGroup(context, group)
        const i = given++ % size
        return transact(context, (ops) => write(context, name(group, i), i, ops))
      }),
    finish: (context) => Effect.asVoid(readGroup(context, Math.floor(given / size)))
  }
}
