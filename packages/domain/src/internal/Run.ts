/** How operations and transactions run on an engine. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { StoreError } from "../StoreError.ts"
import type { OperationSpec } from "./Operation.ts"

export const perform = <A>(spec: OperationSpec<A>, _fiber: Fiber.Fiber<any, any>): Effect.Effect<A, StoreError, any> =>
  Effect.die(new Error(`${spec.label}: the engine is not there yet`))
