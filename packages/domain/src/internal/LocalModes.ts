/** Locks with modes of one process: `ModeQueue` with fibers that wait. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type { ModeLock, ModeOptions, ModeStanding } from "../CoordinationModel.ts"
import { ModeQueue, ModeRequest, type Wanted } from "../core/ModeQueue.ts"
import { definitionOf, type Modes } from "../core/ModeRules.ts"
import * as Lock from "../LockModel.ts"
import { StoreError } from "../StoreError.ts"
import { HandOver } from "./HandOver.ts"
import * as lockErrors from "./lockErrors.ts"

type Failure = Lock.LockError | StoreError

/** The queues of a local form by name. Those that are empty are kept until they are many: V8's Map dislikes hot deletes. */
export class Queues {
  private byName = new Map<string, ModeQueue>()
  private sweepAt = queuesMin

  /** The queue of a lock; throws `StoreError` when it is in use as another lock. */
  of(what: string, modes: Modes, definition: string): ModeQueue {
    const known = this.byName.get(what)
    if (known?.definition === definition) return known
    if (known?.isEmpty === false) throw lockErrors.otherDefinition(what, known.definition, definition)
    if (this.byName.size >= this.sweepAt) this.sweep()
    const queue = new ModeQueue(modes, definition)
    this.byName.set(what, queue)
    return queue
  }

  private sweep(): void {
    this.byName = new Map([...this.byName].filter(([, queue]) => !queue.isEmpty))
    this.sweepAt = Math.max(queuesMin, this.byName.size * 2)
  }
}

/** Queues kept before empty ones are let go, at least. */
const queuesMin = 4096

export class LocalModeLock<M extends string> implements ModeLock<M> {
  readonly name: string
  readonly standings: Effect.Effect<ReadonlyArray<ModeStanding<M>>, StoreError>
  private readonly what: string
  private readonly modes: Modes
  private readonly definition: string
  private readonly queues: Queues
  private readonly waitersMax: number
  private readonly handOver = new HandOver()

  /** `definition` names what all handles must agree on; the names of the modes when left out. */
  constructor(
    name: string,
    kind: string,
    modes: Modes<M>,
    options: { readonly queues: Queues; readonly waitersMax: number; readonly definition?: string }
  ) {
    this.name = name
    this.what = `${kind} "${name}"`
    // Asked for a mode of M alone.
    this.modes = modes as unknown as Modes
    this.definition = options.definition ?? definitionOf(this.modes)
    this.queues = options.queues
    this.waitersMax = options.waitersMax
    this.standings = this.attempt("", () =>
      this.queue.list().map(({ mode, owner, stamp, state, weight }) => ({
        // Only `lock` makes requests, in modes of M.
        mode: mode as M,
        weight,
        owner,
        state: state === "granted" ? ("holds" as const) : ("waits" as const),
        stamp
      }))
    )
  }

  private get queue(): ModeQueue {
    return this.queues.of(this.what, this.modes, this.definition)
  }

  lock(mode: M, options: ModeOptions = {}): Lock.AnyLock {
    const acquire = this.acquire(mode, options)
    const ifFree = this.ifFree(mode, options)
    return {
      withLock: (self) =>
        Effect.uninterruptibleMask((restore) => Effect.flatMap(acquire, (request) => run(request, restore(self)))),
      withLockIfFree: <A, E, R>(self: Effect.Effect<A, E, R>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(ifFree, (request): Effect.Effect<Option.Option<A>, E, R> =>
            request === undefined ? Effect.succeedNone : Effect.asSome(run(request, restore(self)))
          )
        ),
      scoped: Effect.map(
        Effect.acquireRelease(acquire, (request) => Effect.sync(() => request.queue.release(request))),
        (request): Lock.Hold => ({
          token: request.stamp,
          guard: <A, E, R>(self: Effect.Effect<A, E, R>) =>
            Effect.suspend((): Effect.Effect<A, E | Lock.LockError, R> =>
              request.state === "granted" ? inside(request, self) : Effect.fail(lockErrors.notHeld(this.what))
            )
        })
      )
    }
  }

  /** Throws `StoreError` for what cannot be asked. */
  private wanted(fiber: Fiber, mode: M, { owner, weight = 1 }: ModeOptions): Wanted {
    const refused = lockErrors.refusedMode(this.what, this.modes, mode, weight)
    if (refused !== undefined) throw refused
    const holding = Context.get(fiber.context, Lock.Holding).flatMap((held) =>
      held instanceof ModeRequest && held.queue === this.queue ? [held.stamp] : []
    )
    return { mode, weight, owner: owner ?? `fiber ${fiber.id}`, holding }
  }

  private acquire(mode: M, options: ModeOptions): Effect.Effect<ModeRequest, Failure> {
    return Effect.withFiber((fiber) => {
      let resume: (effect: Effect.Effect<void, Failure>) => void = ignore
      let outcome: Effect.Effect<void, Failure> | undefined
      const tell = (effect: Effect.Effect<void, Failure>) => {
        outcome = effect
        this.handOver.run(() => resume(effect))
      }
      const wait = Effect.callback<void, Failure>((done) => {
        if (outcome !== undefined) done(outcome)
        else resume = done
      })
      const asked = this.attempt(mode, () => {
        const wanted = this.wanted(fiber, mode, options)
        const { queue } = this
        const free = queue.requestIfFree(wanted)
        if (free !== undefined) return free
        if (queue.waiting >= this.waitersMax) throw lockErrors.tooMany(this.what, this.waitersMax)
        const request = queue.request(wanted, {
          granted: () => tell(Effect.void),
          failed: (cause) => tell(Effect.fail(lockErrors.threw(this.what, mode, cause)))
        })
        if (request === "deadlock") throw lockErrors.deadlock(this.what, [wanted.owner])
        return request
      })
      return Effect.flatMap(asked, (request) => {
        if (request.state === "granted") return Effect.succeed(request)
        const timed = lockErrors.inTime(wait, this.what, options.timeout)
        return Effect.onExit(Effect.as(Effect.interruptible(timed), request), (exit) =>
          Effect.sync(() => Exit.isFailure(exit) && request.queue.release(request))
        )
      })
    })
  }

  private ifFree(mode: M, options: ModeOptions): Effect.Effect<ModeRequest | undefined, Failure> {
    return Effect.withFiber((fiber) =>
      this.attempt(mode, () => this.queue.requestIfFree(this.wanted(fiber, mode, options)))
    )
  }

  /** What `f` answers; what it throws as a failure, that of a compatibility function as `InvalidInput`. */
  private attempt<A>(mode: string, f: () => A): Effect.Effect<A, any> {
    return Effect.suspend(() => {
      try {
        return Effect.succeed(f())
      } catch (cause) {
        const isTyped = cause instanceof StoreError || cause instanceof Lock.LockError
        return Effect.fail(isTyped ? cause : lockErrors.threw(this.what, mode, cause))
      }
    })
  }
}

const run = <A, E, R>(request: ModeRequest, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onExit(inside(request, self), () => Effect.sync(() => request.queue.release(request)))

interface Fiber {
  readonly id: number
  readonly context: Context.Context<never>
}

const inside = <A, E, R>(request: ModeRequest, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(self, (context: Context.Context<R>) =>
    Context.add(context, Lock.Holding, [...Context.get(context, Lock.Holding), request])
  )

const ignore = (): void => {}
