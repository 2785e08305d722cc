/** A tuple space of a store as one that needs none, for suites: its store is given to every effect. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Store } from "@weft/domain/Store"
import type { TupleSpace } from "../src/TupleSpace.ts"

/** The space over the store of `context`. `unwrapped` spaces may be given to `collect`. */
export const overStore = <T extends ReadonlyArray<unknown>, Ps>(
  space: TupleSpace<T, Ps, Store>,
  context: Context.Context<Store>
): TupleSpace<T, Ps> => {
  const give = <A, E, R>(self: Effect.Effect<A, E, R | Store>): Effect.Effect<A, E, Exclude<R, Store>> =>
    Effect.provideContext(self, context) as Effect.Effect<A, E, Exclude<R, Store>>
  const inner = (into: TupleSpace<T, any, any>): TupleSpace<T, any, any> => wrapped.get(into) ?? into
  const over: TupleSpace<T, Ps> = {
    name: space.name,
    out: (tuple, options) => give(space.out(tuple, options)),
    take: (template) => give(space.take(template)),
    read: (template) => give(space.read(template)),
    takeIfPresent: (template) => give(space.takeIfPresent(template)),
    readIfPresent: (template) => give(space.readIfPresent(template)),
    takeAll: (template) => give(space.takeAll(template)),
    readAll: (template) => give(space.readAll(template)),
    count: (template) => give(space.count(template)),
    takeLeased: (template) => give(space.takeLeased(template)),
    collect: (template, into) => give(space.collect(template, inner(into))),
    copyCollect: (template, into) => give(space.copyCollect(template, inner(into))),
    notify: (template) => Stream.provideContext(space.notify(template), context),
    interests: give(Effect.suspend(() => space.interests)),
    takeDeadLetters: give(Effect.suspend(() => space.takeDeadLetters))
  }
  wrapped.set(over, space)
  return over
}

const wrapped = new WeakMap<object, TupleSpace<any, any, any>>()

/**
 * How often waiting transactions of a store were woken from now on. It counts at the store's index of waiters, where each
 * wake-up is one body that runs again.
 */
export const wakeUpsOf = (context: Context.Context<Store>): Effect.Effect<number> => {
  const { waiters } = Context.get(context, Store).engine
  const add = waiters.add.bind(waiters)
  let count = 0
  waiters.add = (waiter) => {
    const { wake } = waiter
    const counted = () => {
      count++
      wake()
    }
    add(Object.assign(waiter, { wake: counted }))
  }
  return Effect.sync(() => count)
}
