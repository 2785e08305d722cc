/**
 * The laws of a log storage as a suite. For your own implementation, a test file of a few lines:
 * ```ts
 * import { suite } from "@weft/raft/testing/LogStorageSuite"
 * suite("mine", { fresh: () => ({ open: () => MyLog.open(path), crash: () => kill(), dispose: () => remove(path) }) })
 * ```
 * Each law gets a fresh log, so the laws are independent of each other and of their order. Faults (`Faults`) are optional; a
 * law that needs one that you do not offer is shown as skipped.
 */
import { describe, it } from "vitest"
import { faultLaws } from "./logStorage/faultLaws.ts"
import { logLaws } from "./logStorage/logLaws.ts"
import { snapshotLaws } from "./logStorage/snapshotLaws.ts"
import { type Law, type LogUnderTest } from "./logStorage/support.ts"

export type { Faults, Law, LogUnderTest } from "./logStorage/support.ts"

export interface Harness {
  /** A log that nobody has used, with nothing in it. */
  readonly fresh: () => LogUnderTest | Promise<LogUnderTest>
}

/** All laws, as data: for runners other than vitest. */
export const laws: ReadonlyArray<Law> = [...logLaws, ...snapshotLaws, ...faultLaws]

export interface SuiteOptions {
  /** Runs one law of so many only: for a second form of a storage whose first form runs them all. Default 1. */
  readonly oneOf?: number
}

export const suite = (name: string, harness: Harness, { oneOf = 1 }: SuiteOptions = {}): void => {
  describe(`log storage ${name}${oneOf === 1 ? "" : ` (one law of ${oneOf})`}`, () => {
    for (const law of laws.filter((_, at) => at % oneOf === 0)) {
      it(law.name, async (context) => {
        const log = await harness.fresh()
        try {
          if (law.needs !== undefined && log[law.needs] === undefined) {
            return context.skip(`${name} offers no fault ${law.needs}`)
          }
          await law.run(log)
        } finally {
          await log.dispose()
        }
      })
    }
  })
}
