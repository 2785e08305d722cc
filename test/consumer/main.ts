/**
 * A program as a user of the published packages writes it: another package, `declaration: true`. Every inferred type
 * that it exports must be nameable from what the packages export.
 */
import { Effect } from "effect"
import { Backend } from "@weft/domain/Backend"

export const durability = Backend.use(({ capabilities }) => Effect.succeed(capabilities.durability))
export const limits = Effect.map(Backend, ({ capabilities }) => capabilities.limits)
