/** Whoever asks for a lock and is interrupted wherever its fiber gives way: nothing of the request is left, others go on. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import type { Coordination } from "../../src/CoordinationModel.ts"
import type * as Lock from "../../src/LockModel.ts"
import type { StoreError } from "../../src/StoreError.ts"
import { atEveryYield, type Victim } from "../Interruptions.ts"
import type { Kit } from "./kit.ts"

/** A lock and how many stand in its line. */
interface Asked {
  readonly lock: Lock.AnyLock
  readonly standing: Effect.Effect<number, StoreError>
}

type Use = (lock: Lock.AnyLock) => Effect.Effect<unknown, unknown>

const uses: ReadonlyArray<readonly [string, Use]> = [
  ["withLock", (lock) => lock.withLock(Effect.void)],
  ["scoped", (lock) => Effect.scoped(Effect.flatMap(lock.scoped, ({ guard }) => guard(Effect.void)))]
]

const until = <E>(look: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(look, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(1), until(look))))

/** Free at first, or held by another one who lets go when the victim stands in line or is gone. */
const scene =
  ({ lock, standing }: Asked, use: Use, isHeld: boolean) =>
  (victim: Victim) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const holder = isHeld ? yield* Effect.forkChild(lock.withLock(Deferred.await(gate))) : undefined
      const alone = isHeld ? 1 : 0
      yield* until(Effect.map(standing, (count) => count === alone))
      const fiber = yield* victim(use(lock))
      if (holder !== undefined) {
        yield* until(Effect.map(standing, (count) => count > alone || fiber.pollUnsafe() !== undefined))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holder)
      }
      yield* Fiber.await(fiber)
      // In its turn, so after all that is left of the victim's request.
      yield* lock.withLock(Effect.void)
      yield* until(Effect.map(standing, (count) => count === 0))
    })

const law = (asked: Asked, use: Use, isHeld: boolean) =>
  Effect.map(atEveryYield(scene(asked, use, isHeld)), (strikes) => assert.isAbove(strikes, 2))

export const lockInterruptionTests = ({ test }: Kit<Lock.Tree>): void => {
  describe("a request interrupted wherever its fiber gives way", () => {
    for (const [name, use] of uses) {
      for (const isHeld of [false, true]) {
        test(`${name}, ${isHeld ? "waiting" : "free"}: nothing of it is left`, (tree) =>
          law(
            {
              lock: tree.write("/a/b"),
              standing: Effect.map(tree.standings, (all) => new Set(all.map(({ stamp }) => stamp)).size)
            },
            use,
            isHeld
          ))
      }
    }
  })
}

export const coordinationInterruptionTests = ({ test }: Kit<Coordination>): void => {
  describe("whoever is interrupted wherever its fiber gives way", () => {
    for (const isHeld of [false, true]) {
      test(`with a lock of modes, ${isHeld ? "waiting" : "free"}: nothing of the request is left`, ({ modes }) => {
        const rooms = modes("m", { only: (holds) => holds.total === 0 })
        const standing = Effect.map(rooms.standings, (all) => all.length)
        return law({ lock: rooms.lock("only"), standing }, uses[0]![1], isHeld)
      })
    }

    test("at a barrier: it has arrived with its round or not at all", ({ barrier }) =>
      Effect.gen(function* () {
        const gate = barrier("b", { parties: 2 })
        const strikes = yield* atEveryYield((victim) =>
          Effect.gen(function* () {
            const fiber = yield* victim(gate.await)
            yield* until(Effect.map(gate.waiting, (count) => count === 1 || fiber.pollUnsafe() !== undefined))
            const first = yield* Effect.forkChild(gate.await)
            yield* Fiber.await(fiber)
            // Where the victim has left, somebody else comes in its place; who has passed with it is passed already.
            const isOver = () => first.pollUnsafe() !== undefined
            yield* until(Effect.map(gate.waiting, (count) => count === 1 || isOver()))
            if (!isOver()) yield* gate.await
            yield* Fiber.join(first)
            yield* until(Effect.map(gate.waiting, (count) => count === 0))
          })
        )
        assert.isAbove(strikes, 2)
      }))

    test("at a latch: others pass", ({ latch }) =>
      Effect.gen(function* () {
        const strikes = yield* atEveryYield((victim, place) =>
          Effect.gen(function* () {
            const ready = latch(`l${place}`, { count: 1 })
            const fiber = yield* victim(ready.await)
            const other = yield* Effect.forkChild(ready.await)
            yield* ready.countDown()
            yield* Fiber.await(fiber)
            yield* Fiber.join(other)
          })
        )
        assert.isAbove(strikes, 0)
      }))
  })
}
