/**
 * Supervised workers of a tuple space. A supervisor starts them, in fibers or in a place of its own (`WorkerPlaces.ts`), and
 * puts one tuple into the space for each that fails: by an error it declares, by a defect, or by the death of its thread or
 * process. Workers that end well leave nothing. When the supervisor's scope closes they are asked to stop, then made to.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { StoreError } from "@weft/domain/StoreError"
import { encodedInput, type Ending, errorOf, type Job, refused, runJob } from "./internal/jobs.ts"
import type { TupleSpace } from "./TupleSpace.ts"
import type * as Worker from "./Worker.ts"

export type { Ending, Job } from "./internal/jobs.ts"

/** Where workers run. Interrupted, it ends when the worker is gone. */
export interface Place<out R = never> {
  readonly run: (job: Job) => Effect.Effect<Ending, never, R>
}

/** Workers that run at once where nothing else is said. */
const workersMaxDefault = 1024

export interface Options<T, W extends Worker.Any> {
  /** All that may be started, also by each other. */
  readonly workers: ReadonlyArray<W>
  /** The tuple of a failure: `Worker.toTuple` for spaces that have `Worker.failures`. */
  readonly failed: (failure: Worker.Failure<Worker.ErrorOf<W>>) => T
  /** Workers that run at once: the next one is refused with `WorkerRefused`. 1,024 when left out. */
  readonly workersMax?: number | undefined
}

/** A worker that was started. */
export interface Started {
  /** Ends with the worker, after its failure was put out as a tuple; whether it ended well. */
  readonly ended: Effect.Effect<boolean>
  /** Asks it to stop; ends when it has. No tuple is put out. */
  readonly stop: Effect.Effect<void>
}

/** A supervisor. */
export interface Workers<in W extends Worker.Any> {
  /** Starts a worker; ends when it was started, not when it ends. Fails with `WorkerRefused`. */
  readonly start: <V extends W>(worker: V, input: Worker.InputOf<V>) => Effect.Effect<Started, Worker.WorkerRefused>
  /** Workers that run now. */
  readonly running: Effect.Effect<number>
}

/** A supervisor of workers that are fibers of this process. */
export const make = <T extends ReadonlyArray<unknown>, R, const W extends Worker.Any>(
  space: TupleSpace<T, any, R>,
  options: Options<NoInfer<T>, W>
): Effect.Effect<Workers<W>, never, R | Scope.Scope | Exclude<Worker.ServicesOf<W>, Worker.Evaluator>> =>
  // What its workers need is asked of the caller, and is in the context that they run in.
  makeIn({ run: runJob } as Place<Exclude<Worker.ServicesOf<W>, Worker.Evaluator>>, space, options)

/** Between two tries to put out the tuple of a failure, where the store does not answer. */
const again = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** A supervisor of workers that run in a place. */
export const makeIn = <T extends ReadonlyArray<unknown>, R, const W extends Worker.Any, RP>(
  place: Place<RP>,
  space: TupleSpace<T, any, R>,
  options: Options<NoInfer<T>, W>
): Effect.Effect<Workers<W>, never, R | RP | Scope.Scope> =>
  Effect.gen(function* () {
    const fibers = yield* FiberSet.make<boolean, never>()
    const context = yield* Effect.context<R | RP>()
    const byName = new Map<string, Worker.Any>(options.workers.map((worker) => [worker.name, worker]))
    const workersMax = options.workersMax ?? workersMaxDefault
    let running = 0

    const report = (failure: Worker.Failure<any>): Effect.Effect<void, never, R> =>
      space.out(options.failed(failure)).pipe(
        Effect.retry({ schedule: again, while: (error: StoreError) => error.isRetryable }),
        Effect.catch((error) =>
          Effect.logError("the failure of a worker could not be put out as a tuple", error, failure)
        )
      )

    const supervised = (job: Job): Effect.Effect<boolean, never, R | RP> =>
      Effect.flatMap(place.run(job), (ending) =>
        ending._tag === "Done"
          ? Effect.succeed(true)
          : Effect.as(report({ worker: job.worker.name, error: errorOf(job.worker, ending) }), false)
      ).pipe(Effect.ensuring(Effect.sync(() => running--)))

    const startEncoded = (name: string, input: unknown): Effect.Effect<Started, Worker.WorkerRefused> =>
      Effect.suspend(() => {
        const worker = byName.get(name)
        if (worker === undefined) {
          const known = [...byName.keys()].join(", ")
          return Effect.fail(refused(name, "unknown worker", `there is no worker "${name}" here, only ${known}`))
        }
        if (running >= workersMax) {
          return Effect.fail(refused(name, "workersMax", `${workersMax} workers run already (workersMax)`))
        }
        const start = (other: string, otherInput: unknown) => Effect.asVoid(startEncoded(other, otherInput))
        running++
        return Effect.map(
          FiberSet.run(fibers, Effect.provideContext(supervised({ worker, input, start }), context), {
            startImmediately: true
          }),
          (fiber): Started => ({
            ended: Effect.map(Fiber.await(fiber), (exit) => Exit.isSuccess(exit) && exit.value),
            stop: Fiber.interrupt(fiber)
          })
        )
      })

    return {
      start: (worker, input) =>
        Effect.flatMap(encodedInput(worker, input), (encoded) => startEncoded(worker.name, encoded)),
      running: Effect.sync(() => running)
    }
  })
