/** `waitersMax` of a lock in a store holds over all processes on it, and who dies has no part of it. */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe, it } from "@effect/vitest"
import { prefixEnd } from "../../src/core/Key.ts"
import { toCounter } from "../../src/core/Value.ts"
import * as Cells from "../../src/core/WaitCells.ts"
import * as Operation from "../../src/internal/Operation.ts"
import type * as Lock from "../../src/LockModel.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import { type LossOptions, sessionId, takeForDead } from "./loss.ts"

/** A lock that one holds at a time, and how many requests stand in its line. */
export interface Limited {
  readonly lock: Lock.AnyLock<Store>
  readonly standing: Effect.Effect<number, StoreError, Store>
}

type Process = Context.Context<Store>

/** Longest wait for what must come, in milliseconds. */
const patienceMillis = 20_000

/** What the processes of a store are allowed, where it has one line. */
const allowances = Operation.make(Store, "allowances", (tx) =>
  tx
    .range({ start: Cells.root, end: prefixEnd(Cells.root) })
    .reduce((sum, { value }) => sum + (toCounter(value) ?? 0), 0)
)

const limitOf = (error: { readonly reason: { readonly _tag: string } }): string =>
  error.reason._tag === "LimitExceeded" && "limit" in error.reason ? String(error.reason.limit) : error.reason._tag

const makeScene = (limited: Limited, home: Process) => {
  const { lock, standing } = limited
  const stand = (count: number) =>
    Effect.gen(function* () {
      const look = Effect.provideContext(standing, home)
      for (let waited = 0; waited < patienceMillis && (yield* look) !== count; waited += 2) yield* Effect.sleep(2)
      assert.strictEqual(yield* look, count)
    })
  const ask = (process: Process, self: Effect.Effect<unknown> = Effect.void) =>
    Effect.forkChild(Effect.provideContext(lock.withLock(self), process))
  const refused = (process: Process) =>
    Effect.map(Effect.flip(Effect.provideContext(lock.withLock(Effect.void), process)), (error) => {
      assert.strictEqual(limitOf(error), "waitersMax")
      assert.match(error.message, /waitersMax, in requests/)
    })
  /** Asks so often, by turns, that `surplus` are refused: those that wait. Who stands in line alone need not be let in yet. */
  const fill = (asked: number, surplus: number, ...by: ReadonlyArray<Process>) =>
    Effect.gen(function* () {
      const fibers: Array<Fiber.Fiber<unknown, Lock.LockError | StoreError>> = []
      for (let i = 0; i < asked; i++) fibers.push(yield* ask(by[i % by.length]!))
      const waiting = () => fibers.filter((fiber) => fiber.pollUnsafe() === undefined)
      const most = asked - surplus
      for (let waited = 0; waited < patienceMillis && waiting().length > most; waited += 2) yield* Effect.sleep(2)
      yield* stand(1 + most)
      for (const fiber of fibers.filter((one) => one.pollUnsafe() !== undefined)) {
        assert.strictEqual(limitOf(yield* Effect.flip(Fiber.join(fiber))), "waitersMax")
      }
      return waiting()
    })
  /** Until the processes are allowed so many in all. */
  const allowed = (count: number) =>
    Effect.gen(function* () {
      const look = Effect.provideContext(allowances, home)
      for (let waited = 0; waited < patienceMillis && (yield* look) !== count; waited += 10) yield* Effect.sleep(10)
      assert.strictEqual(yield* look, count)
    })
  return { allowed, ask, fill, refused, stand }
}

/** Registers the tests with vitest. `limited` makes a lock of a name with a limit, the same one for all processes. */
export const waiterTests = (
  name: string,
  { processes }: LossOptions,
  limited: (name: string, waitersMax: number) => Limited
): void => {
  describe(`waiters of ${name}, over all processes`, () => {
    it.live("as many wait as the limit says; the next one is refused by any process, those in line are unharmed", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const { allowed, ask, fill, refused, stand } = makeScene(limited("limit", 3), a)
          const gate = yield* Deferred.make<void>()
          const holder = yield* ask(a, Deferred.await(gate))
          yield* stand(1)
          const waiters = [...(yield* fill(5, 2, a, b))]
          yield* refused(a)
          yield* refused(b)
          yield* stand(4)
          // What one process needs no more the other one may have, in a while.
          yield* Fiber.interrupt(waiters.pop()!)
          yield* allowed(2)
          waiters.push(yield* ask(a))
          yield* allowed(3)
          yield* stand(4)
          yield* refused(b)
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.forEach([holder, ...waiters], Fiber.join)
          yield* stand(0)
        })
      )
    )

    it.live("who is taken for dead leaves what it was allowed to others", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const { ask, fill, refused, stand } = makeScene(limited("death", 2), b)
          const gate = yield* Deferred.make<void>()
          const holder = yield* ask(b, Deferred.await(gate))
          yield* stand(1)
          const dead = yield* fill(3, 1, a)
          yield* refused(b)
          const sid = yield* Effect.provideContext(sessionId, a)
          assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
          const waiters = yield* fill(3, 1, b)
          yield* refused(b)
          for (const fiber of dead) assert.include(String(yield* Fiber.await(fiber)), "LockLost")
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.forEach([holder, ...waiters], Fiber.join)
        })
      )
    )

    it.live("of many that ask at once in both, exactly the limit's number waits", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const { ask, fill, stand } = makeScene(limited("storm", 5), a)
          const gate = yield* Deferred.make<void>()
          const holder = yield* ask(a, Deferred.await(gate))
          yield* stand(1)
          const waiters = yield* fill(24, 19, a, b)
          assert.strictEqual(waiters.length, 5)
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.forEach(waiters, Fiber.join)
          yield* Fiber.join(holder)
        })
      )
    )
  })
}
