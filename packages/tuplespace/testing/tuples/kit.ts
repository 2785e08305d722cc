/** What the suite's spaces are made of, and the words of its tests. */
import { it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import type { Fiber, Scope } from "effect"
import type { Place } from "../../src/Workers.ts"
import { predicates, type SuiteSpace, tuple } from "./board.ts"

/** What the suite's spaces are made of. */
export interface SuiteDefinition {
  readonly tuple: typeof tuple
  readonly predicates: typeof predicates
  readonly waitersMax?: number | undefined
  readonly tuplesMax?: number | undefined
  readonly returnsMax?: number | undefined
}

/** A space to test, new and empty. */
export interface Made {
  readonly space: SuiteSpace
  /** One beside it in the same place. */
  readonly other: SuiteSpace
  /** Where its workers run; in fibers when left out. The place's module serves `SuiteWorkers`. */
  readonly place?: Place | undefined
  /** How often someone who waits was woken so far, where that can be told. */
  readonly wakeUps?: Effect.Effect<number> | undefined
}

export interface Options {
  readonly make: (definition: SuiteDefinition) => Effect.Effect<Made, unknown, Scope.Scope>
  /** Time in which what was begun has come to rest, in milliseconds; local forms need none. */
  readonly settleMillis?: number | undefined
  /** Waiting takes of the test of long lines, and steps of a random program. */
  readonly chain?: number | undefined
  readonly steps?: number | undefined
}

export type Limits = Omit<SuiteDefinition, "tuple" | "predicates">
type Body<E> = (space: SuiteSpace, other: SuiteSpace, made: Made) => Effect.Effect<void, E, Scope.Scope>

/** Registers one test over new spaces. */
export interface Kit {
  readonly settle: Effect.Effect<void>
  readonly fork: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Fiber.Fiber<A, E>, never, R>
  readonly test: <E>(title: string, body: Body<E>, limits?: Limits) => void
}

export const makeKit = ({ make, settleMillis }: Options): Kit => {
  const settle =
    settleMillis === undefined
      ? Effect.gen(function* () {
          for (let i = 0; i < 8; i++) yield* Effect.yieldNow
        })
      : Effect.sleep(settleMillis)
  return {
    settle,
    fork: (self) => Effect.tap(Effect.forkChild(self), () => settle),
    test: (title, body, limits) =>
      it.live(title, () =>
        Effect.scoped(
          Effect.flatMap(make({ tuple, predicates, ...limits }), (made) => body(made.space, made.other, made))
        )
      )
  }
}

/** The tag of a store error's reason. */
export const reasonOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "reason" in error
    ? (error.reason as { readonly _tag: string })._tag
    : undefined

/** Waits until a number is as wished; a test that never sees it runs into its own timeout. */
export const until = <E>(look: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(look, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(2), until(look))))

/** As if so much time had passed: clocks that say so, for what is run in it. */
export const later = <A, E, R>(self: Effect.Effect<A, E, R>, millis: number): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const shifted: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis)
    })
    return Effect.provideService(self, Clock.Clock, shifted)
  })

/** Waits until so many takes and reads wait: the next that comes stands behind them. */
export const inLine = (space: SuiteSpace, count: number) =>
  until(Effect.map(space.interests, ({ length }) => length === count))
