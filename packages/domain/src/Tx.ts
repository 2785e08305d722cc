/**
 * The words of a transaction: `transact`, `transactWith`, `fn`, and inside one `retry`, `check`, `orElse`, `onCommit`,
 * `attempt`.
 *
 * Every operation of a collection is a transaction by itself; inside one of these it joins. A body runs once or more and
 * takes effect once, so it must not do by itself what cannot be undone: give that to `onCommit`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Fiber from "effect/Fiber"
import type { Attempt } from "./internal/Attempt.ts"
import { attemptOf, transact as run } from "./internal/Run.ts"
import { TransactionEnded } from "./internal/defects.ts"
import { retryExit } from "./internal/signals.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { Policy } from "./RetryPolicy.ts"
import { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"
import { Transaction } from "./Transaction.ts"
import type { RetriesExhausted, TransactionTimeout } from "./TxError.ts"

export { RetriesExhausted, TransactionTimeout } from "./TxError.ts"
export { Transaction } from "./Transaction.ts"

/** How a transaction runs. */
export interface Options {
  /** What happens after a lost race; adds `RetriesExhausted`. Default: again for ever (`RetryPolicy`). */
  readonly retry?: Policy
  /** For all attempts and waits together, never cutting a commit in flight; adds `TransactionTimeout`. */
  readonly timeout?: Duration.Input
  /** For messages, spans and metrics. */
  readonly label?: string
  /** `false`: never takes a turn that makes other processes wait. */
  readonly escalate?: boolean
  /** The store of the transaction. Default: `Store`. */
  readonly store?: StoreKey<any>
}

/** `RetriesExhausted` if the options have `retry`. */
export type RetryError<O> = O extends { readonly retry: {} } ? RetriesExhausted : never
/** `TransactionTimeout` if the options have `timeout`. */
export type TimeoutError<O> = O extends { readonly timeout: {} } ? TransactionTimeout : never
/** The store that the options name. */
export type StoreOf<O> = O extends { readonly store: StoreKey<infer Id> } ? Id : Store

/** What a transaction still needs: neither itself nor its store; another store's key turns into `NamespaceMismatch`. */
export type Needs<R, Id> = R extends Transaction | Id
  ? never
  : R extends { readonly key: `@weft/Store/${string}` }
    ? NamespaceMismatch<R>
    : R

/** Stands in R where a transaction uses a collection of another store: nothing provides it, so it does not compile. */
export interface NamespaceMismatch<out Other> {
  readonly "a transaction has one store; this collection belongs to": Other
}

/**
 * Runs an effect as one transaction: atomic, strictly serializable, opaque. Nested ones join. Fails as the effect fails,
 * then without a trace.
 */
export const transact = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StoreError, Store | Needs<R, Store>> => run(self, Store, noOptions)

const noOptions = {}

/** `transact` with options. Those of a nested one do nothing; its errors stay in the type. */
export const transactWith: {
  <const O extends Options>(
    options: O
  ): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StoreError | RetryError<O> | TimeoutError<O>, StoreOf<O> | Needs<R, StoreOf<O>>>
  <A, E, R, const O extends Options>(
    self: Effect.Effect<A, E, R>,
    options: O
  ): Effect.Effect<A, E | StoreError | RetryError<O> | TimeoutError<O>, StoreOf<O> | Needs<R, StoreOf<O>>>
} = dual(2, (self: Effect.Effect<any, any, any>, options: Options) => run(self, options.store ?? Store, options))

/** A function whose every call is a transaction. */
export interface Fn<O> {
  <Eff extends Effect.Effect<any, any, any>, A, Args extends Array<any>>(
    body: (...args: Args) => Generator<Eff, A, never>
  ): (
    ...args: Args
  ) => Effect.Effect<
    A,
    EffE<Eff> | StoreError | RetryError<O> | TimeoutError<O>,
    StoreOf<O> | Needs<EffR<Eff>, StoreOf<O>>
  >
}
type EffE<Eff> = [Eff] extends [never] ? never : [Eff] extends [Effect.Effect<infer _A, infer E, infer _R>] ? E : never
type EffR<Eff> = [Eff] extends [never] ? never : [Eff] extends [Effect.Effect<infer _A, infer _E, infer R>] ? R : never

