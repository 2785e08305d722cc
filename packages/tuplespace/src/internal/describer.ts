/** Why a value is no tuple of a space, for people. */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

export const describer = (schema: Schema.Constraint) => {
  const decode = Schema.decodeUnknownExit(Schema.toType(schema as Schema.Codec<unknown>))
  return (value: unknown): string => {
    const exit = decode(value)
    return Exit.isSuccess(exit)
      ? "it decodes, but is of another type"
      : String(exit.cause.reasons[0] && "error" in exit.cause.reasons[0] ? exit.cause.reasons[0].error : exit.cause)
  }
}
