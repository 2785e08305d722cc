/**
 * Workers of tuple spaces (Linda's `eval`): named programs with an input, and what their failures are as tuples. Pure
 * definitions; `Workers.ts` starts them as fibers, `WorkerPlaces.ts` in threads and processes.
 *
 * ```ts
 * class ValueError extends Schema.TaggedError<ValueError>()("ValueError", { value: Schema.Int }) {}
 * const fold = Worker.make("fold", { input: Schema.Int, errors: [ValueError], run: (n) => ... })
 * const space = StoreTupleSpace.make("sums", { tuple: Schema.Union([Sum, Worker.failures([ValueError])]) })
 * const [, , , error] = yield* space.take(["failed", "ValueError", any, any])
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A worker's thread or process ended before the worker did: killed by a signal, out of memory, or by its own exit. */
export class WorkerDied extends Schema.TaggedError<WorkerDied>()("WorkerDied", {
  message: Schema.String,
  /** Of a process: what killed it. */
  signal: Schema.optionalKey(Schema.String),
  exitCode: Schema.optionalKey(Schema.Int)
}) {}

/** A worker failed in a way that it does not declare. */
export class WorkerDefect extends Schema.TaggedError<WorkerDefect>()("WorkerDefect", {
  message: Schema.String,
  /** Name of the class of what was thrown, "" when it was no `Error`. */
  errorClass: Schema.String,
  /** Where it was thrown; for people. */
  trace: Schema.String
}) {}

/** No worker was started. Nothing else happened. */
export class WorkerRefused extends Schema.TaggedError<WorkerRefused>()("WorkerRefused", {
  message: Schema.String,
  worker: Schema.String,
  reason: Schema.Literals(["unknown worker", "invalid input", "workersMax", "closed"])
}) {}

/** The class of a tagged error, as `Schema.TaggedError` makes it. */
export interface ErrorClass extends Schema.Constraint {
  readonly Type: { readonly _tag: string }
  readonly identifier: string
}

/** A failure as a tuple: "failed", the tag of its error, the worker's name, the error. */
export type FailedTuple<E> = E extends { readonly _tag: infer Tag } ? readonly ["failed", Tag, string, E] : never

/** A named program over an input. */
export interface Worker<out Name extends string, in out In, out E, out R> {
  readonly name: Name
  readonly input: Schema.Codec<In, any>
  readonly error: Schema.Codec<E, any>
  readonly run: (input: In) => Effect.Effect<unknown, E, R>
}
export type Any = Worker<string, any, any, any>
export type InputOf<W> = W extends Worker<string, infer In, any, any> ? In : never
export type ErrorOf<W> = W extends Worker<string, any, infer E, any> ? E : never
export type ServicesOf<W> = W extends Worker<string, any, any, infer R> ? R : never

/**
 * Defines a worker. `errors` are the classes of all that `run` may fail with: they travel by their Schemas, so that a failure
 * in another process is an error of the same class here.
 */
export const make = <const Name extends string, In, R, const Errors extends ReadonlyArray<ErrorClass> = readonly []>(
  name: Name,
  options: {
    readonly input: Schema.Codec<In, any>
    readonly errors?: Errors
    readonly run: (input: NoInfer<In>) => Effect.Effect<unknown, Errors[number]["Type"], R>
  }
): Worker<Name, In, Errors[number]["Type"], R> => ({
  name,
  input: options.input,
  // A union of error classes decodes to instances of them.
  error: Schema.Union(options.errors ?? []) as unknown as Schema.Codec<Errors[number]["Type"], any>,
  run: options.run
})

/** Why a worker failed, and which. */
export interface Failure<out E> {
  readonly worker: string
  readonly error: E | WorkerDied | WorkerDefect
}

/**
 * The Schema of tuples that failures become, for a space's definition: one kind per error class, those of `WorkerDied` and
 * `WorkerDefect` with them. `["failed", "ValueError", any, any]` matches one class, `["failed", any, any, any]` all.
 */
export const failures = <const Errors extends ReadonlyArray<ErrorClass>>(
  errors: Errors
): Schema.Codec<FailedTuple<Errors[number]["Type"] | WorkerDied | WorkerDefect>, any> => {
  const classes: ReadonlyArray<ErrorClass> = [...errors, WorkerDied, WorkerDefect]
  const tuples = classes.map((error) =>
    Schema.Tuple([Schema.Literal("failed"), Schema.Literal(error.identifier), Schema.String, error])
  )
  // The mapped tuple is that of the union of the classes, which the type above spells.
  return Schema.Union(tuples) as unknown as Schema.Codec<any, any>
}

/** A failure as a tuple of `failures`. */
export const toTuple = <E extends { readonly _tag: string }>({
  error,
  worker
}: Failure<E>): FailedTuple<E | WorkerDied | WorkerDefect> =>
  // Tag and error are of one class.
  ["failed", error._tag, worker, error] as unknown as FailedTuple<E | WorkerDied | WorkerDefect>

/** What a worker starts others with, wherever it runs: they are started, and watched, by the supervisor that started it. */
export class Evaluator extends Context.Service<
  Evaluator,
  { readonly start: (worker: Any, input: unknown) => Effect.Effect<void, WorkerRefused> }
>()("@weft/tuplespace/Worker/Evaluator") {}

/** Starts a worker from within a worker. Ends when it was started; its failure becomes a tuple, as any worker's. */
export const start = <W extends Any>(worker: W, input: InputOf<W>): Effect.Effect<void, WorkerRefused, Evaluator> =>
  Effect.flatMap(Evaluator, (evaluator) => evaluator.start(worker, input))
