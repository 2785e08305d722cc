/**
 * The store of remote handles: not an engine but a connection to a server that has one. Its key is a store key, so the types
 * refuse a remote handle inside of a transaction.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import { NamespaceMismatch } from "@weft/domain/internal/defects"
import { CommitUnknown, LimitExceeded, make as storeError, StoreError, Unavailable } from "@weft/domain/StoreError"
import { Transaction } from "@weft/domain/Transaction"
import type { Mode } from "./internal/call.ts"
import { type CallId, rememberedMillis, toHeaders } from "./internal/callMemory.ts"

/** How a connection asks again. */
export interface RemoteOptions {
  /** After a call whose answer did not come. Default: exponential from 50 ms to 1 s, jittered. */
  readonly retry?: Schedule.Schedule<unknown> | undefined
  /**
   * How long a call is asked again until it is given up: a read as `Unavailable`, a write as `CommitUnknown`. Default 30
   * seconds; at most half an hour, because servers remember answers for an hour. An interrupted write waits for its answer
   * as long as this.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Calls, waits and feeds of this connection that may be under way at once, those that are asked again included. The next one
   * fails with `LimitExceeded` and is not sent. Default 10,000: a server that is away fills no memory.
   */
  readonly callsMax?: number | undefined
}

/** Calls under way unless said otherwise. */
export const callsMaxDefault = 10_000

export interface RemoteShape {
  readonly call: (tag: string, mode: Mode, payload: unknown) => Effect.Effect<any, StoreError>
  readonly feed: (tag: string, payload: unknown) => Stream.Stream<any, StoreError>
}

/** The connection that remote handles use. */
export class Remote extends Context.Service<Remote, RemoteShape>()("@weft/Store/remote") {}

const timeoutMillisMax = rememberedMillis / 2

const defaultRetry = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

/** A remote handle inside of a transaction: nothing was sent. */
const outsideOfTransactions = (tag: string): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(Transaction), (inside) =>
    Option.isSome(inside) ? Effect.die(new NamespaceMismatch(tag, Remote.key)) : Effect.void
  )

/** Whether the server has said what became of the call. Of a commit whose outcome it does not know, it can be asked again. */
const isAnswer = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.every(
    (reason) =>
      reason._tag === "Die" ||
      (reason._tag === "Fail" && reason.error instanceof StoreError && reason.error.reason._tag !== "CommitUnknown")
  )

/** Message of what came instead of an answer. */
const lossOf = (cause: Cause.Cause<unknown>): string => {
  const reason = cause.reasons[0]
  if (reason?._tag === "Fail") return reason.error instanceof Error ? reason.error.message : String(reason.error)
  return "the server stopped while it worked on the call"
}

