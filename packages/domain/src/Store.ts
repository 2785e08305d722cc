/**
 * The store that collections live in.
 */
import * as Context from "effect/Context"
import type { StoreKey, StoreShape } from "./internal/StoreShape.ts"

/** The default store. */
export class Store extends Context.Service<Store, StoreShape>()("@weft/Store/default") {}

export declare namespace Store {
  /** The service behind a store key. */
  type Shape = StoreShape
  /** `Store` itself, or a class made by `Store.named`. */
  type Key<Id> = StoreKey<Id>
}
