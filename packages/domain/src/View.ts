/**
 * A live local view: what some effect reads from a store, kept current in a `SubscriptionRef` by the changes of the store.
 *
 * Outside of a transaction `View.current` answers from memory and may lag behind. Inside one, `view.get` answers from
 * memory too, and what the view was made of enters the transaction's read set as of the view's version: a transaction that
 * decides by a view that was out of date does not commit, but runs again, then reading from the store.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Cell } from "./core/Commit.ts"
import type { RangeRead } from "./core/Journal.ts"
import type { Key } from "./core/Key.ts"
import type { Version } from "./core/Version.ts"
import type { Attempt } from "./internal/Attempt.ts"
import * as Operation from "./internal/Operation.ts"
import { versionOf } from "./internal/Pending.ts"
import { attemptOf, transact } from "./internal/Run.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import { Store } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"
import * as Tx from "./Tx.ts"

/** What a view holds at a moment. */
export interface Viewed<A> {
  readonly value: A
  /** The state of the store that `value` is of. */
  readonly version: Version
}

/** What a view is made of. */
interface Made<A> extends Viewed<A> {
  readonly cells: ReadonlyArray<{ readonly key: Key; readonly cell: Cell | undefined }>
  readonly ranges: ReadonlyArray<RangeRead>
}

/** A live local view. */
export interface View<in out A, out R = Store> {
  /** The newest value that is known, and all that come. */
  readonly ref: SubscriptionRef.SubscriptionRef<Viewed<A>>
  /** The value; inside a transaction its version enters the read set, alone it is read as by a transaction. */
  readonly get: Effect.Effect<A, StoreError, R>
}

/** The value as it is known now, without asking the store. */
export const current = <A>(view: View<A, unknown>): Effect.Effect<A> =>
  Effect.map(SubscriptionRef.get(view.ref), ({ value }) => value)

/**
 * A view of what `read` reads, e.g. `View.make(users.entries())`, kept current until the scope is closed. `read` must not
 * write. Costs one blocked transaction.
 */
export const make = <A, R, Id = Store>(
  read: Effect.Effect<A, StoreError, R>,
  options?: { readonly store?: StoreKey<Id> | undefined }
): Effect.Effect<View<A, R>, StoreError, R | Id | Scope.Scope> =>
  Effect.gen(function* () {
    const store = (options?.store ?? Store) as StoreKey<any>
    let made: Made<A> = yield* look(read, store, undefined)
    const ref = yield* SubscriptionRef.make<Viewed<A>>({ value: made.value, version: made.version })
    const follow = Effect.flatMap(
      Effect.suspend(() => look(read, store, made)),
      (next) => {
        made = next
        return SubscriptionRef.set(ref, { value: next.value, version: next.version })
      }
    )
    yield* Effect.forkScoped(Effect.forever(Effect.retry(follow, { while: (error) => error.isRetryable })))
    const adopted = Operation.make(store, "View.get", (tx) => {
      // Only attempts are views of a transaction.
      const attempt = tx as Attempt
      return adopt(attempt, made) ? { value: made.value } : undefined
    })
    const get = Effect.flatMap(adopted, (found) => (found === undefined ? read : Effect.succeed(found.value)))
    return { ref, get: transact(get, store, {}) }
  })

/** Reads; with `before`, waits until it is not what was read before. */
const look = <A, R>(
  read: Effect.Effect<A, StoreError, R>,
  store: StoreKey<any>,
  before: Made<A> | undefined
): Effect.Effect<Made<A>, StoreError, R> =>
  Effect.suspend(() => {
    let seen: Attempt | undefined
    const body = Effect.flatMap(read, (value) =>
      Effect.withFiber((fiber: Fiber.Fiber<any, any>) => {
        seen = attemptOf(fiber)!
        if (before !== undefined && isSame(seen, before)) return Tx.retry
        return Effect.succeed(value)
      })
    )
    return Effect.map(transact(body, store, { label: "View" }) as Effect.Effect<A, StoreError, R>, (value) => {
      const { journal, version } = seen!
      const cells = journal.entries.flatMap((entry) => {
        if (!entry.read) return []
        return [{ key: entry.key, cell: entry.base && { value: entry.base.value, version: versionOf(entry) } }]
      })
      return { value, version, cells, ranges: journal.ranges ?? [] }
    })
  })

/** Whether an attempt has read just what the view was made of. */
const isSame = ({ journal }: Attempt, made: Made<unknown>): boolean => {
  const entries = journal.entries.filter((entry) => entry.read)
  const ranges = journal.ranges ?? []
  return (
    entries.length === made.cells.length &&
    ranges.length === made.ranges.length &&
    entries.every(
      (entry, i) => entry.origin === undefined && versionOf(entry) === (made.cells[i]!.cell?.version ?? 0)
    ) &&
    ranges.every((range, i) => {
      const old = made.ranges[i]!.entries
      return (
        old.length === range.entries.length &&
        old.every(
          ({ cell, key }, j) => key === range.entries[j]!.key && cell.version === range.entries[j]!.cell.version
        )
      )
    })
  )
}

/**
 * Puts what the view was made of into the read set, if the attempt stands on its version or on none yet. Not where a local
 * request has written to it, and not in a later attempt: then it may have been the view that was out of date. In memory
 * reading costs nothing, so there the view is not asked.
 */
const adopt = (attempt: Attempt, made: Made<unknown>): boolean => {
  const { engine, journal, transacting } = attempt
  if (engine.pipeline === undefined || transacting.number > 1 || journal.hasWrites) return false
  const { overlay } = engine.pipeline
  if (attempt.version >= 0 && attempt.version !== made.version) return false
  if (made.cells.some(({ key }) => overlay.get(key) !== undefined)) return false
  if (made.ranges.some(({ end, start }) => overlay.newestIn(start, end) !== undefined)) return false
  if (attempt.version < 0) {
    attempt.version = made.version
    attempt.isAdopted = true
  }
  for (const { cell, key } of made.cells) {
    const entry = journal.entry(key)
    entry.base = cell
    entry.known = true
    journal.markRead(entry)
  }
  for (const { end, entries, start } of made.ranges) {
    journal.addRange({ start, end, entries, position: engine.pipeline.position })
  }
  return true
}