/** A connection for a group, over the protocol of the context. */
export const make = (
  group: RpcGroup.RpcGroup<any>,
  options: RemoteOptions = {}
): Effect.Effect<RemoteShape, never, RpcClient.Protocol | Scope.Scope> =>
  Effect.gen(function* () {
    const given = Duration.toMillis(Duration.fromInputUnsafe(options.timeout ?? "30 seconds"))
    const timeoutMillis = Math.min(given, timeoutMillisMax)
    const retry = options.retry ?? defaultRetry
    // The group is known by its tags alone here; `Collections.remote` has the types.
    const send = (yield* RpcClient.make(group, { flatten: true, disableTracing: true })) as unknown as (
      tag: string,
      payload: unknown,
      options?: { readonly headers?: Record<string, string> }
    ) => any
    const ids = new Ids()
    const calls = new UnderWay(options.callsMax ?? callsMaxDefault)

    /** Asks until there is an answer or the time is over. A server that is shut down interrupts the calls it works on. */
    const ask = (tag: string, payload: unknown, headers: Record<string, string>, millis: number) =>
      (send(tag, payload, { headers }) as Effect.Effect<unknown, unknown>).pipe(
        Effect.catchCause((cause) =>
          // What is an answer fails for good, what is none is asked again.
          isAnswer(cause) ? Effect.succeed({ answer: cause as Cause.Cause<StoreError> }) : Effect.fail(lossOf(cause))
        ),
        (asked) => Effect.retry(asked, retry.pipe(Schedule.upTo({ duration: millis }))),
        Effect.timeoutOrElse({
          duration: Number.isFinite(millis) ? millis : Duration.infinity,
          orElse: () => Effect.fail(`no answer within ${millis} ms`)
        }),
        Effect.flatMap((result) => (isFailure(result) ? Effect.failCause(result.answer) : Effect.succeed(result)))
      )

    const write = (tag: string, payload: unknown) =>
      Effect.suspend(() => {
        const id = ids.next()
        return ask(tag, payload, toHeaders(id), timeoutMillis).pipe(
          Effect.ensuring(Effect.sync(() => ids.resolve(id.sequence))),
          Effect.mapError((loss) => (typeof loss === "string" ? unknownOutcome(tag, id, loss) : loss)),
          Effect.uninterruptible
        )
      })

    const again = (tag: string, payload: unknown, millis: number) =>
      Effect.mapError(ask(tag, payload, {}, millis), (loss) =>
        typeof loss === "string" ? unavailable(tag, loss) : loss
      )

    return {
      call: (tag, mode, payload) =>
        Effect.andThen(
          outsideOfTransactions(tag),
          calls.counted(
            tag,
            mode === "write"
              ? write(tag, payload)
              : again(tag, payload, mode === "wait" ? Number.POSITIVE_INFINITY : timeoutMillis)
          )
        ),
      feed: (tag, payload) =>
        Stream.unwrap(
          Effect.as(
            Effect.andThen(
              outsideOfTransactions(tag),
              Effect.acquireRelease(calls.enter(tag), () => calls.leave)
            ),
            (send(tag, payload) as Stream.Stream<unknown, unknown>).pipe(
              Stream.catchCause((cause) =>
                isAnswer(cause)
                  ? Stream.failCause(cause as Cause.Cause<StoreError>)
                  : Stream.fail(unavailable(tag, lossOf(cause)))
              )
            )
          )
        )
    }
  })

const isFailure = (result: unknown): result is { readonly answer: Cause.Cause<StoreError> } =>
  typeof result === "object" && result !== null && "answer" in result && Cause.isCause(result.answer)

const tooMany = (tag: string, max: number): StoreError =>
  storeError(
    new LimitExceeded({
      message: `${tag} was not sent: ${max} calls of this connection are under way already (callsMax), perhaps because the server does not answer. Nothing was changed; wait for some of them, or give the connection a larger limit`,
      limit: "callsMax",
      max,
      actual: max + 1
    })
  )

const unavailable = (tag: string, loss: string): StoreError =>
  storeError(new Unavailable({ message: `${tag} was not answered: ${loss}. Nothing was changed; try again later` }))

const unknownOutcome = (tag: string, { client, sequence }: CallId, loss: string): StoreError =>
  storeError(
    new CommitUnknown({
      message:
        `${tag} was sent and not answered: ${loss}. It has taken effect once or not at all; ` +
        `look at what it should have changed before you do it again`,
      session: client,
      sequence
    })
  )

/** Counts what a connection has under way. */
class UnderWay {
  readonly #max: number
  #count = 0
  readonly leave = Effect.sync(() => void this.#count--)

  constructor(max: number) {
    this.#max = max
  }

  enter(tag: string): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      if (this.#count >= this.#max) return Effect.fail(tooMany(tag, this.#max))
      this.#count++
      return Effect.void
    })
  }

  counted<A>(tag: string, self: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> {
    return Effect.acquireUseRelease(
      this.enter(tag),
      () => self,
      () => this.leave
    )
  }
}

/** Numbers the calls of one client, and knows below which all have been answered. */
class Ids {
  readonly #client = globalThis.crypto.randomUUID()
  readonly #open = new Set<number>()
  #last = 0

  next(): CallId {
    const sequence = ++this.#last
    this.#open.add(sequence)
    // Insertion order is order of numbers.
    const [resolvedBelow = sequence] = this.#open
    return { client: this.#client, sequence, resolvedBelow }
  }

  /** The call was answered or given up. */
  resolve(sequence: number): void {
    this.#open.delete(sequence)
  }
}
