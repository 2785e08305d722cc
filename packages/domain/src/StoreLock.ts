/**
 * Tree locks in a store: the same words as the local ones, across processes. What is done under a lock is safe under
 * pauses: every transaction inside it has the record of its request in its read set, so a holder that was taken for dead
 * can commit nothing more; it is interrupted with `LockLost`.
 *
 * A request is one commit (its record and one ticket a node, with one stamp), which grants it where nobody stands in the way;
 * else it waits for the latest earlier ticket that excludes it, without timers. Cost where free: depth ranges, depth + 1 puts,
 * depth + 1 deletes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Key, KeyError, type Part } from "./core/Key.ts"
import type { Range } from "./core/Commit.ts"
import { stampBytes } from "./core/KeyCodec.ts"
import * as Cells from "./core/LockCells.ts"
import * as Rules from "./core/LockRules.ts"
import type { NodeMode } from "./core/LockRules.ts"
import type { Unlock } from "./core/SessionCells.ts"
import { HeldLock, heldStamps, type Place } from "./internal/HeldLock.ts"
import { type Asker, asking } from "./internal/asking.ts"
import { unfenced } from "./internal/HeldRecord.ts"
import * as lockErrors from "./internal/lockErrors.ts"
import * as lockOps from "./internal/lockOps.ts"
import * as Operation from "./internal/Operation.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { TxView } from "./internal/TxView.ts"
import { versioned } from "./internal/versioned.ts"
import * as Lock from "./LockModel.ts"
import { Store } from "./Store.ts"
import * as StoreError from "./StoreError.ts"

export interface Options<P, Id = Store> {
  /** The store that the tree lives in: that of the data it guards. Default: `Store`. */
  readonly store?: StoreKey<Id> | undefined
  /** How a path of the tree is written; strings split at `/` and tuples of key parts when left out. */
  readonly path?: Lock.PathSchema<P> | undefined
  /** Most requests that may wait at once, over all processes of the store; the next one fails with `LimitExceeded`. 100,000 when left out. */
  readonly waitersMax?: number | undefined
}

/** A tree of locks in a store. One name is one tree, for all processes on the store. */
export const make = <P = Lock.Path, Id = Store>(name: string, options: Options<P, Id> = {}): Lock.Tree<P, Id> =>
  new StoreTree(name, options)

/** Nodes that a request wants, and where those stand who exclude it. */
interface Wanted {
  readonly nodes: ReadonlyArray<NodeMode>
  readonly free: ReadonlyArray<Range>
}

type Failure = Lock.LockError | StoreError.StoreError

class StoreTree<P, Id> implements Lock.Tree<P, Id> {
  readonly name: string
  readonly standings: Effect.Effect<ReadonlyArray<Lock.Standing>, StoreError.StoreError, Id>
  private readonly store: StoreKey<Id>
  private readonly prefix: Key
  private readonly what: string
  private readonly limit: number
  private readonly encode: (path: P) => string | ReadonlyArray<Part>

  constructor(name: string, options: Options<P, Id>) {
    this.name = name
    // Without a store among the options, Id is Store.
    this.store = options.store ?? (Store as StoreKey<any>)
    this.prefix = Cells.treePrefix(name)
    this.what = `lock tree "${name}"`
    this.limit = options.waitersMax ?? lockErrors.waitersMax
    // Without a Schema, P is Lock.Path.
    this.encode = options.path === undefined ? (path) => path as Lock.Path : Schema.encodeSync(options.path)
    this.standings = unfenced(
      Operation.make(this.store, `lock.${name}.standings`, (tx) =>
        lockOps
          .list(tx, this.prefix)
          .toSorted((a, b) => Number(a.state === "waits") - Number(b.state === "waits") || a.stamp - b.stamp)
          .toSorted((a, b) => (pathText(a.path) < pathText(b.path) ? -1 : Number(pathText(a.path) > pathText(b.path))))
      )
    )
  }

  read(...paths: readonly [P, ...Array<P>]): Lock.Lock<P, Id> {
    return this.request({ read: paths })
  }

  write(...paths: readonly [P, ...Array<P>]): Lock.Lock<P, Id> {
    return this.request({ write: paths })
  }

