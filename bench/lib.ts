/**
 * What a row of the bench is made of, and loops that measure. A row has workloads, a workload has subjects: ours, a peer
 * that does the same, and a limit that no program of ours can pass. Each subject runs alone in a process of its own, so
 * that none is slowed by shapes that V8 has learnt from another; the three of one repetition run one after the other,
 * so that a noisy machine disturbs all alike. Only ratios within one repetition are evidence.
 */
import * as Effect from "effect/Effect"

/** `perSecond`: more is better. `micros`: less is better, a median. */
export type Unit = "perSecond" | "micros"

export interface Measure {
  readonly value: number
  /** Runs of a transaction body for each commit. */
  readonly attempts?: number
  /** Further figures, printed beside: percentiles, fairness, bytes. */
  readonly details?: Readonly<Record<string, number>>
}

export interface Subject {
  readonly name: string
  /** Warms up, then measures for about `seconds`. Throws when the work done turns out wrong: a fast lie is no result. */
  readonly run: (seconds: number) => Promise<Measure>
}

/** What a workload has to reach. `speed` is ours over the peer's (or the limit's), above 1 if ours is faster. */
export interface Target {
  readonly of: "peer" | "limit"
  readonly floor: number
  readonly aim: number
}

/** A bound on a figure of ours alone: `value`, `attempts`, or a name from `details`. */
export interface Bound {
  readonly of: string
  readonly max?: number
  readonly min?: number
  readonly aim?: number
}

export interface Workload {
  readonly name: string
  readonly unit: Unit
  readonly ours: Subject
  readonly peer?: Subject
  readonly limit?: Subject
  readonly targets?: ReadonlyArray<Target>
  readonly bounds?: ReadonlyArray<Bound>
  /** What others were once found to do, where they cannot be run here: printed as `recorded`, no evidence of this run. */
  readonly recorded?: string
}

export interface Row {
  readonly id: string
  readonly title: string
  readonly workloads: ReadonlyArray<Workload>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const percentile = (values: ReadonlyArray<number>, fraction: number): number => {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? Number.NaN
}

/**
 * Seconds before a figure counts, at least. A pair of a tuple space goes through some 300 functions, and V8 is done with the
 * last of them after 2.5 s: its rate in a store in process rises from 13,000 to 80,000 a second until then.
 */
const WARM_UP_SECONDS_MIN = 3

/** Seconds of warm-up before a measurement of `seconds`. */
export const warmUp = (seconds: number): number => Math.max(WARM_UP_SECONDS_MIN, seconds * 0.4)

/**
 * CPU time of this thread, milliseconds. Rates are taken by it, not by the clock on the wall: nothing that is measured by
 * rate waits for anything but the processor, and a machine that is shared would else measure its other users. Costs 1 µs
 * to read, so read it once for a chunk of work.
 */
export const cpuMillis = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

/** Rate of a synchronous function, called in chunks so that the clock costs nothing. */
export const syncRate = (f: () => void, seconds: number, chunk = 2000): number => {
  const loop = (until: number): number => {
    const started = cpuMillis()
    let count = 0
    let now = started
    while (now - started < until * 1000) {
      for (let i = 0; i < chunk; i++) f()
      count += chunk
      now = cpuMillis()
    }
    return count / ((now - started) / 1000)
  }
  loop(warmUp(seconds))
  return loop(seconds)
}

/** Rate of an effect run again and again by one fiber, `chunk` times a turn of the loop that looks at the clock. */
export const effectRate = <E, R>(
  self: Effect.Effect<unknown, E, R>,
  seconds: number,
  chunk = 500
): Effect.Effect<number, E, R> => {
  const loop = Effect.fnUntraced(function* (until: number) {
    const started = cpuMillis()
    let count = 0
    let now = started
    while (now - started < until * 1000) {
      for (let i = 0; i < chunk; i++) yield* self
      count += chunk
      now = cpuMillis()
    }
    return count / ((now - started) / 1000)
  })
  return Effect.andThen(loop(warmUp(seconds)), loop(seconds))
}

export interface Contention {
  readonly perSecond: number
  /** Commits of the least lucky fiber over those of the luckiest. */
  readonly fairness: number
  readonly commits: number
}

/** Commits of all fibers between two looks at the clock. */
const COMMITS_A_LOOK = 64

/** `fibers` fibers run their own body until the time is over; counts the commits of each after the warm-up. */
export const contendedRate = <E, R>(
  body: (fiber: number) => Effect.Effect<unknown, E, R>,
  options: { readonly fibers: number; readonly seconds: number }
): Effect.Effect<Contention, E, R> =>
  Effect.gen(function* () {
    const counts = new Float64Array(options.fibers)
    let started = cpuMillis()
    let now = started
    let isWarm = false
    let untilLook = COMMITS_A_LOOK
    const isOver = () => isWarm && now - started >= options.seconds * 1000
    const look = (): void => {
      untilLook = COMMITS_A_LOOK
      now = cpuMillis()
      if (isWarm || now - started < warmUp(options.seconds) * 1000) return
      isWarm = true
      started = now
      counts.fill(0)
    }
    yield* Effect.forEach(
      counts,
      (_, index) =>
        Effect.gen(function* () {
          const one = body(index)
          while (!isOver()) {
            yield* one
            if (isOver()) break
            counts[index]! += 1
            if (--untilLook === 0) look()
          }
        }),
      { concurrency: "unbounded", discard: true }
    )
    const commits = counts.reduce((sum, count) => sum + count, 0)
    const perSecond = commits / ((now - started) / 1000)
    return { perSecond, fairness: Math.min(...counts) / Math.max(...counts), commits }
  })

/** Median and tail in microseconds of times in milliseconds. */
export const latencies = (millis: ReadonlyArray<number>): Measure => ({
  value: percentile(millis, 0.5) * 1000,
  details: { p99Micros: percentile(millis, 0.99) * 1000, samples: millis.length }
})
