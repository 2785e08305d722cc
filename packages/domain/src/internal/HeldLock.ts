/**
 * A request for locks in a store, from its append to its release, and what runs under it.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Key } from "../core/Key.ts"
import { stampBytes } from "../core/KeyCodec.ts"
import * as Cells from "../core/LockCells.ts"
import * as Rules from "../core/LockRules.ts"
import type { NodeMode } from "../core/LockRules.ts"
import type { Unlock } from "../core/SessionCells.ts"
import type { Version } from "../core/Version.ts"
import * as Lock from "../LockModel.ts"
import type * as Sessions from "../Sessions.ts"
import * as StoreError from "../StoreError.ts"
import type { Engine } from "./Engine.ts"
import { type Fence, Fences } from "./Fences.ts"
import * as lockOps from "./lockOps.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey, StoreShape } from "./StoreShape.ts"
import { retry } from "./TxView.ts"
import { versioned } from "./versioned.ts"

/** Where a request is made: the same for all that it does later. */
export interface Place<Id> {
  readonly tree: string
  readonly prefix: Key
  readonly store: StoreKey<Id>
  readonly engine: Engine
}

export class HeldLock<Id> implements Fence {
  readonly place: Place<Id>
  readonly session: Sessions.Session
  readonly stamp: Key
  readonly recordKey: Key
  readonly owner: string
  readonly engine: Engine
  nodes: ReadonlyArray<NodeMode>
  token: Version = -1
  private readonly lostSignal: Deferred.Deferred<never, Lock.LockError> = Deferred.makeUnsafe()
  private over = false

  constructor(place: Place<Id>, session: Sessions.Session, stamp: Key, will: Unlock) {
    this.place = place
    this.engine = place.engine
    this.session = session
    this.stamp = stamp
    this.recordKey = Cells.recordPrefix(session.id) + stamp
    this.owner = will.owner
    this.nodes = will.nodes
  }

  isOver = (): boolean => this.over

  lose = (): void => {
    Deferred.doneUnsafe(this.lostSignal, Effect.fail(lost(this.place.tree)))
  }

