/**
 * All interleavings of a few fibers, not a sample: each stops at gates, and when nothing else can run one of those that
 * wait is let through. Every choice is tried, depth first; a schedule is the list of choices and replays exactly.
 */
import * as Effect from "effect/Effect"
import { Sim } from "./Sim.ts"

/** Where fibers stop. One per schedule. */
export class Gate {
  readonly #waiting: Array<{ readonly name: string; readonly resume: () => void }> = []
  readonly #onWait: () => void

  /** `onWait` is called when somebody begins to wait. */
  constructor(onWait: () => void) {
    this.#onWait = onWait
  }

  /** Waits to be let through. `name` is for people and decides the order of choices. */
  pass(name: string): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const entry = { name, resume: () => resume(Effect.void) }
      this.#waiting.push(entry)
      // Order of arrival may depend on the scheduler; choices must not.
      this.#waiting.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
      this.#onWait()
      return Effect.sync(() => this.#remove(entry))
    })
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Lets the i-th through; its name. */
  open(i: number): string {
    const entry = this.#waiting[i]!
    this.#remove(entry)
    entry.resume()
    return entry.name
  }

  #remove(entry: { readonly name: string; readonly resume: () => void }): void {
    const i = this.#waiting.indexOf(entry)
    if (i !== -1) this.#waiting.splice(i, 1)
  }
}

export interface Explored {
  /** How many schedules were run. */
  readonly schedules: number
  /** Whether that was all of them. */
  readonly complete: boolean
}

export interface Schedule {
  /** Names let through, in order. */
  readonly steps: ReadonlyArray<string>
  /** Pass it to `replay`. */
  readonly choices: ReadonlyArray<number>
}

/** One schedule: the program with its gate, run by the given choices; beyond them always the first. */
const runOne = async <A>(
  program: (gate: Gate) => Effect.Effect<A>,
  choices: ReadonlyArray<number>
): Promise<{
  readonly result: A
  readonly taken: Array<number>
  readonly widths: Array<number>
  readonly steps: Array<string>
}> => {
  const gate: Gate = new Gate(() => sim.poke())
  const taken: Array<number> = []
  const widths: Array<number> = []
  const steps: Array<string> = []
  const sim: Sim = new Sim({
    onIdle: () => {
      if (gate.size === 0) return false
      const choice = choices[taken.length] ?? 0
      taken.push(choice)
      widths.push(gate.size)
      steps.push(gate.open(choice))
      return true
    }
  })
  return { result: await sim.run(program(gate)), taken, widths, steps }
}

/**
 * Runs a program under all schedules of its gates, `judge` after each. Stops with `complete: false` after `schedulesMax`.
 * The program must be the same each time: everything it uses is made within.
 */
export const explore = async <A>(
  program: (gate: Gate) => Effect.Effect<A>,
  judge: (result: A, schedule: Schedule) => void,
  schedulesMax: number
): Promise<Explored> => {
  let choices: ReadonlyArray<number> = []
  for (let schedules = 1; ; schedules++) {
    const { result, steps, taken, widths } = await runOne(program, choices)
    judge(result, { steps, choices: taken })
    let i = taken.length - 1
    while (i >= 0 && taken[i]! + 1 >= widths[i]!) i--
    if (i < 0) return { schedules, complete: true }
    if (schedules === schedulesMax) return { schedules, complete: false }
    choices = [...taken.slice(0, i), taken[i]! + 1]
  }
}

/** Runs one schedule again. */
export const replay = async <A>(
  program: (gate: Gate) => Effect.Effect<A>,
  choices: ReadonlyArray<number>
): Promise<A> => (await runOne(program, choices)).result
