/** Runs several operations as one transaction: joins the one it stands in, else makes its own. */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../StoreError.ts"
import { transactWith } from "../Tx.ts"
import type { StoreKey } from "./StoreShape.ts"

export const withinTransaction = <A, R>(
  store: StoreKey<any>,
  effect: Effect.Effect<A, StoreError, R>
): Effect.Effect<A, StoreError, any> => transactWith(effect, { store }) as Effect.Effect<A, StoreError, any>
