/**
 * What a store's service holds, apart from `Store.ts` so that operations can name it without a cycle.
 */
import type * as Context from "effect/Context"
import type { Capabilities } from "../Backend.ts"
import type { Engine } from "./Engine.ts"

/** The service behind a store key: one engine on one backend. */
export interface StoreShape {
  /** What the backend promises and bounds. */
  readonly capabilities: Capabilities
  /** The transaction engine; its members are no public interface. */
  readonly engine: Engine
}

/** The key of a store: `Store` itself, or a class made by `Store.named`. */
export type StoreKey<Id> = Context.Key<Id, StoreShape>
