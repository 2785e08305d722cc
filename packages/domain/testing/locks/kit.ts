/** What the tests of lock trees are made of: clients that can be watched, and patience. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { assert, it } from "vitest"
import type * as Lock from "../../src/LockModel.ts"
import type { StoreError } from "../../src/StoreError.ts"

export interface KitOptions<Subject> {
  /** A subject of its own at each call. */
  readonly make: () => Effect.Effect<Subject, unknown, Scope.Scope>
  /** Real time after which who can enter has entered, where grants need a disk or a network, in milliseconds; 0 unless said. */
  readonly settleMillis?: number | undefined
}

type Failure = Lock.LockError | StoreError

/** A request that runs until told to end, with what can be seen of it. */
export interface Client {
  readonly fiber: Fiber.Fiber<void, Failure>
  /** Whether it holds; waits for it as long as the suite's settling time. */
  readonly entered: () => boolean
  readonly end: Effect.Effect<void>
}

/** Longest wait for what must come, in milliseconds. */
const patienceMillis = 20_000

/** Everything bound to one suite's options. */
export const makeKit = <Subject>(options: KitOptions<Subject>) => {
  const pause = (millis: number) => Effect.promise(() => new Promise<void>((go) => setTimeout(go, millis)))
  const settle = Effect.gen(function* () {
    for (let i = 0; i < 8; i++) yield* Effect.yieldNow
    if (options.settleMillis !== undefined) yield* pause(options.settleMillis)
  })

  const enter = (lock: Lock.AnyLock) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let inside = false
      const fiber = yield* Effect.forkChild(
        lock.withLock(
          Effect.suspend(() => {
            inside = true
            return Deferred.await(gate)
          })
        )
      )
      yield* settle
      const end = Effect.andThen(
        Deferred.succeed(gate, undefined),
        Effect.andThen(Effect.ignore(Fiber.join(fiber)), settle)
      )
      return { fiber, entered: () => inside, end } satisfies Client
    })

  /** Waits for who must enter. */
  const awaitEntered = (client: Client) =>
    Effect.gen(function* () {
      for (let waited = 0; !client.entered() && waited < patienceMillis; waited += 5) yield* pause(5)
      assert.isTrue(client.entered(), "who is free to enter never did")
    })

  /** Standings once everyone is gone, or what is left after a long wait. */
  const drained = (tree: Lock.Tree) =>
    Effect.gen(function* () {
      for (let waited = 0; waited < patienceMillis && (yield* tree.standings).length > 0; waited += 5) yield* pause(5)
      return yield* tree.standings
    })

  const test = (title: string, body: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it(title, { timeout: 60_000 }, () => Effect.runPromise(Effect.scoped(Effect.flatMap(options.make(), body))))

  /** One holds, a second asks: it waits for the first, or does not. */
  const second = (first: Lock.AnyLock, then: Lock.AnyLock, blocked: boolean) =>
    Effect.gen(function* () {
      const a = yield* enter(first)
      yield* awaitEntered(a)
      const b = yield* enter(then)
      if (blocked) assert.isFalse(b.entered())
      else yield* awaitEntered(b)
      yield* a.end
      yield* awaitEntered(b)
      yield* b.end
    })

  const twice = (tree: Lock.Tree, first: Lock.Claims, then: Lock.Claims, blocked: boolean) =>
    second(tree.request(first), tree.request(then), blocked)

  return { awaitEntered, drained, enter, second, settle, test, twice }
}

export type Kit<Subject> = ReturnType<typeof makeKit<Subject>>
