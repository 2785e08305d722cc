/**
 * A tuple space in a store: the same words as the local one, across processes, durable as its store is. Alone, each
 * operation is one transaction; `out`, `takeIfPresent`, `readIfPresent`, `takeAll`, `readAll`, `count`, `collect` and
 * `copyCollect` join the transaction they stand in, and `take` and `read` there wait as `Tx.retry` does. Algorithm, cost and
 * what is promised: docs/TUPLES.md.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Changes from "@weft/domain/Changes"
import type { Codec } from "@weft/domain/Codec"
import { type Access, codecOf, Collection } from "@weft/domain/Collection"
import { deadlineOf } from "@weft/domain/core/Envelope"
import type { Key, Stamp } from "@weft/domain/core/Key"
import { decodePart } from "@weft/domain/core/KeyDecode"
import { isOneStep } from "@weft/domain/internal/Run"
import type { StoreKey, StoreShape } from "@weft/domain/internal/StoreShape"
import { retry } from "@weft/domain/internal/TxView"
import { isPauseNear } from "@weft/domain/internal/unbroken"
import { withinTransaction } from "@weft/domain/internal/Within"
import { Store } from "@weft/domain/Store"
import * as StoreError from "@weft/domain/StoreError"
import { Transaction } from "@weft/domain/Transaction"
import * as Template from "./core/Template.ts"
import type { Compiled, Match, Predicates } from "./core/Template.ts"
import * as Follower from "./internal/Follower.ts"
import { Indexes } from "./internal/Indexes.ts"
import { type Found, SpaceCells } from "./internal/SpaceCells.ts"
import * as Taking from "./internal/Taking.ts"
import { aritiesOf, arityMismatch } from "./internal/arities.ts"
import { describer } from "./internal/describer.ts"
import { defaults } from "./TupleSpace.ts"
import type { Definition, Interest, Leased, Notice, TupleSpace } from "./TupleSpace.ts"

/** What defines a space in a store. All processes give it the same. Without `tuplesMax` the space is unbounded. */
export interface StoreDefinition<TS extends Schema.Constraint, Ps extends Predicates, Id> extends Definition<TS, Ps> {
  /** The store it lives in. Default: `Store`. */
  readonly store?: StoreKey<Id> | undefined
}

/** A space in a store. One name is one space, for all processes on the store. Pure: nothing is read before the first operation. */
export const make = <TS extends Schema.Constraint, Ps extends Predicates = {}, Id = Store>(
  name: string,
  definition: StoreDefinition<TS, Ps, Id> &
    (TS["Type"] extends ReadonlyArray<unknown> ? unknown : "A space holds tuples")
): TupleSpace<Extract<TS["Type"], ReadonlyArray<unknown>>, Ps, Id> =>
  // Services of the tuple's Schema are those of whoever calls; the constraint above leaves tuples alone.
  new StoreTupleSpace<Extract<TS["Type"], ReadonlyArray<unknown>>, Ps, Id>(name, definition)

/** A template made ready in a store. */
interface Prepared<T extends ReadonlyArray<unknown>> {
  readonly compiled: Compiled
  readonly follower: Follower.Follower<T>
}

class StoreTupleSpace<T extends ReadonlyArray<unknown>, Ps extends Predicates, Id> implements TupleSpace<T, Ps, Id> {
  readonly name: string
  readonly base: Collection<T>
  readonly cells: SpaceCells<T>
  private readonly predicates: Predicates
  private readonly arities: ReadonlySet<number> | undefined
  private readonly waitersMax: number
  private readonly isBounded: boolean
  private readonly mayNeedEffect: boolean
  private readonly listenerBuffer: number
  private readonly describe: (value: unknown) => string
  private readonly isTuple: (value: unknown) => boolean
  private readonly followers = new WeakMap<object, Follower.Follower<T>>()
  private readonly indexes: Indexes<T>

  constructor(name: string, definition: StoreDefinition<Schema.Constraint, Ps, Id>) {
    this.name = name
    this.predicates = definition.predicates ?? {}
    this.arities = aritiesOf(definition.tuple)
    this.base = new Collection<T>({
      name,
      // A process without the predicates could not decide for others, and one that counts nothing would spoil the count.
      kind: `TupleSpace(${Object.keys(this.predicates).sort().join(",")})${definition.tuplesMax === undefined ? "" : " bounded"}`,
      store: definition.store ?? Store,
      // A definition's tuple Schema is of tuples `T`.
      value: codecOf(definition.tuple) as Codec<T>
    })
    this.cells = new SpaceCells(this.base, definition.returnsMax ?? defaults.returnsMax, definition.tuplesMax)
    this.indexes = new Indexes(this.cells)
    this.waitersMax = definition.waitersMax ?? defaults.waitersMax
    this.mayNeedEffect = this.base.codec!.mayNeedEffect
    this.isBounded = definition.tuplesMax !== undefined
    this.listenerBuffer = definition.listenerBuffer ?? defaults.listenerBuffer
    this.describe = describer(definition.tuple)
    this.isTuple = Schema.is(definition.tuple)
  }

