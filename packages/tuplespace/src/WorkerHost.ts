/**
 * The other end of `WorkerPlaces`: what the module of a worker's thread or process calls. It runs one worker, then ends. If
 * the supervisor's process is gone it ends at once: nobody is left to tell.
 *
 * ```ts
 * await WorkerHost.serve([fold], Store.layer(FileBackend.layer({ path: process.argv[2]! })))
 * ```
 */
import * as WorkerThreads from "node:worker_threads"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { defectOf, refused, type RunEnding, runJob } from "./internal/jobs.ts"
import { Down, type Up } from "./internal/workerMessages.ts"
import type * as Worker from "./Worker.ts"

/** Serves the one worker that the supervisor asks for, out of these; resolves when it has ended. */
export const serve = async <const W extends Worker.Any, E>(
  workers: ReadonlyArray<W>,
  layer: Layer.Layer<Exclude<Worker.ServicesOf<W>, Worker.Evaluator>, E>
): Promise<void> => {
  const line = openLine()
  const calls = new Map<number, Deferred.Deferred<void, Worker.WorkerRefused>>()
  let fiber: Fiber.Fiber<RunEnding, unknown> | undefined
  let isStopped = false
  const start = (worker: string, input: unknown) =>
    Effect.suspend(() => {
      const call = calls.size
      const answer = Deferred.makeUnsafe<void, Worker.WorkerRefused>()
      calls.set(call, answer)
      line.send({ _tag: "Start", call, worker, input })
      return Deferred.await(answer)
    })
  const ran = new Promise<void>((resolve) => {
    line.listen((message) => {
      if (message._tag === "Run") {
        const worker = workers.find(({ name }) => name === message.worker)
        const run: Effect.Effect<RunEnding, unknown> =
          worker === undefined
            ? Effect.succeed(defectOf(new Error(`this module serves no worker "${message.worker}"`)))
            : // The layer has what the workers need.
              Effect.provide(
                runJob({ worker, input: message.input, start }) as Effect.Effect<RunEnding, never, any>,
                layer as Layer.Layer<any, E>
              )
        fiber = Effect.runFork(run)
        fiber.addObserver((exit) => {
          if (isStopped) line.send({ _tag: "Stopped" })
          else line.send(Exit.isSuccess(exit) ? exit.value : defectOf(Cause.squash(exit.cause)))
          resolve()
        })
      } else if (message._tag === "Stop") {
        isStopped = true
        if (fiber === undefined) resolve()
        else fiber.interruptUnsafe()
      } else {
        const answer = calls.get(message.call)
        if (answer === undefined) return
        const exit =
          message._tag === "Started" ? Exit.void : Exit.fail(refused(message.worker, message.reason, message.message))
        Deferred.doneUnsafe(answer, exit)
      }
    })
  })
  line.send({ _tag: "Ready" })
  await ran
  line.close()
}

/** The line to the supervisor. */
interface Line {
  readonly send: (message: Up) => void
  readonly listen: (heard: (message: Down) => void) => void
  readonly close: () => void
}

const openLine = (): Line => {
  const port = WorkerThreads.parentPort
  if (port !== null) {
    return {
      send: (message) => port.postMessage(message),
      listen: (heard) => void port.on("message", hears(heard)),
      close: () => port.close()
    }
  }
  if (process.send === undefined) {
    throw new Error("WorkerHost.serve is called by the module of a worker, which WorkerPlaces starts; this is none")
  }
  const orphaned = (): never => process.exit(1)
  process.on("disconnect", orphaned)
  return {
    send: (message) => void process.send?.(message),
    listen: (heard) => void process.on("message", hears(heard)),
    close: () => {
      process.off("disconnect", orphaned)
      process.disconnect()
    }
  }
}

const hears =
  (heard: (message: Down) => void) =>
  (message: unknown): void => {
    const down = Schema.decodeUnknownExit(Down)(message)
    if (Exit.isSuccess(down)) heard(down.value)
  }
