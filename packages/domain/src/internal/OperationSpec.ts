/**
 * An operation of a collection as data: what the engine looks at (`Operation.ts` makes effects of it).
 */
import type * as Effect from "effect/Effect"
import type { Durability } from "../core/Commit.ts"
import type { StoreError } from "../StoreError.ts"
import type { StoreKey } from "./StoreShape.ts"
import type { TxView } from "./TxView.ts"

/**
 * Work that must be done once per store before the first operation of a collection, e.g. the check of its schema. It runs
 * in a transaction of its own, also when the operation stands inside another one.
 */
export interface Opening<Id> {
  /** Name of the collection that is opened, for messages and spans. */
  readonly name: string
  readonly open: Effect.Effect<void, StoreError, Id>
}

export interface OperationSpec<A> {
  readonly store: StoreKey<any>
  /** What it does; `labelOf` says with which collection. */
  readonly label: string
  readonly run: (tx: TxView) => A
  readonly opening: Opening<any> | undefined
  /** Of its commit where it is a transaction alone; as a part of another one it is as durable as that. */
  readonly durability: Durability | undefined
}

/** The operation for spans and messages, like `users.get`: put together only when somebody looks. */
export const labelOf = ({ label, opening }: OperationSpec<unknown>): string =>
  opening === undefined ? label : `${opening.name}.${label}`
