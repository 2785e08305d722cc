/**
 * What a process has running for a space in a store while somebody waits: one follower of the tuples put out, for readers
 * and for what is fresh to match; and one matcher. No timers, but where a pair belongs to another process, which goes first, and for the reaper of expired
 * tuples, which looks at some tuples now and then.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Change } from "@weft/domain/core/Commit"
import { type Key, prefixEnd } from "@weft/domain/core/Key"
import type { Value } from "@weft/domain/core/Value"
import type { Version } from "@weft/domain/core/Version"
import type { StoreShape } from "@weft/domain/internal/StoreShape"
import { unfenced } from "@weft/domain/internal/HeldRecord"
import type { StoreError } from "@weft/domain/StoreError"
import type { Compiled, Predicates, PredicateFailed } from "../core/Template.ts"
import * as matching from "./matching.ts"
import type { SpaceCells } from "./SpaceCells.ts"
import { stampOf } from "./SpaceKeys.ts"
import { Readied } from "./Tickets.ts"

/** How long the process of the first taker in line has before another one hands over in its place. */
const helpMillis = 10
/** Pause between two looks of the reaper. */
const reapMillis = 1000
/** The same while an out found the space full. */
const roomMillis = 10
/** Tuples that the reaper looks at in one step. */
const reapMax = 256
/** Pause before the store is asked again after it failed. */
const againMillis = 100

/** Someone who waits to see a tuple. */
export interface Reader<T> {
  /** A tuple that is there after the commit at `version`. */
  readonly see: (tuple: T, version: Version) => void
  /** Tuples may have passed unseen: look again. */
  readonly lookAgain: () => void
  readonly shown: ReadonlyArray<unknown>
  /** Place in line among those who wait; for people. */
  stamp: Version
}

/** A take that waits. */
interface Taking {
  /** Of its ticket, once it is known. */
  key: Key | undefined
  readonly fail: (error: PredicateFailed) => void
}

export class Follower<T extends ReadonlyArray<unknown>> {
  readonly readers = new Set<Reader<T>>()
  readonly readied: Readied
  private takes = 0
  private readonly takings = new Map<string, Taking>()
  private readonly cells: SpaceCells<T>
  private readonly shape: StoreShape
  private tickets = new Set<Key>()
  private tuples = new Set<Key>()
  private readonly work = Effect.runSync(Queue.dropping<void>(1))
  private readonly begun: Deferred.Deferred<void> = Deferred.makeUnsafe()
  private isBegun = false
  /** Rounds that the reaper goes though nobody waits. */
  private roomRounds = 0

  constructor(cells: SpaceCells<T>, shape: StoreShape, predicates: Predicates) {
    this.cells = cells
    this.shape = shape
    this.readied = new Readied(predicates)
  }

