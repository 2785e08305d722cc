/**
 * A tuple space of one process, without a store: `SpaceTable` with fibers that wait. The fast path for programs that never
 * leave one process. Tuples are shared by reference: treat them as immutable.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { isPauseNear, unbroken } from "@weft/domain/internal/unbroken"
import * as StoreError from "@weft/domain/StoreError"
import { SpaceTable } from "./core/SpaceTable.ts"
import type { Entry } from "./core/SpaceTable.ts"
import * as Template from "./core/Template.ts"
import type { Compiled, Match, Predicates } from "./core/Template.ts"
import { aritiesOf, arityMismatch } from "./internal/arities.ts"
import { describer } from "./internal/describer.ts"
import { defaults } from "./TupleSpace.ts"
import type { Definition, Interest, Leased, Notice, TupleSpace } from "./TupleSpace.ts"

/** A space in this process. Two spaces of one name are two spaces. */
export const make = <TS extends Schema.Constraint, Ps extends Predicates = {}>(
  name: string,
  definition: Definition<TS, Ps> & (TS["Type"] extends ReadonlyArray<unknown> ? unknown : "A space holds tuples")
): TupleSpace<Extract<TS["Type"], ReadonlyArray<unknown>>, Ps> => new LocalTupleSpace(name, definition)

/** Outs with a time to live between two looks for expired tuples that nobody asked for. */
const expirePeriodOuts = 1024

type Limits = { readonly [L in keyof typeof defaults]: number }

interface Listener<T> {
  readonly template: Compiled
  readonly queue: Queue.Queue<Notice<T>>
  missed: number
}

class LocalTupleSpace<T extends ReadonlyArray<unknown>, Ps extends Predicates> implements TupleSpace<T, Ps> {
  readonly name: string
  readonly interests: Effect.Effect<ReadonlyArray<Interest>>
  readonly takeDeadLetters: Effect.Effect<ReadonlyArray<T>>
  private readonly table = new SpaceTable<T>()
  private readonly isTuple: (value: unknown) => boolean
  private readonly describe: (value: unknown) => string
  private readonly predicates: Predicates
  private readonly arities: ReadonlySet<number> | undefined
  private readonly limits: Limits
  private readonly listeners = new Set<Listener<T>>()
  private dead: Array<T> = []
  private leased = 0
  private expiringOuts = 0
  private served: Array<() => void> = []
  private draining = false

  constructor(name: string, definition: Definition<Schema.Constraint, Ps>) {
    this.name = name
    this.isTuple = Schema.is(definition.tuple)
    this.describe = describer(definition.tuple)
    this.predicates = definition.predicates ?? {}
    this.arities = aritiesOf(definition.tuple)
    this.limits = {
      returnsMax: definition.returnsMax ?? defaults.returnsMax,
      waitersMax: definition.waitersMax ?? defaults.waitersMax,
      tuplesMax: definition.tuplesMax ?? defaults.tuplesMax,
      listenerBuffer: definition.listenerBuffer ?? defaults.listenerBuffer
    }
    this.interests = Effect.sync(() =>
      this.table.interests().map(({ shown, stamp, takes }) => ({ takes, stamp, template: shown }))
    )
    this.takeDeadLetters = Effect.sync(() => {
      const dead = this.dead
      this.dead = []
      return dead
    })
  }