  // Put --------------------------------------------------------------------------------------------------------------

  out(tuple: T, options?: { readonly timeToLive?: Duration.Input }): Effect.Effect<void, StoreError.StoreError, Id> {
    return Effect.suspend(() => {
      if (!this.isTuple(tuple)) return Effect.fail(this.notOfSpace(tuple))
      const put = this.base.operation("out", (access) =>
        this.cells.out(access, tuple, this.base.deadline(access.tx, options?.timeToLive))
      )
      return this.isBounded ? Effect.tapError(put, (error) => this.makeRoom(error)) : put
    })
  }

  /** A full space may be full of tuples whose time is over, and nobody who waits may be there to remove them. */
  private makeRoom({ reason }: StoreError.StoreError): Effect.Effect<void, never, any> {
    const isFull = reason._tag === "LimitExceeded" && reason.limit === "tuplesMax"
    return isFull ? Effect.map(this.follower, (follower) => follower.makeRoom()) : Effect.void
  }

  // Without waiting --------------------------------------------------------------------------------------------------

  takeIfPresent<const P>(template: P): Effect.Effect<Option.Option<Match<T, P>>, StoreError.StoreError, Id> {
    return this.looking("takeIfPresent", template, (access, compiled, follower) => {
      const found = this.cells.free(access, compiled, follower.readied, true)
      if (found !== undefined) this.cells.take(access.tx, found)
      return Option.map(Option.fromUndefinedOr(found), tupleOf<T, P>)
    })
  }

  readIfPresent<const P>(template: P): Effect.Effect<Option.Option<Match<T, P>>, StoreError.StoreError, Id> {
    return this.looking("readIfPresent", template, (access, compiled) =>
      Option.map(Option.fromUndefinedOr(this.first(access, compiled)), tupleOf<T, P>)
    )
  }

  takeAll<const P>(template: P): Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError.StoreError, Id> {
    return this.looking("takeAll", template, (access, compiled, follower) => {
      const found = this.cells.allFree(access, compiled, follower.readied, true)
      for (const each of found) this.cells.take(access.tx, each)
      return found.map(tupleOf<T, P>)
    })
  }

  readAll<const P>(template: P): Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError.StoreError, Id> {
    return this.looking("readAll", template, (access, compiled) =>
      Array.from(this.cells.fits(access, compiled, false), tupleOf<T, P>)
    )
  }

  count<const P>(template: P): Effect.Effect<number, StoreError.StoreError, Id> {
    return this.looking(
      "count",
      template,
      (access, compiled) => Array.from(this.cells.fits(access, compiled, false)).length
    )
  }

  collect<const P>(template: P, into: TupleSpace<T, any, any>): Effect.Effect<number, StoreError.StoreError, Id> {
    return this.move(template, into, true)
  }

  copyCollect<const P>(template: P, into: TupleSpace<T, any, any>): Effect.Effect<number, StoreError.StoreError, Id> {
    return this.move(template, into, false)
  }

  private move(
    template: unknown,
    into: TupleSpace<T, any, any>,
    takes: boolean
  ): Effect.Effect<number, StoreError.StoreError, any> {
    if (!(into instanceof StoreTupleSpace) || into.base.store !== this.base.store) {
      const message = `tuples of the space "${this.name}" can only be moved into a space of the same store; "${into.name}" is none: read and put them out instead`
      return Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
    }
    const target: StoreTupleSpace<T, any, any> = into
    const found = this.looking("collect", template, (access, compiled, follower) => {
      if (!takes) return Array.from(this.cells.fits(access, compiled, false))
      const all = this.cells.allFree(access, compiled, follower.readied, true)
      for (const each of all) this.cells.take(access.tx, each)
      return all
    })
    const put = (all: ReadonlyArray<Found<T>>) => {
      const bad = all.find(({ tuple }) => !target.isTuple(tuple))
      if (bad !== undefined) return Effect.fail(target.notOfSpace(bad.tuple))
      return target.base.operation("collected", (access) => {
        for (const { tuple, value } of all) target.cells.out(access, tuple, deadlineOf(value))
        return all.length
      })
    }
    return withinTransaction(this.base.store, Effect.flatMap(found, put))
  }

