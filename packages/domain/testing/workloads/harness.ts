/**
 * What all workloads share. Workloads are transactions with an invariant, as functions over a `Store` and names of cells. Each records a history that
 * `Serializability.check` judges, and lists what its own invariant found wrong. They run on any store, also from several
 * processes at once: give every process its own names and values, and merge the histories.
 *
 * Bodies yield between operations, so that they interleave; some fail on purpose after writing. What a failing body and
 * (when asked) a discarded attempt saw is judged too: they are recorded as transactions that only read.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Op, Recorder, Status } from "../History.ts"
import type { Prng } from "../Prng.ts"
import type { Store } from "../../src/Store.ts"
import { StoreError } from "../../src/StoreError.ts"
import type { Transaction } from "../../src/Transaction.ts"
import * as Tx from "../../src/Tx.ts"

/** A body that gave up on purpose. */
export class Aborted extends Data.TaggedError("Aborted")<{}> {}

/**
 * How discarded attempts are judged: not at all; as transactions that ended when they were given up; or as `speculative`
 * ones, that may have seen what was not acknowledged yet, so that nobody later must have seen it, too. Not at all where
 * what they ran on may fail later.
 */
export type Attempts = "ignored" | "ended" | "speculative"

/** What a running workload has at hand. */
export interface Context {
  /** Who runs this client; unique among all clients of all processes. */
  readonly process: string
  readonly prng: Prng
  readonly recorder: Recorder
  /** What the invariant found wrong, for people. */
  readonly problems: Array<string>
  readonly attempts: Attempts
}

/** One workload with its parameters. `space` names its cells: two of different spaces do not meet. */
export interface Workload {
  readonly name: string
  /** Puts the first state; once, before any client. */
  readonly setup: (context: Context) => Effect.Effect<void, StoreError, Store>
  /** One transaction. Never fails: the outcome is recorded. */
  readonly step: (context: Context) => Effect.Effect<unknown, never, Store>
  /** Reads what is left at the end and judges it. */
  readonly finish: (context: Context) => Effect.Effect<void, StoreError, Store>
}

/** How an exit counts in a history. Dies with the defect when the body or the engine had one. */
export const statusOf = <A>(exit: Exit.Exit<A, StoreError | Aborted>): Effect.Effect<Status> => {
  if (Exit.isSuccess(exit)) return Effect.succeed("ok")
  let status: Status = "failed"
  for (const reason of exit.cause.reasons) {
    if (Cause.isDieReason(reason)) return Effect.die(reason.defect)
    if (Cause.isInterruptReason(reason)) status = "unknown"
    else if (reason.error instanceof StoreError && reason.error.reason._tag === "CommitUnknown") status = "unknown"
  }
  return Effect.succeed(status)
}

/** Operations that saw the store itself: none of a key after the body's own write to it. */
export const external = (ops: ReadonlyArray<Op>): ReadonlyArray<Op> => {
  const written = new Set<string>()
  return ops.filter((op) => {
    if (op.f === "append" || op.f === "write") written.add(op.key)
    return (op.f === "list" || op.f === "read") && !written.has(op.key)
  })
}

export interface TransactOptions<A> {
  /** How the transaction is run; it may interrupt it, for example. Default `Effect.exit`. */
  readonly run?:
    | ((
        self: Effect.Effect<A, StoreError | Aborted, Store>
      ) => Effect.Effect<Exit.Exit<A, StoreError | Aborted>, never, Store>)
    | undefined
  /** What the test knows better about the end than its exit says. */
  readonly status?: (() => Status | undefined) | undefined
}

/** Runs a body as a transaction and records it. The body logs its operations into `ops`, which each attempt empties. */
export const transact = <A>(
  context: Context,
  body: (ops: Array<Op>) => Effect.Effect<A, StoreError | Aborted, Store | Transaction>,
  options: TransactOptions<A> = {}
): Effect.Effect<Exit.Exit<A, StoreError | Aborted>, never, Store> =>
  Effect.gen(function* () {
    const { process, recorder } = context
    const start = recorder.now()
    let attemptStart = start
    let attempts = 0
    const ops: Array<Op> = []
    const attempt = Effect.suspend(() => {
      if (attempts++ > 0 && context.attempts !== "ignored") {
        const end = context.attempts === "ended" ? recorder.now() : Number.MAX_SAFE_INTEGER
        recorder.add({ process, status: "ok", start: attemptStart, end, ops: external(ops) })
      }
      ops.length = 0
      attemptStart = recorder.now()
      return body(ops)
    })
    const exit = yield* (options.run ?? Effect.exit)(Tx.transact(attempt))
    const status = options.status?.() ?? (yield* statusOf(exit))
    const end = recorder.now()
    recorder.add({ process, status, start, end, ops: ops.slice() })
    if (isAborted(exit)) recorder.add({ process, status: "ok", start, end, ops: external(ops) })
    return exit
  })

/** Whether the body itself gave up: then what it saw was whole and fresh. */
const isAborted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((r) => Cause.isFailReason(r) && r.error instanceof Aborted)

/** Lets others run, more often than not. */
export const pause = ({ prng }: Context): Effect.Effect<void> =>
  Effect.suspend(() => (prng.chance(0.6) ? Effect.yieldNow : Effect.void))

/** Gives up now and then. */
export const maybeAbort = ({ prng }: Context, rate = 0.03): Effect.Effect<void, Aborted> =>
  Effect.suspend(() => (prng.chance(rate) ? Effect.fail(new Aborted()) : Effect.void))

/** What a run needs beside the workload. */
export interface RunOptions {
  readonly clients: number
  /** Transactions of each client. */
  readonly transactions: number
  readonly prng: Prng
  readonly recorder: Recorder
  /** Begins the names of clients. Default: the workload's name. */
  readonly process?: string | undefined
  readonly attempts?: Attempts | undefined
}

/** Runs a workload from setup to finish in one process. Returns what its invariant found wrong. */
export const run = (workload: Workload, options: RunOptions): Effect.Effect<ReadonlyArray<string>, StoreError, Store> =>
  Effect.gen(function* () {
    const problems: Array<string> = []
    const context = (name: string): Context => ({
      process: `${options.process ?? workload.name}-${name}`,
      prng: options.prng.fork(),
      recorder: options.recorder,
      problems,
      attempts: options.attempts ?? "ignored"
    })
    yield* workload.setup(context("setup"))
    const clients = Array.from({ length: options.clients }, (_, i) => {
      const own = context(`${i}`)
      return Effect.repeat(
        Effect.suspend(() => workload.step(own)),
        { times: options.transactions - 1 }
      )
    })
    yield* Effect.all(clients, { concurrency: "unbounded", discard: true })
    yield* workload.finish(context("finish"))
    return problems
  })
