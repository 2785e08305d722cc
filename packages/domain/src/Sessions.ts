/**
 * Sessions: leases without clocks. A session is two cells (`core/SessionCells.ts`); its holder bumps one each quarter of a
 * lease; any process that has a session of its own observes the others and removes those that did not move for a lease of
 * *its* monotonic clock, counted only while the store answered, by a commit that fails if the session moved after all.
 *
 * What hangs on a session (items in flight, tickets of locks) says so in a will, which is done when it ends. Whatever a
 * holder does under its session has the `exists` cell in its read set, so that a holder that was paused beyond its lease
 * can do nothing more: safety depends on that cell, never on a clock.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type Key, prefixEnd } from "./core/Key.ts"
import { encodePart } from "./core/KeyCodec.ts"
import { Observation } from "./core/Observation.ts"
import * as Cells from "./core/SessionCells.ts"
import type { Engine } from "./internal/Engine.ts"
import { Fences } from "./internal/Fences.ts"
import * as Operation from "./internal/Operation.ts"
import type { StoreKey, StoreShape } from "./internal/StoreShape.ts"
import * as sessionOps from "./internal/sessionOps.ts"
import type { TxView } from "./internal/TxView.ts"
import { SessionNames } from "./SessionNames.ts"
import { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"
import { Transaction } from "./Transaction.ts"

/** The session has ended: closed, removed by an observer, or not bumped for a lease. What hung on it was given back. */
export class SessionLost extends Schema.TaggedError<SessionLost>()("SessionLost", {
  message: Schema.String,
  session: Schema.String
}) {}

/** How long a session outlives the last sign of its holder. Shorter finds the dead sooner and bumps more often. Default 10 s. */
export const Lease = Context.Reference<Duration.Input>("@weft/domain/Sessions/Lease", {
  defaultValue: () => "10 seconds"
})

/** Wills done in one transaction. */
const willsMax = 64

/** A live session. */
export interface Session {
  readonly id: string
  /** To be read by every transaction under the session: its absence is the end. */
  readonly existsKey: Key
  readonly isLost: () => boolean
  /** A place for a will that no other of this session has. */
  readonly nextPlace: () => Key
  /** Waits for the end. */
  readonly lost: Effect.Effect<never, SessionLost>
  /** Calls `tell` once at the end, now if it has ended; the result takes that back. `tell` must not throw. */
  readonly whenLost: (tell: () => void) => () => void
  /** Runs under the session: interrupted when it ends. */
  readonly guard: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SessionLost, R>
}

/** Whether the session still exists; enters the read set. */
export const exists = (tx: TxView, session: Pick<Session, "id">): boolean => sessionOps.exists(tx, session.id)

/** Has a will done when the session ends. `place` makes its key unique within the session. */
export const addWill = (tx: TxView, session: Session, place: Key, will: Cells.Will): void =>
  tx.set(Cells.willPrefix(session.id) + place, Cells.willValue(will))

/** The will at a place. */
export const willAt = (tx: TxView, session: Session, place: Key): Cells.Will | undefined => {
  const value = tx.get(Cells.willPrefix(session.id) + place)
  return value === undefined ? undefined : Cells.willOf(value)
}

/** Takes a will back. */
export const dropWill = (tx: TxView, session: Session, place: Key): void =>
  tx.delete(Cells.willPrefix(session.id) + place)

class Live implements Session {
  readonly id: string
  readonly existsKey: Key
  readonly ended: Deferred.Deferred<never, SessionLost> = Deferred.makeUnsafe()
  /** Monotonic time at which the last acknowledged bump was sent. */
  sentMillis = 0
  #lost = false
  readonly #told = new Set<() => void>()

  constructor(id: string) {
    this.id = id
    this.existsKey = Cells.existsKey(id)
  }

  #places = 0

  isLost = (): boolean => this.#lost