  /** [7 to 9] Waits until nothing earlier is in the way. The token is the version of the read that found it so. */
  get granted(): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { prefix, store, tree } = this.place
    const look = versioned(store, `lock.${tree}.wait`, (tx) => {
      const stands = lockOps.look(tx, this.recordKey, prefix, this.nodes)
      if (stands === "wait") throw retry
      return stands
    })
    return Effect.flatMap(look, ({ value, version }) => {
      if (value === "gone") return Effect.fail(lost(tree))
      this.token = version
      return Effect.void
    })
  }

  /** [18, 19] Refuses a wait that would never end. */
  refuseCycle(stamp: Key = this.stamp): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { prefix, store, tree } = this.place
    const look = Operation.make(store, `lock.${tree}.cycle`, (tx) =>
      lockOps.cycleThrough(lockOps.allStandings(tx, prefix), stamp)
    )
    return Effect.flatMap(look, (cycle) =>
      cycle === undefined
        ? Effect.void
        : Effect.fail(
            deadlock(
              tree,
              cycle.map(({ will }) => will.owner)
            )
          )
    )
  }

  /** [12] Gives back. Never fails: what the store does not answer now is tried again until the session's end does it. */
  readonly release: Effect.Effect<void, never, Id> = Effect.suspend(() => {
    this.over = true
    const { engine, store, tree } = this.place
    return dropped(
      engine,
      store,
      Operation.make(store, `lock.${tree}.release`, (tx) => lockOps.release(tx, this.recordKey))
    )
  })

  /** [13] */
  downgrade(nodes: ReadonlyArray<NodeMode>): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { store, tree } = this.place
    const more = Rules.changed(this.nodes, nodes)
    if (more.length > 0) {
      const message = `a downgrade in the lock tree "${tree}" asks for more than is held: upgrade instead; nothing was changed`
      return Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
    }
    const run = Operation.make(store, `lock.${tree}.downgrade`, (tx) => lockOps.downgrade(tx, this.recordKey, nodes))
    return Effect.flatMap(unfenced(run), (isThere) => {
      if (!isThere) return Effect.fail(lost(tree))
      this.nodes = nodes
      return Effect.void
    })
  }

  /** [14 to 17] */
  upgrade(target: ReadonlyArray<NodeMode>): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    return Effect.withFiber((fiber) => {
      const changed = Rules.changed(this.nodes, target)
      if (changed.length === 0) return Effect.void
      const nonce = `${this.session.nextPlace()}`
      const holding = [this.stamp, ...heldStamps(fiber.context, this.engine, this.stamp)]
      const will: Unlock = {
        kind: "unlock",
        tree: this.place.prefix,
        nodes: changed,
        holding,
        owner: this.owner,
        nonce,
        upgrades: this.stamp
      }
      const { engine, store, tree } = this.place
      const steps = Effect.flatMap(
        versioned(store, `lock.${tree}.upgrade`, (tx) => lockOps.append(tx, this.session, will)),
        ({ value, version }): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> => {
          if (value === undefined) return Effect.fail(lost(tree))
          const stamp = stampBytes(version, value)
          const tailKey = Cells.recordPrefix(this.session.id) + stamp
          return Effect.andThen(this.refuseCycle(stamp), this.convert(tailKey, changed))
        }
      )
      const cleanup = dropped(
        engine,
        store,
        Operation.make(store, `lock.${tree}.cancelUpgrade`, (tx) => lockOps.releaseByNonce(tx, this.session.id, nonce))
      )
      return unfenced(Effect.onExit(steps, (exit) => (exit._tag === "Success" ? Effect.void : cleanup)))
    })
  }

  private convert(
    tailKey: Key,
    changed: ReadonlyArray<NodeMode>
  ): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { store, tree } = this.place
    const run = versioned(store, `lock.${tree}.convert`, (tx) => {
      const result = lockOps.convert(tx, this.recordKey, tailKey, changed)
      if (result === "wait") throw retry
      return result
    })
    return Effect.flatMap(run, ({ value, version }) => {
      if (value === "gone") return Effect.fail(lost(tree))
      const stronger = new Map(changed.map(({ mode, node }) => [node, mode]))
      this.nodes = [...this.nodes.filter(({ node }) => !stronger.has(node)), ...changed]
      this.token = version
      return Effect.void
    })
  }

  /** Runs with the lock among what the flow holds; interrupted when it is lost; gives back at the end. */
  run<A, E, R>(
    self: Effect.Effect<A, E, R>,
    restore: <A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A, E | Lock.LockError, R | Id> {
    return Effect.onExit(restore(this.guard(self)), () => this.release)
  }

  /** Runs with the lock among what the flow holds; interrupted when it is lost. */
  guard<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Lock.LockError, R> {
    const inside = Effect.updateContext(self, (context: Context.Context<R>) =>
      context.pipe(
        Context.add(Fences, [...Context.get(context, Fences), this]),
        Context.add(Lock.Holding, [...Context.get(context, Lock.Holding), this])
      )
    )
    const ended = Effect.mapError(this.session.lost, () => lost(this.place.tree))
    return Effect.raceFirst(inside, Effect.raceFirst(Deferred.await(this.lostSignal), ended))
  }
}

/** Stamps of what the flow holds in a store, one left out. */
export const heldStamps = (context: Context.Context<never>, engine: Engine, except?: Key): ReadonlyArray<Key> =>
  Context.get(context, Lock.Holding)
    .filter(
      (held): held is HeldLock<unknown> => held instanceof HeldLock && held.engine === engine && held.stamp !== except
    )
    .map(({ stamp }) => stamp)

/** What a lock does to its own cells is not under the locks that the flow holds. */
export const unfenced = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Fences, [])

const dropRetry = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")])

/** Does what gives something back; when the store does not answer, goes on trying in the store's scope. */
export const dropped = <Id>(
  engine: Engine,
  store: StoreKey<Id>,
  self: Effect.Effect<unknown, StoreError.StoreError, Id>
): Effect.Effect<void, never, Id> =>
  Effect.uninterruptible(
    unfenced(
      Effect.catch(Effect.asVoid(self), () =>
        Effect.map(store, (shape: StoreShape) => {
          // R is the store's key alone, which is given here.
          const later = Effect.provideService(Effect.retry(self, dropRetry), store, shape) as Effect.Effect<unknown>
          engine.fork(unfenced(later))
        })
      )
    )
  )

export const lost = (tree: string): Lock.LockError =>
  new Lock.LockError({
    reason: new Lock.LockLost({
      message: `a lock of the tree "${tree}" was lost: its session ended. Nothing that ran under it after that was committed; take it again`
    })
  })

export const deadlock = (tree: string, owners: ReadonlyArray<string>): Lock.LockError => {
  const told = [...owners, owners[0]].join(" waits for ")
  const message = `in the lock tree "${tree}" waiting would never end: ${told}; nothing was taken, what the flow held it still holds`
  return new Lock.LockError({ reason: new Lock.Deadlock({ message, cycle: owners }) })
}
