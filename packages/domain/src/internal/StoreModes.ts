/**
 * Locks with modes in a store. A request is one commit, which grants it at once where the line is empty; else a second one
 * grants it when everyone before it is granted and its compatibility function agrees. It waits for the place before it, and
 * at the head of those that wait for the holders, without timers. A release is one commit and wakes two waiters at most.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { ModeLock, ModeOptions, ModeStanding } from "../CoordinationModel.ts"
import * as Cells from "../core/CoordinationCells.ts"
import type { Key } from "../core/Key.ts"
import { stampBytes } from "../core/KeyCodec.ts"
import * as KeyDecode from "../core/KeyDecode.ts"
import { definitionOf, type Modes } from "../core/ModeRules.ts"
import * as Lock from "../LockModel.ts"
import type { StoreError } from "../StoreError.ts"
import { allowed } from "./Allowance.ts"
import { type Asker, asking } from "./asking.ts"
import { type HeldAs, HeldRecord, unfenced } from "./HeldRecord.ts"
import * as lockErrors from "./lockErrors.ts"
import * as modeOps from "./modeOps.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey } from "./StoreShape.ts"
import { retry } from "./TxView.ts"
import { versioned } from "./versioned.ts"

type Failure = Lock.LockError | StoreError

class HeldMode<Id> extends HeldRecord<Id> {
  readonly line: modeOps.Line

  constructor(line: modeOps.Line, held: HeldAs<Id>) {
    super(held, Cells.modesRecordPrefix(held.session.id))
    this.line = line
  }

  protected giveBack(): Effect.Effect<unknown, StoreError, Id> {
    return Operation.makeRelaxed(this.store, `${this.what}.release`, (tx) => modeOps.release(tx, this.recordKey))
  }

  /**
   * Waits until it is granted; the token is the version of the commit that did it. Who has to wait is one of `waitersMax`,
   * over all processes.
   */
  awaitGrant(waitersMax: number): Effect.Effect<void, Failure, Id> {
    return Effect.flatMap(this.look(false), (found) => {
      if (found === "granted") return Effect.void
      const { line, store, what } = this
      return allowed(this.waitOn(found), { what, prefix: line.prefix, store, max: waitersMax }, this)
    })
  }

  /** Grants it if it is its turn. Else it waits for who holds, if told to, or says who is before it. */
  private look(waits: boolean): Effect.Effect<"granted" | "wait" | { readonly behind: Key }, Failure, Id> {
    const { line, recordKey, store, what } = this
    const look = versioned(store, `${what}.grant`, (tx) => {
      const found = modeOps.grant(tx, line, recordKey)
      if (found === "wait" && waits) throw retry
      return found
    })
    return Effect.flatMap(look, ({ value, version }) => {
      if (value === "gone") return Effect.fail(lockErrors.lost(what))
      if (value === "granted") this.token = version
      return Effect.succeed(value)
    })
  }

  private waitOn(found: "wait" | { readonly behind: Key }): Effect.Effect<void, Failure, Id> {
    const { line, recordKey, store, what } = this
    const next = Effect.flatMap(this.look(true), (then) => (then === "granted" ? Effect.void : this.waitOn(then)))
    if (found === "wait") return next
    const gone = Operation.make(store, `${what}.wait`, (tx) => {
      if (tx.get(recordKey) !== undefined && modeOps.waits(tx, line, found.behind)) throw retry
    })
    return Effect.andThen(gone, next)
  }

  /** Refuses a wait that would never end. */
  refuseCycle(): Effect.Effect<void, Failure, Id> {
    const { line, owner, stamp, store, what } = this
    return Effect.flatMap(
      Operation.make(store, `${what}.cycle`, (tx) => modeOps.givesWay(tx, line, stamp)),
      (gives) => (gives ? Effect.fail(lockErrors.deadlock(what, [owner])) : Effect.void)
    )
  }
}

export class StoreModeLock<M extends string, Id> implements ModeLock<M, Id> {
  readonly name: string
  readonly standings: Effect.Effect<ReadonlyArray<ModeStanding<M>>, StoreError, Id>
  private readonly store: StoreKey<Id>
  private readonly line: modeOps.Line
  private readonly waitersMax: number

