/** What becomes of locks with modes, barriers and elections in a store when a process is taken for dead. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { assert, describe, it } from "@effect/vitest"
import * as Coordination from "../../src/Coordination.ts"
import type { Store } from "../../src/Store.ts"
import { type LossOptions, sessionId, takeForDead } from "../locks/loss.ts"

const until = (check: Effect.Effect<boolean, unknown, Store>) =>
  Effect.gen(function* () {
    for (let i = 0; i < 10_000 && !(yield* check); i++) yield* Effect.sleep(1)
    assert.isTrue(yield* check)
  })

/** Registers the tests with vitest. */
export const lossTests = (name: string, { processes }: LossOptions): void => {
  describe(name, () => {
    it.live("a lock with modes: what the dead one held is free, its waiters leave the line, who held is told", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const desk = Coordination.modes("desk", { one: (all) => all.total === 0 })
          const one = { take: () => desk.lock("one") }
          const holds = yield* Deferred.make<void>()
          const held = Effect.andThen(Deferred.succeed(holds, undefined), Effect.never)
          const dead = [
            yield* Effect.forkChild(Effect.provideContext(Effect.exit(one.take().withLock(held)), a)),
            yield* Deferred.await(holds).pipe(
              Effect.andThen(Effect.forkChild(Effect.provideContext(Effect.exit(one.take().withLock(Effect.void)), a)))
            )
          ]
          yield* Effect.provideContext(until(Effect.map(desk.standings, ({ length }) => length === 2)), b)
          const next = yield* Effect.forkChild(Effect.provideContext(one.take().withLock(Effect.succeed(7)), b))
          const sid = yield* Effect.provideContext(sessionId, a)
          assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
          assert.strictEqual(yield* Fiber.join(next), 7)
          // Its engine's next look finds the session gone: what is asked now is asked by another one.
          assert.strictEqual(yield* Effect.provideContext(one.take().withLock(Effect.succeed(8)), b), 8)
          assert.include(String(yield* Fiber.join(dead[1]!)), "LockLost")
          yield* Fiber.interrupt(dead[0]!)
          assert.deepStrictEqual(yield* Effect.provideContext(desk.standings, b), [])
        })
      )
    )

    it.live("a barrier: the dead one has not arrived, and is told so", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const two = Coordination.barrier("desk", { parties: 2 })
          const dead = yield* Effect.forkChild(Effect.provideContext(Effect.exit(two.await), a))
          yield* Effect.provideContext(until(Effect.map(two.waiting, (count) => count === 1)), b)
          const sid = yield* Effect.provideContext(sessionId, a)
          assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
          assert.include(String(yield* Fiber.join(dead)), "LockLost")
          assert.strictEqual(yield* Effect.provideContext(two.waiting, b), 0)
          const pair = Effect.all([two.await, two.await], { concurrency: 2 })
          assert.deepStrictEqual((yield* Effect.provideContext(pair, b)).map(({ index }) => index).toSorted(), [0, 1])
        })
      )
    )

    it.live("an election: the next candidate leads, with a greater token", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* processes
          const desk = Coordination.election("desk")
          const elected = yield* Deferred.make<Coordination.Term>()
          const dead = yield* Effect.forkChild(
            desk
              .lead((term) => Effect.andThen(Deferred.succeed(elected, term), Effect.never), { owner: "ada" })
              .pipe(Effect.exit, Effect.provideContext(a))
          )
          const first = yield* Deferred.await(elected)
          const next = yield* Effect.forkChild(
            Effect.provideContext(
              desk.lead((term) => Effect.map(desk.leader, (leader) => ({ term, leader })), { owner: "bob" }),
              b
            )
          )
          const sid = yield* Effect.provideContext(sessionId, a)
          assert.isTrue(yield* Effect.provideContext(takeForDead(sid), b))
          const { leader, term } = yield* Fiber.join(next)
          assert.deepStrictEqual([term.number, term.leader], [2, "bob"])
          assert.isAbove(term.token, first.token)
          assert.deepStrictEqual(leader, Option.some(term))
          assert.deepStrictEqual(yield* Effect.provideContext(desk.leader, b), Option.none())
          yield* Fiber.interrupt(dead)
        })
      )
    )
  })
}
