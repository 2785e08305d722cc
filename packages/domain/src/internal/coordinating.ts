/** What the two forms of coordination make of their parts in the same way: mutex and read-write lock of a tree of locks, semaphore of a lock with modes. */
import * as Effect from "effect/Effect"
import type { ModeLock, ReadWriteLock, Semaphore } from "../CoordinationModel.ts"
import type { Modes } from "../core/ModeRules.ts"
import type * as Lock from "../LockModel.ts"
import type { StoreError } from "../StoreError.ts"
import * as lockErrors from "./lockErrors.ts"

export const mutexOf = <R>(tree: Lock.Tree<Lock.Path, R>, name: string, options?: Lock.RequestOptions) =>
  tree.request({ write: [[name]] }, options)

export const readWriteLockOf = <R>(
  tree: Lock.Tree<Lock.Path, R>,
  name: string,
  options?: Lock.RequestOptions
): ReadWriteLock<R> => ({
  name,
  read: tree.request({ read: [[name]] }, options),
  write: tree.request({ write: [[name]] }, options)
})

/** The one mode of a semaphore: what is held and what is wanted fit into the permits. */
export const permitModes = (permits: number): Modes<"permit"> => ({
  permit: (holds, weight) => holds.weight("permit") + weight <= permits
})

export const semaphoreOf = <R>(lock: ModeLock<"permit", R>, permits: number): Semaphore<R> => {
  const wrong = lockErrors.refusedCount(`the permits of the semaphore "${lock.name}"`, permits)
  return {
    name: lock.name,
    permits,
    take: (weight = 1, options) => {
      const what = `what is taken of the semaphore "${lock.name}"`
      const refused = wrong === "" ? lockErrors.refusedCount(what, weight, permits) : wrong
      return refused === "" ? lock.lock("permit", { ...options, weight }) : refusing(lockErrors.invalid(refused))
    },
    available: Effect.map(lock.standings, (standings) =>
      standings.reduce((left, { state, weight }) => (state === "holds" ? left - weight : left), permits)
    )
  }
}

/** A lock that nobody gets. */
const refusing = (error: StoreError): Lock.AnyLock => ({
  withLock: () => Effect.fail(error),
  withLockIfFree: () => Effect.fail(error),
  scoped: Effect.fail(error)
})
