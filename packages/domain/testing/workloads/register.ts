/** Registers: random reads, read-modify-writes and blind writes of a few cells, several in one transaction. */
import * as Effect from "effect/Effect"
import type { Op } from "../History.ts"
import type { Context, Workload } from "./harness.ts"
import { maybeAbort, pause, transact } from "./harness.ts"
import { read, write } from "./support.ts"

/** `keys` cells; `blind` is the share of writes that do not read first (default 0: then the checker is complete). */
export const register = (
  space: string,
  options: { readonly keys: number; readonly blind?: number | undefined }
): Workload => {
  const names = Array.from({ length: options.keys }, (_, i) => `${space}/${i}`)

  const readAll = (context: Context) =>
    transact(context, (ops: Array<Op>) => Effect.forEach(names, (name) => read(name, ops), { discard: true }))

  return {
    name: "register",
    setup: () => Effect.void,
    step: (context) =>
      transact(context, (ops) =>
        Effect.gen(function* () {
          for (let n = context.prng.between(1, 4); n > 0; n--) {
            const name = context.prng.pick(names)
            if (context.prng.chance(0.5)) yield* read(name, ops)
            else {
              if (!context.prng.chance(options.blind ?? 0)) yield* read(name, ops)
              yield* write(context, name, n, ops)
            }
            yield* pause(context)
          }
          yield* maybeAbort(context)
        })
      ),
    finish: (context) => Effect.asVoid(readAll(context))
  }
}
