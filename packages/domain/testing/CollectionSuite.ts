/**
 * The suite of the collections: each against plain JavaScript, by seeded random programs, operations alone and inside of
 * transactions, some of which fail and must leave no trace; and what they promise to fibers that use them at once. Every
 * backend runs it, in three lines:
 *
 * ```ts
 * import { CollectionSuite } from "@weft/domain/testing"
 * import { layer } from "./MyBackend.ts"
 * CollectionSuite.suite("mine", { layer: () => layer({}) })
 * ```
 *
 * A failure prints the step, both results and `WEFT_SEED=<seed>`, which replays it. `WEFT_SCALE=full` runs 20 times more.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { describe, it } from "vitest"
import { Backend } from "../src/Backend.ts"
import { Store } from "../src/Store.ts"
import { concurrentLaws } from "./collections/concurrentLaws.ts"
import { counterSubject, refSubject, setSubject, structSubject } from "./collections/smallSubjects.ts"
import { mapSubject } from "./collections/mapSubject.ts"
import { queueSubject } from "./collections/queueSubject.ts"
import { check, type Subject } from "./collections/Subject.ts"

export interface Options<E = unknown> {
  /** A new, empty store at each call. */
  readonly layer: () => Layer.Layer<Backend, E>
  /** How many steps each program runs; 300 unless said, 20 times that with `WEFT_SCALE=full`. */
  readonly steps?: number | undefined
  /** Milliseconds that one collection may take; 60,000 unless said. */
  readonly timeoutMillis?: number | undefined
}

/** All collections and their models, by name. */
export const subjects: ReadonlyArray<Subject<any, any>> = [
  refSubject,
  structSubject,
  counterSubject,
  mapSubject("numbers"),
  mapSubject("structs"),
  setSubject,
  queueSubject("unbounded", {}),
  queueSubject("suspending", { capacity: 5 }),
  queueSubject("dropping", { capacity: 5, strategy: "dropping" }),
  queueSubject("sliding", { capacity: 20, strategy: "sliding" })
]

export { check, type Subject } from "./collections/Subject.ts"

/** A store without its synchronous lane: the engine then works as over a network. */
export const withoutSyncLane = <E>(layer: Layer.Layer<Backend, E>): Layer.Layer<Backend, E> =>
  Layer.effect(
    Backend,
    Effect.map(Backend, ({ capabilities, changes, commit, outcome, read }) =>
      Backend.of({
        capabilities,
        changes,
        // Each answer comes a turn of the scheduler later, as from elsewhere.
        commit: (requests) => Effect.andThen(Effect.yieldNow, commit(requests)),
        outcome,
        read: (request) => Effect.andThen(Effect.yieldNow, read(request))
      })
    )
  ).pipe(Layer.provide(layer))

/** Registers one test per collection, and one per law of use at once. */
export const suite = <E>(name: string, options: Options<E>): void => {
  describe(`${name} > collections`, () => {
    for (const subject of subjects) {
      it(subject.name, { timeout: options.timeoutMillis ?? 60_000 }, () => Effect.runPromise(run(subject, options)))
    }
    for (const law of concurrentLaws) {
      it(law.name, { timeout: options.timeoutMillis ?? 60_000 }, () =>
        Effect.runPromise(law.run.pipe(Effect.provide(Store.layer(options.layer())), Effect.scoped))
      )
    }
  })
}

/** Runs one collection's programs on a fresh store; fails with the first difference. */
export const run = <E>(subject: Subject<any, any>, options: Options<E>): Effect.Effect<void, unknown> => {
  const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
  const steps = (options.steps ?? 300) * (process.env["WEFT_SCALE"] === "full" ? 20 : 1)
  return check(subject, seed, steps).pipe(
    Effect.provide(Layer.mergeAll(Store.layer(options.layer()), TestClock.layer())),
    Effect.scoped
  )
}
