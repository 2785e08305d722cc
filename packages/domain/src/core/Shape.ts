/**
 * The shape of a Schema as data: what the store keeps of it, and the sound rule by which bytes written under an old shape
 * may be read under a new one. Pure.
 *
 * Comparing JSON Schemas is not enough: `SchemaBinary` silently drops an optional field that was widened to a union, and
 * an integer that became a number has other bytes. So the rule knows what the bytes depend on. `differences(old, new)` is
 * empty only if every value written under `old` is read as the same value under `new`:
 * - equal shapes; a check (`isInt`, `isMinLength`...) may be dropped (not `isInt`: it changes the bytes), never added;
 * - a struct may gain optional fields and make required ones optional, never lose one, rename it or require it;
 * - a union may gain members when the old ones stay and every member is told by a literal or a kind of its own;
 * - nothing becomes a union, or stops to be one.
 * All else needs a migration. Not seen: a transformation whose code changed between the same two shapes.
 */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** A node: `t` names its kind. References (`ref`) count nodes from the root on the way down. */
export type Shape =
  | { readonly t: "leaf"; readonly kind: string; readonly checks?: ReadonlyArray<string> | undefined }
  | { readonly t: "literal"; readonly value: string }
  | {
      readonly t: "struct"
      readonly fields: Readonly<Record<string, Field>>
      readonly index: ReadonlyArray<readonly [Shape, Shape]>
      readonly checks?: ReadonlyArray<string> | undefined
    }
  | {
      readonly t: "array"
      readonly elements: ReadonlyArray<Field>
      readonly rest: ReadonlyArray<Shape>
      readonly checks?: ReadonlyArray<string> | undefined
    }
  | { readonly t: "union"; readonly of: ReadonlyArray<Shape>; readonly checks?: ReadonlyArray<string> | undefined }
  | {
      readonly t: "declared"
      readonly id: string
      readonly of: ReadonlyArray<Shape>
      readonly checks?: ReadonlyArray<string> | undefined
    }
  | { readonly t: "coded"; readonly type: Shape; readonly encoded: Shape }
  | { readonly t: "ref"; readonly depth: number }

export interface Field {
  readonly optional: boolean
  readonly shape: Shape
  /** Explicit wire id (`SchemaBinary.fieldId`). */
  readonly id?: number | undefined
}

/** The shape of a Schema. Deterministic: equal Schemas have equal shapes, property for property. */
export const of = (schema: Schema.Constraint): Shape => walk(schema.ast, [])

const walk = (ast: SchemaAST.AST, above: ReadonlyArray<SchemaAST.AST>): Shape => {
  const seen = above.indexOf(ast)
  if (seen !== -1) return { t: "ref", depth: seen }
  const path = [...above, ast]
  if (ast.encoding !== undefined) {
    const encoded = walk(ast.encoding.at(-1)!.to, path)
    // A class is told by its fields, not by its name: renaming it changes no byte.
    const type =
      SchemaAST.isDeclaration(ast) && representationOf(ast.annotations) === undefined
        ? withChecks({ t: "declared", id: "class", of: [] } as const, ast)
        : node(ast, path)
    return { t: "coded", type, encoded }
  }
  return node(ast, path)
}

const node = (ast: SchemaAST.AST, path: ReadonlyArray<SchemaAST.AST>): Shape => {
  switch (ast._tag) {
    case "Suspend":
      return walk(ast.thunk(), path)
    case "Literal":
      return { t: "literal", value: literalText(ast.literal) }
    case "Enum":
      return { t: "union", of: ast.enums.map(([, value]) => ({ t: "literal", value: literalText(value) }) as const) }
    case "Objects":
      return withChecks(structShape(ast, path), ast)
    case "Arrays":
      return withChecks(
        {
          t: "array",
          elements: ast.elements.map((element) => fieldShape(element, path)),
          rest: ast.rest.map((element) => walk(element, path))
        } as const,
        ast
      )
    case "Union":
      return withChecks({ t: "union", of: ast.types.map((type) => walk(type, path)) } as const, ast)
    case "Declaration":
      return withChecks(
        {
          t: "declared",
          id: representationOf(ast.annotations) ?? String(ast.annotations?.["identifier"] ?? "anonymous"),
          of: ast.typeParameters.map((type) => walk(type, path))
        } as const,
        ast
      )
    case "UniqueSymbol":
      return { t: "literal", value: `symbol ${String(Symbol.keyFor(ast.symbol))}` }
    case "TemplateLiteral":
      return { t: "leaf", kind: `template ${JSON.stringify(ast.parts.map((part) => walk(part, path)))}` }
    default:
      return withChecks({ t: "leaf", kind: ast._tag } as const, ast)
  }
}

const structShape = (ast: SchemaAST.Objects, path: ReadonlyArray<SchemaAST.AST>) => {
  const fields: Record<string, Field> = {}
  const signatures = [...ast.propertySignatures].sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
  for (const signature of signatures) fields[String(signature.name)] = fieldShape(signature.type, path)
  return {
    t: "struct",
    fields,
    index: ast.indexSignatures.map(
      (signature) => [walk(signature.parameter, path), walk(signature.type, path)] as const
    )
  } as const
}

const fieldIdKey = "~effect/encoding/SchemaBinary/fieldId"

const fieldShape = (ast: SchemaAST.AST, path: ReadonlyArray<SchemaAST.AST>): Field => {
  const encoded = ast.encoding === undefined ? ast : ast.encoding.at(-1)!.to
  const id = encoded.context?.annotations?.[fieldIdKey] ?? ast.context?.annotations?.[fieldIdKey]
  const field = { optional: SchemaAST.isOptional(encoded), shape: walk(ast, path) }
  return typeof id === "number" ? { ...field, id } : field
}

const literalText = (literal: unknown): string =>
  typeof literal === "bigint" ? `${literal}n` : JSON.stringify(literal)

const representationOf = (annotations: { readonly [key: string]: unknown } | undefined): string | undefined => {
  const representation = annotations?.["representation"] as
    | { readonly id: string; readonly payload: unknown }
    | undefined
  if (representation === undefined) return undefined
  return representation.payload === null || representation.payload === undefined
    ? representation.id
    : `${representation.id} ${JSON.stringify(representation.payload)}`
}

const checkText = (check: SchemaAST.Check<never>): ReadonlyArray<string> => {
  const annotations = check.annotations as { readonly [key: string]: unknown } | undefined
  const known = representationOf(annotations)
  if (known !== undefined) return [known]
  if (check._tag === "FilterGroup") return check.checks.flatMap(checkText)
  return [`custom ${String(annotations?.["identifier"] ?? annotations?.["title"] ?? annotations?.["expected"] ?? "")}`]
}

const withChecks = <S extends Shape>(shape: S, ast: SchemaAST.AST): Shape => {
  const checks = (ast.checks ?? []).flatMap((check) => checkText(check as SchemaAST.Check<never>)).sort()
  return checks.length === 0 ? shape : ({ ...shape, checks } as Shape)
}

/** Whether two shapes are the same, property for property. */
export const equal = (a: Shape, b: Shape): boolean => JSON.stringify(a) === JSON.stringify(b)
