/**
 * A take or a read that waits, from its first look to what it was given. Whatever interrupts it, nothing is left behind and
 * no tuple is lost: a ticket is taken back, a tuple that was handed over meanwhile goes back with its old stamp.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Access } from "@weft/domain/Collection"
import type { Key } from "@weft/domain/core/Key"
import { encodePart, stampBytes } from "@weft/domain/core/KeyCodec"
import type { StoreShape } from "@weft/domain/internal/StoreShape"
import { retry } from "@weft/domain/internal/TxView"
import { dropped, unfenced } from "@weft/domain/internal/HeldRecord"
import { unbroken } from "@weft/domain/internal/unbroken"
import { versionedOf } from "@weft/domain/internal/versioned"
import * as Sessions from "@weft/domain/Sessions"
import * as StoreError from "@weft/domain/StoreError"
import { isNews } from "../core/Handing.ts"
import type { Compiled, PredicateFailed } from "../core/Template.ts"
import { fits, show } from "../core/Template.ts"
import type { Follower, Reader } from "./Follower.ts"
import type { SpaceCells, Taken } from "./SpaceCells.ts"
import { takes } from "./SpaceKeys.ts"
import { recordOf } from "./Tickets.ts"

/** Where a take or read is made. */
export interface Place<T extends ReadonlyArray<unknown>> {
  readonly name: string
  readonly cells: SpaceCells<T>
  readonly compiled: Compiled
  readonly follower: Follower<T>
  readonly waitersMax: number
  /** A predicate that throws is an error for its caller. */
  readonly attempt: <A>(look: () => A) => A
}

type Failure = StoreError.StoreError
type Run<A> = Effect.Effect<A, Failure, any>
type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

// Takes ----------------------------------------------------------------------------------------------------------------

/** [9, 10, 14] */
export const take = <T extends ReadonlyArray<unknown>>(place: Place<T>): Run<{ readonly tuple: T }> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(firstLook(place), (found): Run<{ readonly tuple: T }> => {
      if (found !== undefined) return kept(place, found, restore)
      return Effect.flatMap(delivered(place, restore), (willKey) => {
        const receive = place.cells.base.operation("receive", (access) => {
          const given = place.cells.received(access, willKey)
          if (given === undefined || given === "gone") return undefined
          place.cells.settle(access.tx, willKey, "received")
          return given
        })
        return Effect.flatMap(unfenced(receive), (given) =>
          // Its session ended between the hand-over and this: the tuple went back, ask anew.
          given === undefined ? restore(take(place)) : kept(place, given, restore)
        )
      })
    })
  )

/** As `take`, where the first look is one step of its fiber (`isOneStep`) and no pause is near: what is there is taken in it. */
export const takeInOneStep = <T extends ReadonlyArray<unknown>>(place: Place<T>): Run<{ readonly tuple: T }> =>
  Effect.flatMap(firstLook(place), (found) => (found === undefined ? take(place) : Effect.succeed(found)))

/** The oldest fit, taken at once if nobody waits for it. */
const firstLook = <T extends ReadonlyArray<unknown>>({ attempt, cells, compiled, follower }: Place<T>) =>
  cells.base.operation("take", (access): Taken<T> | undefined =>
    attempt(() => cells.takeAtOnce(access, compiled, follower.readied))
  )

/** Puts a tuple back that its taker, interrupted meanwhile, will never see. */
const kept = <T extends ReadonlyArray<unknown>>(
  { cells }: Place<T>,
  taken: Taken<T>,
  restore: Restore
): Run<Taken<T>> =>
  Effect.flatMap(unbroken(Effect.exit(restore(Effect.void))), (exit) =>
    Exit.isSuccess(exit)
      ? Effect.succeed(taken)
      : Effect.andThen(
          putBackLater(cells, (access) => cells.putBack(access.tx, taken)),
          Effect.failCause(exit.cause)
        )
  )