  /** `definition` names what all processes must agree on; the names of the modes when left out. */
  constructor(
    name: string,
    kind: string,
    modes: Modes<M>,
    options: { readonly store: StoreKey<Id>; readonly waitersMax: number; readonly definition?: string }
  ) {
    this.name = name
    this.store = options.store
    this.waitersMax = options.waitersMax
    const what = `${kind} "${name}"`
    // Asked for a mode of M alone.
    const known = modes as unknown as Modes
    const definition = options.definition ?? definitionOf(known)
    this.line = { what, prefix: Cells.modesPrefix(kind, name), modes: known, definition }
    this.standings = unfenced(
      Operation.make(this.store, `${what}.standings`, (tx) =>
        modeOps.list(tx, this.line).map(({ granted, mode, owner, stamp, weight }) => ({
          mode: mode as M,
          weight,
          owner,
          state: granted ? ("holds" as const) : ("waits" as const),
          stamp: (KeyDecode.decodePart(stamp, 0).part as { readonly version: number }).version
        }))
      )
    )
  }

  lock(mode: M, options: ModeOptions = {}): Lock.AnyLock<Id> {
    const take = this.acquire(mode, options)
    const ifFree = this.acquireIfFree(mode, options)
    return {
      withLock: (self) =>
        Effect.uninterruptibleMask((restore) => Effect.flatMap(take, (held) => held.run(self, restore))),
      withLockIfFree: <A, E, R>(self: Effect.Effect<A, E, R>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(ifFree, (held): Effect.Effect<Option.Option<A>, E | Lock.LockError, R | Id> =>
            held === undefined ? Effect.succeedNone : Effect.asSome(held.run(self, restore))
          )
        ),
      scoped: Effect.map(
        Effect.acquireRelease(take, (held) => held.release),
        (held): Lock.Hold<Id> => ({ token: held.token, guard: (self) => held.guard(self) })
      )
    }
  }

  private acquire(mode: M, options: ModeOptions): Effect.Effect<HeldMode<Id>, Failure, Id> {
    const { line, store, waitersMax } = this
    return this.asking(mode, options, (asker, wanted) =>
      Effect.flatMap(
        versioned(store, `${line.what}.request`, (tx) => modeOps.request(tx, line, asker.session, asker.nonce, wanted)),
        ({ value, version }): Effect.Effect<HeldMode<Id> | undefined, Failure, Id> => {
          if (value === undefined) return Effect.succeed(undefined)
          const held = this.held(asker, version, value.index, wanted.owner)
          asker.stamp = held.stamp
          held.token = version
          if (value.granted) return Effect.succeed(held)
          const looked = wanted.holding.length === 0 ? Effect.void : held.refuseCycle()
          return Effect.as(
            Effect.andThen(looked, lockErrors.inTime(held.awaitGrant(waitersMax), line.what, options.timeout)),
            held
          )
        }
      )
    )
  }

  private acquireIfFree(mode: M, options: ModeOptions): Effect.Effect<HeldMode<Id> | undefined, Failure, Id> {
    const { line, store } = this
    const asked = this.asking(mode, options, (asker, wanted) =>
      Effect.map(
        versioned(store, `${line.what}.requestIfFree`, (tx) =>
          modeOps.requestIfFree(tx, line, asker.session, asker.nonce, wanted)
        ),
        ({ value: { index }, version }) => {
          if (index === undefined) return undefined
          if (index < 0) return { held: undefined }
          const held = this.held(asker, version, index, wanted.owner)
          held.token = version
          return { held }
        }
      )
    )
    return Effect.map(asked, ({ held }) => held)
  }

  private held({ engine, session }: Asker, version: number, index: number, owner: string): HeldMode<Id> {
    const { line, store } = this
    return new HeldMode(line, { what: line.what, store, engine, session, stamp: stampBytes(version, index), owner })
  }

  /** Makes a request under this process's session; when it does not come to an end, it is taken back. */
  private asking<A>(
    mode: M,
    { owner, weight = 1 }: ModeOptions,
    ask: (asker: Asker, wanted: modeOps.Asked) => Effect.Effect<A | undefined, Failure, Id>
  ): Effect.Effect<A, Failure, Id> {
    const { line, store } = this
    const refused = lockErrors.refusedMode(line.what, line.modes, mode, weight)
    if (refused !== undefined) return Effect.fail(refused)
    return Effect.withFiber((fiber) =>
      asking(
        store,
        line.what,
        (asker) => {
          const holding = Context.get(fiber.context, Lock.Holding).flatMap((held) =>
            held instanceof HeldMode && held.engine === asker.engine && held.line.prefix === line.prefix
              ? [held.stamp]
              : []
          )
          const named = owner ?? `${asker.session.id.slice(0, 6)} fiber ${fiber.id}`
          return ask(asker, { mode, weight, owner: named, holding })
        },
        (tx, { nonce, session, stamp }) => {
          const records = Cells.modesRecordPrefix(session.id)
          if (stamp === undefined) modeOps.releaseByNonce(tx, records, nonce)
          else modeOps.release(tx, records + stamp)
        }
      )
    )
  }
}
