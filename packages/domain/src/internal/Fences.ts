/**
 * Locks that the running flow holds in a store. Every transaction under one has the record of its request in its read set:
 * when the record is gone, the lock was lost, and the transaction neither commits nor goes on (`Run.ts` puts the check
 * before the body).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Key } from "../core/Key.ts"
import type { StoreError } from "../StoreError.ts"
import type { Engine } from "./Engine.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey } from "./StoreShape.ts"
import type { TxView } from "./TxView.ts"

/** A lock that is held. */
export interface Fence {
  readonly engine: Engine
  readonly recordKey: Key
  /** Whether it was given back: what still runs under it is a mistake of the program. */
  readonly isOver: () => boolean
  /** Tells the holder, who is interrupted. */
  readonly lose: () => void
}

export const Fences = Context.Reference<ReadonlyArray<Fence>>("@weft/domain/Fences", { defaultValue: () => none })

const none: ReadonlyArray<Fence> = []

/** The fences of a flow in one store. */
export const fencesOf = (context: Context.Context<never>, engine: Engine): ReadonlyArray<Fence> => {
  const fences = Context.get(context, Fences)
  return fences.length === 0 ? none : fences.filter((fence) => fence.engine === engine)
}

/** [11] The first lock whose record is gone. All that are there enter the read set: what commits was done under them. */
export const firstLost = <F extends Pick<Fence, "recordKey">>(tx: TxView, fences: ReadonlyArray<F>): F | undefined =>
  fences.find(({ recordKey }) => tx.get(recordKey) === undefined)

/** Reads the records before a body; ends as if interrupted when one is gone: the guard of that lock makes `LockLost` of it. */
export const checked = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  store: StoreKey<any>,
  fences: ReadonlyArray<Fence>
): Effect.Effect<A, E | StoreError, R> =>
  Effect.flatMap(
    Operation.make(store, "lock.fence", (tx) => firstLost(tx, fences)),
    (lost): Effect.Effect<A, E, R> => {
      if (lost === undefined) return self
      if (lost.isOver())
        return Effect.die(
          new Error(
            "A transaction ran under a lock that was given back: join the fibers that were forked under a lock before it ends"
          )
        )
      lost.lose()
      // Not a wait for the interruption by the guard: it does not reach a finalizer, nor a fiber that was detached.
      return Effect.interrupt
    }
  )
