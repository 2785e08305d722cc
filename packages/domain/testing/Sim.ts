/**
 * A simulated run of Effect programs: one seed gives one order of fibers and one course of time. Tasks run in the order
 * they were scheduled, or in a random one from the seed; sleeping takes no time, as the clock jumps to the next deadline
 * when nothing else can run. Programs must take time from `Clock`, randomness from `Random` or a `Prng`, and do no I/O.
 *
 * Code under test may use `setImmediate`: time moves only after `idleTurns` turns of the event loop without a task.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { fromRandom, SessionNames } from "../src/SessionNames.ts"
import { Prng } from "./Prng.ts"

export interface Options {
  /** Seed of the order of tasks; without it they run first come, first served. */
  readonly seed?: number | undefined
  /** Simulated milliseconds that one task takes, so that a program that never rests does not stop time. Default 0.01. */
  readonly taskMillis?: number | undefined
  /** Asked when nothing can run but by it (before time moves): returns whether it let something run. */
  readonly onIdle?: (() => boolean) | undefined
}

/** Turns of the event loop without a task after which a program counts as idle: what follows up by `setImmediate` is done. */
const idleTurns = 3

/** Tasks of one turn of the event loop, so that `setImmediate` of others is not starved. */
const tasksPerTurn = 256

/** Start of simulated time: 2026-01-01 in milliseconds since 1970. */
const epochMillis = 1_767_225_600_000

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/** A scheduler, a clock and randomness that belong together. `provide` runs a program under them. */
export class Sim implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly clock: Clock.Clock
  /** Tasks run so far. */
  tasks = 0
  /** Simulated milliseconds since the start. */
  elapsedMillis = 0
  readonly #seed: number
  readonly #prng: Prng | undefined
  readonly #onIdle: () => boolean
  readonly #taskMillis: number
  readonly #sleepers: Array<Sleeper> = []
  #queue: Array<() => void> = []
  #armed = false
  #idle = 0
  #sleeps = 0
  #soonest = Number.POSITIVE_INFINITY

  constructor(options: Options = {}) {
    this.#seed = options.seed ?? 0
    this.#prng = options.seed === undefined ? undefined : new Prng(options.seed)
    this.#onIdle = options.onIdle ?? (() => false)
    this.#taskMillis = options.taskMillis ?? 0.01
    this.clock = this.#makeClock()
  }

  /** The program under this scheduler, clock and randomness; fibers that it forks inherit them. */
  provide<A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return program.pipe(
      Effect.provideService(SessionNames, fromRandom),
      Random.withSeed(this.#seed),
      Effect.provideService(Clock.Clock, this.clock),
      Effect.provideService(Scheduler.Scheduler, this)
    )
  }

  /** Runs a program to its end. */
  run<A, E>(program: Effect.Effect<A, E>): Promise<A> {
    return Effect.runPromise(this.provide(program))
  }

  /** Says that something waits that only `onIdle` can let go on. */
  poke(): void {
    this.#arm()
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => this.#schedule(task),
      flush: () => {
        while (this.#queue.length > 0) this.#runTasks()
      }
    }
  }

  #schedule(task: () => void): void {
    this.#queue.push(task)
    this.#arm()
  }

  #arm(): void {
    this.#idle = 0
    if (this.#armed) return
    this.#armed = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    if (this.#queue.length > 0) {
      this.#idle = 0
      this.#runTasks()
    } else if (++this.#idle >= idleTurns) {
      this.#idle = 0
      if (!this.#onIdle() && !this.#moveTime() && this.#queue.length === 0) {
        this.#armed = false
        return
      }
    }
    setImmediate(this.#turn)
  }

  #runTasks(): void {
    for (let n = 0; n < tasksPerTurn && this.#queue.length > 0; n++) {
      this.tasks++
      this.elapsedMillis += this.#taskMillis
      this.#take()()
      if (this.#soonest <= this.elapsedMillis) this.#wakeDue()
    }
  }

  /** Random choice swaps with the last: order is no promise of a scheduler. In order: a queue by batches. */
  #take(): () => void {
    const queue = this.#queue
    if (this.#prng === undefined) {
      const task = queue[this.#head++]!
      if (this.#head === queue.length || this.#head === 1024) {
        this.#queue = queue.slice(this.#head)
        this.#head = 0
      }
      return task
    }
    const i = this.#prng.below(queue.length)
    const task = queue[i]!
    queue[i] = queue[queue.length - 1]!
    queue.pop()
    return task
  }
  #head = 0

  /** Jumps to the next deadline and wakes all that are due. False when nobody sleeps. */
  #moveTime(): boolean {
    if (this.#soonest === Number.POSITIVE_INFINITY) return false
    this.elapsedMillis = Math.max(this.elapsedMillis, this.#soonest)
    this.#wakeDue()
    return true
  }

  #wakeDue(): void {
    const now = this.elapsedMillis
    const due = this.#sleepers.filter((s) => s.at <= now).sort((a, b) => a.at - b.at || a.order - b.order)
    for (const sleeper of due) this.#forget(sleeper)
    for (const sleeper of due) sleeper.wake()
  }

  #forget(sleeper: Sleeper): void {
    const i = this.#sleepers.indexOf(sleeper)
    if (i === -1) return
    this.#sleepers.splice(i, 1)
    if (sleeper.at > this.#soonest) return
    this.#soonest = Number.POSITIVE_INFINITY
    for (const { at } of this.#sleepers) this.#soonest = Math.min(this.#soonest, at)
  }

  #makeClock(): Clock.Clock {
    const millis = () => epochMillis + this.elapsedMillis
    const nanos = () => BigInt(Math.round(millis() * 1000)) * 1000n
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => {
        const length = Duration.toMillis(duration)
        if (length <= 0) return Effect.yieldNow
        if (!Number.isFinite(length)) return Effect.never
        return Effect.callback<void>((resume) => {
          const wake = () => resume(Effect.void)
          const sleeper: Sleeper = { at: this.elapsedMillis + length, order: this.#sleeps++, wake }
          this.#sleepers.push(sleeper)
          this.#soonest = Math.min(this.#soonest, sleeper.at)
          this.#arm()
          return Effect.sync(() => this.#forget(sleeper))
        })
      }
    }
  }
}

/** A simulation from a seed (random order of fibers), or in the order of scheduling without one. */
export const make = (options?: Options): Sim => new Sim(options)
