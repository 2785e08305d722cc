/** The remote handle of a queue: what may wait asks, waits until it may go through, and asks again (`Calls.ts`). */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DQueue, OfferOptions } from "@weft/domain/DQueue"
import type { StoreError } from "@weft/domain/StoreError"
import type { Remote } from "../Remote.ts"
import { type Listen, type Send, upTo } from "./handles.ts"

const millisOf = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

const offeringOf = (options: OfferOptions | undefined) => ({
  ...(options?.delay === undefined ? {} : { delayMillis: millisOf(options.delay) }),
  ...(options?.timeToLive === undefined ? {} : { timeToLiveMillis: millisOf(options.timeToLive) })
})

/** `attempt` writes and cannot be interrupted, `ready` waits and can. */
const untilDone = <A>(
  attempt: Effect.Effect<Option.Option<A>, StoreError, Remote>,
  ready: Effect.Effect<void, StoreError, Remote>
): Effect.Effect<A, StoreError, Remote> =>
  Effect.gen(function* () {
    while (true) {
      const done = yield* attempt
      if (Option.isSome(done)) return done.value
      yield* ready
    }
  })

const firstOf = (values: ReadonlyArray<unknown>): Option.Option<any> =>
  values.length === 0 ? Option.none() : Option.some(values[0])

export const queueHandle = (
  name: string,
  send: Send,
  changes: Listen
): Omit<DQueue<any, Remote>, "process" | "takeAcknowledged"> => {
  const takeBetween = (min: number, max: number): Effect.Effect<ReadonlyArray<any>, StoreError, Remote> =>
    untilDone(send("takeBetween", "write", { min, max }), send("takeBetweenReady", "wait", { min, max }))
  const take = Effect.map(takeBetween(1, 1), (taken) => taken[0])
  return {
    name,
    offer: (value, options) =>
      untilDone(send("offer", "write", { value, ...offeringOf(options) }), send("offerReady", "wait")),
    offerIfRoom: (value, options) => send("offerIfRoom", "write", { value, ...offeringOf(options) }),
    offerAll: (given, options) => {
      const values = Array.from(given)
      return untilDone(
        send("offerAll", "write", { values, ...offeringOf(options) }),
        send("offerAllReady", "wait", { values })
      )
    },
    take,
    takeN: (count) => takeBetween(count, count),
    takeBetween,
    poll: Effect.map(send("pollUpTo", "write", { max: 1 }), firstOf),
    pollUpTo: (max) => send("pollUpTo", "write", { max }),
    peek: send("peek", "read"),
    values: (limit) => send("values", "read", upTo(limit)),
    size: send("size", "read"),
    isEmpty: send("isEmpty", "read"),
    isFull: send("isFull", "read"),
    clear: send("clear", "write"),
    stream: Stream.fromEffectRepeat(take),
    deadLetters: (limit) => send("deadLetters", "read", upTo(limit)),
    reviveDeadLetters: (limit) => send("reviveDeadLetters", "write", upTo(limit)),
    clearDeadLetters: (limit) => send("clearDeadLetters", "write", upTo(limit)),
    changes
  }
}
