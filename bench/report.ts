/** From repetitions to a result: medians, ranges, ratios within a repetition, floors. Pure but for reading versions. */
import { createRequire } from "node:module"
import { median, type Measure, type Unit, type Workload } from "./lib.ts"

export interface Repetition {
  readonly ours: Measure
  readonly peer?: Measure
  readonly limit?: Measure
}

/** Median of the repetitions and their range. */
export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Verdict {
  readonly what: string
  readonly figure: number
  readonly floor: number
  readonly aim: number | undefined
  readonly ok: boolean
}

export interface Result {
  readonly row: string
  readonly workload: string
  readonly unit: Unit
  readonly ours: Figure
  readonly peer: (Figure & { readonly name: string }) | null
  readonly limit: (Figure & { readonly name: string }) | null
  /** Speed of ours over the peer's: above 1, ours is faster, whatever the unit. */
  readonly ratioPeer: Figure | null
  readonly ratioLimit: Figure | null
  readonly attempts: Figure | null
  readonly details: Readonly<Record<string, Figure>>
  readonly verdicts: ReadonlyArray<Verdict>
  readonly recorded: string | null
  readonly reps: number
  readonly seconds: number
  readonly load: number
  readonly cores: number
  readonly versions: Readonly<Record<string, string>>
}

const digits = (value: number): number => Number(value.toPrecision(5))

const figure = (values: ReadonlyArray<number>): Figure => ({
  median: digits(median(values)),
  min: digits(Math.min(...values)),
  max: digits(Math.max(...values))
})

const require = createRequire(import.meta.url)
const versionOf = (name: string): string => (require(`${name}/package.json`) as { readonly version: string }).version
const versions = { node: process.versions.node, v8: process.versions.v8, effect: versionOf("effect"), weft: "0.1.0" }

type Rival = "peer" | "limit"

const figureOf = (workload: Workload, repetitions: ReadonlyArray<Repetition>, rival: Rival) => {
  const subject = workload[rival]
  return subject === undefined
    ? null
    : { name: subject.name, ...figure(repetitions.map((repetition) => repetition[rival]!.value)) }
}

const ratioOf = (workload: Workload, repetitions: ReadonlyArray<Repetition>, rival: Rival): Figure | null => {
  if (workload[rival] === undefined) return null
  const speeds = repetitions.map((repetition) => {
    const ratio = repetition.ours.value / repetition[rival]!.value
    return workload.unit === "perSecond" ? ratio : 1 / ratio
  })
  return figure(speeds)
}

const detailsOf = (repetitions: ReadonlyArray<Repetition>): Readonly<Record<string, Figure>> => {
  const names = Object.keys(repetitions[0]?.ours.details ?? {})
  return Object.fromEntries(names.map((name) => [name, figure(repetitions.map(({ ours }) => ours.details![name]!))]))
}

const verdictsOf = (workload: Workload, result: Omit<Result, "verdicts">): ReadonlyArray<Verdict> => {
  const targets = (workload.targets ?? []).map((target): Verdict => {
    const ratio = (target.of === "peer" ? result.ratioPeer : result.ratioLimit)?.median ?? Number.NaN
    return {
      what: `speed over the ${target.of}`,
      figure: ratio,
      floor: target.floor,
      aim: target.aim,
      ok: ratio >= target.floor
    }
  })
  const bounds = (workload.bounds ?? []).map((bound): Verdict => {
    const figures: Readonly<Record<string, Figure | null>> = {
      ...result.details,
      value: result.ours,
      attempts: result.attempts
    }
    const value = figures[bound.of]?.median ?? Number.NaN
    const isMax = bound.max !== undefined
    const floor = isMax ? bound.max : (bound.min ?? Number.NaN)
    const what = `${bound.of === "value" ? result.unit : bound.of} ${isMax ? "at most" : "at least"}`
    return { what, figure: value, floor, aim: bound.aim, ok: isMax ? value <= floor : value >= floor }
  })
  return [...targets, ...bounds]
}

export const collect = (
  row: string,
  workload: Workload,
  repetitions: ReadonlyArray<Repetition>,
  run: { readonly seconds: number; readonly load: number; readonly cores: number }
): Result => {
  const attempts = repetitions.flatMap(({ ours }) => (ours.attempts === undefined ? [] : [ours.attempts]))
  const result = {
    row,
    workload: workload.name,
    unit: workload.unit,
    ours: figure(repetitions.map((repetition) => repetition.ours.value)),
    peer: figureOf(workload, repetitions, "peer"),
    limit: figureOf(workload, repetitions, "limit"),
    ratioPeer: ratioOf(workload, repetitions, "peer"),
    ratioLimit: ratioOf(workload, repetitions, "limit"),
    attempts: attempts.length === 0 ? null : figure(attempts),
    details: detailsOf(repetitions),
    recorded: workload.recorded ?? null,
    reps: repetitions.length,
    ...run,
    versions
  }
  return { ...result, verdicts: verdictsOf(workload, result) }
}

export const passes = (result: Result): boolean => result.verdicts.every((verdict) => verdict.ok)

const number = (value: number): string =>
  value >= 1000
    ? Math.round(value).toLocaleString("en")
    : value >= 100
      ? value.toFixed(0)
      : value.toFixed(value >= 10 ? 1 : 2)

const range = (one: Figure): string => `${number(one.median)} (${number(one.min)} to ${number(one.max)})`

/** A few lines for people. */
export const table = (result: Result): string => {
  const unit = result.unit === "perSecond" ? "/s" : " µs"
  const line = (name: string, text: string): string => `    ${name.padEnd(10)} ${text}`
  const rival = (name: string, one: (Figure & { readonly name: string }) | null, ratio: Figure | null) =>
    one === null || ratio === null
      ? []
      : [line(name, `${range(one)}${unit}  [${one.name}]  speed ratio ${range(ratio)}`)]
  return [
    `  ${result.workload}`,
    line("ours", `${range(result.ours)}${unit}`),
    ...rival("peer", result.peer, result.ratioPeer),
    ...rival("limit", result.limit, result.ratioLimit),
    ...(result.recorded === null ? [] : [line("recorded", result.recorded)]),
    ...(result.attempts === null ? [] : [line("attempts", `${range(result.attempts)} per commit`)]),
    ...Object.entries(result.details).map(([name, one]) => line(name, range(one))),
    ...result.verdicts.map(({ aim, figure: value, floor, ok, what }) =>
      line(ok ? "ok" : "MISSED", `${what}: ${number(value)}, floor ${floor}${aim === undefined ? "" : `, aim ${aim}`}`)
    )
  ].join("\n")
}
