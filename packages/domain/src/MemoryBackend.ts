/**
 * The store in this process: the machine in memory, with history; nothing to install, nothing survives the process.
 * `@weft/backends` offers it as `InprocBackend`; it lives here so that `Store.layerMemory` needs no other package.
 *
 * Handles share a store by sharing the Layer: `layer(...)` is memoised by reference as every Layer, so keep it in a
 * constant to share it, or call `layer` again for a store of its own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Backend, type Capabilities, type Limits, type SyncLane } from "./Backend.ts"
import { rules } from "./core/Apply.ts"
import { Machine } from "./core/Machine.ts"
import { feed, read } from "./core/MachineReads.ts"
import type { ChangesRequest, Change } from "./core/Commit.ts"
import type { Version } from "./core/Version.ts"
import type { StoreError } from "./StoreError.ts"

export interface Options {
  readonly limits?: Partial<Limits> | undefined
  /** The version to begin after; `Version.make(n, 0)` begins in epoch n. */
  readonly version?: Version | undefined
}

/** A store in memory. Throws `RangeError` for a limit that is no whole number of at least 1. */
export const make = (options: Options = {}): Backend["Service"] => of(new Machine(options))

/** The contract over a machine that is already there. */
export const of = (machine: Machine): Backend["Service"] => ({
  capabilities: capabilities(machine),
  read: (request) => Effect.sync(() => read(machine, request)),
  commit: (requests) => Effect.sync(() => machine.commit(requests)),
  changes: (request) => changes(machine, request),
  outcome: (id) => Effect.sync(() => machine.outcome(id)),
  sync: lane(machine)
})

/** A store in memory, one for each Layer that is made. */
export const layer = (options: Options = {}): Layer.Layer<Backend> =>
  Layer.sync(Backend, () => Backend.of(make(options)))

const capabilities = (machine: Machine): Capabilities => ({
  name: "inproc",
  durability: "memory",
  reach: "process",
  history: true,
  rules,
  limits: machine.limits
})

const lane = (machine: Machine): SyncLane => ({
  version: () => machine.version,
  cell: (key) => machine.cell(key),
  range: (range) => machine.range(range),
  cellAt: (key, at) => machine.cellAt(key, at),
  rangeAt: (range, at) => machine.rangeAt(range, at),
  openSnapshot: () => machine.openSnapshot(),
  closeSnapshot: (at) => machine.closeSnapshot(at),
  holds: (at) => machine.holds(at),
  commit: (requests) => machine.commit(requests),
  commitOne: (request) => machine.commitOne(request),
  watch: (listener) => machine.watch(listener)
})

/** Follows the machine by pulling: nothing is buffered for a slow subscriber, it meets a `Gap` when it is overrun. */
const changes = (machine: Machine, request: ChangesRequest): Stream.Stream<Change, StoreError> =>
  Stream.fromPull(
    Effect.sync(() => {
      let from = request.from
      let hasStarted = false
      const next: Effect.Effect<readonly [Change, ...Array<Change>]> = Effect.suspend(() => {
        const { elements, resume } = feed(machine, request, from, hasStarted)
        hasStarted = true
        from = resume
        const [first, ...rest] = elements
        return first === undefined
          ? Effect.flatMap(moved(machine, from), () => next)
          : Effect.succeed([first, ...rest] as const)
      })
      return next
    })
  )

/** Ends when the machine is past `from`. The scheduler may let others commit between the look at it and this. */
const moved = (machine: Machine, from: Version): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (machine.version !== from) return resume(Effect.void)
    const stop = machine.watch(() => {
      stop()
      // Not on the committer's stack: the subscriber may commit itself.
      queueMicrotask(() => resume(Effect.void))
    })
    return Effect.sync(stop)
  })
