/**
 * Signals between the view of a transaction and its engine. They are told by identity and travel as defects, so that
 * `Effect.catch`, `catchTag` and `Effect.retry` inside a body never see them; `catchCause` may see one, but cannot
 * swallow it: the attempt remembers that it is doomed or waiting. Interruption is never used for them, so `onInterrupt`
 * handlers run for interruptions only.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/** A defect that is no error of the program: the attempt is given up and run again. */
export class TransactionSignal {
  readonly _tag = "TransactionSignal"
  readonly kind: "restart" | "retry"
  constructor(kind: "restart" | "retry") {
    this.kind = kind
  }
  toString(): string {
    return `TransactionSignal(${this.kind}): this attempt is given up and its body will run again`
  }
}

/** Thrown by the view: what is needed is not in memory yet; the operation is run again after the attempt's `suspension`. */
export const suspend: unique symbol = Symbol("weft/suspend")

/** Thrown by the view when what the attempt saw no longer holds. */
export const restart: TransactionSignal = new TransactionSignal("restart")

export const restartExit: Exit.Exit<never> = Exit.die(restart)

export const retryExit: Exit.Exit<never> = Exit.die(new TransactionSignal("retry"))

/** Whether a cause is, at least in part, the engine's signal that an attempt is given up. */
export const isSignal = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect instanceof TransactionSignal)