  // Waiting ----------------------------------------------------------------------------------------------------------

  take<const P>(template: P): Effect.Effect<Match<T, P>, StoreError.StoreError, Id> {
    return this.waiting(
      template,
      (compiled, follower, fiber) => {
        const place = this.place(compiled, follower)
        // In one step with what its caller does next, there is nothing that could interrupt it between.
        const isShort = !this.mayNeedEffect && isOneStep(fiber, this.base.store, this.base.registration)
        const take = isShort && !isPauseNear(fiber) ? Taking.takeInOneStep(place) : Taking.take(place)
        return Effect.map(take, tupleOf<T, P>)
      },
      (access, compiled, follower) => {
        const found = this.cells.free(access, compiled, follower.readied, true)
        if (found === undefined) throw retry
        this.cells.take(access.tx, found)
        return tupleOf<T, P>(found)
      }
    )
  }

  read<const P>(template: P): Effect.Effect<Match<T, P>, StoreError.StoreError, Id> {
    return this.waiting(
      template,
      (compiled, follower) => Effect.map(Taking.read(this.place(compiled, follower)), tupleOf<T, P>),
      (access, compiled) => {
        const found = this.first(access, compiled)
        if (found === undefined) throw retry
        return tupleOf<T, P>(found)
      }
    )
  }

  takeLeased<const P>(template: P): Effect.Effect<Leased<Match<T, P>>, StoreError.StoreError, Id | Scope.Scope> {
    return Effect.flatMap(Effect.context<never>(), (context) => {
      if (Context.getOrUndefined(context, Transaction) !== undefined) {
        return Effect.die(
          new Error(
            "A leased take stands inside a transaction: its steps are transactions of their own. Use `take` there: the tuple comes back when the transaction fails"
          )
        )
      }
      const lease = Effect.flatMap(this.prepared(template), ({ compiled, follower }) =>
        Taking.takeLeased(this.place(compiled, follower))
      )
      return Effect.map(lease, ({ done, returns, tuple }): Leased<Match<T, P>> => ({
        tuple: tupleOf<T, P>({ tuple }),
        returns,
        done
      }))
    })
  }

  notify<const P>(template: P): Stream.Stream<Notice<Match<T, P>>, StoreError.StoreError, Id> {
    const started = Effect.map(this.prepared(template), ({ compiled }) => {
      const stampOf = (key: Key) => decodePart(key, this.cells.keys.tuples.length).part as Stamp
      const decode = (access: Access, value: Found<T>["value"], key: Key) => this.base.decode(access, value, key)
      return Changes.items<Stamp, T>(this.base, stampOf, decode, undefined).pipe(
        Stream.mapEffect((change): Effect.Effect<ReadonlyArray<Notice<T>>> => {
          if (change._tag === "Gap") return Effect.succeed([{ _tag: "Missed", count: change.to - change.from }])
          // A tuple that was put back keeps its stamp; it was told of when it was put out.
          if (change._tag !== "Added" || change.key.version !== change.version) return Effect.succeed([])
          return Effect.succeed(this.fits(compiled, change.value) ? [{ _tag: "Out", tuple: change.value }] : [])
        }),
        Stream.flattenIterable,
        Stream.buffer({ capacity: this.listenerBuffer })
      )
    })
    // Notices carry tuples that matched the template.
    return Stream.unwrap(started) as Stream.Stream<Notice<Match<T, P>>, StoreError.StoreError, Id>
  }

  // The whole --------------------------------------------------------------------------------------------------------

  get interests(): Effect.Effect<ReadonlyArray<Interest>, StoreError.StoreError, Id> {
    const looked = this.base.operation("interests", ({ tx }) => this.cells.tickets(tx))
    return Effect.flatMap(this.follower, ({ readers }) =>
      Effect.map(looked, (tickets) => {
        const reading = [...readers].map(({ shown, stamp }): Interest => ({ takes: false, stamp, template: shown }))
        const taking = tickets.map(({ record, stamp }): Interest => ({ takes: true, stamp, template: record.shown }))
        return [...reading, ...taking].sort((a, b) => a.stamp - b.stamp)
      })
    )
  }

  get takeDeadLetters(): Effect.Effect<ReadonlyArray<T>, StoreError.StoreError, Id> {
    return this.base.operation("takeDeadLetters", (access) => this.cells.takeDead(access))
  }

  // Parts ------------------------------------------------------------------------------------------------------------

  private place(compiled: Compiled, follower: Follower.Follower<T>): Taking.Place<T> {
    const { cells, name, waitersMax } = this
    return { cells, compiled, follower, name, waitersMax, attempt: (look) => this.attempt(look) }
  }

