/** Bank: transfers between accounts; every body that reads all accounts sees the same total, and none below zero. */
import * as Effect from "effect/Effect"
import * as Cells from "../Cells.ts"
import type { Op } from "../History.ts"
import type { Context, Workload } from "./harness.ts"
import { maybeAbort, pause, transact } from "./harness.ts"
import { logRead, problem, read, write } from "./support.ts"

const opening = 100

/** `accounts` accounts of 100 each under the space's name. */
export const bank = (space: string, options: { readonly accounts: number }): Workload => {
  const names = Array.from({ length: options.accounts }, (_, i) => `${space}/${String(i).padStart(3, "0")}`)
  const total = opening * names.length

  const judge = (context: Context, amounts: ReadonlyArray<number | undefined>) => {
    const sum = amounts.reduce<number>((a, b) => a + (b ?? 0), 0)
    if (sum !== total) problem(context, `the accounts [${amounts.join(" ")}] add up to ${sum}, not ${total}`)
    if (amounts.some((amount) => amount === undefined || amount < 0)) {
      problem(context, `an account is missing or below zero: [${amounts.join(" ")}]`)
    }
  }

  const transfer = (context: Context) =>
    transact(context, (ops) =>
      Effect.gen(function* () {
        const [from, to] = context.prng.shuffle(names) as [string, string]
        const a = yield* read(from, ops)
        yield* pause(context)
        const b = yield* read(to, ops)
        const amount = Math.min(a ?? 0, context.prng.between(1, 5))
        yield* write(context, from, (a ?? 0) - amount, ops)
        yield* pause(context)
        yield* write(context, to, (b ?? 0) + amount, ops)
        yield* maybeAbort(context)
      })
    )

  const audit = (context: Context) =>
    transact(context, (ops) =>
      Effect.gen(function* () {
        const amounts: Array<number | undefined> = []
        for (const name of context.prng.shuffle(names)) {
          amounts.push(yield* read(name, ops))
          yield* pause(context)
        }
        judge(context, amounts)
      })
    )

  const auditByRange = (context: Context) =>
    transact(context, (ops) =>
      Effect.gen(function* () {
        const first = yield* read(names[0]!, ops)
        yield* pause(context)
        const all = yield* Cells.range(`${space}/`)
        const amounts = all.map((json, i) => logRead(names[i]!, json, ops))
        if (amounts[0] !== first) problem(context, `an account read alone has ${first}, in a range ${amounts[0]}`)
        judge(context, amounts)
      })
    )

  return {
    name: "bank",
    setup: (context) =>
      Effect.asVoid(
        transact(context, (ops: Array<Op>) =>
          Effect.forEach(names, (name) => write(context, name, opening, ops), { discard: true })
        )
      ),
    step: (context) =>
      Effect.suspend(() => {
        const roll = context.prng.unit()
        return roll < 0.7 ? transfer(context) : roll < 0.9 ? audit(context) : auditByRange(context)
      }),
    finish: (context) => Effect.asVoid(audit(context))
  }
}