  nextPlace = (): Key => encodePart(this.#places++)

  get lost(): Effect.Effect<never, SessionLost> {
    return Deferred.await(this.ended)
  }

  whenLost = (tell: () => void): (() => void) => {
    if (this.#lost) tell()
    else this.#told.add(tell)
    return () => this.#told.delete(tell)
  }

  guard = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | SessionLost, R> =>
    Effect.raceFirst(self, this.lost)

  end(why: string): void {
    if (this.#lost) return
    this.#lost = true
    const message = `session ${this.id} has ended: ${why}. What ran under it was interrupted, what hung on it is given back`
    Deferred.doneUnsafe(this.ended, Effect.fail(new SessionLost({ message, session: this.id })))
    for (const tell of this.#told) tell()
    this.#told.clear()
  }
}

const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Opens a session that lives as long as the scope; with it this process begins to observe the others. */
export const make = <Id = Store>(options?: {
  readonly store?: StoreKey<Id> | undefined
  readonly lease?: Duration.Input | undefined
}): Effect.Effect<Session, StoreError, Id | Scope.Scope> =>
  Effect.gen(function* () {
    const store = (options?.store ?? Store) as StoreKey<Id>
    const leaseMillis = Duration.toMillis(Duration.fromInputUnsafe(options?.lease ?? (yield* Lease)))
    const session = new Live(yield* yield* SessionNames)
    session.sentMillis = yield* monotonicMillis
    yield* Operation.make(store, "session.open", (tx) => sessionOps.open(tx, session.id))
    // Bounded: where the store does not answer, the observers of others close it instead.
    yield* Effect.addFinalizer(() => Effect.ignore(Effect.timeoutOption(close(store, session), leaseMillis)))
    yield* Effect.forkScoped(bumping(store, session, leaseMillis))
    yield* Effect.forkScoped(observing(store, leaseMillis))
    return session
  })

const close = <Id>(store: StoreKey<Id>, session: Live): Effect.Effect<void, StoreError, Id> => {
  session.end("it was closed")
  return Effect.andThen(
    Operation.make(store, "session.close", (tx) => sessionOps.close(tx, session.id)),
    doWills(store, session.id)
  )
}

/** Bumps each quarter of a lease; ends when the session is gone or was not heard for a lease. */
const bumping = <Id>(store: StoreKey<Id>, session: Live, leaseMillis: number): Effect.Effect<void, never, Id> =>
  Effect.gen(function* () {
    for (let count = 1; !session.isLost(); count++) {
      yield* Effect.sleep(leaseMillis / 4)
      const sent = yield* monotonicMillis
      const left = session.sentMillis + leaseMillis - sent
      const bump = Operation.make(store, "session.bump", (tx) => sessionOps.bump(tx, session.id, count))
      const isThere = yield* Effect.result(Effect.timeoutOption(bump, Math.max(1, left)))
      if (isThere._tag === "Success" && isThere.success._tag === "Some") {
        if (!isThere.success.value) session.end("an observer removed it, since it did not move for a lease")
        session.sentMillis = sent
      } else if ((yield* monotonicMillis) - session.sentMillis >= leaseMillis) {
        session.end(`the store did not acknowledge a sign of life for ${leaseMillis} milliseconds`)
      }
    }
  })

/** Watches all bumps each quarter of a lease and removes the sessions that are due. Never fails: what fails is tried again. */
const observing = <Id>(store: StoreKey<Id>, leaseMillis: number): Effect.Effect<never, never, Id> =>
  Effect.gen(function* () {
    const { engine }: StoreShape = yield* store
    const observation = new Observation(leaseMillis)
    const range = { start: Cells.prefixes.bump, end: prefixEnd(Cells.prefixes.bump) }
    for (let round = 0; ; round++) {
      yield* Effect.sleep(leaseMillis / 4)
      const reply = yield* Effect.result(engine.backend.read({ keys: [], ranges: [range] }))
      if (reply._tag === "Failure") {
        observation.failed()
        continue
      }
      const { ranges, version } = reply.success
      const bumps = ranges[0]!.map(
        ({ cell, key }) => [Cells.sidOf(key, range.start), Cells.bumpOf(cell.value)] as const
      )
      const due = observation.read(yield* monotonicMillis, version, bumps)
      for (const [sid, bump] of due) yield* Effect.ignore(remove(store, sid, bump))
      // Wills whose observer died between the removal and the doing.
      if (round % 16 === 0) yield* Effect.ignore(doOrphans(store))
    }
  })

/** Removes a session, unless it moved after all; then does its wills. */
export const remove = <Id>(store: StoreKey<Id>, sid: string, bump: number): Effect.Effect<boolean, StoreError, Id> =>
  Effect.flatMap(
    Operation.make(store, "session.remove", (tx) => sessionOps.remove(tx, sid, bump)),
    (removed) => (removed ? Effect.as(doWills(store, sid), true) : Effect.succeed(false))
  )

/** Does the wills of a session that has ended, in bounded batches; any process may, any number of times. */
const doWills = <Id>(store: StoreKey<Id>, sid: string): Effect.Effect<void, StoreError, Id> => {
  const batch = Operation.make(store, "session.wills", (tx) => sessionOps.doWills(tx, sid, willsMax))
  return Effect.flatMap(batch, (count) => (count < willsMax ? Effect.void : doWills(store, sid)))
}

const doOrphans = <Id>(store: StoreKey<Id>, from: Key = Cells.prefixes.will): Effect.Effect<void, StoreError, Id> => {
  const { will } = Cells.prefixes
  const next = Operation.make(store, "session.orphans", (tx) => {
    const item = tx.range({ start: from, end: prefixEnd(will), limit: 1 })[0]
    if (item === undefined) return undefined
    const sid = Cells.sidOf(item.key, will)
    return { sid, isOrphan: !sessionOps.exists(tx, sid) }
  })
  return Effect.flatMap(next, (found) => {
    if (found === undefined) return Effect.void
    const rest = Effect.suspend(() => doOrphans(store, prefixEnd(Cells.willPrefix(found.sid))))
    return found.isOrphan ? Effect.andThen(doWills(store, found.sid), rest) : rest
  })
}

/** Takes note that a shared session is gone, so that the next use opens another one. */
export const renew = <Id>(store: StoreKey<Id>, session: Session): Effect.Effect<void, never, Id> =>
  Effect.map(store, ({ engine }: StoreShape) => {
    if (session instanceof Live) session.end("an observer removed it")
    const slot = shared.get(engine)
    if (slot?.session === session) slot.session = undefined
  })

interface Shared {
  session: Session | undefined
  opening: Effect.Effect<Session, StoreError> | undefined
}

const shared = new WeakMap<Engine, Shared>()

/** The shared session of a store, where there is one already: what `current` answers then. */
export const present = (engine: Engine): Effect.Effect<Session> | undefined => {
  const session = shared.get(engine)?.session
  return session === undefined || session.isLost() ? undefined : Effect.succeed(session)
}

/**
 * The session that this process shares for what it does in a store: opened at the first use, again when it was lost, closed
 * with the store.
 */
export const current = <Id>(store: StoreKey<Id>): Effect.Effect<Session, StoreError, Id> =>
  Effect.flatMap(store, ({ engine }: StoreShape) =>
    Effect.withFiber((fiber) => {
      let slot = shared.get(engine)
      if (slot === undefined) shared.set(engine, (slot = { session: undefined, opening: undefined }))
      if (slot.session !== undefined && !slot.session.isLost()) return Effect.succeed(slot.session)
      return (slot.opening ??= opened(engine, store, slot, fiber.context))
    })
  )

/** Opens it in the store's scope: whoever asked first may be interrupted, others wait for it too. */
const opened = <Id>(
  engine: Engine,
  store: StoreKey<Id>,
  slot: Shared,
  context: Context.Context<never>
): Effect.Effect<Session, StoreError> => {
  const result: Deferred.Deferred<Session, StoreError> = Deferred.makeUnsafe()
  const open = Effect.flatMap(Scope.fork(engine.scope), (scope) => Scope.provide(make({ store }), scope)).pipe(
    // It outlives whatever lock or transaction it was opened under.
    Effect.provideService(Fences, []),
    Effect.onExit((exit) =>
      Effect.sync(() => {
        slot.opening = undefined
        if (exit._tag === "Success") slot.session = exit.value
        Deferred.doneUnsafe(result, exit)
      })
    )
  )
  // The context has the store, which is all that it needs.
  engine.fork(Effect.provideContext(open, Context.omit(Transaction)(context) as Context.Context<Id>))
  return Deferred.await(result)
}
