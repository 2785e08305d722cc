/**
 * A request for locks in a store, from its append to its release, and what runs under it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Key } from "../core/Key.ts"
import { stampBytes } from "../core/KeyCodec.ts"
import * as Cells from "../core/LockCells.ts"
import * as Rules from "../core/LockRules.ts"
import type { NodeMode } from "../core/LockRules.ts"
import type { Unlock } from "../core/SessionCells.ts"
import * as Lock from "../LockModel.ts"
import type * as Sessions from "../Sessions.ts"
import * as StoreError from "../StoreError.ts"
import { allowed } from "./Allowance.ts"
import type { Engine } from "./Engine.ts"
import { dropped, HeldRecord, unfenced } from "./HeldRecord.ts"
import { cycleThrough } from "./lockCycles.ts"
import { deadlock, lost } from "./lockErrors.ts"
import * as lockOps from "./lockOps.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey } from "./StoreShape.ts"
import { retry } from "./TxView.ts"
import { versioned } from "./versioned.ts"

/** Where a request is made: the same for all that it does later. */
export interface Place<Id> {
  readonly tree: string
  readonly prefix: Key
  readonly store: StoreKey<Id>
  readonly engine: Engine
}

export class HeldLock<Id> extends HeldRecord<Id> {
  readonly place: Place<Id>
  nodes: ReadonlyArray<NodeMode>

  constructor(place: Place<Id>, session: Sessions.Session, stamp: Key, will: Unlock) {
    const what = `lock tree "${place.tree}"`
    super(
      { what, store: place.store, engine: place.engine, session, stamp, owner: will.owner },
      Cells.recordPrefix(session.id)
    )
    this.place = place
    this.nodes = will.nodes
  }

  /**
   * [7 to 9] Waits until nothing earlier is in the way. The token is the version of the read that found it so. What it waits
   * for is one ticket, so that a release wakes few, and a commit is compared with one key for each that waits. Who has to
   * wait is one of `waitersMax`, over all processes.
   */
  awaitGrant(waitersMax: number): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    return Effect.flatMap(this.look(), (behind) => {
      if (behind === undefined) return Effect.void
      const { prefix, store } = this.place
      return allowed(this.waitBehind(behind), { what: this.what, prefix, store, max: waitersMax }, this)
    })
  }

  /** The key of the ticket that it waits for; `undefined` once it is granted. */
  private look(): Effect.Effect<Key | undefined, Lock.LockError | StoreError.StoreError, Id> {
    const { prefix, store, tree } = this.place
    const look = versioned(store, `lock.${tree}.look`, (tx) => lockOps.look(tx, this.recordKey, prefix, this.nodes))
    return Effect.flatMap(look, ({ value, version }) => {
      if (value === "gone") return Effect.fail(lost(this.what))
      if (value !== "granted") return Effect.succeed(value.behind)
      this.token = version
      return Effect.succeed(undefined)
    })
  }

  private waitBehind(ticket: Key): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { store, tree } = this.place
    const gone = Operation.make(store, `lock.${tree}.wait`, (tx) => {
      if (lockOps.isBehind(tx, this.recordKey, ticket)) throw retry
    })
    return Effect.flatMap(
      Effect.flatMap(gone, () => this.look()),
      (behind) => (behind === undefined ? Effect.void : this.waitBehind(behind))
    )
  }

  /** [18, 19] Refuses a wait that would never end. */
  refuseCycle(recordKey: Key = this.recordKey): Effect.Effect<void, Lock.LockError | StoreError.StoreError, Id> {
    const { store, tree } = this.place
    const look = Operation.make(store, `lock.${tree}.cycle`, (tx) => cycleThrough(tx, recordKey, this.session.id))
    return Effect.flatMap(look, (cycle) => {
      if (cycle === undefined) return Effect.void
      const owners = cycle.map(({ will }) => will.owner)
      return Effect.fail(deadlock(this.what, owners))
    })
  }

  /** [12] */
  protected giveBack(): Effect.Effect<unknown, StoreError.StoreError, Id> {
    return Operation.makeRelaxed(this.place.store, `lock.${this.place.tree}.release`, (tx) =>
      lockOps.release(tx, this.recordKey)
    )
  }

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
      if (!isThere) return Effect.fail(lost(this.what))
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
          if (value === undefined) return Effect.fail(lost(this.what))
          const stamp = stampBytes(version, value)
          const tailKey = Cells.recordPrefix(this.session.id) + stamp
          return Effect.andThen(this.refuseCycle(tailKey), this.convert(tailKey, changed))
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
      if (value === "gone") return Effect.fail(lost(this.what))
      const stronger = new Map(changed.map(({ mode, node }) => [node, mode]))
      this.nodes = [...this.nodes.filter(({ node }) => !stronger.has(node)), ...changed]
      this.token = version
      return Effect.void
    })
  }
}

/** Stamps of what the flow holds in a store, one left out. */
export const heldStamps = (context: Context.Context<never>, engine: Engine, except?: Key): ReadonlyArray<Key> =>
  Context.get(context, Lock.Holding)
    .filter(
      (held): held is HeldLock<unknown> => held instanceof HeldLock && held.engine === engine && held.stamp !== except
    )
    .map(({ stamp }) => stamp)
