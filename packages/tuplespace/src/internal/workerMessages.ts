/** What a supervisor and a worker in another thread or process say to each other. */
import * as Schema from "effect/Schema"

/** To the worker. `Run` is the first and comes once. */
export const Down = Schema.TaggedUnion({
  Run: { worker: Schema.String, input: Schema.Unknown },
  Stop: {},
  Started: { call: Schema.Int },
  Refused: {
    call: Schema.Int,
    worker: Schema.String,
    message: Schema.String,
    reason: Schema.Literals(["unknown worker", "invalid input", "workersMax", "closed"])
  }
})
export type Down = typeof Down.Type

/** To the supervisor. `Ready` is the first, `Ended` the last. */
export const Up = Schema.TaggedUnion({
  Ready: {},
  Start: { call: Schema.Int, worker: Schema.String, input: Schema.Unknown },
  Done: {},
  Failed: { error: Schema.Unknown },
  Defect: { message: Schema.String, errorClass: Schema.String, trace: Schema.String },
  Stopped: {}
})
export type Up = typeof Up.Type
