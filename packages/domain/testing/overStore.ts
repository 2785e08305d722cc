/** A lock tree of a store as one that needs none, for suites: its store is given to every effect. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Coordination } from "../src/CoordinationModel.ts"
import type * as Lock from "../src/LockModel.ts"
import type { Store } from "../src/Store.ts"

/** Builds the store in the present scope, once, and closes every effect of the tree over it. */
export const overStore = <P, E>(
  tree: Lock.Tree<P, Store>,
  layer: Layer.Layer<Store, E>
): Effect.Effect<Lock.Tree<P>, E, Scope.Scope> => Effect.map(Layer.build(layer), (context) => new Over(tree, context))

class Over<P> implements Lock.Tree<P> {
  readonly name: string
  readonly standings: Lock.Tree<P>["standings"]
  private readonly tree: Lock.Tree<P, Store>
  private readonly context: Context.Context<Store>

  constructor(tree: Lock.Tree<P, Store>, context: Context.Context<Store>) {
    this.name = tree.name
    this.tree = tree
    this.context = context
    this.standings = Effect.provideContext(tree.standings, context)
  }

  read(...paths: readonly [P, ...Array<P>]): Lock.Lock<P> {
    return this.over(this.tree.read(...paths))
  }
  write(...paths: readonly [P, ...Array<P>]): Lock.Lock<P> {
    return this.over(this.tree.write(...paths))
  }
  request(claims: Lock.Claims<P>, options?: Lock.RequestOptions): Lock.Lock<P> {
    return this.over(this.tree.request(claims, options))
  }

  private over(lock: Lock.Lock<P, Store>): Lock.Lock<P> {
    const give = <A, E, R>(self: Effect.Effect<A, E, R | Store>): Effect.Effect<A, E, Exclude<R, Store>> =>
      Effect.provideContext(self, this.context)
    return {
      withLock: (self) => give(lock.withLock(self)) as never,
      withLockIfFree: (self) => give(lock.withLockIfFree(self)) as never,
      scoped: Effect.map(give(lock.scoped), (held) => ({
        get token() {
          return held.token
        },
        guard: (self) => give(held.guard(self)) as never,
        upgrade: (claims) => give(held.upgrade(claims)),
        downgrade: (claims) => give(held.downgrade(claims))
      }))
    }
  }
}

/** The same for coordination. */
export const coordinationOverStore = <E>(
  coordination: Coordination<Store>,
  layer: Layer.Layer<Store, E>
): Effect.Effect<Coordination, E, Scope.Scope> =>
  Effect.map(Layer.build(layer), (context): Coordination => {
    const give = giver(context)
    const c = coordination
    return {
      mutex: (name, options) => lockOver(c.mutex(name, options), give),
      readWriteLock: (name, options) => {
        const { read, write } = c.readWriteLock(name, options)
        return { name, read: lockOver(read, give), write: lockOver(write, give) }
      },
      semaphore: (name, options) => {
        const { available, permits, take } = c.semaphore(name, options)
        return { name, permits, take: (...args) => lockOver(take(...args), give), available: give(available) }
      },
      modes: (name, modes) => {
        const lock = c.modes(name, modes)
        return { name, lock: (...args) => lockOver(lock.lock(...args), give), standings: give(lock.standings) }
      },
      latch: (name, options) => {
        const latch = c.latch(name, options)
        return {
          name,
          countDown: (by) => give(latch.countDown(by)),
          count: give(latch.count),
          await: give(latch.await),
          reset: give(latch.reset)
        }
      },
      barrier: (name, options) => {
        const { await: arrive, parties, waiting } = c.barrier(name, options)
        return { name, parties, await: give(arrive), waiting: give(waiting) }
      },
      election: (name) => {
        const election = c.election(name)
        return {
          name,
          lead: (self, options) => give(election.lead(self, options)) as never,
          leader: give(election.leader),
          terms: Stream.provideContext(election.terms, context)
        }
      }
    }
  })

type Give = <A, E, R>(self: Effect.Effect<A, E, R | Store>) => Effect.Effect<A, E, Exclude<R, Store>>

const giver =
  (context: Context.Context<Store>): Give =>
  (self) =>
    Effect.provideContext(self, context)

const lockOver = (lock: Lock.AnyLock<Store>, give: Give): Lock.AnyLock => ({
  withLock: (self) => give(lock.withLock(self)) as never,
  withLockIfFree: (self) => give(lock.withLockIfFree(self)) as never,
  scoped: Effect.map(give(lock.scoped), ({ guard, token }) => ({ token, guard: (self) => give(guard(self)) as never }))
})
