/**
 * How many requests of this process may wait in one line of a store: `waitersMax` holds over all processes on it. A process
 * has an allowance (`core/WaitCells.ts`), of which each request that has to wait takes one, without a commit; when it is
 * used up it grows by a block of `waitersMax` / 256, by one commit that reads the allowances of all. What was not needed for
 * half a second is given back. It hangs on the process's session: who dies has none.
 *
 * Exact above: never do more wait than the limit. Below it a request may be refused while others have parts of blocks to
 * spare, which is at most a block for each process that waits.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type Key, prefixEnd } from "../core/Key.ts"
import { fromCounter, toCounter, type Value } from "../core/Value.ts"
import * as Cells from "../core/WaitCells.ts"
import * as Sessions from "../Sessions.ts"
import type { StoreError } from "../StoreError.ts"
import type { Engine } from "./Engine.ts"
import { unfenced } from "./HeldRecord.ts"
import { tooManyOverAll } from "./lockErrors.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey, StoreShape } from "./StoreShape.ts"
import type { TxView } from "./TxView.ts"

/** What is allowed and was not needed for so long is given back, in milliseconds. */
export const idleMillis = 500

/** A line and its limit. */
export interface WaitLine<Id> {
  readonly what: string
  readonly prefix: Key
  readonly store: StoreKey<Id>
  readonly max: number
}

/** Who waits. */
export interface Waiting {
  readonly engine: Engine
  readonly session: Sessions.Session
}

/**
 * Runs what waits in a line as one of those that may; `LimitExceeded` where no more may. Costs a commit where the allowance
 * has to grow, else nothing but memory.
 */
export const allowed = <A, E, Id>(
  self: Effect.Effect<A, E, Id>,
  line: WaitLine<Id>,
  { engine, session }: Waiting
): Effect.Effect<A, E | StoreError, Id> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const allowance = allowanceOf(line, session)
      return Effect.andThen(
        allowance.enter(restore),
        Effect.onExit(restore(self), () => allowance.leave(engine))
      )
    })
  )

const allowances = new WeakMap<Sessions.Session, Map<Key, Allowance<any>>>()

const allowanceOf = <Id>(line: WaitLine<Id>, session: Sessions.Session): Allowance<Id> => {
  let ofSession = allowances.get(session)
  if (ofSession === undefined) allowances.set(session, (ofSession = new Map<Key, Allowance<any>>()))
  let allowance = ofSession.get(line.prefix)
  if (allowance === undefined) ofSession.set(line.prefix, (allowance = new Allowance(line, session)))
  // Two handles of one line may say other limits: that of who asks holds.
  allowance.line = line
  return allowance
}

class Allowance<Id> {
  line: WaitLine<Id>
  private count = 0
  /** Most that waited since the last look at what is idle. */
  private peak = 0
  /** How many may wait, as far as this process knows. */
  private size = 0
  /** The cell may say more than `size`: a commit was not heard of. */
  private isUnsure = false
  private isTrimming = false
  /** One change of the cell at a time. */
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly session: Sessions.Session

  constructor(line: WaitLine<Id>, session: Sessions.Session) {
    this.line = line
    this.session = session
  }

  /** Takes one. To be run where nothing but what is restored can be interrupted. */
  enter(restore: Restore): Effect.Effect<void, StoreError, Id> {
    if (this.count < this.size) {
      this.peak = Math.max(this.peak, ++this.count)
      return Effect.void
    }
    // Others may take what was let in for this one.
    return Effect.andThen(
      restore(this.turn.withPermit(this.grow)),
      Effect.suspend(() => this.enter(restore))
    )
  }

  /** Gives one back. Never fails: what is idle goes later, in the store's scope. */
  leave(engine: Engine): Effect.Effect<void, never, Id> {
    this.count--
    if (this.isTrimming || !this.isIdle) return Effect.void
    this.isTrimming = true
    return Effect.map(this.line.store, (shape: StoreShape) => {
      // R is the store's key alone, which is given here.
      engine.fork(unfenced(Effect.provideService(this.trimming, this.line.store, shape) as Effect.Effect<void>))
    })
  }

  private get isIdle(): boolean {
    return !this.session.isLost() && (this.isUnsure || this.size - this.count >= Cells.blockOf(this.line.max))
  }

  private readonly grow: Effect.Effect<void, StoreError, Id> = Effect.suspend(() => {
    if (this.count < this.size) return Effect.void
    const { max, prefix, store, what } = this.line
    this.isUnsure = true
    const run = Operation.make(store, `${what}.waiters`, (tx) => grow(tx, prefix, this.session, max))
    return Effect.flatMap(run, (size) => {
      this.isUnsure = false
      this.size = size
      return this.count < size ? Effect.void : Effect.fail(tooManyOverAll(what, max))
    })
  })

  private readonly trimming: Effect.Effect<void, never, Id> = Effect.suspend(() => {
    this.peak = this.count
    const trim = Effect.ignore(this.turn.withPermit(this.trim))
    return Effect.andThen(
      Effect.andThen(Effect.sleep(idleMillis), trim),
      Effect.suspend(() => {
        if (this.isIdle) return this.trimming
        this.isTrimming = false
        return Effect.void
      })
    )
  })

  private readonly trim: Effect.Effect<void, StoreError, Id> = Effect.suspend(() => {
    const { max, prefix, store, what } = this.line
    const kept = Cells.trimmed(this.size, this.peak, max)
    if (kept === this.size && !this.isUnsure) return Effect.void
    this.size = kept
    this.isUnsure = true
    return Effect.map(
      Operation.makeRelaxed(store, `${what}.waitersIdle`, (tx) => keep(tx, prefix, this.session, kept)),
      () => void (this.isUnsure = false)
    )
  })
}

type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Lets a session have a block more of a line, where there is one left: what it has then. */
const grow = (tx: TxView, line: Key, session: Sessions.Session, max: number): number => {
  // What waits under a session that has ended finds its record gone.
  if (!Sessions.exists(tx, session)) return Number.POSITIVE_INFINITY
  const start = Cells.linePrefix(line)
  const key = Cells.allowanceKey(line, session.id)
  const all = tx.range({ start, end: prefixEnd(start) })
  const sizeOf = (value: Value | undefined) => (value === undefined ? 0 : (toCounter(value) ?? 0))
  const own = sizeOf(all.find((item) => item.key === key)?.value)
  const size = Cells.grown(
    own,
    all.reduce((sum, { value }) => sum + sizeOf(value), 0),
    max
  )
  if (size === own) return own
  tx.set(key, fromCounter(size))
  if (own === 0) Sessions.addWill(tx, session, Cells.willPlace(line), { kind: "remove", keys: [key] })
  return size
}

/** Leaves a session `size` of what it has of a line. */
const keep = (tx: TxView, line: Key, session: Sessions.Session, size: number): void => {
  const key = Cells.allowanceKey(line, session.id)
  // What it had is in the read set: this cannot undo what came after it.
  if (!Sessions.exists(tx, session) || tx.get(key) === undefined) return
  if (size > 0) return tx.set(key, fromCounter(size))
  tx.delete(key)
  Sessions.dropWill(tx, session, Cells.willPlace(line))
}
