/** A worker's run and its end, as data that crosses threads and processes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Worker from "../Worker.ts"

interface Defect {
  readonly _tag: "Defect"
  readonly message: string
  readonly errorClass: string
  readonly trace: string
}

/** How a worker's run ended. */
export type RunEnding =
  | { readonly _tag: "Done" }
  /** With an error that it declares, encoded. */
  | { readonly _tag: "Failed"; readonly error: unknown }
  | Defect

/** How a worker ended: its run did, or what it ran in. */
export type Ending =
  | RunEnding
  | {
      readonly _tag: "Died"
      readonly message: string
      readonly signal?: string | undefined
      readonly exitCode?: number | undefined
    }

/** A worker to run. */
export interface Job {
  readonly worker: Worker.Any
  /** Encoded by the worker's input Schema, as JSON. */
  readonly input: unknown
  /** Starts another worker in this one's name. */
  readonly start: (name: string, input: unknown) => Effect.Effect<void, Worker.WorkerRefused>
}

/** Characters of a trace that are kept. */
const traceMax = 4096

export const refused = (worker: string, reason: Worker.WorkerRefused["reason"], detail: string): Worker.WorkerRefused =>
  new Worker.WorkerRefused({ worker, reason, message: `${detail}: nothing was started` })

export const encodedInput = (worker: Worker.Any, input: unknown): Effect.Effect<unknown, Worker.WorkerRefused> =>
  Effect.mapError(Schema.encodeUnknownEffect(Schema.toCodecJson(worker.input))(input), (issue) =>
    refused(
      worker.name,
      "invalid input",
      `the input of the worker "${worker.name}" is not of its Schema: ${issue.message}`
    )
  )

/** Runs a worker here, with everything it needs but the starting of others. */
export const runJob = ({ input, start, worker }: Job): Effect.Effect<RunEnding, never, any> => {
  const evaluator: Worker.Evaluator["Service"] = {
    start: (other, otherInput) =>
      Effect.flatMap(encodedInput(other, otherInput), (encoded) => start(other.name, encoded))
  }
  const decoded = Effect.orDie(Schema.decodeUnknownEffect(Schema.toCodecJson(worker.input))(input))
  return Effect.flatMap(
    Effect.exit(
      Effect.provideService(
        Effect.flatMap(decoded, (value) => worker.run(value)),
        Worker.Evaluator,
        evaluator
      )
    ),
    (exit) => endingOf(worker, exit)
  )
}

const endingOf = (worker: Worker.Any, exit: Exit.Exit<unknown, unknown>): Effect.Effect<RunEnding> => {
  if (Exit.isSuccess(exit)) return Effect.succeed({ _tag: "Done" })
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed === undefined) return Effect.succeed(defectOf(Cause.squash(exit.cause)))
  return Effect.match(Schema.encodeUnknownEffect(Schema.toCodecJson(worker.error))(failed.error), {
    onSuccess: (error): RunEnding => ({ _tag: "Failed", error }),
    onFailure: () => defectOf(failed.error)
  })
}

/** What was thrown, as far as it can be told elsewhere. */
export const defectOf = (thrown: unknown): Defect =>
  thrown instanceof Error
    ? {
        _tag: "Defect",
        message: thrown.message,
        errorClass: thrown.name,
        trace: (thrown.stack ?? "").slice(0, traceMax)
      }
    : { _tag: "Defect", message: String(thrown), errorClass: "", trace: "" }

/** The error of a worker that did not end well. */
export const errorOf = (worker: Worker.Any, ending: Exclude<Ending, { _tag: "Done" }>): unknown => {
  switch (ending._tag) {
    case "Failed": {
      const error = Schema.decodeUnknownExit(Schema.toCodecJson(worker.error))(ending.error)
      if (Exit.isSuccess(error)) return error.value
      const message = `it failed with what is no error of the worker "${worker.name}": ${JSON.stringify(ending.error)}`
      return new Worker.WorkerDefect({ message, errorClass: "", trace: "" })
    }
    case "Defect": {
      const { errorClass, message, trace } = ending
      return new Worker.WorkerDefect({ message, errorClass, trace })
    }
    case "Died": {
      const { exitCode, message, signal } = ending
      return new Worker.WorkerDied({
        message,
        ...(signal === undefined ? {} : { signal }),
        ...(exitCode === undefined ? {} : { exitCode })
      })
    }
  }
}
