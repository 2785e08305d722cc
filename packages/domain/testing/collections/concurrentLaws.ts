/** What collections promise to fibers that use them at once. Laws of the suite, for every backend. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DCounter from "../../src/DCounter.ts"
import * as DMap from "../../src/DMap.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as DSet from "../../src/DSet.ts"
import type { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"

/** One promise. It fails by throwing. */
export interface Law {
  readonly name: string
  readonly run: Effect.Effect<void, unknown, Store>
}

const ensure = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

/** `count` fibers at once. */
const together = <A, E>(count: number, f: (i: number) => Effect.Effect<A, E, Store>) =>
  Effect.forEach(range(count), f, { concurrency: "unbounded" })

const producers = 4
const each = 40

/** Producers offer their own numbers in order while takers wait for items: what each taker got, in its order. */
const flow = (queue: DQueue.DQueue<number>, watch: Effect.Effect<unknown, unknown, Store>) =>
  Effect.gen(function* () {
    const taken = yield* Effect.forkChild(
      together(producers, () => Effect.forEach(range(each), () => Effect.tap(queue.take, () => watch)))
    )
    yield* together(producers, (p) => Effect.forEach(range(each), (n) => queue.offer(p * 1000 + n), { discard: true }))
    return yield* Fiber.join(taken)
  })

const isEachOnceInOrder = (taken: ReadonlyArray<ReadonlyArray<number>>): void => {
  const all = taken.flat().sort((a, b) => a - b)
  const expected = range(producers).flatMap((p) => range(each).map((n) => p * 1000 + n))
  ensure(JSON.stringify(all) === JSON.stringify(expected), `taken: ${JSON.stringify(all)}`)
  for (const mine of taken) {
    for (const p of range(producers)) {
      const of = mine.filter((item) => Math.floor(item / 1000) === p)
      ensure(
        of.every((item, i) => i === 0 || of[i - 1]! < item),
        `a taker got items of producer ${p} out of order: ${of.join(" ")}`
      )
    }
  }
}

/** All laws. */
export const concurrentLaws: ReadonlyArray<Law> = [
  {
    name: "100 increments at once are 100, and addAndGet gives each number once",
    run: Effect.gen(function* () {
      const [a, b] = [DCounter.make("law-a"), DCounter.make("law-b")]
      const numbers = yield* together(100, () => Effect.andThen(a.increment, b.addAndGet(1)))
      ensure((yield* a.get) === 100, `the counter is ${yield* a.get}`)
      ensure(new Set(numbers).size === 100 && Math.max(...numbers) === 100, `numbers: ${numbers.join(" ")}`)
    })
  },
  {
    name: "a queue gives every item to one taker, in the order of its producer, and takers wait",
    run: Effect.gen(function* () {
      const queue = DQueue.make("law-queue", { value: Schema.Number })
      isEachOnceInOrder(yield* flow(queue, Effect.void))
      ensure((yield* queue.size) === 0, "the size is not 0 in the end")
    })
  },
  {
    name: "a bounded queue never holds more than its capacity, and offerers wait",
    run: Effect.gen(function* () {
      const queue = DQueue.make("law-bounded", { value: Schema.Number, capacity: 3 })
      const watch = Effect.map(queue.size, (size) => ensure(size <= 3, `${size} items in a queue of 3`))
      isEachOnceInOrder(yield* flow(queue, watch))
      ensure(!(yield* queue.isFull) && (yield* queue.size) === 0, "room was lost")
    })
  },
  {
    name: "the size of a map is the number of its keys, whoever adds and removes at once",
    run: Effect.gen(function* () {
      const map = DMap.make("law-map", { key: Schema.Number, value: Schema.Number })
      yield* together(40, (i) => (i % 3 === 0 ? map.remove(i % 7) : map.set(i % 7, i)))
      const [size, keys] = yield* Tx.transact(Effect.all([map.size, map.keys()]))
      ensure(size === keys.length, `size ${size}, keys ${keys.join(" ")}`)
    })
  },
  {
    name: "compareAndSet lets one of many through",
    run: Effect.gen(function* () {
      const map = DMap.make("law-cas", { key: Schema.String, value: Schema.Number })
      const first = yield* together(10, (i) => map.compareAndSet("k", "empty", i))
      ensure(first.filter(Boolean).length === 1, `set when empty by ${first.filter(Boolean).length}`)
      const seen = Option.getOrThrow(yield* map.getVersioned("k"))
      const second = yield* together(10, (i) => map.compareAndSet("k", seen.version, i))
      ensure(second.filter(Boolean).length === 1, `set at a version by ${second.filter(Boolean).length}`)
    })
  },
  {
    name: "a set tells one of many adders that the element was new",
    run: Effect.gen(function* () {
      const set = DSet.make("law-set", { value: Schema.String })
      const told = yield* together(10, () => set.add("x"))
      ensure(told.filter(Boolean).length === 1 && (yield* set.size) === 1, `new to ${told.filter(Boolean).length}`)
    })
  },
  {
    name: "an item taken in a transaction that fails is there again, and what it was exchanged for is not",
    run: Effect.gen(function* () {
      const [from, to] = [
        DQueue.make("law-from", { value: Schema.Number }),
        DQueue.make("law-to", { value: Schema.Number })
      ]
      yield* from.offerAll(range(20))
      yield* together(40, (i) =>
        Effect.ignore(
          Tx.transact(
            Effect.gen(function* () {
              const item = yield* from.poll
              if (Option.isSome(item)) yield* to.offer(item.value)
              if (i % 2 === 0) return yield* Effect.fail("no")
            })
          )
        )
      )
      const all = [...(yield* from.values()), ...(yield* to.values())].sort((a, b) => a - b)
      ensure(JSON.stringify(all) === JSON.stringify(range(20)), `items: ${all.join(" ")}`)
    })
  },
  {
    name: "process works every item off once when nothing fails, and again what failed",
    run: Effect.gen(function* () {
      const queue = DQueue.make("law-process", { value: Schema.Number, deliveriesMax: 2 })
      yield* queue.offerAll(range(12))
      const done: Array<number> = []
      const work = queue.process((item, { deliveries }) =>
        item % 4 === 0 || (item % 3 === 0 && deliveries === 1) ? Effect.fail("no") : Effect.sync(() => done.push(item))
      )
      // 0, 4 and 8 fail twice and are dead; 3, 6 and 9 fail once.
      yield* together(3, () => Effect.repeat(Effect.ignore(work), { times: 5 }))
      ensure(JSON.stringify(done.sort((a, b) => a - b)) === "[1,2,3,5,6,7,9,10,11]", `done: ${done.join(" ")}`)
      const dead = [...(yield* queue.deadLetters())].sort((a, b) => a - b)
      ensure(JSON.stringify(dead) === "[0,4,8]", `dead letters: ${dead.join(" ")}`)
    })
  }
]
