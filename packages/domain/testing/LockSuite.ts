/**
 * The suite of tree locks: treelock's 18 tests and those of fifolock that concern a tree, by name, and what both lack. The
 * local form and the one in a store run the same; a third party's does too:
 *
 * ```ts
 * LockSuite.suite("mine", { tree: () => Effect.succeed(MyLocks.make("test")) })
 * ```
 */
import { describe } from "vitest"
import { beyondTests } from "./locks/beyond.ts"
import { makeKit, type Options } from "./locks/kit.ts"
import { knownTests } from "./locks/known.ts"

export type { Options } from "./locks/kit.ts"

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  describe(name, () => {
    const kit = makeKit(options)
    knownTests(kit, options)
    beyondTests(kit)
  })
}
