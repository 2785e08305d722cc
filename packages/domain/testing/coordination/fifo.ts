/** fifolock's 16 tests by name, each on modes of one's own, as there, and on the locks that are made of them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import type { Coordination } from "../../src/CoordinationModel.ts"
import type { AnyLock } from "../../src/LockModel.ts"
import type { Client, Kit } from "../locks/kit.ts"

/** The locks that a test asks for, by the name of the lock and what to do with it. */
interface Locks {
  readonly mutex: (name: string) => AnyLock
  readonly read: (name: string) => AnyLock
  readonly write: (name: string) => AnyLock
  readonly semaphore: (name: string, permits: number) => AnyLock
}

/** fifolock's recipes. */
const recipes = (coordination: Coordination, name: string) =>
  coordination.modes(name, {
    mutex: (holds) => holds.count("mutex") === 0,
    read: (holds) => holds.count("write") === 0,
    write: (holds) => holds.count("write") === 0 && holds.count("read") === 0,
    two: (holds) => holds.count("two") < 2
  })

const ways: ReadonlyArray<readonly [string, (coordination: Coordination) => Locks]> = [
  [
    "modes of one's own",
    (coordination) => ({
      mutex: (name) => recipes(coordination, name).lock("mutex"),
      read: (name) => recipes(coordination, name).lock("read"),
      write: (name) => recipes(coordination, name).lock("write"),
      semaphore: (name) => recipes(coordination, name).lock("two")
    })
  ],
  [
    "mutex, read-write lock, semaphore",
    ({ mutex, readWriteLock, semaphore }) => ({
      mutex: (name) => mutex(name),
      read: (name) => readWriteLock(name).read,
      write: (name) => readWriteLock(name).write,
      semaphore: (name, permits) => semaphore(name, { permits }).take()
    })
  ]
]

export const fifoTests = (kit: Kit<Coordination>): void => {
  for (const [way, locksOf] of ways) {
    describe(`fifolock's tests: ${way}`, () => {
      const test = (title: string, body: (locks: Locks) => Effect.Effect<void, unknown>) =>
        kit.test(title, (coordination) => body(locksOf(coordination)))
      mutexTests(kit, test)
      cancelTests(kit, test)
      readWriteTests(kit, test)
      semaphoreTests(kit, test)
    })
  }
}

type Test = (title: string, body: (locks: Locks) => Effect.Effect<void, unknown>) => void

const mutexTests = ({ awaitEntered, enter, second }: Kit<Coordination>, test: Test): void => {
  test("mutex blocks mutex", ({ mutex }) => second(mutex("a"), mutex("a"), true))

  test("a lock value is used twice", ({ mutex }) =>
    Effect.gen(function* () {
      const lock = mutex("a")
      assert.strictEqual(yield* lock.withLock(Effect.succeed(1)), 1)
      assert.strictEqual(yield* lock.withLock(Effect.succeed(2)), 2)
    }))

  test("two locks are independent", ({ mutex }) => second(mutex("a"), mutex("b"), false))

  test("an exception bubbles and frees", ({ mutex }) =>
    Effect.gen(function* () {
      const failed = yield* Effect.exit(mutex("a").withLock(Effect.fail("boom")))
      assert.include(String(failed), "boom")
      assert.strictEqual(yield* mutex("a").withLock(Effect.succeed(1)), 1)
    }))

  test("a later request queues behind those that wait", ({ mutex }) =>
    Effect.gen(function* () {
      const first = yield* enter(mutex("a"))
      const waits = yield* enter(mutex("a"))
      yield* awaitEntered(first)
      yield* first.end
      yield* awaitEntered(waits)
      const later = yield* enter(mutex("a"))
      assert.isFalse(later.entered())
      yield* waits.end
      yield* awaitEntered(later)
      yield* later.end
    }))
}

