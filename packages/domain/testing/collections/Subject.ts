/** How a collection is compared with its model: steps drawn from a seed, run on both. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isDeepStrictEqual } from "node:util"
import { TestClock } from "effect/testing"
import type { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import * as Prng from "../Prng.ts"

/** One operation, on the collection and on the model. */
export interface Step<M> {
  readonly text: string
  readonly effect: Effect.Effect<unknown, unknown, Store>
  /** Changes the model and gives what the operation must give. `now` is the wall clock. */
  readonly model: (model: M, now: number) => unknown
}

/** A collection with its model. `M` must survive `structuredClone`. */
export interface Subject<C, M> {
  readonly name: string
  readonly make: () => C
  readonly model: () => M
  /** Draws a step that never waits; `now` and `model` are as the step will find them. */
  readonly step: (collection: C, model: M, random: Prng.Prng, now: number) => Step<M>
  /** Everything that can be seen, read as one transaction, and what it must be. */
  readonly dump: (collection: C) => Step<M>
}

const plain = (value: unknown): unknown => {
  if (Option.isOption(value)) return Option.isSome(value) ? { some: plain(value.value) } : "none"
  return Array.isArray(value) ? value.map(plain) : value
}

class Abort {
  readonly _tag = "Abort"
}

const start = 1_700_000_000_000

/**
 * Runs `steps` random steps, alone and in transactions of up to five, and compares each result. With `through`, the steps
 * are those of the handle that it makes of the collection, which joins no transactions (a remote one), so all run alone.
 */
export const check = <C, M>(
  subject: Subject<C, M>,
  seed: number,
  steps: number,
  through?: (collection: C) => C
): Effect.Effect<void, unknown, Store> =>
  Effect.gen(function* () {
    const random = Prng.make(seed)
    const collection = subject.make()
    const asked = through === undefined ? collection : through(collection)
    let model = subject.model()
    let now = start
    yield* TestClock.setTime(start)
    let done = 0
    const compare = (step: Step<M>, got: unknown, expected: unknown): void => {
      if (isDeepStrictEqual(plain(got), plain(expected))) return
      throw new Error(
        `${subject.name}, step ${done}: ${step.text}\n  gave     ${JSON.stringify(plain(got))}\n  expected ${JSON.stringify(plain(expected))}\n` +
          `  replay: WEFT_SEED=${seed} npx vitest run <this file> -t ${JSON.stringify(subject.name)}`
      )
    }
    const one = (into: M) =>
      Effect.suspend(() => {
        const step = subject.step(asked, into, random, now)
        return Effect.map(step.effect, (got) => compare(step, got, step.model(into, now)))
      })
    while (done < steps) {
      if (random.chance(0.1)) {
        const millis = random.between(1, 40)
        yield* TestClock.adjust(millis)
        now += millis
      }
      if (through !== undefined || random.chance(0.5)) {
        yield* one(model)
        done++
      } else {
        const count = random.between(1, 5)
        const aborts = random.chance(0.25)
        // The body runs once: nobody else is there. So its model may be a copy that is kept or dropped with it.
        const copy = structuredClone(model)
        const body = Effect.gen(function* () {
          for (let i = 0; i < count; i++) yield* one(copy)
          if (aborts) return yield* Effect.fail(new Abort())
        })
        const result = yield* Effect.result(Tx.transact(body))
        done += count
        if (result._tag === "Success") model = copy
        else if (!(result.failure instanceof Abort)) return yield* Effect.fail(result.failure)
      }
      const dump = subject.dump(collection)
      if (random.chance(0.2)) compare(dump, yield* Tx.transact(dump.effect), dump.model(structuredClone(model), now))
    }
  })
