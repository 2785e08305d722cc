/** A lock tree of a store as one that needs none, for suites: its store is given to every effect. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
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
