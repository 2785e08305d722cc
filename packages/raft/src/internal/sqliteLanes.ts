/**
 * Where the engine runs: on the caller's thread (`inlineLane`: each call blocks the event loop until the disk is done) or
 * in a worker (`workerLane`: the loop goes on, and a hung disk is noticed). Both answer in the order of the commands.
 */
import { Worker } from "node:worker_threads"
import type { Restored } from "../core/Types.ts"
import { IoFailed, isFinalReason, type LogStorageReason } from "../LogStorage.ts"
import { buffersOf, type Command, fromPlain, type PlainReason, type Reply, type Value } from "./sqliteCommands.ts"
import { SqliteEngine } from "./sqliteEngine.ts"
import { Failure, failureOf } from "./sqliteFile.ts"
import type { FilePorts } from "./sqlitePorts.ts"

export type Answer = (failure: LogStorageReason | undefined, value: Value) => void

export interface Lane {
  readonly restored: Restored
  readonly submit: (command: Command, answer: Answer) => void
}

/** Runs commands until one fails for good; used by both lanes, on the thread where the engine lives. */
export class Runner {
  readonly #engine: SqliteEngine
  #failed: LogStorageReason | undefined

  constructor(engine: SqliteEngine) {
    this.#engine = engine
  }

  run(command: Command): { readonly failure: LogStorageReason | undefined; readonly value: Value } {
    if (this.#failed !== undefined) return { failure: this.#failed, value: undefined }
    try {
      // A failed log is never closed: closing would write to a disk that has just lied.
      if (command.op === "close") this.#engine.close()
      else return { failure: undefined, value: this.#engine.run(command) }
      return { failure: undefined, value: undefined }
    } catch (error) {
      return { failure: this.#note(error), value: undefined }
    }
  }

  /** After the answers are out. A failure here is met by the next command. */
  rest(): void {
    if (this.#failed !== undefined) return
    try {
      this.#engine.checkpoint()
    } catch (error) {
      this.#note(error)
    }
  }

  #note(error: unknown): LogStorageReason {
    const { reason } = failureOf(error, "write")
    if (isFinalReason(reason)) this.#failed = reason
    return reason
  }
}

/** Throws `Failure` if the log cannot be opened. */
export const inlineLane = (ports: FilePorts, file: string): Lane => {
  const engine = new SqliteEngine(ports, file)
  const runner = new Runner(engine)
  return {
    restored: engine.restored,
    submit: (command, answer) => {
      const { failure, value } = runner.run(command)
      answer(failure, value)
      if (command.op !== "close") runner.rest()
    }
  }
}

/** First message of the worker, then one `Reply` per command. */
export type WorkerHello =
  | { readonly opened: true; readonly restored: Restored }
  | { readonly opened: false; readonly reason: PlainReason }

// Sources run as they are; built packages carry JavaScript beside it.
const workerUrl = new URL(import.meta.url.endsWith(".ts") ? "./sqliteWorker.ts" : "./sqliteWorker.js", import.meta.url)

/** Starts a thread for one log. Rejects with `Failure`. */
export const workerLane = (file: string): Promise<Lane> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl, { workerData: { file }, name: "weft-raft-log" })
    const answers: Array<Answer> = []
    let died: LogStorageReason | undefined
    const die = (detail: string): void => {
      died ??= new IoFailed({ kind: "write", detail })
      reject(new Failure(died))
      for (const answer of answers.splice(0)) answer(died, undefined)
    }
    const submit = (command: Command, answer: Answer): void => {
      if (died !== undefined) return answer(died, undefined)
      answers.push(answer)
      worker.postMessage(command, buffersOf(command))
    }
    worker.once("message", (hello: WorkerHello) => {
      if (!hello.opened) return reject(new Failure(fromPlain(hello.reason)))
      worker.on("message", (replies: ReadonlyArray<Reply>) => {
        for (const reply of replies) {
          const answer = answers.shift()!
          if (reply.ok) answer(undefined, reply.value)
          else answer(fromPlain(reply.reason), undefined)
        }
      })
      resolve({ restored: hello.restored, submit })
    })
    worker.on("error", (error) => die(`the thread of the log died: ${error.message}`))
    worker.on("exit", (code) => die(`the thread of the log ended with code ${code}`))
  })
