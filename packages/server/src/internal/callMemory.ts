/**
 * Exactly once over RPC: a call that writes carries an id in its headers, and what it answered is kept under that id in the
 * store of its collection, written by the same transaction. Asked again, because the answer was lost, by the same client,
 * on this server or on another one of the same store, the call answers the same and does nothing.
 *
 * Answers are forgotten in batches when their client says that it has them; the batch leaves a horizon, and what comes late
 * from below it (a copy that lay in a frozen server) is refused. What a client left behind is forgotten after
 * `rememberedMillis`, twice as long as any client asks. Cost: two more reads and one item of a map per call that writes.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Headers } from "effect/http/Headers"
import * as DMap from "@weft/domain/DMap"
import type { StoreKey } from "@weft/domain/internal/StoreShape"
import { Store } from "@weft/domain/Store"
import { CommitUnknown, InvalidInput, make as storeError, type StoreError } from "@weft/domain/StoreError"
import * as Tx from "@weft/domain/Tx"

/** How long an answer is kept for a client that does not come back. */
export const rememberedMillis = 3_600_000

/** Calls of a client after which those that it has answers for are forgotten. */
const forgetEvery = 64

/** Identity of a call: its client's, its number there, and the number below which the client waits for nothing more. */
export interface CallId {
  readonly client: string
  readonly sequence: number
  readonly resolvedBelow: number
}

const header = "weft-call"

export const toHeaders = ({ client, resolvedBelow, sequence }: CallId): Record<string, string> => ({
  [header]: `${client}:${sequence}:${resolvedBelow}`
})

/** The id of a call; `undefined` for clients that give none, which may then see a call done twice. */
const fromHeaders = (headers: Headers): Effect.Effect<CallId | undefined, StoreError> => {
  const text = headers[header]
  if (text === undefined) return Effect.undefined
  const match = /^([\w-]{1,64}):(\d{1,15}):(\d{1,15})$/.exec(text)
  if (match === null) {
    return Effect.fail(
      storeError(
        new InvalidInput({
          message: `the header ${header} must be client:number:number, not ${JSON.stringify(text.slice(0, 100))}. Nothing was done`
        })
      )
    )
  }
  return Effect.succeed({ client: match[1]!, sequence: Number(match[2]), resolvedBelow: Number(match[3]) })
}

type Answers = DMap.DMap<readonly [string, number], string, any>

const maps = new Map<StoreKey<any>, Answers>()

/** The answers kept in a store. */
export const answersOf = (store: StoreKey<any>): Answers => {
  let map = maps.get(store)
  if (map === undefined) {
    map = DMap.make("@weft/server/answers", {
      key: Schema.Tuple([Schema.String, Schema.Int]),
      value: Schema.String,
      store,
      timeToLive: rememberedMillis
    })
    maps.set(store, map)
  }
  return map
}

/** Where the horizon of a client is kept: calls are numbered from 1. */
const horizonSequence = 0

/** Drops what a client has answers for, and some of what clients left behind. */
const forget = (
  answers: Answers,
  { client, resolvedBelow }: CallId,
  store: StoreKey<any>
): Effect.Effect<void, StoreError, any> =>
  Effect.gen(function* () {
    const old = yield* answers.keys({ after: [client, horizonSequence], until: [client, resolvedBelow] })
    yield* answers.removeMany(old)
    yield* answers.set([client, horizonSequence], String(resolvedBelow))
  }).pipe(Tx.transactWith({ label: "answers.forget", store }), Effect.andThen(answers.evictExpired()), Effect.asVoid)

const late = ({ client, sequence }: CallId): StoreError =>
  storeError(
    new CommitUnknown({
      message: `call ${sequence} came after its client had its answer or had given it up. This copy did nothing`,
      session: client,
      sequence
    })
  )

/** One call that writes, at most once for its id. `run` joins the transaction that it stands in. */
export const once = <A, R>(options: {
  readonly label: string
  readonly store: StoreKey<any> | undefined
  readonly success: Schema.Codec<A, any>
  readonly headers: Headers
  readonly run: Effect.Effect<A, StoreError, R>
  readonly transact: boolean
}): Effect.Effect<A, StoreError, any> => {
  const { headers, label, run, store = Store, success, transact } = options
  const answer = Schema.fromJsonString(Schema.toCodecJson(success))
  return Effect.flatMap(fromHeaders(headers), (id) => {
    if (id === undefined) return transact ? Tx.transactWith(run, { label, store }) : run
    const answers = answersOf(store)
    const at = [id.client, id.sequence] as const
    const body = Effect.gen(function* () {
      const horizon = yield* answers.get([id.client, horizonSequence])
      if (Option.isSome(horizon) && id.sequence < Number(horizon.value)) return yield* late(id)
      const kept = yield* answers.get(at)
      // What is kept was encoded by the same Schema; if an upgrade changed it, the answer cannot be told any more.
      if (Option.isSome(kept)) return yield* Effect.orDie(Schema.decodeEffect(answer)(kept.value))
      const result = yield* run
      yield* answers.set(at, yield* Effect.orDie(Schema.encodeEffect(answer)(result)))
      return result
    })
    const done = Tx.transactWith(body, { label, store })
    // What is not forgotten now is forgotten by a later call, or by its time.
    return id.sequence % forgetEvery === 0 ? Effect.tap(done, Effect.ignore(forget(answers, id, store))) : done
  })
}