  /** Ends when every tuple put out from now on will be seen. */
  get following(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.begin()
      return Deferred.await(this.begun)
    })
  }

  private begin(): void {
    if (this.isBegun) return
    this.isBegun = true
    this.shape.engine.fork(
      unfenced(this.withStore(Effect.all([this.follow, this.match, this.reap], { concurrency: 3 })))
    )
  }

  /** Looks at all tuples soon, and removes those whose time is over. */
  makeRoom(): void {
    // What is left of the round under way, and a whole one.
    this.roomRounds = 2
    this.begin()
  }

  get waiting(): number {
    return this.takings.size + this.readers.size
  }

  /** A take begins to wait; gives the nonce that names it. */
  addTaking(template: Compiled, fail: Taking["fail"]): string {
    const nonce = `${this.shape.engine.session}:${this.takes++}`
    this.takings.set(nonce, { key: undefined, fail })
    this.readied.add(nonce, template)
    return nonce
  }

  /** The ticket of a taking has its place: it may be matched. */
  placed(nonce: string, key: Key): void {
    const taking = this.takings.get(nonce)
    if (taking === undefined) return
    taking.key = key
    this.tickets.add(key)
    this.wake()
  }

  dropTaking(nonce: string): void {
    this.takings.delete(nonce)
    this.readied.drop(nonce)
  }

  private wake(): void {
    Queue.offerUnsafe(this.work, undefined)
  }

  private withStore<A, E>(self: Effect.Effect<A, E, any>): Effect.Effect<A, E> {
    // The store's key is all that an operation of the space needs.
    return Effect.provideService(self, this.cells.base.store, this.shape) as Effect.Effect<A, E>
  }

  private get follow(): Effect.Effect<never> {
    const { backend } = this.shape.engine
    const { tuples } = this.cells.keys
    const ranges = [{ start: tuples, end: prefixEnd(tuples) }]
    const from = Effect.map(backend.read({ keys: [], ranges: [] }), ({ version }) => version)
    let position: Version | undefined
    const once = Effect.gen({ self: this }, function* () {
      position ??= yield* from
      Deferred.doneUnsafe(this.begun, Effect.void)
      yield* Stream.runForEach(backend.changes({ from: position, ranges, values: true }), (change) =>
        Effect.tap(this.heard(change), () =>
          Effect.sync(() => void (position = change._tag === "Gap" ? change.to : change.version))
        )
      )
    })
    return Effect.forever(Effect.catch(once, () => Effect.void).pipe(Effect.andThen(Effect.sleep(againMillis))))
  }

  private heard(change: Change): Effect.Effect<void, StoreError> {
    if (this.waiting === 0 || change._tag === "Progress") return Effect.void
    if (change._tag === "Gap") {
      for (const { key } of this.takings.values()) if (key !== undefined) this.tickets.add(key)
      for (const reader of this.readers) reader.lookAgain()
      this.wake()
      return Effect.void
    }
    const put: Array<{ readonly key: Key; readonly value: Value }> = []
    for (const { after, key } of change.changes) if (after !== undefined) put.push({ key, value: after.value })
    if (put.length === 0) return Effect.void
    if (this.takings.size > 0) {
      for (const { key } of put) this.tuples.add(key)
      this.wake()
    }
    if (this.readers.size === 0) return Effect.void
    const { base } = this.cells
    const decoded = this.withStore(
      base.operation("hear", (access) =>
        base.decodeAll(access, put, ({ key, value }) => base.decode(access, value, key))
      )
    )
    return Effect.map(decoded, (tuples) => {
      for (const tuple of tuples) for (const reader of this.readers) reader.see(tuple, change.version)
    })
  }

  private get match(): Effect.Effect<never> {
    const round: Effect.Effect<void> = Effect.suspend(() => {
      const fresh = { tickets: [...this.tickets].sort(byStamp), tuples: [...this.tuples].sort() }
      this.tickets.clear()
      this.tuples.clear()
      return Effect.catch(this.matched(fresh, false), () => {
        this.again(fresh)
        return Effect.sleep(againMillis)
      })
    })
    return Effect.forever(
      Effect.andThen(
        Queue.take(this.work),
        Effect.whileLoop({
          while: () => this.tickets.size + this.tuples.size > 0 && this.takings.size > 0,
          body: () => round,
          step: () => undefined
        })
      )
    )
  }

  /** Goes round the tuples while somebody waits here, and removes those whose time is over. Several processes may do so at once. */
  private get reap(): Effect.Effect<never> {
    const { base, keys } = this.cells
    let from = keys.tuples
    const step = Effect.gen({ self: this }, function* () {
      const { next, stamps } = yield* base.operation("expired", (access) => this.cells.expired(access, from, reapMax))
      // A step of its own: the range that the look read would conflict with every take in it.
      if (stamps.length > 0) yield* base.operation("reap", (access) => this.cells.reap(access, stamps))
      from = next ?? keys.tuples
      if (next === undefined && this.roomRounds > 0) this.roomRounds--
    })
    const isIdle = () => this.waiting === 0 && this.roomRounds === 0
    // After a failure the same tuples are looked at again.
    const turn = Effect.suspend(() => (isIdle() ? Effect.void : Effect.ignore(this.withStore(step))))
    const pause = Effect.suspend(() => Effect.sleep(this.roomRounds > 0 ? roomMillis : reapMillis))
    return Effect.forever(Effect.andThen(pause, turn))
  }

  private again({ tickets, tuples }: matching.Fresh): void {
    for (const key of tickets) this.tickets.add(key)
    for (const key of tuples) this.tuples.add(key)
  }

  /** Hands over in place of another process, if it has not done so itself by then. */
  private help(fresh: matching.Fresh): Effect.Effect<void> {
    const late = Effect.andThen(Effect.sleep(helpMillis), this.matched(fresh, true))
    const again = Effect.sync(() => {
      this.again(fresh)
      this.wake()
    })
    return Effect.asVoid(Effect.forkChild(Effect.catch(late, () => again)))
  }

  private matched(fresh: matching.Fresh, hasHelped: boolean): Effect.Effect<void, StoreError> {
    const { base } = this.cells
    const planned = base.operation("plan", (access) => matching.plan(access, this.cells, this.readied, fresh))
    return Effect.flatMap(this.withStore(planned), ({ isCut, pairs }): Effect.Effect<void, StoreError> => {
      for (const [nonce, error] of this.readied.takeFailures()) this.takings.get(nonce)?.fail(error)
      if (pairs.length === 0) return Effect.void
      // The process of the first in line goes first: if all who have a pair did, all but one would lose.
      const isOurs = this.takings.has(pairs[0]!.ticket.record.nonce)
      if (!isOurs && !hasHelped) return this.help(fresh)
      const handed = base.operation("handOver", (access) => matching.handOver(access, this.cells, pairs))
      return Effect.map(this.withStore(handed), (isDone) => {
        if (isDone && !isCut) return
        this.again(fresh)
        this.wake()
      })
    })
  }
}

const byStamp = (a: Key, b: Key): number => (stampOf(a) < stampOf(b) ? -1 : 1)

export const make = <T extends ReadonlyArray<unknown>>(
  cells: SpaceCells<T>,
  shape: StoreShape,
  predicates: Predicates
): Follower<T> => new Follower(cells, shape, predicates)