  private first(access: Access, compiled: Compiled): Found<T> | undefined {
    for (const found of this.cells.fits(access, compiled, false)) return found
    return undefined
  }

  /** An operation that looks at matches; a predicate that throws is an error for its caller. */
  private looking<A>(
    label: string,
    template: unknown,
    look: (access: Access, compiled: Compiled, follower: Follower.Follower<T>) => A
  ): Effect.Effect<A, StoreError.StoreError, any> {
    return Effect.flatMap(this.prepared(template), ({ compiled, follower }) =>
      this.base.operation(label, (access) => this.attempt(() => look(access, compiled, follower)))
    )
  }

  private waiting<A>(
    template: unknown,
    alone: (
      compiled: Compiled,
      follower: Follower.Follower<T>,
      fiber: Fiber.Fiber<unknown, unknown>
    ) => Effect.Effect<A, StoreError.StoreError, any>,
    joined: (access: Access, compiled: Compiled, follower: Follower.Follower<T>) => A
  ): Effect.Effect<A, StoreError.StoreError, any> {
    return Effect.withFiber((fiber) => {
      if (Context.getOrUndefined(fiber.context, Transaction) !== undefined)
        return this.looking("waiting", template, joined)
      const compiled = this.compiled(template)
      if (compiled instanceof StoreError.StoreError) return Effect.fail(compiled)
      const shape: StoreShape = Context.getUnsafe(fiber.context, this.base.store)
      if (this.indexes.isKnown(compiled, shape)) return alone(compiled, this.followerIn(shape), fiber)
      return Effect.flatMap(this.registered(compiled, shape), ({ follower }) => alone(compiled, follower, fiber))
    })
  }

  /** The template made ready and, outside of transactions, its mask registered. */
  private prepared(template: unknown): Effect.Effect<Prepared<T>, StoreError.StoreError, any> {
    return Effect.suspend(() => {
      const compiled = this.compiled(template)
      if (compiled instanceof StoreError.StoreError) return Effect.fail(compiled)
      return Effect.flatMap(this.base.store, (shape: StoreShape) => this.registered(compiled, shape))
    })
  }

  private registered(compiled: Compiled, shape: StoreShape): Effect.Effect<Prepared<T>, StoreError.StoreError, any> {
    const ready = { compiled, follower: this.followerIn(shape) }
    if (this.indexes.isKnown(compiled, shape)) return Effect.succeed(ready)
    return Effect.as(this.indexes.register(compiled, shape), ready)
  }

  private followerIn(shape: StoreShape): Follower.Follower<T> {
    let follower = this.followers.get(shape.engine)
    if (follower === undefined) {
      follower = Follower.make(this.cells, shape, this.predicates)
      this.followers.set(shape.engine, follower)
    }
    return follower
  }

  private get follower(): Effect.Effect<Follower.Follower<T>, never, any> {
    return Effect.map(this.base.store, (shape: StoreShape) => this.followerIn(shape))
  }

  private fits(compiled: Compiled, tuple: T): boolean {
    try {
      return Template.fits(compiled, tuple)
    } catch (error) {
      if (error instanceof Template.PredicateFailed) return false
      throw error
    }
  }

  private compiled(template: unknown): Compiled | StoreError.StoreError {
    if (!Array.isArray(template)) return this.badTemplate("a template is an array of places")
    const mismatch = arityMismatch(this.arities, template.length)
    if (mismatch !== undefined) return this.badTemplate(mismatch)
    try {
      return Template.compile(template, this.predicates)
    } catch (error) {
      if (error instanceof Template.UnknownPredicate) return this.badTemplate(error.message)
      throw error
    }
  }

  /** What the view throws passes through. */
  private attempt<A>(look: () => A): A {
    try {
      return look()
    } catch (error) {
      if (error instanceof Template.PredicateFailed) {
        throw this.badTemplate(`${error.message}; no tuple was taken, other waiters are unharmed`)
      }
      throw error
    }
  }

  private badTemplate(detail: string): StoreError.StoreError {
    return StoreError.make(new StoreError.InvalidInput({ message: `space "${this.name}": ${detail}` }))
  }

  private notOfSpace(tuple: unknown): StoreError.StoreError {
    const message = `space "${this.name}": this is no tuple of the space, nothing was put out: ${this.describe(tuple)}`
    return StoreError.make(new StoreError.InvalidInput({ message }))
  }
}

/** The tuple, as what its template says of it: that it matched was just checked. */
const tupleOf = <T, P>({ tuple }: { readonly tuple: T }): Match<T, P> => tuple as Match<T, P>
