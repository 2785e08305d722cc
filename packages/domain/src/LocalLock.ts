/**
 * Tree locks of one process, without a store: `LockTable` with fibers that wait. The fast path for programs that never
 * leave one process; the same words and the same suite as the locks of a store.
 *
 * A grant and a release are synchronous; nothing here can lose a wake-up to a pause between two awaits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Part } from "./core/Key.ts"
import { KeyError } from "./core/Key.ts"
import * as KeyDecode from "./core/KeyDecode.ts"
import * as Rules from "./core/LockRules.ts"
import type { NodeMode } from "./core/LockRules.ts"
import { type Cycle, LockTable, Request } from "./core/LockTable.ts"
import { HandOver } from "./internal/HandOver.ts"
import * as lockErrors from "./internal/lockErrors.ts"
import * as Lock from "./LockModel.ts"
import * as StoreError from "./StoreError.ts"

export interface Options<P> {
  /** How a path of the tree is written; strings split at `/` and tuples of key parts when left out. */
  readonly path?: Lock.PathSchema<P> | undefined
  /** Most requests that may wait at once; the next one fails with `LimitExceeded`. 100,000 when left out. */
  readonly waitersMax?: number | undefined
}

export { waitersMax } from "./internal/lockErrors.ts"

/** Path strings whose chain of nodes is remembered, at most. */
const chainsMax = 4096

/** A tree of locks in this process. Two trees of one name are two trees. */
export const make = <P = Lock.Path>(name: string, options: Options<P> = {}): Lock.Tree<P> =>
  new LocalTree(name, options)

/** Times a waiting request of a local tree was looked at again; -1 for any other tree. For tests that count. */
export const wakeUps = (tree: Lock.Tree<never>): number => (tree instanceof LocalTree ? tree.wakeUps : -1)

class LocalTree<P> implements Lock.Tree<P> {
  readonly name: string
  readonly standings: Effect.Effect<ReadonlyArray<Lock.Standing>>
  readonly what: string
  private readonly table = new LockTable()
  private readonly encode: (path: P) => string | ReadonlyArray<Part>
  private readonly limit: number
  private readonly chains = new Map<string, Rules.Chain>()
  private waiting = 0
  private readonly handOver = new HandOver()

  constructor(name: string, options: Options<P>) {
    this.name = name
    this.what = `lock tree "${name}"`
    this.limit = options.waitersMax ?? lockErrors.waitersMax
    // Without a Schema, P is Lock.Path.
    this.encode = options.path === undefined ? (path) => path as Lock.Path : Schema.encodeSync(options.path)
    this.standings = Effect.sync(() => this.list())
  }

  read(...paths: readonly [P, ...Array<P>]): Lock.Lock<P> {
    return this.request({ read: paths })
  }

  write(...paths: readonly [P, ...Array<P>]): Lock.Lock<P> {
    return this.request({ write: paths })
  }

  request(claims: Lock.Claims<P>, options?: Lock.RequestOptions): Lock.Lock<P> {
    return new LocalLock(this, claims, options)
  }

  get wakeUps(): number {
    return this.table.wakeUps
  }

  /** The nodes of claims, or `InvalidInput` for a path that is no key and for no path at all. */
  nodes(claims: Lock.Claims<P>): ReadonlyArray<NodeMode> | StoreError.StoreError {
    try {
      return this.expand(claims)
    } catch (error) {
      if (error instanceof StoreError.StoreError) return error
      throw error
    }
  }

  private expand(claims: Lock.Claims<P>): ReadonlyArray<NodeMode> {
    const { read = [], write = [] } = claims
    if (read.length + write.length === 0) {
      const message = `a request on the lock tree "${this.name}" names no path: nothing was locked`
      throw StoreError.make(new StoreError.InvalidInput({ message }))
    }
    const nodes = Rules.expand(
      read.map((path) => this.chain(path)),
      write.map((path) => this.chain(path))
    )
    return nodes.map(({ mode, node }) => ({ node, mode, entry: undefined }))
  }

