/** Latch, barrier and election in a store. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Barrier, type Election, type Latch, type Passage, partiesMax, type Term } from "../CoordinationModel.ts"
import * as Cells from "../core/CoordinationCells.ts"
import { type Key, prefixEnd } from "../core/Key.ts"
import { stampBytes } from "../core/KeyCodec.ts"
import { stampOf } from "../core/LockCells.ts"
import { type Remove, type Ticket, willValue } from "../core/SessionCells.ts"
import { fromCounter, toCounter } from "../core/Value.ts"
import * as Lock from "../LockModel.ts"
import * as Sessions from "../Sessions.ts"
import type { StoreError } from "../StoreError.ts"
import { asking } from "./asking.ts"
import type { HeldRecord } from "./HeldRecord.ts"
import { unfenced } from "./HeldRecord.ts"
import * as lockErrors from "./lockErrors.ts"
import * as modeOps from "./modeOps.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey } from "./StoreShape.ts"
import { retry, type TxView } from "./TxView.ts"
import { versioned } from "./versioned.ts"

type Failure = Lock.LockError | StoreError

const refuse = (message: string): Effect.Effect<void, StoreError> =>
  message === "" ? Effect.void : Effect.fail(lockErrors.invalid(message))

export class StoreLatch<Id> implements Latch<Id> {
  readonly name: string
  readonly count: Effect.Effect<number, StoreError, Id>
  readonly await: Effect.Effect<void, StoreError, Id>
  readonly reset: Effect.Effect<void, StoreError, Id>
  private readonly store: StoreKey<Id>
  private readonly wrong: Effect.Effect<void, StoreError>

  constructor(name: string, count: number, store: StoreKey<Id>) {
    this.name = name
    this.store = store
    this.wrong = refuse(lockErrors.refusedCount(`the count of the latch "${name}"`, count, undefined, 0))
    const key = Cells.latchKey(name)
    const left = (tx: TxView): number => Math.max(0, count - tx.counter(key))
    this.count = Effect.andThen(this.wrong, Operation.make(store, `latch.${name}.count`, left))
    const open = Operation.make(store, `latch.${name}.await`, (tx) => {
      if (left(tx) > 0) throw retry
    })
    this.await = Effect.andThen(this.wrong, open)
    this.reset = Operation.make(store, `latch.${name}.reset`, (tx) => tx.delete(key))
  }

  countDown(by = 1): Effect.Effect<void, StoreError, Id> {
    const refused = lockErrors.refusedCount(`a step of the latch "${this.name}"`, by)
    const key = Cells.latchKey(this.name)
    const down = Operation.make(this.store, `latch.${this.name}.countDown`, (tx) => tx.add(key, by))
    return Effect.andThen(Effect.andThen(this.wrong, refuse(refused)), down)
  }
}

/** What one arrival found: it passed, it waits under a stamp, or its session had ended. */
type Arrived = { readonly passage: Passage } | { readonly index: number } | undefined

export class StoreBarrier<Id> implements Barrier<Id> {
  readonly name: string
  readonly parties: number
  readonly await: Effect.Effect<Passage, Failure, Id>
  readonly waiting: Effect.Effect<number, StoreError, Id>
  private readonly prefix: Key

  constructor(name: string, parties: number, store: StoreKey<Id>) {
    this.name = name
    this.parties = parties
    this.prefix = Cells.barrierPrefix(name)
    const label = `barrier.${name}`
    const start = Cells.arrivalPrefix(this.prefix)
    this.waiting = Operation.make(store, `${label}.waiting`, (tx) => tx.range({ start, end: prefixEnd(start) }).length)
    const arrive = asking<Passage, Failure, Id>(
      store,
      label,
      (asker) =>
        Effect.flatMap(
          versioned(store, `${label}.arrive`, (tx) => this.arrive(tx, asker.session, asker.nonce)),
          ({ value, version }): Effect.Effect<Passage | undefined, Failure, Id> => {
            if (value === undefined) return Effect.succeed(undefined)
            if ("passage" in value) return Effect.succeed(value.passage)
            const stamp = (asker.stamp = stampBytes(version, value.index))
            const passed = Operation.make(store, `${label}.await`, (tx) => this.passed(tx, asker.session, stamp))
            return Effect.flatMap(passed, (passage) =>
              passage === undefined
                ? Effect.fail(lockErrors.lost(`place at the barrier "${name}"`))
                : Effect.succeed(passage)
            )
          }
        ),
      (tx, { nonce, session, stamp }) => {
        const records = Cells.barrierRecordPrefix(session.id)
        if (stamp === undefined) modeOps.releaseByNonce(tx, records, nonce)
        else if (this.passed(tx, session, stamp, true) === undefined) modeOps.release(tx, records + stamp)
      }
    )
    const wrong = lockErrors.refusedCount(`the parties of the barrier "${name}"`, parties, partiesMax)
    this.await = Effect.andThen(refuse(wrong), Effect.uninterruptible(arrive))
  }

