/**
 * The suite of tree locks: treelock's 18 tests by name, fifolock's on a tree's root, and what both lack. The
 * local form and the one in a store run the same; a third party's does too:
 *
 * ```ts
 * LockSuite.suite("mine", { tree: () => Effect.succeed(MyLocks.make("test")) })
 * ```
 */
import { describe } from "vitest"
import { beyondTests } from "./locks/beyond.ts"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Lock from "../src/LockModel.ts"
import { badInputTests } from "./locks/badInput.ts"
import { lockInterruptionTests } from "./locks/interruption.ts"
import { makeKit } from "./locks/kit.ts"
import { knownTests } from "./locks/known.ts"

export interface Options {
  /** A tree of its own at each call. */
  readonly tree: (options?: { readonly waitersMax: number }) => Effect.Effect<Lock.Tree, unknown, Scope.Scope>
  /** Real time after which who can enter has entered, where grants need a disk or a network, in milliseconds; 0 unless said. */
  readonly settleMillis?: number | undefined
}

export { type LossOptions, lossSuite } from "./locks/loss.ts"
export { wakeUpsPerRelease } from "./locks/wakeUps.ts"

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  describe(name, () => {
    const kit = makeKit({ make: () => options.tree(), settleMillis: options.settleMillis })
    knownTests(kit, options)
    beyondTests(kit)
    badInputTests(kit, options)
    lockInterruptionTests(kit)
  })
}
