/** Locks with modes beyond fifolock: weights, cycles, standings, bad input, functions that throw or are not monotone. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { assert, describe } from "vitest"
import type { Coordination } from "../../src/CoordinationModel.ts"
import type { Kit } from "../locks/kit.ts"

export const modeTests = (kit: Kit<Coordination>): void => {
  describe("semaphore", () => semaphoreTests(kit))
  describe("locks that wait for each other", () => cycleTests(kit))
  describe("modes", () => ownModeTests(kit))
}

const semaphoreTests = ({ awaitEntered, enter, settle, test }: Kit<Coordination>): void => {
  test("weights: a heavy request waits for all it needs, lighter ones behind it do not pass", ({ semaphore }) =>
    Effect.gen(function* () {
      const five = semaphore("a", { permits: 5 })
      const three = yield* enter(five.take(3))
      yield* awaitEntered(three)
      assert.strictEqual(yield* five.available, 2)
      const four = yield* enter(five.take(4))
      const one = yield* enter(five.take(1))
      assert.deepStrictEqual([four.entered(), one.entered()], [false, false])
      yield* three.end
      yield* awaitEntered(four)
      yield* awaitEntered(one)
      assert.strictEqual(yield* five.available, 0)
      yield* four.end
      yield* one.end
      assert.strictEqual(yield* five.available, 5)
    }))

  test("tokens rise with every grant that had to wait, and name the holder", ({ semaphore }) =>
    Effect.gen(function* () {
      const one = semaphore("a", { permits: 1 })
      let last = -1
      for (let i = 0; i < 5; i++) {
        yield* Effect.scoped(
          Effect.flatMap(one.take().scoped, ({ guard, token }) =>
            guard(
              Effect.sync(() => {
                assert.isAbove(token, last)
                last = token
              })
            )
          )
        )
      }
    }))

  test("withLockIfFree answers None instead of waiting, also where only those before wait", ({ semaphore }) =>
    Effect.gen(function* () {
      const three = semaphore("a", { permits: 3 })
      const two = yield* enter(three.take(2))
      yield* awaitEntered(two)
      assert.deepStrictEqual(yield* three.take(1).withLockIfFree(Effect.succeed(1)), Option.some(1))
      assert.deepStrictEqual(yield* three.take(2).withLockIfFree(Effect.succeed(1)), Option.none())
      const heavy = yield* enter(three.take(3))
      assert.deepStrictEqual(yield* three.take(1).withLockIfFree(Effect.succeed(1)), Option.none())
      yield* two.end
      yield* awaitEntered(heavy)
      yield* heavy.end
    }))

  test("gives up in time and leaves nothing behind", ({ semaphore }) =>
    Effect.gen(function* () {
      const one = semaphore("a", { permits: 1 })
      const holder = yield* enter(one.take())
      yield* awaitEntered(holder)
      const error = yield* Effect.flip(one.take(1, { timeout: "30 millis" }).withLock(Effect.void))
      assert.match(error.message, /LockTimeout.*within 30 ms/)
      yield* holder.end
      assert.strictEqual(yield* one.take().withLock(Effect.succeed(7)), 7)
    }))

  test("bad input: no permits, more than there are, a fraction", ({ semaphore }) =>
    Effect.gen(function* () {
      for (const lock of [
        semaphore("a", { permits: 0 }).take(),
        semaphore("a", { permits: 2 }).take(3),
        semaphore("a", { permits: 2 }).take(0.5),
        semaphore("a", { permits: 2 }).take(0)
      ]) {
        for (const use of [lock.withLock(Effect.void), lock.withLockIfFree(Effect.void), Effect.scoped(lock.scoped)]) {
          const error = yield* Effect.flip(
            use as Effect.Effect<void, { readonly _tag: string; readonly message: string }>
          )
          assert.match(error.message, /InvalidInput/)
        }
      }
    }))

  test("64 who take and give back: never more than the permits, all in the order of their asking", ({ semaphore }) =>
    Effect.gen(function* () {
      const three = semaphore("a", { permits: 3 })
      const order: Array<number> = []
      let inside = 0
      let most = 0
      const fibers: Array<Fiber.Fiber<void, unknown>> = []
      const holder = yield* enter(three.take(3))
      yield* awaitEntered(holder)
      for (let i = 0; i < 64; i++) {
        const work = Effect.gen(function* () {
          order.push(i)
          most = Math.max(most, ++inside)
          yield* Effect.yieldNow
          inside--
        })
        fibers.push(yield* Effect.forkChild(three.take().withLock(work), { startImmediately: true }))
        // One commit each, so that the order of asking is known.
        if (i % 16 === 0) yield* settle
      }
      yield* holder.end
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.isAtMost(most, 3)
      assert.strictEqual(new Set(order).size, 64)
    }))
}

const cycleTests = ({ awaitEntered, enter, settle, test }: Kit<Coordination>): void => {
  test("re-entry of a mutex and of a full semaphore is a Deadlock (bad case 15)", ({ mutex, semaphore }) =>
    Effect.gen(function* () {
      for (const lock of [mutex("a"), semaphore("a", { permits: 1 }).take()]) {
        const error = yield* Effect.flip(lock.withLock(lock.withLock(Effect.void)))
        assert.match(error.message, /Deadlock/)
      }
      assert.strictEqual(
        yield* semaphore("a", { permits: 2 })
          .take()
          .withLock(semaphore("a", { permits: 2 }).take().withLock(Effect.succeed(2))),
        2
      )
    }))

  test("two mutexes in opposite order: one gives way, the other goes on", ({ mutex }) =>
    Effect.gen(function* () {
      const inside = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const nest = (a: string, b: string, mine: 0 | 1, theirs: 0 | 1) =>
        Effect.forkChild(
          Effect.exit(
            mutex(a).withLock(
              Deferred.succeed(inside[mine], undefined).pipe(
                Effect.andThen(Deferred.await(inside[theirs])),
                Effect.andThen(mutex(b).withLock(Effect.void))
              )
            )
          )
        )
      const flows = [yield* nest("a", "b", 0, 1), yield* nest("b", "a", 1, 0)]
      const ends = [yield* Fiber.join(flows[0]!), yield* Fiber.join(flows[1]!)]
      assert.strictEqual(ends.filter(Exit.isSuccess).length, 1)
    }))

  test("two holders of one permit each want a second: the younger gives way, the other goes on", ({ semaphore }) =>
    Effect.gen(function* () {
      const two = semaphore("a", { permits: 2 })
      const both = yield* Deferred.make<void>()
      const nest = two.take().withLock(Effect.andThen(Deferred.await(both), two.take().withLock(Effect.void)))
      const flows = [yield* Effect.forkChild(Effect.exit(nest)), yield* Effect.forkChild(Effect.exit(nest))]
      while ((yield* two.available) > 0) yield* settle
      yield* Deferred.succeed(both, undefined)
      const ends = [yield* Fiber.join(flows[0]!), yield* Fiber.join(flows[1]!)]
      assert.strictEqual(ends.filter(Exit.isSuccess).length, 1)
      assert.include(String(ends.find(Exit.isFailure)), "Deadlock")
      assert.strictEqual(yield* two.available, 2)
    }))

  test("a nested request that others will make room for waits", ({ semaphore }) =>
    Effect.gen(function* () {
      const two = semaphore("a", { permits: 2 })
      const other = yield* enter(two.take())
      yield* awaitEntered(other)
      const nested = yield* enter({ ...two.take(), withLock: (self) => two.take().withLock(two.take().withLock(self)) })
      assert.isFalse(nested.entered())
      yield* other.end
      yield* awaitEntered(nested)
      yield* nested.end
    }))
}

const ownModeTests = ({ awaitEntered, enter, settle, test }: Kit<Coordination>): void => {
  test("a function that needs a holder: once granted it stays so when that holder has gone", ({ modes }) =>
    Effect.gen(function* () {
      const lock = modes("a", {
        teacher: () => true,
        pupil: (holds) => holds.count("teacher") > 0,
        cleaner: (holds) => holds.total === 0
      })
      const pupil = yield* enter(lock.lock("pupil"))
      assert.isFalse(pupil.entered())
      assert.deepStrictEqual(yield* lock.lock("teacher").withLockIfFree(Effect.void), Option.none())
      yield* Fiber.interrupt(pupil.fiber)
      const teacher = yield* enter(lock.lock("teacher"))
      yield* awaitEntered(teacher)
      const second = yield* enter(lock.lock("pupil"))
      yield* awaitEntered(second)
      yield* teacher.end
      const cleaner = yield* enter(lock.lock("cleaner", { owner: "cleo" }))
      assert.isFalse(cleaner.entered())
      assert.deepStrictEqual(
        (yield* lock.standings).map(({ mode, owner, state }) => [mode, state, owner === "cleo"]),
        [
          ["pupil", "holds", false],
          ["cleaner", "waits", true]
        ]
      )
      yield* second.end
      yield* awaitEntered(cleaner)
      yield* cleaner.end
      assert.deepStrictEqual(yield* lock.standings, [])
    }))

  test("who waits does not count as a holder for those behind", ({ modes }) =>
    Effect.gen(function* () {
      const lock = modes("a", {
        cleaner: (holds) => holds.total === 0,
        teacher: (holds) => holds.count("cleaner") === 0,
        pupil: (holds) => holds.count("teacher") > 0
      })
      const cleaner = yield* enter(lock.lock("cleaner"))
      yield* awaitEntered(cleaner)
      const teacher = yield* enter(lock.lock("teacher"))
      const pupil = yield* enter(lock.lock("pupil"))
      assert.deepStrictEqual([teacher.entered(), pupil.entered()], [false, false])
      yield* cleaner.end
      yield* awaitEntered(teacher)
      yield* awaitEntered(pupil)
      yield* pupil.end
      yield* teacher.end
    }))

  test("a function that throws refuses its own request alone", ({ modes }) =>
    Effect.gen(function* () {
      const lock = modes("a", {
        good: (holds) => holds.count("good") === 0,
        odd: (holds) => {
          if (holds.total === 0) throw new Error("odd one")
          return false
        }
      })
      const error = yield* Effect.flip(lock.lock("odd").withLock(Effect.void))
      assert.match(error.message, /InvalidInput.*"odd".*odd one/)
      const holder = yield* enter(lock.lock("good"))
      yield* awaitEntered(holder)
      const odd = yield* Effect.forkChild(Effect.flip(lock.lock("odd").withLock(Effect.void)))
      yield* settle
      const behind = yield* enter(lock.lock("good"))
      assert.isFalse(behind.entered())
      yield* holder.end
      assert.match((yield* Fiber.join(odd)).message, /odd one/)
      yield* awaitEntered(behind)
      yield* behind.end
    }))

  test("bad input: a mode that there is not, a weight that is none", ({ modes }) =>
    Effect.gen(function* () {
      const lock = modes("a", { one: (holds) => holds.total === 0 })
      for (const bad of [lock.lock("two" as "one"), lock.lock("one", { weight: Number.NaN })]) {
        const error = yield* Effect.flip(bad.withLock(Effect.void))
        assert.match(error.message, /InvalidInput/)
      }
      assert.strictEqual(yield* lock.lock("one").withLock(Effect.succeed(1)), 1)
    }))

  test("one name in use with another definition is refused, who holds it is unharmed", ({ modes, semaphore }) =>
    Effect.gen(function* () {
      const one = modes("a", { one: (holds) => holds.total === 0 })
      const holder = yield* enter(one.lock("one"))
      yield* awaitEntered(holder)
      const error = yield* Effect.flip(
        modes("a", { other: () => true })
          .lock("other")
          .withLock(Effect.void)
      )
      assert.match(error.message, /InvalidInput.*in use as "one", not as "other"/)
      yield* semaphore("a", { permits: 1 })
        .take()
        .withLock(
          Effect.map(Effect.flip(semaphore("a", { permits: 2 }).take().withLock(Effect.void)), ({ message }) =>
            assert.match(message, /in use as "1 permits", not as "2 permits"/)
          )
        )
      assert.strictEqual((yield* one.standings).length, 1)
      yield* holder.end
    }))

  test("a cancelled head lets those behind it in at once (bad case 14)", ({ semaphore }) =>
    Effect.gen(function* () {
      const two = semaphore("a", { permits: 2 })
      const holder = yield* enter(two.take())
      yield* awaitEntered(holder)
      const head = yield* enter(two.take(2))
      const behind = yield* enter(two.take())
      assert.isFalse(behind.entered())
      yield* Fiber.interrupt(head.fiber)
      yield* awaitEntered(behind)
      yield* behind.end
      yield* holder.end
    }))

  test("used after it was given back: LockLost", ({ modes }) =>
    Effect.gen(function* () {
      const hold = yield* Effect.scoped(modes("a", { one: (holds) => holds.total === 0 }).lock("one").scoped)
      const error = yield* Effect.flip(hold.guard(Effect.void))
      assert.match(error.message, /LockLost.*given back/)
    }))
}
