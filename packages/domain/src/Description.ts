/**
 * What a collection is made of, for what derives other things from it: RPC groups, command lines, pages. A handle itself
 * shows only its operations; here its kind, Schemas and store can be asked for.
 */
import type * as Schema from "effect/Schema"
import type { StoreKey } from "./internal/StoreShape.ts"

/** Kind, Schemas and store of a collection. */
export interface Description {
  readonly kind: "DCounter" | "DMap" | "DQueue" | "DRef" | "DSet" | "DStruct"
  readonly store: StoreKey<any> | undefined
  /** `DMap`: of its keys; `DSet`: of its elements. */
  readonly key?: Schema.Constraint | undefined
  /** `DMap`, `DQueue`, `DRef`: of its values. */
  readonly value?: Schema.Constraint | undefined
  /** `DStruct`: of its fields. */
  readonly fields?: Readonly<Record<string, Schema.Constraint>> | undefined
}

const known = new WeakMap<object, Description>()

/** Remembers what a handle is made of; gives the handle. */
export const described = <A extends object>(handle: A, description: Description): A => {
  known.set(handle, description)
  return handle
}

/** What a handle is made of; `undefined` for anything but a collection made by this package. */
export const of = (handle: unknown): Description | undefined =>
  typeof handle === "object" && handle !== null ? known.get(handle) : undefined
