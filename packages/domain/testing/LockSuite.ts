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
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Lock from "../src/LockModel.ts"
import * as StoreLock from "../src/StoreLock.ts"
import { badInputTests } from "./locks/badInput.ts"
import { lockInterruptionTests } from "./locks/interruption.ts"
import { makeKit } from "./locks/kit.ts"
import { knownTests } from "./locks/known.ts"
import { type LossOptions, lossTests } from "./locks/loss.ts"
import { waiterTests } from "./locks/waiters.ts"

export interface Options {
  /** A tree of its own at each call. */
  readonly tree: (options?: { readonly waitersMax: number }) => Effect.Effect<Lock.Tree, unknown, Scope.Scope>
  /** Real time after which who can enter has entered, where grants need a disk or a network, in milliseconds; 0 unless said. */
  readonly settleMillis?: number | undefined
}

export type { LossOptions } from "./locks/loss.ts"
export { wakeUpsPerRelease } from "./locks/wakeUps.ts"

/** What two processes on one store need: the loss of a holder, and a limit over both. Registers the tests with vitest. */
export const lossSuite = (name: string, options: LossOptions): void => {
  lossTests(name, options)
  waiterTests(name, options, (tree, waitersMax) => {
    const made = StoreLock.make(tree, { waitersMax })
    return {
      lock: made.write("/a"),
      standing: Effect.map(made.standings, (all) => all.filter(({ path }) => path.length > 0).length)
    }
  })
}

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
