/**
 * The suite of coordination: fifolock's 16 tests by name, on modes of one's own and on mutex, read-write lock and
 * semaphore, and the laws of latch, barrier and election. The local form and the one in a store run the same; a third
 * party's does too:
 *
 * ```ts
 * CoordinationSuite.suite("mine", { coordination: () => Effect.succeed(MyCoordination.make()) })
 * ```
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describe } from "vitest"
import * as StoreCoordination from "../src/Coordination.ts"
import type { Coordination } from "../src/CoordinationModel.ts"
import { fifoTests } from "./coordination/fifo.ts"
import { gatheringTests } from "./coordination/gatherings.ts"
import { lossTests } from "./coordination/loss.ts"
import { modeTests } from "./coordination/modes.ts"
import { coordinationInterruptionTests } from "./locks/interruption.ts"
import { makeKit } from "./locks/kit.ts"
import type { LossOptions } from "./locks/loss.ts"
import { waiterTests } from "./locks/waiters.ts"

export interface Options {
  /** One of its own at each call: no name of it is in use. */
  readonly coordination: () => Effect.Effect<Coordination, unknown, Scope.Scope>
  /** Real time after which who can enter has entered, where grants need a disk or a network, in milliseconds; 0 unless said. */
  readonly settleMillis?: number | undefined
}

/** What two processes on one store need: the loss of one, and a limit over both. Registers the tests with vitest. */
export const lossSuite = (name: string, options: LossOptions): void => {
  lossTests(name, options)
  waiterTests("a lock with modes", options, (lock, waitersMax) => {
    const modes = StoreCoordination.make({ waitersMax }).modes(lock, { only: (holds) => holds.total === 0 })
    return { lock: modes.lock("only"), standing: Effect.map(modes.standings, (all) => all.length) }
  })
}

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  describe(name, () => {
    const kit = makeKit({ make: options.coordination, settleMillis: options.settleMillis })
    fifoTests(kit)
    modeTests(kit)
    gatheringTests(kit)
    coordinationInterruptionTests(kit)
  })
}
