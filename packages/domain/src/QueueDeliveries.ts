/**
 * Acknowledged takes: the item moves to a cell of its own in flight, with a will of the session that says where it goes
 * when the session ends. Each step is one transaction under the session.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { deliveriesOf, withDeliveries } from "./core/Envelope.ts"
import type { Key, Stamp } from "./core/Key.ts"
import { decodePart } from "./core/KeyDecode.ts"
import type { Delivery } from "./DQueue.ts"
import { giveBack as giveBackCells } from "./QueueCells.ts"
import type { QueueImpl } from "./QueueImpl.ts"
import * as Sessions from "./Sessions.ts"
import type { StoreError } from "./StoreError.ts"
import { Transaction } from "./Transaction.ts"

/** An item in flight. */
export interface InFlight<A> {
  readonly delivery: Delivery<A>
  readonly session: Sessions.Session
  /** Its key in the queue before it was taken. */
  readonly key: Key
  /** Where its will is. */
  readonly place: Key
}

/** An acknowledged take inside a transaction would be undone or hidden with it: a named defect. */
const outside = Effect.flatMap(Effect.context<never>(), (context) =>
  Context.getOrUndefined(context, Transaction) === undefined
    ? Effect.void
    : Effect.die(
        new Error(
          "An acknowledged take stands inside a transaction: its steps are transactions of their own. Use `take` there: the item comes back when the transaction fails"
        )
      )
)

/** Takes one, waiting for it, and sets it in flight under the session of this process. */
export const begin = <A>(queue: QueueImpl<A>): Effect.Effect<InFlight<A>, StoreError, any> =>
  Effect.gen(function* () {
    yield* outside
    const { base, cells } = queue
    for (;;) {
      const session = yield* Sessions.current(base.store)
      const place = session.nextPlace()
      const take = base.operation("process.take", (access): InFlight<A> | undefined => {
        const { tx } = access
        if (!Sessions.exists(tx, session)) return undefined
        const item = cells.next(tx, 1)[0]
        if (item === undefined) return queue.wait(tx)
        const value = base.decode(access, item.value, item.key)
        const deliveries = deliveriesOf(item.value) + 1
        const will = cells.will(item.key)
        tx.delete(item.key)
        tx.add(cells.size, -1)
        tx.set(will.inFlight, withDeliveries(item.value, deliveries))
        Sessions.addWill(tx, session, place, will)
        const stamp = decodePart(cells.tail(item.key), 0).part as Stamp
        return { delivery: { value, deliveries, stamp }, session, key: item.key, place }
      })
      const held = yield* Effect.onExit(take, (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.ignore(cancel(queue, session, place))
      )
      if (held !== undefined) return held
      // The session was removed between two looks at it: the next round opens another one.
      yield* Sessions.renew(base.store, session)
    }
  })

/** A take that was interrupted or whose answer was lost may have happened all the same: then the item goes back. */
const cancel = <A>(queue: QueueImpl<A>, session: Sessions.Session, place: Key): Effect.Effect<void, StoreError, any> =>
  queue.base.operation("process.cancel", ({ tx }) => {
    const will = Sessions.willAt(tx, session, place)
    if (will?.kind !== "giveBack") return
    giveBackCells(tx, will)
    Sessions.dropWill(tx, session, place)
  })

/** `false` when the session has ended meanwhile: the item is or will be delivered again. */
export const acknowledge = <A>(queue: QueueImpl<A>, held: InFlight<A>): Effect.Effect<boolean, StoreError, any> =>
  queue.base.operation("process.acknowledge", ({ tx }) => {
    const { inFlight } = queue.cells.will(held.key)
    if (!Sessions.exists(tx, held.session) || tx.get(inFlight) === undefined) return false
    tx.delete(inFlight)
    Sessions.dropWill(tx, held.session, held.place)
    queue.cells.release(tx, held.key)
    return true
  })

/** Back to its place, or to the dead letters. Nothing when the session has ended: then the will does it. */
export const giveBack = <A>(queue: QueueImpl<A>, held: InFlight<A>): Effect.Effect<boolean, StoreError, any> =>
  queue.base.operation("process.giveBack", ({ tx }) => {
    const will = queue.cells.will(held.key)
    if (!Sessions.exists(tx, held.session)) return false
    giveBackCells(tx, will)
    Sessions.dropWill(tx, held.session, held.place)
    return true
  })

/** Takes, runs, acknowledges. A handler whose session ends is interrupted and the next item is taken. */
export const process = <A, B, E, R>(
  queue: QueueImpl<A>,
  handler: (value: A, delivery: Delivery<A>) => Effect.Effect<B, E, R>
): Effect.Effect<B, E | StoreError, any> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      for (;;) {
        const held = yield* restore(begin(queue))
        const run = Effect.suspend(() => handler(held.delivery.value, held.delivery))
        const exit = yield* Effect.exit(restore(held.session.guard(run)))
        if (Exit.isSuccess(exit)) {
          if (yield* acknowledge(queue, held)) return exit.value
          continue
        }
        if (held.session.isLost()) {
          const failure = Exit.findErrorOption(exit)
          if (failure._tag === "Some" && failure.value instanceof Sessions.SessionLost) continue
        }
        yield* giveBack(queue, held)
        return yield* exit as Exit.Exit<never, E>
      }
    })
  )
