/** How many places the tuples of a space have, as far as its Schema tells. */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** `undefined` where any number may be: rest elements, Schemas that are no plain tuples. */
export const aritiesOf = (schema: Schema.Constraint): ReadonlySet<number> | undefined => {
  const arities = new Set<number>()
  return collect(SchemaAST.toType(schema.ast), arities) ? arities : undefined
}

const collect = (ast: SchemaAST.AST, into: Set<number>): boolean => {
  if (ast._tag === "Union") return ast.types.every((member) => collect(member, into))
  if (ast._tag !== "Arrays" || ast.rest.length > 0) return false
  const required = ast.elements.filter(({ context }) => context?.isOptional !== true).length
  for (let arity = required; arity <= ast.elements.length; arity++) into.add(arity)
  return true
}

/** Why a template of so many places can match nothing, `undefined` when it can. */
export const arityMismatch = (arities: ReadonlySet<number> | undefined, arity: number): string | undefined => {
  if (arities === undefined || arities.has(arity)) return undefined
  const known = [...arities].sort((a, b) => a - b).join(", ")
  return `a template of ${arity} places can match nothing: its tuples have ${known}`
}