/**
 * A function whose every call is one transaction, so that it cannot be run in pieces by mistake:
 * `const signUp = Tx.fn("signUp")(function*(user: User) { ... })`. The name is the label.
 */
export const fn: {
  (name: string): Fn<{}>
  <const O extends Omit<Options, "label">>(name: string, options: O): Fn<O>
} = (name: string, options?: Omit<Options, "label">): Fn<any> => {
  const all: Options = { ...options, label: name }
  const store = all.store ?? Store
  return (body: (...args: Array<any>) => Generator<any, any, never>) => {
    const make = Effect.fnUntraced(body)
    return (...args: Array<any>) => run(make(...args), store, all)
  }
}

/**
 * Gives this attempt up and waits until something it read has changed; then the body runs again. Dies with
 * `NothingToWaitFor` when the body has read nothing from its store: it would wait for ever.
 */
export const retry: Effect.Effect<never, never, Transaction> = Effect.withFiber((fiber: Fiber.Fiber<any, any>) => {
  current(fiber).retrying = true
  return retryExit
})

/** Goes on if the condition holds, else `retry`. */
export const check = (condition: boolean): Effect.Effect<void, never, Transaction> => (condition ? Effect.void : retry)

/**
 * If `self` retries, its writes are undone and `that` runs instead. If both retry, the transaction waits for what either
 * has read.
 */
export const orElse: {
  <B, E2, R2>(
    that: () => Effect.Effect<B, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | B, E | E2, R | R2 | Transaction>
  <A, E, R, B, E2, R2>(
    self: Effect.Effect<A, E, R>,
    that: () => Effect.Effect<B, E2, R2>
  ): Effect.Effect<A | B, E | E2, R | R2 | Transaction>
} = dual(
  2,
  (self: Effect.Effect<any, any, any>, that: () => Effect.Effect<any, any, any>): Effect.Effect<any, any, any> =>
    Effect.withFiber((fiber: Fiber.Fiber<any, any>): Effect.Effect<any, any, any> => {
      const attempt = current(fiber)
      const { journal, transacting } = attempt
      const mark = journal.mark()
      const hooks = transacting.hooks?.length ?? 0
      const end = (exit: Effect.Effect<any, any, any>): Effect.Effect<any, any, any> => {
        if (!attempt.retrying || attempt.stale !== undefined || !attempt.active) return exit
        attempt.retrying = false
        journal.rollback(mark, false)
        if (transacting.hooks !== undefined) transacting.hooks.length = hooks
        return that()
      }
      return Effect.matchCauseEffect(self, {
        onSuccess: (value) => end(Effect.succeed(value)),
        onFailure: (cause) => end(Effect.failCause(cause))
      })
    })
)

/**
 * Runs an effect once, after the commit of the transaction and before its result is seen; never if it does not commit.
 * Its defects are logged, since the commit stands.
 */
export const onCommit = <R>(effect: Effect.Effect<unknown, never, R>): Effect.Effect<void, never, R | Transaction> =>
  Effect.withFiber((fiber: Fiber.Fiber<any, any>) => {
    const { transacting } = current(fiber)
    const context = Context.omit(Transaction)(fiber.context as Context.Context<any>) as Context.Context<R>
    const hook = { effect: Effect.provideContext(effect, context) as Effect.Effect<unknown> }
    if (transacting.hooks === undefined) transacting.hooks = [hook]
    else transacting.hooks.push(hook)
    return Effect.void
  })

/** Which attempt this is, counted from 1, and why there was one before. */
export const attempt: Effect.Effect<
  { readonly number: number; readonly reason: "conflict" | "retry" | undefined },
  never,
  Transaction
> = Effect.withFiber((fiber: Fiber.Fiber<any, any>) => {
  const { number, reason } = current(fiber).transacting
  return Effect.succeed({ number, reason })
})

/** The attempt that a fiber is in. Dies with `TransactionEnded` when it is over. */
const current = (fiber: Fiber.Fiber<any, any>): Attempt => {
  const found = attemptOf(fiber)
  if (found === undefined) throw new Error("This effect needs a transaction: run it inside of Tx.transact or Tx.fn")
  if (!found.active) throw new TransactionEnded(found.label)
  return found
}