  private chain(path: P): Rules.Chain {
    const known = typeof path === "string" ? this.chains.get(path) : undefined
    if (known !== undefined) return known
    try {
      const chain = Lock.chain(this.encode(path))
      if (typeof path === "string") {
        if (this.chains.size >= chainsMax) this.chains.clear()
        this.chains.set(path, chain)
      }
      return chain
    } catch (cause) {
      if (!(cause instanceof KeyError || cause instanceof Error)) throw cause
      const message = `a path of the lock tree "${this.name}" is no key: ${cause.message}; nothing was locked`
      throw StoreError.make(new StoreError.InvalidInput({ message }))
    }
  }

  /** Holds the nodes, now or when it is their turn. Interruption while it waits leaves nothing behind. */
  acquire(
    nodes: ReadonlyArray<NodeMode>,
    holding: ReadonlyArray<Request>,
    options: Lock.RequestOptions | undefined,
    owner: string
  ): Effect.Effect<Request, Lock.LockError | StoreError.StoreError> {
    const free = this.table.requestIfFree(nodes, owner)
    if (free !== undefined) return Effect.succeed(free)
    if (this.waiting >= this.limit) return Effect.fail(lockErrors.tooMany(this.what, this.limit))
    let resume: () => void = ignore
    const got = this.table.request(nodes, { owner, holding, granted: () => this.handOver.run(() => resume()) })
    if ("cycle" in got) return Effect.fail(deadlock(this.what, got.cycle))
    if (got.state === "granted") return Effect.succeed(got)
    this.waiting++
    const wait = Effect.callback<void>((done) => {
      // `resume` may have been called between the request and this line.
      if (got.state === "granted") done(Effect.void)
      else resume = () => done(Effect.void)
    })
    const timed = lockErrors.inTime(wait, this.what, options?.timeout, () => this.blockers(got))
    return Effect.onExit(Effect.as(Effect.interruptible(timed), got), (exit) =>
      Effect.sync(() => {
        this.waiting--
        if (Exit.isFailure(exit)) this.table.release(got)
      })
    )
  }

  upgrade(
    request: Request,
    claims: Lock.Claims<P>,
    holding: ReadonlyArray<Request>
  ): Effect.Effect<void, Lock.LockError | StoreError.StoreError> {
    return Effect.suspend((): Effect.Effect<void, Lock.LockError | StoreError.StoreError> => {
      if (request.state !== "granted") return Effect.fail(lockErrors.notHeld(this.what))
      const target = this.nodes(claims)
      if (target instanceof StoreError.StoreError) return Effect.fail(target)
      let resume: () => void = ignore
      let granted = false
      const refused = this.table.upgrade(request, target, {
        holding: holding.filter((held) => held !== request),
        granted: () => {
          granted = true
          this.handOver.run(() => resume())
        }
      })
      if (refused !== undefined) return Effect.fail(deadlock(this.what, refused.cycle))
      if (granted) return Effect.void
      const wait = Effect.callback<void>((done) => {
        if (granted) done(Effect.void)
        else resume = () => done(Effect.void)
      })
      return Effect.onExit(wait, (exit) => Effect.sync(() => Exit.isFailure(exit) && this.table.cancelUpgrade(request)))
    })
  }

  downgrade(request: Request, claims: Lock.Claims<P>): Effect.Effect<void, Lock.LockError | StoreError.StoreError> {
    return Effect.suspend((): Effect.Effect<void, Lock.LockError | StoreError.StoreError> => {
      if (request.state !== "granted") return Effect.fail(lockErrors.notHeld(this.what))
      const nodes = this.nodes(claims)
      if (nodes instanceof StoreError.StoreError) return Effect.fail(nodes)
      const more = Rules.changed(request.nodes, nodes)
      if (more.length > 0) {
        const path = KeyDecode.decode(more[0]!.node).join("/")
        const message = `a downgrade in the lock tree "${this.name}" asks for more than is held at /${path}: upgrade instead`
        return Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
      }
      this.table.downgrade(request, nodes)
      return Effect.void
    })
  }

  acquireIfFree(nodes: ReadonlyArray<NodeMode>, owner: string): Request | undefined {
    return this.table.requestIfFree(nodes, owner)
  }

  release(request: Request): void {
    this.table.release(request)
  }

  private blockers(request: Request): string {
    const at = request.waitsFor
    return at === undefined ? "nobody any more" : `${String(at.request.owner)} in ${Rules.modeNames[at.mode]}`
  }

