/** A transaction of one operation that tells the version of its commit: that of the stamps of what it appended. */
import * as Effect from "effect/Effect"
import type { Version } from "../core/Version.ts"
import type { StoreError } from "../StoreError.ts"
import { transactWith } from "../Tx.ts"
import * as Operation from "./Operation.ts"
import { attemptOf, performInOneStep } from "./Run.ts"
import type { StoreKey } from "./StoreShape.ts"
import type { Transacting } from "./Transacting.ts"
import type { TxView } from "./TxView.ts"

/** The value of an operation that ran as a transaction of its own, and where it took effect or what it read stood. */
export interface Versioned<A> {
  readonly value: A
  /** Of the commit, or of the state that was read when nothing was written. */
  readonly version: Version
  /** Of the state that was read; what was committed after it was not seen. */
  readonly snapshot: Version
}

/** Not inside of another transaction: its version is known at the end alone. */
export const versioned = <Id, A>(
  store: StoreKey<Id>,
  label: string,
  run: (tx: TxView) => A
): Effect.Effect<Versioned<A>, StoreError, Id> =>
  Effect.withFiber((fiber): Effect.Effect<Versioned<A>, StoreError, Id> => {
    const operation = Operation.make(store, label, run)
    if (attemptOf(fiber) !== undefined) return versionedOf(store, label, operation)
    const spec = { store, label, run, opening: undefined, durability: undefined }
    return (
      performInOneStep(spec, fiber, (value, { transacting, version }) => versionedAs(value, transacting, version)) ??
      versionedOf(store, label, operation)
    )
  })

/** As `versioned`, of an operation that is there already. */
export const versionedOf = <Id, A>(
  store: StoreKey<Id>,
  label: string,
  operation: Effect.Effect<A, StoreError, Id>
): Effect.Effect<Versioned<A>, StoreError, Id> =>
  Effect.withFiber((fiber): Effect.Effect<Versioned<A>, StoreError, Id> => {
    if (attemptOf(fiber) !== undefined) return Effect.die(new Error(`${label} cannot run inside of a transaction`))
    const body = Effect.flatMap(operation, (value) =>
      Effect.withFiber((inner) => {
        const { transacting, version } = attemptOf(inner)!
        return Effect.succeed({ value, transacting, snapshot: version })
      })
    )
    return Effect.map(transactWith(body, { store, label }), ({ snapshot, transacting, value }) =>
      versionedAs(value, transacting, snapshot)
    ) as Effect.Effect<Versioned<A>, StoreError, Id>
  })

const versionedAs = <A>(value: A, { committedAt, engine }: Transacting, snapshot: Version): Versioned<A> => ({
  value,
  snapshot,
  // What a read-only transaction has seen of this process's own writes is acknowledged by now.
  version: committedAt >= 0 ? committedAt : Math.max(snapshot, engine.lastVersion)
})