const cancelTests = ({ awaitEntered, enter, settle }: Kit<Coordination>, test: Test): void => {
  test("cancel after acquisition frees", ({ mutex }) =>
    Effect.gen(function* () {
      const first = yield* enter(mutex("a"))
      const waits = yield* enter(mutex("a"))
      yield* awaitEntered(first)
      assert.isFalse(waits.entered())
      yield* Fiber.interrupt(first.fiber)
      yield* awaitEntered(waits)
      yield* waits.end
    }))

  test("cancel before acquisition is skipped", ({ mutex }) =>
    Effect.gen(function* () {
      const first = yield* enter(mutex("a"))
      const cancelled = yield* enter(mutex("a"))
      const third = yield* enter(mutex("a"))
      yield* Fiber.interrupt(cancelled.fiber)
      yield* settle
      assert.isFalse(third.entered())
      yield* first.end
      yield* awaitEntered(third)
      assert.isFalse(cancelled.entered())
      yield* third.end
    }))

  test("cancelling the first which in turn cancels the second still lets the third in", ({ mutex }) =>
    Effect.gen(function* () {
      const holder = yield* enter(mutex("a"))
      const second: { client?: Client } = {}
      const first = yield* Effect.forkChild(
        Effect.onInterrupt(mutex("a").withLock(Effect.void), () => Fiber.interrupt(second.client!.fiber))
      )
      yield* settle
      const client = yield* enter(mutex("a"))
      second.client = client
      const third = yield* enter(mutex("a"))
      yield* Fiber.interrupt(first)
      yield* holder.end
      yield* awaitEntered(third)
      assert.isFalse(client.entered())
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(client.fiber)))
      yield* third.end
    }))
}

const readWriteTests = ({ awaitEntered, enter, second }: Kit<Coordination>, test: Test): void => {
  test("write blocks write", ({ write }) => second(write("a"), write("a"), true))
  test("write blocks read", ({ read, write }) => second(write("a"), read("a"), true))
  test("read allows read", ({ read }) => second(read("a"), read("a"), false))
  test("read blocks write", ({ read, write }) => second(read("a"), write("a"), true))

  test("two reads that finish out of order hold a write until both end", ({ read, write }) =>
    Effect.gen(function* () {
      const one = yield* enter(read("a"))
      const two = yield* enter(read("a"))
      yield* awaitEntered(one)
      yield* awaitEntered(two)
      const writes = yield* enter(write("a"))
      yield* two.end
      assert.isFalse(writes.entered())
      yield* one.end
      yield* awaitEntered(writes)
      yield* writes.end
    }))

  test("a write is not preferred over an earlier read", ({ read, write }) =>
    Effect.gen(function* () {
      const first = yield* enter(write("a"))
      const reads = yield* enter(read("a"))
      const last = yield* enter(write("a"))
      yield* first.end
      yield* awaitEntered(reads)
      assert.isFalse(last.entered())
      yield* reads.end
      yield* awaitEntered(last)
      yield* last.end
    }))
}

const semaphoreTests = ({ awaitEntered, enter }: Kit<Coordination>, test: Test): void => {
  for (const [order, ends] of [
    ["in order", [0, 1]],
    ["out of order", [1, 0]]
  ] as const) {
    test(`a semaphore of two, given back ${order}`, ({ semaphore }) =>
      Effect.gen(function* () {
        const holders = [yield* enter(semaphore("a", 2)), yield* enter(semaphore("a", 2))]
        for (const holder of holders) yield* awaitEntered(holder)
        const third = yield* enter(semaphore("a", 2))
        const fourth = yield* enter(semaphore("a", 2))
        assert.deepStrictEqual([third.entered(), fourth.entered()], [false, false])
        yield* holders[ends[0]]!.end
        yield* awaitEntered(third)
        assert.isFalse(fourth.entered())
        yield* holders[ends[1]]!.end
        yield* awaitEntered(fourth)
        yield* third.end
        yield* fourth.end
      }))
  }
}
