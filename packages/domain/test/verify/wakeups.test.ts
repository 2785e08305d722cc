import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import type { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import type { Transaction } from "../../src/Transaction.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import { Prng } from "../../testing/Prng.ts"
import * as Sim from "../../testing/Sim.ts"
import * as Lanes from "./support/lanes.ts"
import { replay, scale, seedOf } from "./support/scale.ts"

const file = "wakeups.test.ts"
const cellCount = 40
const logCount = 8

/** What a waiter reads before it waits. */
type Interest =
  | { readonly kind: "cells"; readonly names: ReadonlyArray<string> }
  | { readonly kind: "range"; readonly prefix: string }
  /** The oldest entry of a log: what comes behind it is none of its business. */
  | { readonly kind: "first"; readonly log: string }
  | { readonly kind: "counter"; readonly name: string }

interface Waiter {
  readonly interest: Interest
  attempts: number
  /** Attempts that began because a wait ended; others because what was read was overtaken. */
  wakes: number
  /** What its last attempt saw, as text. */
  saw: string
}

/** The names a change touches, as the interests speak of them. */
interface Touched {
  readonly cells: ReadonlySet<string>
  readonly firsts: ReadonlySet<string>
}

const cellName = (i: number) => `c${i % 5}/${i}`

const interest = (prng: Prng): Interest => {
  const roll = prng.unit()
  if (roll < 0.5) {
    const names = Array.from({ length: prng.between(1, 3) }, () => cellName(prng.below(cellCount)))
    return { kind: "cells", names }
  }
  if (roll < 0.7) return { kind: "range", prefix: `c${prng.below(5)}/` }
  if (roll < 0.85) return { kind: "first", log: `log${prng.below(logCount)}` }
  return { kind: "counter", name: `n${prng.below(4)}` }
}

const look = (what: Interest): Effect.Effect<string, StoreError, Store> => {
  switch (what.kind) {
    case "cells":
      return Effect.map(Effect.forEach(what.names, Cells.get), (values) => JSON.stringify(values))
    case "range":
      return Effect.map(Cells.range(what.prefix), (values) => JSON.stringify(values))
    case "first":
      return Effect.map(Cells.log(what.log, 1), (values) => JSON.stringify(values))
    case "counter":
      return Effect.map(Cells.counter(what.name), String)
  }
}

const touches = (touched: Touched, what: Interest): boolean => {
  switch (what.kind) {
    case "cells":
      return what.names.some((name) => touched.cells.has(name))
    case "range":
      return [...touched.cells].some((name) => name.startsWith(what.prefix))
    case "first":
      return touched.firsts.has(what.log)
    case "counter":
      return touched.cells.has(what.name)
  }
}

/** What a change may touch, as it is now. */
const state = (cells: ReadonlyArray<string>, logs: ReadonlyArray<string>, counters: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const seen = new Map<string, string>()
    for (const name of cells) seen.set(name, JSON.stringify(yield* Cells.get(name)))
    for (const log of logs) seen.set(log, JSON.stringify(yield* Cells.log(log, 1)))
    for (const name of counters) seen.set(name, String(yield* Cells.counter(name)))
    return seen
  })

/**
 * A random change, as a transaction of one to three writes; says what it touched: what is removed again, or was absent
 * before and after, is not. Values are new each time.
 */
const change = (prng: Prng, stamp: number): Effect.Effect<Touched, StoreError, Store> =>
  Tx.transact(
    Effect.gen(function* () {
      const steps = Array.from({ length: prng.between(1, 3) }, () => ({
        roll: prng.unit(),
        name: cellName(prng.below(cellCount)),
        log: `log${prng.below(logCount)}`,
        counter: `n${prng.below(4)}`
      }))
      const look = state(
        steps.map(({ name }) => name),
        steps.map(({ log }) => log),
        steps.map(({ counter }) => counter)
      )
      const before = yield* look
      for (const [i, { counter, log, name, roll }] of steps.entries()) {
        const value = stamp * 10 + i
        if (roll < 0.4) yield* Cells.set(name, value)
        else if (roll < 0.55) yield* Cells.remove(name)
        else if (roll < 0.75) yield* Cells.append(log, value)
        else if (roll < 0.9) yield* Cells.takeFirst(log)
        else yield* Cells.add(counter, 1)
      }
      const after = yield* look
      const touched = [...before.keys()].filter((name) => before.get(name) !== after.get(name))
      return {
        cells: new Set(touched.filter((name) => !name.startsWith("log"))),
        firsts: new Set(touched.filter((name) => name.startsWith("log")))
      }
    })
  )

const waitFor = (waiter: Waiter, pause: Effect.Effect<void>): Effect.Effect<void, StoreError, Store | Transaction> =>
  Effect.gen(function* () {
    waiter.attempts++
    if ((yield* Tx.attempt).reason === "retry") waiter.wakes++
    waiter.saw = yield* look(waiter.interest)
    yield* pause
    return yield* Tx.retry
  })

