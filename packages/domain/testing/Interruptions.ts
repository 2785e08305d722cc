/**
 * Interruption wherever a fiber can be made to give way, enumerated: the scheduler pauses a fiber when its budget of
 * operations is used up, so a budget that ends one operation later each time has it pause at each of them. There it is
 * interrupted, by nobody's luck.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** Operations that a victim does first, so that budgets are about as large as Effect's own. */
const fillOperations = 1024
/** Scenes in a row that came to their end before the budget did: there is no later place. */
const untouchedMax = 3

class Striking extends Scheduler.MixedScheduler {
  victim: Fiber.Fiber<unknown, unknown> | undefined
  strikes = 0

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (!super.shouldYield(fiber)) return false
    if (fiber === this.victim && this.strikes++ === 0) queueMicrotask(() => fiber.interruptUnsafe())
    return true
  }
}

/** Forks a fiber that is interrupted where its budget ends. */
export type Victim = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Fiber.Fiber<A, E>, never, R>

/**
 * Plays a scene once for each place at which its victim can be interrupted, and gives how often one was. `scene` makes one
 * victim, and judges what is left when it has ended.
 */
export const atEveryYield = <E, R>(
  scene: (victim: Victim, place: number) => Effect.Effect<void, E, R>
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let strikes = 0
    let untouched = 0
    for (let place = 1; untouched < untouchedMax; place++) {
      const scheduler = new Striking()
      const victim: Victim = (self) => filled(self, scheduler, place)
      yield* scene(victim, place)
      if (scheduler.strikes === 0) untouched++
      else {
        strikes++
        untouched = 0
      }
    }
    return strikes
  })

const filled = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  scheduler: Striking,
  place: number
): Effect.Effect<Fiber.Fiber<A, E>, never, R> => {
  const filler = Effect.gen(function* () {
    const begun = yield* Effect.withFiber((fiber) => Effect.succeed(fiber.currentOpCount))
    for (let i = begun; i < fillOperations; i++) yield* Effect.void
  })
  const marked = Effect.withFiber((fiber) => {
    scheduler.victim = fiber
    // The budget ends so many operations after this one.
    const budget = fiber.currentOpCount + place
    return Effect.provideService(self, Scheduler.MaxOpsBeforeYield, budget)
  })
  return Effect.forkChild(
    Effect.andThen(filler, marked).pipe(
      Effect.provideService(Scheduler.MaxOpsBeforeYield, Number.POSITIVE_INFINITY),
      Effect.provideService(Scheduler.Scheduler, scheduler)
    )
  )
}
