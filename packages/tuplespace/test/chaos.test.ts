/**
 * Two engines, as of two processes, on one store: takers that are cancelled and sessions that are removed at random. Every
 * tuple is consumed once. Full size: `WEFT_SCALE=full`; one seed: `WEFT_SEED=n`.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { Backend } from "@weft/domain/Backend"
import * as MemoryBackend from "@weft/domain/MemoryBackend"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "../src/StoreTupleSpace.ts"
import { any } from "../src/TupleSpace.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const tuples = isFull ? 100_000 : 2_000
const seed = Number(process.env["WEFT_SEED"] ?? 1)
const takers = 8

const randomOf = (seed: number) => {
  let state = seed >>> 0
  return (n: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

const space = StoreTupleSpace.make("work", {
  tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]),
  returnsMax: 1e6
})

const twoProcesses = (isSync: boolean) => {
  const { sync, ...rest } = MemoryBackend.make()
  const backend = () => Layer.sync(Backend, () => Backend.of(isSync && sync !== undefined ? { ...rest, sync } : rest))
  return Effect.all([Layer.build(Store.layer(backend())), Layer.build(Store.layer(backend()))])
}

/** As an observer does that saw no sign of life for a lease. */
const takeForDead = Effect.gen(function* () {
  const { id } = yield* Sessions.current(Store)
  for (let bump = 0; bump < 4; bump++) if (yield* Sessions.remove(Store, id, bump)) return
})

for (const isSync of [true, false]) {
  describe(`takers in two processes, ${isSync ? "on the synchronous lane" : "on a store that answers later"}`, () => {
    it.live(
      `each of ${tuples} tuples is consumed once (replay: WEFT_SEED=${seed})`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const processes = yield* twoProcesses(isSync)
            const random = randomOf(seed + (isSync ? 0 : 1000))
            const consumed = new Map<number, number>()
            const counts = { taken: 0, leased: 0, cancelled: 0, removed: 0, givenBack: 0 }
            let left = tuples
            const consume = (n: number) => {
              consumed.set(n, (consumed.get(n) ?? 0) + 1)
              left--
            }
            const once = Effect.suspend(() => {
              if (random(4) > 0) {
                return Effect.map(space.take(["job", any]), ([, n]) => {
                  counts.taken++
                  consume(n)
                })
              }
              return Effect.scoped(
                Effect.gen(function* () {
                  const { done, tuple } = yield* space.takeLeased(["job", any])
                  if (random(3) === 0) return void counts.givenBack++
                  // A lease that was lost is no consumption: the tuple comes again.
                  if (Exit.isFailure(yield* Effect.exit(done))) return
                  counts.leased++
                  consume(tuple[1])
                })
              )
            })
            const taker = (context: Context.Context<Store>) =>
              Effect.gen(function* () {
                while (left > 0) {
                  const fiber = yield* Effect.forkChild(Effect.provideContext(once, context))
                  if (random(6) === 0) {
                    yield* random(2) === 0 ? Effect.yieldNow : Effect.sleep(random(3))
                    yield* Fiber.interrupt(fiber)
                    counts.cancelled++
                  } else yield* Effect.raceFirst(Effect.exit(Fiber.join(fiber)), finished)
                }
              })
            const finished: Effect.Effect<void> = Effect.suspend(() =>
              left <= 0 ? Effect.void : Effect.andThen(Effect.sleep(20), finished)
            )
            const producer = (context: Context.Context<Store>, half: number) =>
              Effect.gen(function* () {
                for (let n = half; n < tuples; n += 2) {
                  yield* space.out(["job", n])
                  if (random(8) === 0) yield* Effect.sleep(random(3))
                }
              }).pipe(Effect.provideContext(context))
            // By work done, not by time: on a busy machine the takers would never get anywhere between two removals.
            const killer = Effect.gen(function* () {
              let next = tuples
              while (left > 0) {
                yield* Effect.sleep(1)
                if (left > next) continue
                next = left - 20 - random(40)
                yield* Effect.provideContext(takeForDead, processes[random(2)]!)
                counts.removed++
              }
            })
            yield* Effect.all(
              [
                ...Array.from({ length: takers }, (_, i) => taker(processes[i % 2]!)),
                ...processes.map(producer),
                Effect.raceFirst(killer, finished)
              ],
              { concurrency: "unbounded" }
            )
            console.log(`${tuples} tuples, ${takers} takers: ${JSON.stringify(counts)}`)
            assert.isAtLeast(counts.removed, tuples / 100)
            assert.isAbove(counts.cancelled, 0)
            assert.strictEqual(consumed.size, tuples)
            assert.isTrue([...consumed.values()].every((times) => times === 1))
            const [first] = processes
            assert.strictEqual(yield* Effect.provideContext(space.count(["job", any]), first), 0)
            while ((yield* Effect.provideContext(space.interests, first)).length > 0) yield* Effect.sleep(1)
          })
        ),
      isFull ? 1_800_000 : 60_000
    )
  })
}