/** Blocks `count` transactions, changes things `rounds` times, and counts who woke. */
const settled = (lane: Lanes.Lane, seed: number, count: number, rounds: number, foreign: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const prng = new Prng(seed)
      const shared = MemoryBackend.make()
      const [own, other] = yield* Lanes.open([lane.store(shared, seed), lane.store(shared, seed + 1)])
      const waiters = Array.from({ length: count }, (): Waiter => ({
        interest: interest(prng),
        attempts: 0,
        wakes: 0,
        saw: ""
      }))
      const fibers = yield* Effect.forEach(waiters, (waiter) =>
        Effect.forkChild(Effect.provideContext(Tx.transact(waitFor(waiter, Effect.void)), own!))
      )
      yield* Effect.sleep("10 seconds")
      let woken = 0
      let slept = 0
      for (let round = 1; round <= rounds; round++) {
        const before = waiters.map((waiter) => waiter.attempts)
        const touched = yield* Effect.provideContext(change(prng, round), foreign ? other! : own!)
        yield* Effect.sleep("10 seconds")
        waiters.forEach((waiter, i) => {
          const wakes = waiter.attempts - before[i]!
          const due = touches(touched, waiter.interest) ? 1 : 0
          if (due === 1) woken++
          else slept++
          if (wakes === due) return
          throw new Error(
            `${lane.name}, round ${round}: woke ${wakes} times, not ${due}; interest ${JSON.stringify(waiter.interest)}, ` +
              `changed ${[...touched.cells, ...touched.firsts].join(" ")}; ${replay(file, seed)}`
          )
        })
      }
      yield* Fiber.interruptAll(fibers)
      return { woken, slept }
    })
  )

/** Changes fall anywhere: before the read, between read and wait, after. Nobody may be left with an old view, or woken for nothing. */
const racing = (lane: Lanes.Lane, seed: number, count: number, rounds: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const prng = new Prng(seed)
      const shared = MemoryBackend.make()
      const [own, other] = yield* Lanes.open([lane.store(shared, seed), lane.store(shared, seed + 1)])
      const waiters = Array.from({ length: count }, (): Waiter => ({
        interest: interest(prng),
        attempts: 0,
        wakes: 0,
        saw: ""
      }))
      const pause = Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: prng.below(6) }))
      const fibers = yield* Effect.forEach(waiters, (waiter) =>
        Effect.forkChild(Effect.provideContext(Tx.transact(waitFor(waiter, pause)), own!))
      )
      const all: Array<Touched> = []
      for (let round = 1; round <= rounds; round++) {
        yield* pause
        all.push(yield* Effect.provideContext(change(prng, round), prng.chance(0.5) ? own! : other!))
      }
      yield* Effect.sleep("10 seconds")
      for (const waiter of waiters) {
        const now = yield* Effect.provideContext(look(waiter.interest), own!)
        const most = all.filter((touched) => touches(touched, waiter.interest)).length
        if (waiter.saw === now && waiter.wakes <= most) continue
        throw new Error(
          `${lane.name}: a waiter saw ${waiter.saw} last, now it is ${now}; woken ${waiter.wakes} times, at most ${most}; ` +
            `interest ${JSON.stringify(waiter.interest)}; ${replay(file, seed)}`
        )
      }
      yield* Fiber.interruptAll(fibers)
      return waiters.reduce((sum, waiter) => sum + waiter.attempts, 0)
    })
  )

for (const lane of [Lanes.inProcess, Lanes.byBatches, Lanes.delayed, Lanes.brokenFeed]) {
  describe(`wake-ups, ${lane.name}`, () => {
    const waiters = scale(100, 1_000)
    for (const foreign of [false, true]) {
      it(`a blocked transaction wakes if and only if something it read changed${foreign ? ", by another engine" : ""}`, async () => {
        const counted = { woken: 0, slept: 0 }
        const groups = scale(2, 5)
        for (let seed = seedOf(1), n = 0; n < groups; n++, seed++) {
          const { slept, woken } = await Sim.make({ seed }).run(settled(lane, seed, waiters, 20, foreign))
          counted.woken += woken
          counted.slept += slept
        }
        expect(counted.woken).toBeGreaterThan(waiters)
        expect(counted.slept).toBeGreaterThan(waiters)
      })
    }
    it("also when the change falls between the read and the wait", async () => {
      const groups = scale(10, 60)
      for (let seed = seedOf(1), n = 0; n < groups; n++, seed++) {
        const attempts = await Sim.make({ seed }).run(racing(lane, seed, 40, 20))
        expect(attempts).toBeGreaterThan(40)
      }
    })
  })
}
