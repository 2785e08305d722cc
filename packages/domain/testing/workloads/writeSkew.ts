/** Write skew: of the doctors of a ward at least one is on call; each goes off only after it saw another one on. */
import * as Effect from "effect/Effect"
import type { Workload } from "./harness.ts"
import { pause, transact } from "./harness.ts"
import { problem, read, write } from "./support.ts"

/** `wards` wards of two doctors. */
export const writeSkew = (space: string, options: { readonly wards: number }): Workload => {
  const name = (ward: number, doctor: number) => `${space}/${ward}/${doctor}`
  return {
    name: "writeSkew",
    setup: (context) =>
      Effect.asVoid(
        transact(context, (ops) =>
          Effect.gen(function* () {
            for (let ward = 0; ward < options.wards; ward++) {
              for (const doctor of [0, 1]) yield* write(context, name(ward, doctor), 1, ops)
            }
          })
        )
      ),
    step: (context) =>
      transact(context, (ops) =>
        Effect.gen(function* () {
          const ward = context.prng.below(options.wards)
          const me = context.prng.below(2)
          const mine = yield* read(name(ward, me), ops)
          yield* pause(context)
          const other = yield* read(name(ward, 1 - me), ops)
          if (mine !== 1 && other !== 1) problem(context, `nobody is on call in ward ${ward}`)
          yield* pause(context)
          if (mine === 0) yield* write(context, name(ward, me), 1, ops)
          else if (other === 1) yield* write(context, name(ward, me), 0, ops)
        })
      ),
    finish: () => Effect.void
  }
}
