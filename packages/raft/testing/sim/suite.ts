/** The simulation as a vitest suite: the short form of `npm run simulate`, in CI. */
import { assert, describe, it } from "@effect/vitest"
import type { Overrides } from "./Options.ts"
import { type RunReport, simulate } from "./Simulation.ts"

const replay = (seed: number, overrides: Overrides): string =>
  `npm run simulate -- --seed ${seed} --trace --set '${JSON.stringify(overrides)}'`

const check = (report: RunReport, overrides: Overrides): void => {
  const { failure, seed } = report
  if (failure !== undefined) assert.fail(`seed ${seed}: ${failure.message}\nreplay: ${replay(seed, overrides)}`)
}

/**
 * Runs `seeds` seeds from `from` on, each twice: no rule broken, and the second run equal to the first. A test has
 * `chunk` seeds and carries the command that replays its first one.
 */
export const simulationSuite = (
  name: string,
  {
    chunk = 25,
    from,
    overrides,
    seeds
  }: {
    readonly from: number
    readonly seeds: number
    readonly overrides: Overrides
    readonly chunk?: number
  }
): void => {
  describe(name, () => {
    for (let first = from; first < from + seeds; first += chunk) {
      const last = Math.min(first + chunk, from + seeds) - 1
      it(`seeds ${first} to ${last} break no rule, and again in the same way (${replay(first, overrides)})`, () => {
        for (let seed = first; seed <= last; seed++) {
          const report = simulate(seed, overrides)
          check(report, overrides)
          const again = simulate(seed, overrides)
          assert.deepStrictEqual([again.digest, again.steps], [report.digest, report.steps], `seed ${seed}`)
        }
      })
    }
  })
}