  out(tuple: T, options?: { readonly timeToLive?: Duration.Input }): Effect.Effect<void, StoreError.StoreError> {
    return Effect.suspend(() => {
      if (!this.isTuple(tuple)) return Effect.fail(this.notOfSpace(tuple))
      if (options?.timeToLive === undefined) {
        if (this.hasRoom(1)) {
          this.put(tuple, Infinity)
          return Effect.void
        }
        return Effect.flatMap(this.now(), (now) => this.putIfRoom(tuple, Infinity, now))
      }
      const lives = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive))
      return Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (++this.expiringOuts % expirePeriodOuts === 0) this.table.expire(now)
        return this.putIfRoom(tuple, now + lives, now)
      })
    })
  }

  take<const P>(template: P): Effect.Effect<Match<T, P>, StoreError.StoreError> {
    return this.match(template, true, tupleOf<T, P>)
  }

  read<const P>(template: P): Effect.Effect<Match<T, P>, StoreError.StoreError> {
    return this.match(template, false, tupleOf<T, P>)
  }

  takeIfPresent<const P>(template: P): Effect.Effect<Option.Option<Match<T, P>>, StoreError.StoreError> {
    return Effect.map(this.present(template, true), Option.map(tupleOf<T, P>))
  }

  readIfPresent<const P>(template: P): Effect.Effect<Option.Option<Match<T, P>>, StoreError.StoreError> {
    return Effect.map(this.present(template, false), Option.map(tupleOf<T, P>))
  }

  takeAll<const P>(template: P): Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError.StoreError> {
    return Effect.map(this.all(template, true), (found) => found.map(tupleOf<T, P>))
  }

  readAll<const P>(template: P): Effect.Effect<ReadonlyArray<Match<T, P>>, StoreError.StoreError> {
    return Effect.map(this.all(template, false), (found) => found.map(tupleOf<T, P>))
  }

  count<const P>(template: P): Effect.Effect<number, StoreError.StoreError> {
    return Effect.map(this.all(template, false), (found) => found.length)
  }

  collect<const P>(template: P, into: TupleSpace<T, any, any>): Effect.Effect<number, StoreError.StoreError> {
    return this.move(template, into, true)
  }

  copyCollect<const P>(template: P, into: TupleSpace<T, any, any>): Effect.Effect<number, StoreError.StoreError> {
    return this.move(template, into, false)
  }

  takeLeased<const P>(template: P) {
    return Effect.map(
      Effect.acquireRelease(
        this.match(template, true, (entry) => {
          this.leased++
          return { entry, done: false }
        }),
        (lease) => Effect.sync(() => lease.done || this.giveBack(lease.entry)),
        { interruptible: true }
      ),
      (lease): Leased<Match<T, P>> => ({
        tuple: tupleOf<T, P>(lease.entry),
        returns: lease.entry.returns,
        done: Effect.sync(() => {
          if (!lease.done) this.leased--
          lease.done = true
        })
      })
    )
  }

  notify<const P>(template: P): Stream.Stream<Notice<Match<T, P>>, StoreError.StoreError> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const compiled = yield* this.compile(template)
        const queue = yield* Queue.dropping<Notice<T>>(this.limits.listenerBuffer)
        const listener: Listener<T> = { template: compiled, queue, missed: 0 }
        yield* Effect.acquireRelease(
          Effect.sync(() => this.listeners.add(listener)),
          () => Effect.sync(() => this.listeners.delete(listener))
        )
        // Notices carry tuples that matched the template.
        return Stream.fromQueue(queue) as Stream.Stream<Notice<Match<T, P>>>
      })
    )
  }

  private hasRoom(count: number): boolean {
    return this.table.size + this.leased + this.dead.length + count <= this.limits.tuplesMax
  }

  /** A space that is full may be full of tuples whose time is over. */
  private putIfRoom(tuple: T, expiresAtMillis: number, now: number): Effect.Effect<void, StoreError.StoreError> {
    if (!this.hasRoom(1) && (this.table.expire(now) === 0 || !this.hasRoom(1))) {
      return Effect.fail(this.tooMany("tuplesMax"))
    }
    this.put(tuple, expiresAtMillis)
    return Effect.void
  }

  private put(tuple: T, expiresAtMillis: number): void {
    this.table.out(tuple, expiresAtMillis)
    // A listener that is woken may begin another one, which is one of the next tuple.
    if (this.listeners.size > 0) for (const listener of Array.from(this.listeners)) notifyOne(listener, tuple)
  }

  private giveBack(entry: Entry<T>): void {
    this.leased--
    if (entry.returns + 1 > this.limits.returnsMax) this.dead.push(entry.tuple)
    else this.table.giveBack(entry)
  }

  private now(): Effect.Effect<number> {
    // Only a space in which something expires looks at the clock.
    return this.expiringOuts === 0 ? Effect.succeed(0) : Clock.currentTimeMillis
  }

  private match<A>(
    template: unknown,
    takes: boolean,
    give: (entry: Entry<T>) => A
  ): Effect.Effect<A, StoreError.StoreError> {
    const look = (now: number) => this.matchNow(template, takes, now, give)
    // Only a space in which something expires looks at the clock.
    return Effect.withFiber((fiber) => {
      if (this.expiringOuts === 0 && !isPauseNear(fiber)) return look(0)
      return Effect.flatMap(this.now(), (now) => unbroken(Effect.suspend(() => look(now))))
    })
  }

  /** The look and the place in line are one step, so that no tuple slips between. */
  private matchNow<A>(
    template: unknown,
    takes: boolean,
    now: number,
    give: (entry: Entry<T>) => A
  ): Effect.Effect<A, StoreError.StoreError> {
    const found = this.oldest(template, takes, now)
    if (found instanceof StoreError.StoreError) return Effect.fail(found)
    if (found !== undefined) return Effect.succeed(give(found))
    const compiled = this.compiled(template)
    if (compiled instanceof StoreError.StoreError) return Effect.fail(compiled)
    if (this.table.waiting >= this.limits.waitersMax) return Effect.fail(this.tooMany("waitersMax"))
    return Effect.map(this.await(compiled, template as ReadonlyArray<unknown>, takes), give)
  }

  /** The oldest match, taken out if it `takes`. */
  private oldest(template: unknown, takes: boolean, now: number): Entry<T> | StoreError.StoreError | undefined {
    const compiled = this.compiled(template)
    if (compiled instanceof StoreError.StoreError) return compiled
    const found = this.attempt(() => this.table.find(compiled, now))
    if (takes && found !== undefined && !(found instanceof StoreError.StoreError)) this.table.remove(found)
    return found
  }

  /** Waits in line. A tuple that was delivered as the wait was interrupted goes back with its age. */
  private await(
    template: Compiled,
    shown: ReadonlyArray<unknown>,
    takes: boolean
  ): Effect.Effect<Entry<T>, StoreError.StoreError> {
    let result: Effect.Effect<Entry<T>, StoreError.StoreError> | undefined
    let delivered: Entry<T> | undefined
    let resume: (() => void) | undefined
    const settle = (outcome: Effect.Effect<Entry<T>, StoreError.StoreError>): void => {
      result = outcome
      this.handOver(() => resume?.())
    }
    const waiter = this.table.wait({
      template,
      takes,
      shown: shown.map(Template.show),
      deliver: (entry) => settle(Effect.succeed((delivered = entry))),
      fail: (error) => settle(Effect.fail(this.predicateFailed(error)))
    })
    const wait = Effect.callback<Entry<T>, StoreError.StoreError>((done) => {
      if (result !== undefined) done(result)
      else resume = () => done(result!)
    })
    return Effect.onExit(wait, (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) return
        this.table.cancel(waiter)
        // Nobody used it, so this is no failed lease: `returns` stays as it was.
        if (takes && delivered !== undefined) this.table.giveBack({ ...delivered, returns: delivered.returns - 1 })
      })
    )
  }

  private present(template: unknown, takes: boolean): Effect.Effect<Option.Option<Entry<T>>, StoreError.StoreError> {
    return Effect.map(this.all(template, takes, 1), (found) => Option.fromUndefinedOr(found[0]))
  }

  private all(
    template: unknown,
    takes: boolean,
    limit?: number
  ): Effect.Effect<ReadonlyArray<Entry<T>>, StoreError.StoreError> {
    const look = (now: number): Effect.Effect<ReadonlyArray<Entry<T>>, StoreError.StoreError> => {
      const compiled = this.compiled(template)
      if (compiled instanceof StoreError.StoreError) return Effect.fail(compiled)
      const found = this.attempt(() => this.table.findAll(compiled, now, limit))
      if (found instanceof StoreError.StoreError) return Effect.fail(found)
      if (takes) for (const entry of found) this.table.remove(entry)
      return Effect.succeed(found)
    }
    return Effect.flatMap(this.now(), (now) => unbroken(Effect.suspend(() => look(now))))
  }

  private move(
    template: unknown,
    into: TupleSpace<T, any, any>,
    takes: boolean
  ): Effect.Effect<number, StoreError.StoreError> {
    if (!(into instanceof LocalTupleSpace)) {
      const message = `tuples of the local space "${this.name}" can only be moved into a local space; "${into.name}" is none: read and put them out instead`
      return Effect.fail(StoreError.make(new StoreError.InvalidInput({ message })))
    }
    return Effect.flatMap(this.all(template, false), (found) => {
      const bad = found.find(({ tuple }) => !into.isTuple(tuple))
      if (bad !== undefined) return Effect.fail(into.notOfSpace(bad.tuple))
      if (!into.hasRoom(found.length)) return Effect.fail(into.tooMany("tuplesMax"))
      for (const entry of found) {
        if (takes) this.table.remove(entry)
        into.put(entry.tuple, entry.expiresAtMillis)
      }
      return Effect.succeed(found.length)
    })
  }

  private compile(template: unknown): Effect.Effect<Compiled, StoreError.StoreError> {
    return Effect.suspend(() => {
      const compiled = this.compiled(template)
      return compiled instanceof StoreError.StoreError ? Effect.fail(compiled) : Effect.succeed(compiled)
    })
  }

  private compiled(template: unknown): Compiled | StoreError.StoreError {
    if (!Array.isArray(template)) return this.badTemplate("a template is an array of places")
    const mismatch = arityMismatch(this.arities, template.length)
    if (mismatch !== undefined) return this.badTemplate(mismatch)
    return this.attempt(() => Template.compile(template, this.predicates))
  }

  private attempt<A>(look: () => A): A | StoreError.StoreError {
    try {
      return look()
    } catch (error) {
      if (error instanceof Template.PredicateFailed) return this.predicateFailed(error)
      if (error instanceof Template.UnknownPredicate) return this.badTemplate(error.message)
      throw error
    }
  }

  /** Resumes waiters from one loop, so that fibers which put out and take in turn do not nest on one stack. */
  private handOver(resume: () => void): void {
    this.served.push(resume)
    if (this.draining) return
    this.draining = true
    for (let i = 0; i < this.served.length; i++) this.served[i]!()
    this.served = []
    this.draining = false
  }

  private predicateFailed(error: Template.PredicateFailed): StoreError.StoreError {
    return this.badTemplate(`${error.message}; no tuple was taken, other waiters are unharmed`)
  }

  private badTemplate(detail: string): StoreError.StoreError {
    return StoreError.make(new StoreError.InvalidInput({ message: `space "${this.name}": ${detail}` }))
  }

  private notOfSpace(tuple: unknown): StoreError.StoreError {
    const message = `space "${this.name}": this is no tuple of the space, nothing was put out: ${this.describe(tuple)}`
    return StoreError.make(new StoreError.InvalidInput({ message }))
  }

  private tooMany(limit: "waitersMax" | "tuplesMax"): StoreError.StoreError {
    const max = this.limits[limit]
    const what = limit === "waitersMax" ? "waiting takes and reads" : "tuples, leased ones and dead letters included,"
    const message = `space "${this.name}" has ${max} ${what} already (${limit}): this one was refused, nothing else changed`
    return StoreError.make(new StoreError.LimitExceeded({ message, limit, max, actual: max + 1 }))
  }
}

/** The tuple, as what its template says of it: that it matched was just checked. */
const tupleOf = <T, P>(entry: Entry<T>): Match<T, P> => entry.tuple as Match<T, P>

const notifyOne = <T extends ReadonlyArray<unknown>>(listener: Listener<T>, tuple: T): void => {
  const { queue, template } = listener
  try {
    if (!Template.fits(template, tuple)) return
  } catch (error) {
    if (!(error instanceof Template.PredicateFailed)) throw error
    return
  }
  if (listener.missed > 0) {
    if (!Queue.offerUnsafe(queue, { _tag: "Missed", count: listener.missed })) {
      listener.missed++
      return
    }
    listener.missed = 0
  }
  if (!Queue.offerUnsafe(queue, { _tag: "Out", tuple })) listener.missed++
}
