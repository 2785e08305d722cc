/**
 * Opacity: random bodies over few cells that watch every read, in attempts that will be thrown away too. Money moves
 * between accounts, so all accounts together always hold the same; each account has a twin cell, written in the same
 * transactions with the same stamp. A body that sees a mix of two states sees it in one of the two, or in a second read of
 * the same cell. Bodies fail, are interrupted by themselves and from outside, nest, and choose by `orElse`.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Cells from "../Cells.ts"
import { formatOp, type Op } from "../History.ts"
import type { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import type { Transaction } from "../../src/Transaction.ts"
import * as Tx from "../../src/Tx.ts"
import { Aborted, type Context, external, pause, transact, type TransactOptions, type Workload } from "./harness.ts"
import { problem } from "./support.ts"

const opening = 100

/** What one attempt knows of the cells: what it read, and what it wrote since. */
interface Sight {
  readonly ops: Array<Op>
  readonly known: Map<string, readonly [number, number]>
}

type Part = Effect.Effect<void, StoreError | Aborted, Store | Transaction>

/** Names of accounts and twins of a space. */
export const names = (space: string, i: number): { readonly account: string; readonly twin: string } => ({
  account: `${space}/a${i}`,
  twin: `${space}/t${i}`
})

/** `accounts` accounts with their twins. */
export const opacity = (space: string, options: { readonly accounts: number }): Workload => {
  const count = options.accounts
  const total = opening * count

  const judge = (context: Context, { known, ops }: Sight, what: string) => {
    let sum = 0
    let all = true
    for (let i = 0; i < count; i++) {
      const { account, twin } = names(space, i)
      const [a, t] = [known.get(account), known.get(twin)]
      if (a === undefined) all = false
      else sum += a[0]
      if (a !== undefined && t !== undefined && a[1] !== t[1]) {
        problem(context, `${what}: a mix: ${account} has stamp ${a[1]}, its twin ${t[1]}`)
      }
    }
    if (all && sum !== total) {
      problem(context, `${what}: a mix: the accounts add up to ${sum}, not ${total}; ${ops.map(formatOp).join(", ")}`)
    }
  }

  const learn = (context: Context, sight: Sight, name: string, json: Cells.Json | undefined) => {
    const value = json as readonly [number, number] | undefined
    if (value === undefined) return problem(context, `${name} is missing`)
    const before = sight.known.get(name)
    if (before !== undefined && before[1] !== value[1]) {
      problem(context, `a mix: ${name} was ${before.join("#")}, then ${value.join("#")} in one attempt`)
    }
    sight.ops.push({ f: "read", key: name, value: value[1] })
    sight.known.set(name, value)
    judge(context, sight, `read ${name}`)
  }

  const read = (context: Context, sight: Sight, name: string): Part =>
    Effect.map(Cells.get(name), (json) => learn(context, sight, name, json))

  const readAll = (context: Context, sight: Sight): Part =>
    Effect.map(Cells.range(`${space}/a`), (all) =>
      all.forEach((json, i) => learn(context, sight, names(space, i).account, json))
    )

  const write = (context: Context, sight: Sight, i: number, amount: number): Part =>
    Effect.suspend(() => {
      const stamped = [amount, context.recorder.value()] as const
      const { account, twin } = names(space, i)
      for (const name of [account, twin]) {
        sight.ops.push({ f: "write", key: name, value: stamped[1] })
        sight.known.set(name, stamped)
      }
      return Effect.andThen(Cells.set(account, stamped), Effect.andThen(pause(context), Cells.set(twin, stamped)))
    })

  const transfer = (context: Context, sight: Sight): Part =>
    Effect.gen(function* () {
      const from = context.prng.below(count)
      const to = (from + 1 + context.prng.below(count - 1)) % count
      yield* read(context, sight, names(space, from).account)
      yield* pause(context)
      yield* read(context, sight, names(space, to).account)
      const amount = context.prng.between(1, 9)
      yield* write(context, sight, from, sight.known.get(names(space, from).account)![0] - amount)
      yield* pause(context)
      yield* write(context, sight, to, sight.known.get(names(space, to).account)![0] + amount)
    })

  /** A branch that waits after reading and writing: its writes are undone, its reads remain. */
  const choice = (context: Context, sight: Sight): Part => {
    const branch: Sight = { ops: sight.ops.slice(), known: new Map(sight.known) }
    return Tx.orElse(Effect.andThen(steps(context, branch, 2), Tx.retry), () => {
      const written = new Set(branch.ops.flatMap((op) => (op.f === "write" ? [op.key] : [])))
      for (const op of external(branch.ops).slice(external(sight.ops).length)) {
        sight.ops.push(op)
        const value = branch.known.get(op.key)
        if (value !== undefined && !written.has(op.key)) sight.known.set(op.key, value)
      }
      return steps(context, sight, 1)
    })
  }

  const step = (context: Context, sight: Sight): Part =>
    Effect.suspend(() => {
      const roll = context.prng.unit()
      const { account, twin } = names(space, context.prng.below(count))
      if (roll < 0.3) return read(context, sight, account)
      if (roll < 0.45) return read(context, sight, twin)
      if (roll < 0.55) return readAll(context, sight)
      if (roll < 0.85) return transfer(context, sight)
      if (roll < 0.93) return choice(context, sight)
      return Tx.transact(steps(context, sight, 2)) as Part
    })

  const steps = (context: Context, sight: Sight, most: number): Part =>
    Effect.gen(function* () {
      for (let n = context.prng.between(1, most); n > 0; n--) {
        yield* step(context, sight)
        yield* pause(context)
      }
    })

  /** Interrupts the transaction after some turns. */
  const cut =
    (turns: number): NonNullable<TransactOptions<void>["run"]> =>
    (self) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(self)
        for (let n = turns; n > 0; n--) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        return yield* Fiber.await(fiber)
      })

  return {
    name: "opacity",
    setup: (context) =>
      Effect.asVoid(
        transact(context, (ops) => {
          const sight: Sight = { ops, known: new Map() }
          return Effect.gen(function* () {
            for (let i = 0; i < count; i++) yield* write(context, sight, i, opening)
          })
        })
      ),
    step: (context) =>
      Effect.suspend(() => {
        const ending = context.prng.unit()
        let given = false
        const body = (ops: Array<Op>) =>
          Effect.gen(function* () {
            given = false
            yield* steps(context, { ops, known: new Map() }, 4)
            if (ending < 0.1) return yield* new Aborted()
            if (ending < 0.14) {
              given = true
              return yield* Effect.interrupt
            }
          })
        const run = ending > 0.93 ? cut(context.prng.below(12)) : undefined
        return transact(context, body, { run, status: () => (given ? "failed" : undefined) })
      }),
    finish: (context) => Effect.asVoid(transact(context, (ops) => readAll(context, { ops, known: new Map() })))
  }
}
