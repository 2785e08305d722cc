/**
 * The suite of tuple spaces: Linda's rules, lindypy's 22 tests by name, and what both lack. The local form and the one in a
 * store run the same; a third party's does too:
 *
 * ```ts
 * TupleSpaceSuite.suite("mine", { make: (definition) => Effect.succeed({ space, other }) })
 * ```
 */
import { describe } from "@effect/vitest"
import { beyondTests } from "./tuples/beyond.ts"
import { boundTests } from "./tuples/bounds.ts"
import { interruptionTests } from "./tuples/interruption.ts"
import { makeKit, type Options } from "./tuples/kit.ts"
import { knownTests, workerTests } from "./tuples/known.ts"
import { ruleTests } from "./tuples/rules.ts"

export type { SuiteSpace } from "./tuples/board.ts"
export type { Made, Options, SuiteDefinition } from "./tuples/kit.ts"

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  describe(name, () => {
    const kit = makeKit(options)
    ruleTests(kit, options)
    knownTests(kit)
    workerTests(kit)
    beyondTests(kit)
    boundTests(kit)
    interruptionTests(kit)
  })
}

/** Those tests alone in which workers run, for another place of theirs. */
export const workers = (name: string, options: Options): void => {
  describe(name, () => workerTests(makeKit(options)))
}
