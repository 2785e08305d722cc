/** Running workloads on stores under a simulated scheduler. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Backend } from "../../../src/Backend.ts"
import { Store } from "../../../src/Store.ts"
import type { Faults } from "../../../testing/FaultyBackend.ts"
import * as History from "../../../testing/History.ts"
import * as Prng from "../../../testing/Prng.ts"
import * as Serializability from "../../../testing/Serializability.ts"
import * as Sim from "../../../testing/Sim.ts"
import * as Workloads from "../../../testing/Workloads.ts"

export interface RunOptions {
  readonly seed: number
  readonly clients: number
  /** Transactions of each client. */
  readonly transactions: number
  readonly attempts?: Workloads.Attempts | undefined
  /** Runs beside the clients until they are done. */
  readonly beside?: ((recorder: History.Recorder, prng: Prng.Prng) => Effect.Effect<unknown, never, Store>) | undefined
  /** Faults that shall come while the clients run: not when the store is opened and filled, nor at the last reads. */
  readonly faults?: Faults | undefined
}

export interface Ran {
  readonly history: History.History
  readonly problems: ReadonlyArray<string>
}

/** Runs one workload on a backend of its own, in an order of fibers that the seed decides. */
export const runOn = (
  backend: Layer.Layer<Backend>,
  workload: Workloads.Workload,
  options: RunOptions
): Promise<Ran> => {
  const prng = Prng.make(options.seed)
  const recorder = new History.Recorder()
  const begin = Effect.sync(() => options.faults?.resume())
  const calm = Effect.sync(() => options.faults?.heal())
  options.faults?.heal()
  const calmed: Workloads.Workload = {
    ...workload,
    setup: (context) => Effect.tap(workload.setup(context), () => begin),
    finish: (context) => Effect.andThen(calm, workload.finish(context))
  }
  const clients = Workloads.run(calmed, { ...options, prng, recorder })
  const program =
    options.beside === undefined
      ? clients
      : Effect.raceFirst(clients, Effect.andThen(options.beside(recorder, prng.fork()), Effect.never))
  return Sim.make({ seed: options.seed })
    .run(Effect.provide(program, Store.layer(backend)))
    .then((problems) => ({ history: recorder.history(), problems }))
}

/** Throws unless the run kept its invariant and its history is strictly serializable. Returns how many transactions were judged. */
export const judge = ({ history, problems }: Ran, replay: string): number => {
  if (problems.length > 0) {
    throw new Error(`${problems.length} problems; ${replay}\n${problems.slice(0, 10).join("\n")}`)
  }
  const verdict = Serializability.check(history)
  if (!verdict.ok) throw new Error(`${replay}\n${Serializability.format(history, verdict)}`)
  return history.length
}