  /** Arrives: the last of the parties lets the others pass in the same commit, so that nobody can be left behind. */
  private arrive(tx: TxView, session: Sessions.Session, nonce: string): Arrived {
    if (!Sessions.exists(tx, session)) return undefined
    const start = Cells.arrivalPrefix(this.prefix)
    const others = tx.range({ start, end: prefixEnd(start), limit: this.parties })
    for (const { value } of others) {
      const { parties } = Cells.fromValue<Cells.ArrivalValue>(value)
      if (parties === this.parties) continue
      throw lockErrors.invalid(
        `at the barrier "${this.name}" others wait for ${parties} parties, not ${this.parties}: all must say the same; nothing was done`
      )
    }
    if (others.length < this.parties - 1) {
      const index = tx.nextIndex()
      const will: Ticket = { kind: "ticket", prefix: start, nonce }
      tx.append(Cells.barrierRecordPrefix(session.id), index, "", willValue(will))
      tx.append(start, index, "", Cells.toValue({ sid: session.id, parties: this.parties }))
      return { index }
    }
    const generationKey = Cells.generationKey(this.prefix)
    const counter = tx.get(generationKey)
    const generation = counter === undefined ? 0 : (toCounter(counter) ?? 0)
    tx.set(generationKey, fromCounter(generation + 1))
    for (const [index, { key, value }] of others.entries()) {
      const stamp = stampOf(key)
      const { sid } = Cells.fromValue<Cells.ArrivalValue>(value)
      const passed = Cells.passedPrefix(this.prefix) + stamp
      tx.delete(key)
      tx.set(passed, Cells.toValue({ generation, index }))
      // Who has passed and dies before it has read so leaves nothing either.
      const will: Remove = { kind: "remove", keys: [passed] }
      tx.set(Cells.barrierRecordPrefix(sid) + stamp, willValue(will))
    }
    return { passage: { generation, index: this.parties - 1 } }
  }

  /** Waits until the own arrival has passed, and clears it; `undefined` when it is gone. */
  private passed(tx: TxView, session: Sessions.Session, stamp: Key, now = false): Passage | undefined {
    const key = Cells.passedPrefix(this.prefix) + stamp
    const value = tx.get(key)
    if (value === undefined) {
      if (now || tx.get(Cells.arrivalPrefix(this.prefix) + stamp) === undefined) return undefined
      throw retry
    }
    tx.delete(key)
    tx.delete(Cells.barrierRecordPrefix(session.id) + stamp)
    return Cells.fromValue<Cells.PassedValue>(value)
  }
}

export class StoreElection<Id> implements Election<Id> {
  readonly name: string
  readonly leader: Effect.Effect<Option.Option<Term>, StoreError, Id>
  readonly terms: Stream.Stream<Option.Option<Term>, StoreError, Id>
  private readonly tree: Lock.Tree<Lock.Path, Id>
  private readonly store: StoreKey<Id>

  constructor(name: string, tree: Lock.Tree<Lock.Path, Id>, store: StoreKey<Id>) {
    this.name = name
    this.tree = tree
    this.store = store
    this.leader = unfenced(
      Operation.make(store, `election.${name}.leader`, (tx) => Option.fromUndefinedOr(this.present(tx)))
    )
    this.terms = Stream.unfold(-1, (last: number) =>
      Effect.map(
        Operation.make(store, `election.${name}.terms`, (tx) => {
          const term = this.present(tx)
          if ((term?.number ?? 0) === last) throw retry
          return term
        }),
        (term) => [Option.fromUndefinedOr(term), term?.number ?? 0] as const
      )
    )
  }

  lead<A, E, R>(
    self: (term: Term) => Effect.Effect<A, E, R>,
    options: Lock.RequestOptions = {}
  ): Effect.Effect<A, E | Failure, R | Id> {
    return Effect.withFiber((fiber) => {
      const elected = Effect.withFiber((inside): Effect.Effect<A, E | Failure, R | Id> => {
        // The innermost of what this flow holds is the lock of the election.
        const held = Context.get(inside.context, Lock.Holding).at(-1) as HeldRecord<Id>
        const leader = options.owner ?? `${held.session.id.slice(0, 6)} fiber ${fiber.id}`
        const key = Cells.termKey(this.name)
        const begin = Operation.make(this.store, `election.${this.name}.begin`, (tx) => {
          const value = tx.get(key)
          const before = value === undefined ? 0 : Cells.fromValue<Cells.TermValue>(value).number
          const term: Term = { number: before + 1, leader, token: held.token }
          tx.set(key, Cells.toValue({ ...term, record: held.recordKey }))
          return term
        })
        return Effect.flatMap(begin, self)
      })
      return this.tree.request({ write: [[this.name]] }, options).withLock(elected)
    })
  }

  /** The term whose leader holds its lock still. */
  private present(tx: TxView): Term | undefined {
    const value = tx.get(Cells.termKey(this.name))
    if (value === undefined) return undefined
    const { leader, number, record, token } = Cells.fromValue<Cells.TermValue>(value)
    return tx.get(record) === undefined ? undefined : { number, leader, token }
  }
}