const putBackLater = <T extends ReadonlyArray<unknown>>(
  { base }: SpaceCells<T>,
  run: (access: Access) => void
): Effect.Effect<void, never, any> =>
  Effect.flatMap(base.store, ({ engine }: StoreShape) => dropped(engine, base.store, base.operation("putBack", run)))

/** Waits in line until a tuple is in flight for this take, under its session; gives the key of its will. */
const delivered = <T extends ReadonlyArray<unknown>>(place: Place<T>, restore: Restore): Run<Key> =>
  Effect.suspend(() => {
    const { cells, compiled, follower } = place
    const { base } = cells
    // The look and the entry are one step, so that the limit holds.
    if (follower.waiting >= place.waitersMax) return Effect.fail(tooMany(place))
    const failed = Deferred.makeUnsafe<never, Failure>()
    const told = (error: PredicateFailed) => Deferred.doneUnsafe(failed, Effect.fail(predicateFailed(place, error)))
    const nonce = follower.addTaking(compiled, told)
    let session: Sessions.Session | undefined
    const asked = Effect.gen(function* () {
      yield* follower.following
      const under = (session = yield* Sessions.current(base.store))
      const record = recordOf(under.id, nonce, compiled.places)
      const { value, version } = yield* versionedOf(
        base.store,
        `${base.name}.wait`,
        base.operation("wait", ({ tx }) => cells.wait(tx, under, compiled, record))
      )
      if (value === undefined) {
        yield* Sessions.renew(base.store, under)
        return undefined
      }
      const stamp = stampBytes(version, value.index)
      follower.placed(nonce, value.prefix + stamp)
      const willKey = takes(under.id) + stamp
      const awaited = base.operation("await", (access) => {
        if (cells.received(access, willKey) === undefined) throw retry
      })
      yield* Effect.raceFirst(awaited, Deferred.await(failed))
      return willKey
    })
    const ended = Effect.onExit(restore(unfenced(asked)), (exit) => {
      follower.dropTaking(nonce)
      if (Exit.isSuccess(exit) || session === undefined) return Effect.void
      const { id } = session
      return putBackLater(cells, ({ tx }) => cells.cancelByNonce(tx, id, nonce))
    })
    // The session had ended: the next round opens another one.
    return Effect.flatMap(ended, (willKey) =>
      willKey === undefined ? delivered(place, restore) : Effect.succeed(willKey)
    )
  })

// Leases ---------------------------------------------------------------------------------------------------------------

interface Lease<T> {
  readonly tuple: T
  readonly returns: number
  readonly done: Effect.Effect<void, Failure>
}

/** [17] */
export const takeLeased = <T extends ReadonlyArray<unknown>>(
  place: Place<T>
): Effect.Effect<Lease<T>, Failure, Scope.Scope | any> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { cells } = place
      const willKey = yield* leased(place, restore)
      // An interruption that came too late to be noticed is one of the scope.
      yield* Effect.addFinalizer(() => putBackLater(cells, ({ tx }) => void cells.settle(tx, willKey, "released")))
      const held = yield* cells.base.operation("lease", (access) => cells.received(access, willKey))
      if (held === undefined || held === "gone") return yield* restore(takeLeased(place))
      const shape = yield* cells.base.store
      const done = Effect.flatMap(
        cells.base.operation("done", ({ tx }) => cells.settle(tx, willKey, "done") === "consume"),
        (isHeld) => (isHeld ? Effect.void : Effect.fail(leaseLost(place)))
      )
      return {
        tuple: held.tuple,
        returns: held.returns,
        done: Effect.provideService(done, cells.base.store, shape) as Effect.Effect<void, Failure>
      }
    })
  )

