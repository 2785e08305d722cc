/**
 * Places for workers outside of this thread: each worker in a thread, or in an OS process, of its own. The module given by
 * `url` calls `WorkerHost.serve`. Node alone: Effect's own worker platform tells no signal of a process that was killed,
 * and here that is a tuple.
 */
import * as ChildProcess from "node:child_process"
import { fileURLToPath } from "node:url"
import * as WorkerThreads from "node:worker_threads"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { type Ending, type Job } from "./internal/jobs.ts"
import type { Down } from "./internal/workerMessages.ts"
import { Up } from "./internal/workerMessages.ts"
import type { Place } from "./Workers.ts"

export interface Options {
  /** `process.argv` of the module, from its third item on. */
  readonly argv?: ReadonlyArray<string> | undefined
  /** How long a worker that is asked to stop has before it is made to: 5 seconds when left out. */
  readonly grace?: Duration.Input | undefined
}

/** One started thread or process. */
interface Channel {
  readonly send: (message: Down) => void
  readonly kill: () => void
}

/** What a channel tells. */
interface Ear {
  readonly message: (message: unknown) => void
  readonly end: (ending: Ending) => void
}

/** Each worker in a thread of its own. */
export const threads = (url: URL, options?: Options): Place =>
  placeOf(options, (ear) => {
    const thread = new WorkerThreads.Worker(url, { argv: [...(options?.argv ?? [])] })
    thread.on("message", ear.message)
    thread.on("error", (error) => ear.end({ _tag: "Died", message: `its thread ended by an error: ${String(error)}` }))
    thread.on("exit", (exitCode) =>
      ear.end({ _tag: "Died", message: `its thread ended with code ${exitCode}`, exitCode })
    )
    return { send: (message) => thread.postMessage(message), kill: () => void thread.terminate() }
  })

/** Each worker in an OS process of its own; its output is this process's. */
export const processes = (url: URL, options?: Options): Place =>
  placeOf(options, (ear) => {
    const child = ChildProcess.fork(fileURLToPath(url), [...(options?.argv ?? [])])
    child.on("message", ear.message)
    child.on("error", (error) => ear.end({ _tag: "Died", message: `its process could not run: ${error.message}` }))
    child.on("exit", (exitCode, signal) => {
      const end = () =>
        ear.end(
          signal === null
            ? { _tag: "Died", message: `its process ended with code ${exitCode}`, exitCode: exitCode ?? -1 }
            : { _tag: "Died", message: `its process was killed by ${signal}`, signal }
        )
      // What it said last may still be on the line.
      if (child.connected) child.once("disconnect", end)
      else end()
    })
    return {
      // A process that is gone is told by its exit.
      send: (message) => void (child.connected && child.send(message, () => {})),
      kill: () => void child.kill("SIGKILL")
    }
  })

const placeOf = (options: Options | undefined, open: (ear: Ear) => Channel): Place => ({
  run: (job) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const gone = Deferred.makeUnsafe<Ending>()
        const services = yield* Effect.context<never>()
        let ending: Ending | undefined
        const ear: Ear = {
          message: (message) => {
            const up = Schema.decodeUnknownExit(Up)(message)
            if (Exit.isFailure(up)) return
            if (up.value._tag === "Ready") channel.send({ _tag: "Run", worker: job.worker.name, input: job.input })
            else if (up.value._tag === "Start") Effect.runForkWith(services)(startFor(job, up.value, channel))
            else ending = up.value._tag === "Stopped" ? { _tag: "Done" } : up.value
          },
          // What it said of its own end holds; otherwise how it was ended does.
          end: (died) => Deferred.doneUnsafe(gone, Exit.succeed(ending ?? died))
        }
        const channel = open(ear)
        const ended = Deferred.await(gone)
        return yield* Effect.onInterrupt(restore(ended), () => stopped(channel, ended, options?.grace ?? "5 seconds"))
      })
    )
})

const startFor = (
  { start }: Job,
  { call, input, worker }: Extract<Up, { readonly _tag: "Start" }>,
  channel: Channel
): Effect.Effect<void> =>
  Effect.match(start(worker, input), {
    onSuccess: () => channel.send({ _tag: "Started", call }),
    onFailure: ({ message, reason }) => channel.send({ _tag: "Refused", call, worker, message, reason })
  })

const stopped = (channel: Channel, ended: Effect.Effect<Ending>, grace: Duration.Input): Effect.Effect<void> =>
  Effect.suspend(() => {
    channel.send({ _tag: "Stop" })
    const made = Effect.suspend(() => {
      channel.kill()
      return ended
    })
    return Effect.asVoid(Effect.timeoutOrElse(ended, { duration: grace, orElse: () => made }))
  })
