/**
 * `timeout` of a transaction: one limit for all attempts and waits, which never cuts a commit in flight. Only transactions
 * that have one pay for it: their attempts run in a child fiber, so that a body can be ended without ending the caller.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TransactionTimeout } from "../TxError.ts"

type AnyEffect = Effect.Effect<any, any, any>

/** How far a limited transaction got; set by the run itself. */
export interface Progress {
  /** Attempts begun. */
  attempts: number
  /** The result, from the moment it can no longer be cut. */
  result: Exit.Exit<any, any> | undefined
}

/**
 * Runs `self` for at most `timeout`. When it passes, `self` is interrupted; if its commit was under way it is waited for
 * (at most `commitGraceMillis`, by `self`), and its outcome counts.
 */
export const withTimeout = (
  self: AnyEffect,
  timeout: Duration.Input,
  label: string | undefined,
  progress: Progress
): AnyEffect =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkChild(restore(self), { startImmediately: true }), (fiber) => {
      const late = Effect.flatMap(Effect.sleep(timeout), () => Effect.succeed(undefined))
      return Effect.flatMap(
        Effect.onInterrupt(restore(Effect.raceFirst(Fiber.await(fiber), late)), () => Fiber.interrupt(fiber)),
        (exit): AnyEffect => {
          if (exit !== undefined) return exit
          return Effect.flatMap(Fiber.interrupt(fiber), () =>
            Effect.flatMap(Fiber.await(fiber), (ended): AnyEffect => {
              if (progress.result !== undefined) return progress.result
              if (Exit.isSuccess(ended) || !Cause.hasInterrupts(ended.cause)) return ended
              const unknown = ended.cause.reasons.find(Cause.isFailReason)
              if (unknown !== undefined) return Effect.fail(unknown.error)
              return Effect.fail(new TransactionTimeout({ label, attempts: progress.attempts }))
            })
          )
        }
      )
    })
  )