const leased = <T extends ReadonlyArray<unknown>>(place: Place<T>, restore: Restore): Run<Key> =>
  Effect.gen(function* () {
    const { attempt, cells, compiled, follower } = place
    const session = yield* restore(unfenced(Sessions.current(cells.base.store)))
    const willKey = takes(session.id) + encodePart(session.nextPlace())
    const first = cells.base.operation("takeLeased", (access): "taken" | "none" | "gone" => {
      if (!Sessions.exists(access.tx, session)) return "gone"
      const found = attempt(() => cells.atOnce(access, compiled, follower.readied))
      if (found === undefined) return "none"
      cells.handOver(access.tx, found, willKey, willKey)
      return "taken"
    })
    const result = yield* unfenced(first)
    if (result === "taken") return willKey
    if (result === "none") return yield* delivered(place, restore)
    yield* Sessions.renew(cells.base.store, session)
    return yield* leased(place, restore)
  })

// Reads ----------------------------------------------------------------------------------------------------------------

/** [8] Looks, then follows what is put out from the version of the look on. */
export const read = <T extends ReadonlyArray<unknown>>(place: Place<T>): Run<{ readonly tuple: T }> =>
  Effect.gen(function* () {
    const { attempt, cells, compiled, follower } = place
    if (follower.waiting >= place.waitersMax) return yield* Effect.fail(tooMany(place))
    const look = versionedOf(
      cells.base.store,
      `${cells.base.name}.look`,
      cells.base.operation("look", (access) =>
        attempt(() => {
          for (const found of cells.fits(access, compiled, false)) return found
          return undefined
        })
      )
    )
    const first = yield* look
    if (first.value !== undefined) return first.value
    yield* follower.following
    const seen: Array<{ readonly tuple: T; readonly version: number }> = []
    let resume: (() => void) | undefined
    let isPassed = false
    const reader: Reader<T> = {
      see: (tuple, version) => {
        seen.push({ tuple, version })
        resume?.()
      },
      lookAgain: () => {
        isPassed = true
        resume?.()
      },
      shown: compiled.places.map(show),
      stamp: first.snapshot
    }
    const more = Effect.callback<void>((done) => {
      resume = () => done(Effect.void)
      if (seen.length > 0 || isPassed) resume()
    })
    const follow: Run<T> = Effect.gen(function* () {
      const { snapshot, value } = yield* look
      reader.stamp = Math.min(reader.stamp, snapshot)
      if (value !== undefined) return value.tuple
      for (;;) {
        for (const next of seen.splice(0)) {
          if (isNews(next.version, snapshot) && (yield* decided(attempt, place, next.tuple))) return next.tuple
        }
        if (isPassed) {
          isPassed = false
          return yield* follow
        }
        yield* more
      }
    })
    const tuple = yield* Effect.suspend(() => {
      follower.readers.add(reader)
      return Effect.ensuring(
        follow,
        Effect.sync(() => follower.readers.delete(reader))
      )
    })
    return { tuple }
  })

/** Whether a tuple fits; a predicate that throws fails its reader. */
const decided = <T extends ReadonlyArray<unknown>>(
  attempt: Place<T>["attempt"],
  place: Place<T>,
  tuple: T
): Effect.Effect<boolean, Failure> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(attempt(() => fits(place.compiled, tuple)))
    } catch (error) {
      if (error instanceof StoreError.StoreError) return Effect.fail(error)
      throw error
    }
  })

// Errors ---------------------------------------------------------------------------------------------------------------

const tooMany = ({ name, waitersMax }: Place<any>): Failure =>
  StoreError.make(
    new StoreError.LimitExceeded({
      message: `space "${name}" has ${waitersMax} waiting takes and reads of this process already (waitersMax): this one was refused, nothing else changed`,
      limit: "waitersMax",
      max: waitersMax,
      actual: waitersMax + 1
    })
  )

const predicateFailed = ({ name }: Place<any>, error: PredicateFailed): Failure =>
  StoreError.make(
    new StoreError.InvalidInput({
      message: `space "${name}": ${error.message}; no tuple was taken, other waiters are unharmed`
    })
  )

const leaseLost = ({ name }: Place<any>): Failure =>
  StoreError.make(
    new StoreError.InvalidInput({
      message: `space "${name}": the lease is over, since its session ended or its scope closed: the tuple went back and may be taken again; what was done with it will be done once more`
    })
  )
