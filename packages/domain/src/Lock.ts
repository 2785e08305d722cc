/**
 * Tree locks: `Lock.write("/a/b").withLock(work)`. The words are in `LockModel.ts`; `make` and the default tree live in a
 * store (`StoreLock.ts`), `LocalLock.make` in this process alone.
 */
import type * as LockModel from "./LockModel.ts"
import * as StoreLock from "./StoreLock.ts"
import type { Store } from "./Store.ts"

export * from "./LockModel.ts"
export { make, type Options } from "./StoreLock.ts"

/** The tree that `Lock.read` and `Lock.write` speak of. */
const tree: LockModel.Tree<LockModel.Path, Store> = StoreLock.make("default")

/** A shared lock on sub-trees of the default tree of the store. */
export const read = (
  ...paths: readonly [LockModel.Path, ...Array<LockModel.Path>]
): LockModel.Lock<LockModel.Path, Store> => tree.read(...paths)

/** An exclusive lock on sub-trees of the default tree of the store. */
export const write = (
  ...paths: readonly [LockModel.Path, ...Array<LockModel.Path>]
): LockModel.Lock<LockModel.Path, Store> => tree.write(...paths)
