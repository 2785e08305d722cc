/** The laws of latch, barrier and election. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { assert, describe } from "vitest"
import type { Coordination, Term } from "../../src/CoordinationModel.ts"
import type { Kit } from "../locks/kit.ts"

export const gatheringTests = (kit: Kit<Coordination>): void => {
  describe("latch", () => latchTests(kit))
  describe("barrier", () => barrierTests(kit))
  describe("election", () => electionTests(kit))
}

const isDone = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined

const latchTests = ({ settle, test }: Kit<Coordination>): void => {
  test("opens when it was counted down, for those who wait and those who come later", ({ latch }) =>
    Effect.gen(function* () {
      const ready = latch("a", { count: 3 })
      const waits = [yield* Effect.forkChild(ready.await), yield* Effect.forkChild(ready.await)]
      yield* ready.countDown()
      yield* ready.countDown()
      yield* settle
      assert.strictEqual(yield* ready.count, 1)
      assert.deepStrictEqual(waits.map(isDone), [false, false])
      yield* latch("a", { count: 3 }).countDown(5)
      for (const fiber of waits) yield* Fiber.join(fiber)
      yield* ready.await
      assert.strictEqual(yield* ready.count, 0)
      yield* ready.reset
      assert.strictEqual(yield* ready.count, 3)
    }))

  test("64 count down at once, none is lost", ({ latch }) =>
    Effect.gen(function* () {
      const ready = latch("a", { count: 64 })
      const waits = yield* Effect.forkChild(ready.await)
      yield* Effect.forEach(Array.from({ length: 63 }), () => ready.countDown(), { concurrency: "unbounded" })
      yield* settle
      assert.isFalse(isDone(waits))
      yield* ready.countDown()
      yield* Fiber.join(waits)
    }))

  test("a count of zero is open; bad input", ({ latch }) =>
    Effect.gen(function* () {
      yield* latch("a", { count: 0 }).await
      for (const bad of [
        latch("b", { count: -1 }).await,
        latch("b", { count: 1 }).countDown(-1),
        latch("b", { count: 0.5 }).count
      ]) {
        assert.match((yield* Effect.flip(bad as Effect.Effect<unknown, Error>)).message, /InvalidInput/)
      }
    }))
}

const barrierTests = ({ settle, test }: Kit<Coordination>): void => {
  const arrived = (barrier: { readonly waiting: Effect.Effect<number, unknown> }, count: number) =>
    Effect.gen(function* () {
      for (let i = 0; i < 2000 && (yield* barrier.waiting) < count; i++) yield* Effect.andThen(settle, Effect.sleep(1))
      assert.strictEqual(yield* barrier.waiting, count)
    })

  test("lets its parties go together, generation after generation", ({ barrier }) =>
    Effect.gen(function* () {
      const three = barrier("a", { parties: 3 })
      for (let generation = 0; generation < 4; generation++) {
        const first = yield* Effect.forkChild(three.await)
        yield* arrived(three, 1)
        const second = yield* Effect.forkChild(three.await)
        yield* arrived(three, 2)
        assert.deepStrictEqual([isDone(first), isDone(second)], [false, false])
        assert.deepStrictEqual(yield* three.await, { generation, index: 2 })
        assert.deepStrictEqual(yield* Fiber.join(first), { generation, index: 0 })
        assert.deepStrictEqual(yield* Fiber.join(second), { generation, index: 1 })
        assert.strictEqual(yield* three.waiting, 0)
      }
    }))

  test("who is interrupted has not arrived", ({ barrier }) =>
    Effect.gen(function* () {
      const two = barrier("a", { parties: 2 })
      const leaves = yield* Effect.forkChild(two.await)
      yield* arrived(two, 1)
      yield* Fiber.interrupt(leaves)
      yield* arrived(two, 0)
      const stays = yield* Effect.forkChild(two.await)
      yield* arrived(two, 1)
      assert.isFalse(isDone(stays))
      assert.strictEqual((yield* two.await).index, 1)
      assert.strictEqual((yield* Fiber.join(stays)).index, 0)
    }))

  test("8 fibers through 10 rounds: nobody is a round ahead", ({ barrier }) =>
    Effect.gen(function* () {
      const eight = barrier("a", { parties: 8 })
      const rounds = new Array<number>(8).fill(0)
      const run = (me: number) =>
        Effect.gen(function* () {
          for (let round = 0; round < 10; round++) {
            rounds[me] = round
            const { generation } = yield* eight.await
            assert.strictEqual(generation, round)
            assert.isAtMost(Math.max(...rounds) - Math.min(...rounds), 1)
          }
        })
      yield* Effect.forEach(rounds, (_, me) => run(me), { concurrency: "unbounded" })
    }))

  test("one party passes at once; bad input", ({ barrier }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* barrier("a", { parties: 1 }).await, { generation: 0, index: 0 })
      for (const parties of [0, 1.5, 1001]) {
        assert.match((yield* Effect.flip(barrier("b", { parties }).await)).message, /InvalidInput/)
      }
    }))
}

const electionTests = ({ settle, test }: Kit<Coordination>): void => {
  /** A candidate that leads until told to end. */
  const stand = ({ election }: Coordination, owner: string) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const elected = yield* Deferred.make<Term>()
      const fiber = yield* Effect.forkChild(
        election("a").lead((term) => Effect.andThen(Deferred.succeed(elected, term), Deferred.await(gate)), { owner })
      )
      yield* settle
      const end = Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(fiber))
      return { fiber, elected: Deferred.await(elected), isElected: () => Deferred.isDoneUnsafe(elected), end }
    })

  test("one leads at a time, in the order of standing, with rising terms and tokens", (coordination) =>
    Effect.gen(function* () {
      const { leader } = coordination.election("a")
      assert.deepStrictEqual(yield* leader, Option.none())
      const ada = yield* stand(coordination, "ada")
      const first = yield* ada.elected
      const bob = yield* stand(coordination, "bob")
      const eve = yield* stand(coordination, "eve")
      assert.deepStrictEqual(yield* leader, Option.some(first))
      assert.deepStrictEqual([first.leader, first.number], ["ada", 1])
      assert.deepStrictEqual([bob.isElected(), eve.isElected()], [false, false])
      yield* ada.end
      const second = yield* bob.elected
      assert.isFalse(eve.isElected())
      assert.deepStrictEqual([second.leader, second.number], ["bob", 2])
      assert.isAbove(second.token, first.token)
      yield* Fiber.interrupt(bob.fiber)
      assert.strictEqual((yield* eve.elected).number, 3)
      yield* eve.end
      assert.deepStrictEqual(yield* leader, Option.none())
    }))

  test("terms: the present state, then each change", (coordination) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const at = (length: number) =>
        Effect.gen(function* () {
          for (let i = 0; i < 2000 && seen.length < length; i++) yield* Effect.andThen(settle, Effect.sleep(1))
          return seen.at(-1)
        })
      yield* Effect.forkChild(
        Stream.runForEach(coordination.election("a").terms, (term) =>
          Effect.sync(() =>
            seen.push(Option.match(term, { onNone: () => "nobody", onSome: (t) => `${t.number} ${t.leader}` }))
          )
        )
      )
      assert.strictEqual(yield* at(1), "nobody")
      const ada = yield* stand(coordination, "ada")
      yield* ada.elected
      assert.strictEqual(yield* at(2), "1 ada")
      yield* ada.end
      assert.strictEqual(yield* at(3), "nobody")
      const bob = yield* stand(coordination, "bob")
      assert.strictEqual(yield* at(4), "2 bob")
      yield* bob.end
    }))
}