  request(claims: Lock.Claims<P>, options: Lock.RequestOptions = {}): Lock.Lock<P, Id> {
    // A lock that is used again asks for the same nodes at the same places.
    let known: Wanted | undefined
    const wanted = (nodes: ReadonlyArray<NodeMode>) =>
      (known ??= { nodes, free: lockOps.freeRanges(this.prefix, nodes) })
    const take = this.withNodes(
      claims,
      (nodes) => this.acquire(wanted(nodes), options),
      () => known?.nodes
    )
    const takeIfFree = this.withNodes(
      claims,
      (nodes) => this.acquireIfFree(wanted(nodes), options),
      () => known?.nodes
    )
    return {
      withLock: (self) =>
        Effect.uninterruptibleMask((restore) => Effect.flatMap(take, (held) => held.run(self, restore))),
      withLockIfFree: (self) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(takeIfFree, (held) =>
            held === undefined ? Effect.succeedNone : Effect.asSome(held.run(self, restore))
          )
        ),
      scoped: Effect.map(
        Effect.acquireRelease(take, (held) => held.release),
        (held): Lock.Held<P, Id> => ({
          get token() {
            return held.token
          },
          guard: (self) => held.guard(self),
          upgrade: (more) => this.withNodes(more, (nodes) => held.upgrade(nodes)),
          downgrade: (less) => this.withNodes(less, (nodes) => held.downgrade(nodes))
        })
      )
    }
  }

  /** The nodes of claims; `InvalidInput` for a path that is no key and for no path at all. */
  private withNodes<A, E>(
    claims: Lock.Claims<P>,
    use: (nodes: ReadonlyArray<NodeMode>) => Effect.Effect<A, E, Id>,
    known?: () => ReadonlyArray<NodeMode> | undefined
  ): Effect.Effect<A, E | StoreError.StoreError, Id> {
    return Effect.suspend((): Effect.Effect<A, E | StoreError.StoreError, Id> => {
      const before = known?.()
      if (before !== undefined) return use(before)
      const { read = [], write = [] } = claims
      const refuse = (message: string) => Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
      if (read.length + write.length === 0) {
        return refuse(`a request on the lock tree "${this.name}" names no path: nothing was locked`)
      }
      let nodes: ReadonlyArray<NodeMode>
      try {
        const chain = (path: P) => Lock.chain(this.encode(path))
        nodes = Rules.expand(read.map(chain), write.map(chain))
      } catch (cause) {
        if (!(cause instanceof KeyError || Schema.isSchemaError(cause))) throw cause
        return refuse(`a path of the lock tree "${this.name}" is no key: ${cause.message}; nothing was locked`)
      }
      return use(nodes)
    })
  }

  /** Asks, and waits for its turn. Whatever interrupts it, nothing is left behind. */
  private acquire({ free, nodes }: Wanted, options: Lock.RequestOptions): Effect.Effect<HeldLock<Id>, Failure, Id> {
    return this.asking(nodes, options, (place, asker, will) => {
      const { store, tree } = place
      // An attempt that comes after a lost one looks at nothing, so that many who come at once cannot lose for ever.
      let first: TxView | undefined
      return Effect.flatMap(
        versioned(store, `lock.${tree}.request`, (tx) => {
          const isFree = tx === (first ??= tx) && lockOps.isFree(tx, free, asker.session.existsKey)
          const index = lockOps.append(tx, asker.session, will)
          return index === undefined ? undefined : { index, isFree }
        }),
        ({ value, version }): Effect.Effect<HeldLock<Id> | undefined, Failure, Id> => {
          if (value === undefined) return Effect.succeed(undefined)
          const stamp = (asker.stamp = stampBytes(version, value.index))
          const held = new HeldLock(place, asker.session, stamp, will)
          if (value.isFree) {
            held.token = version
            return Effect.succeed(held)
          }
          const looked = will.holding.length === 0 ? Effect.void : held.refuseCycle()
          return Effect.as(
            Effect.andThen(looked, lockErrors.inTime(held.awaitGrant(this.limit), this.what, options.timeout)),
            held
          )
        }
      )
    })
  }

  private acquireIfFree(
    { free, nodes }: Wanted,
    options: Lock.RequestOptions
  ): Effect.Effect<HeldLock<Id> | undefined, Failure, Id> {
    const asked = this.asking(nodes, options, (place, asker, will) =>
      Effect.map(
        versioned(place.store, `lock.${place.tree}.requestIfFree`, (tx) =>
          lockOps.isFree(tx, free, asker.session.existsKey)
            ? { index: lockOps.append(tx, asker.session, will) }
            : undefined
        ),
        ({ value, version }) => {
          if (value === undefined) return { held: undefined }
          if (value.index === undefined) return undefined
          const held = new HeldLock(place, asker.session, stampBytes(version, value.index), will)
          held.token = version
          return { held }
        }
      )
    )
    return Effect.map(asked, ({ held }) => held)
  }

  /** Makes a request under this process's session; when it does not come to an end, it is taken back. */
  private asking<A>(
    nodes: ReadonlyArray<NodeMode>,
    options: Lock.RequestOptions,
    ask: (place: Place<Id>, asker: Asker, will: Unlock) => Effect.Effect<A | undefined, Failure, Id>
  ): Effect.Effect<A, Failure, Id> {
    const { name, prefix, store } = this
    return Effect.withFiber((fiber) =>
      asking(
        store,
        `lock.${name}`,
        (asker) => {
          const { engine, nonce, session } = asker
          const holding = heldStamps(fiber.context, engine)
          const owner = options.owner ?? `${session.id.slice(0, 6)} fiber ${fiber.id}`
          const will: Unlock = { kind: "unlock", tree: prefix, nodes, holding, owner, nonce }
          return ask({ tree: name, prefix, store, engine }, asker, will)
        },
        (tx, { nonce, session, stamp }) => {
          if (stamp === undefined) lockOps.releaseByNonce(tx, session.id, nonce)
          else lockOps.release(tx, Cells.recordPrefix(session.id) + stamp)
        }
      )
    )
  }
}

const pathText = (path: ReadonlyArray<Part>): string => path.map(String).join("/")