  private list(): ReadonlyArray<Lock.Standing> {
    return this.table
      .occupied()
      .toSorted()
      .flatMap((node) =>
        this.table.requestsAt(node).map(({ mode, request }) => ({
          path: KeyDecode.decode(node),
          mode: Rules.modeNames[mode],
          owner: String(request.owner),
          state: request.state === "waiting" ? ("waits" as const) : ("holds" as const),
          stamp: request.stamp
        }))
      )
  }
}

class LocalLock<P> implements Lock.Lock<P> {
  readonly scoped: Lock.Lock<P>["scoped"]
  private readonly tree: LocalTree<P>
  private readonly claims: Lock.Claims<P>
  private readonly options: Lock.RequestOptions | undefined
  private nodes: ReadonlyArray<NodeMode> | undefined

  constructor(tree: LocalTree<P>, claims: Lock.Claims<P>, options: Lock.RequestOptions | undefined) {
    this.tree = tree
    this.claims = claims
    this.options = options
    this.scoped = Effect.map(
      Effect.acquireRelease(this.take, (request) => Effect.sync(() => tree.release(request))),
      (request): Lock.Held<P> => ({
        get token() {
          return request.token
        },
        guard: <A, E, R2>(self: Effect.Effect<A, E, R2>) =>
          Effect.suspend((): Effect.Effect<A, E | Lock.LockError, R2> =>
            request.state === "ended" ? Effect.fail(lockErrors.notHeld(tree.what)) : inside(request, self)
          ),
        upgrade: (more) => Effect.withFiber((fiber) => tree.upgrade(request, more, heldBy(fiber.context))),
        downgrade: (less) => tree.downgrade(request, less)
      })
    )
  }

  withLock<A, E, R2>(self: Effect.Effect<A, E, R2>): Effect.Effect<A, E | Lock.LockError | StoreError.StoreError, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.take, (request) => this.run(request, restore(self)))
    )
  }

  withLockIfFree<A, E, R2>(
    self: Effect.Effect<A, E, R2>
  ): Effect.Effect<Option.Option<A>, E | Lock.LockError | StoreError.StoreError, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber): Effect.Effect<Option.Option<A>, E | StoreError.StoreError, R2> => {
        const nodes = this.wanted()
        if (nodes instanceof StoreError.StoreError) return Effect.fail(nodes)
        const request = this.tree.acquireIfFree(nodes, this.options?.owner ?? `fiber ${fiber.id}`)
        return request === undefined ? Effect.succeedNone : Effect.asSome(this.run(request, restore(self)))
      })
    )
  }

  private wanted(): ReadonlyArray<NodeMode> | StoreError.StoreError {
    if (this.nodes !== undefined) return this.nodes
    const nodes = this.tree.nodes(this.claims)
    if (!(nodes instanceof StoreError.StoreError)) this.nodes = nodes
    return nodes
  }

  private readonly take: Effect.Effect<Request, Lock.LockError | StoreError.StoreError> = Effect.withFiber((fiber) => {
    const nodes = this.wanted()
    if (nodes instanceof StoreError.StoreError) return Effect.fail(nodes)
    return this.tree.acquire(nodes, heldBy(fiber.context), this.options, this.options?.owner ?? `fiber ${fiber.id}`)
  })

  /** Runs with the request among what the flow holds, and gives back at its end. Interruptible only inside `self`. */
  private run<A, E, R2>(request: Request, self: Effect.Effect<A, E, R2>): Effect.Effect<A, E, R2> {
    return Effect.onExit(inside(request, self), () => Effect.sync(() => this.tree.release(request)))
  }
}

/** Runs with the request among what the flow holds. */
const inside = <A, E, R>(request: Request, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(self, (context: Context.Context<R>) =>
    Context.add(context, Lock.Holding, [...Context.get(context, Lock.Holding), request])
  )

const ignore = (): void => {}

const none: ReadonlyArray<Request> = []

/** What the flow holds of this form; requests of trees in a store stand in the same list. */
const heldBy = (context: Context.Context<never>): ReadonlyArray<Request> => {
  const held = Context.get(context, Lock.Holding)
  return held.length === 0 ? none : held.filter((one) => one instanceof Request)
}

const deadlock = (what: string, cycle: Cycle): Lock.LockError =>
  lockErrors.deadlock(
    what,
    cycle.map((request) => String(request.owner))
  )
