/**
 * Handing something over to a caller is several operations of its fiber, and at any of them the scheduler may let others go
 * first, one of which may interrupt it: then what was handed over has left its old place and reached nobody.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Operations from the step that takes something to the continuation of the caller, at most. */
const operationsMax = 64

/**
 * Runs what takes something, and is at its end `operationsMax` operations later, without a pause of the scheduler within them:
 * when one is near it comes first. In an uninterruptible region whoever takes must look for an interruption first, since one
 * may have come in that pause. Holds for budgets of the scheduler of `2 * operationsMax` or more; 2,048 is Effect's own.
 */
export const unbroken = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => (isPauseNear(fiber) ? Effect.andThen(Effect.yieldNow, self) : self))

/** Whether the scheduler may pause a fiber before it has handed over what it takes now. */
export const isPauseNear = ({ cache, currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean =>
  currentOpCount + operationsMax >= cache.maxOpsBeforeYield
