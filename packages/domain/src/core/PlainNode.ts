/**
 * What the short way of plain values (`PlainCodec.ts`) knows of a Schema. Pure.
 */
import type * as SchemaAST from "effect/SchemaAST"

/** What a part of a value is. */
export const Kind = { string: 0, number: 1, int: 2, boolean: 3, literal: 4, array: 5, struct: 6, tuple: 7 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

type Filter = SchemaAST.Filter<unknown>

/** A part of a Schema. */
export interface Node {
  readonly kind: Kind
  readonly ast: SchemaAST.AST
  readonly checks: ReadonlyArray<Filter>
  /** Of a literal: the value, and the kind that its bytes are of. */
  readonly literal: unknown
  readonly leaf: Kind
  /** Of an array. */
  readonly element: Node | undefined
  /** Of a tuple. */
  readonly elements: ReadonlyArray<Node>
  /** Of a struct: in the order of the Schema, and in that of the bytes. */
  readonly fields: ReadonlyArray<Field>
  readonly byId: ReadonlyArray<Field>
}

export interface Field {
  readonly name: string
  readonly id: number
  /** `id * 8`, to which the kind of the payload is added. */
  readonly tag: Uint8Array
  readonly isOptional: boolean
  readonly node: Node
}

const depthMax = 8
const fieldsMax = 64

/** Where a program may choose the id of a field itself: left to `SchemaBinary`. */
const fieldIdAnnotation = "~effect/encoding/SchemaBinary/fieldId"

/** `undefined` for a Schema of which any part has no short way. */
export const nodeOf = (ast: SchemaAST.AST, depth = 0): Node | undefined => {
  if (ast.encoding !== undefined || depth > depthMax) return undefined
  switch (ast._tag) {
    case "String":
      return node(Kind.string, ast)
    case "Number":
      return node(isInteger(ast.checks) ? Kind.int : Kind.number, ast)
    case "Boolean":
      return node(Kind.boolean, ast)
    case "Literal":
      return literalNode(ast)
    case "Arrays":
      return ast.elements.length > 0 ? tupleNode(ast, depth) : arrayNode(ast, depth)
    case "Objects":
      return structNode(ast, depth)
    default:
      return undefined
  }
}

const none: ReadonlyArray<never> = []

const node = (kind: Kind, ast: SchemaAST.AST, parts: Partial<Node> = {}): Node => ({
  kind,
  ast,
  checks: filtersOf(ast.checks),
  literal: undefined,
  leaf: kind,
  element: undefined,
  elements: none,
  fields: none,
  byId: none,
  ...parts
})

const filtersOf = (checks: ReadonlyArray<SchemaAST.Check<any>> | undefined): ReadonlyArray<Filter> =>
  checks === undefined
    ? none
    : checks.flatMap((check) => (check._tag === "Filter" ? [check] : [...filtersOf(check.checks)]))

/** `SchemaBinary` writes numbers that a check proves to be integers in a way of their own. */
const isInteger = (checks: ReadonlyArray<SchemaAST.Check<any>> | undefined): boolean =>
  checks !== undefined &&
  checks.some(
    (check) =>
      check.annotations?.representation?.id === "effect/schema/isInt" ||
      (check._tag === "FilterGroup" && isInteger(check.checks))
  )

const literalNode = (ast: SchemaAST.Literal): Node | undefined => {
  const { literal } = ast
  if (ast.checks !== undefined || typeof literal === "bigint") return undefined
  const leaf = typeof literal === "string" ? Kind.string : typeof literal === "number" ? Kind.number : Kind.boolean
  return node(Kind.literal, ast, { literal, leaf })
}

const arrayNode = (ast: SchemaAST.Arrays, depth: number): Node | undefined => {
  if (ast.isMutable || ast.checks !== undefined || ast.rest.length !== 1) return undefined
  const element = nodeOf(ast.rest[0]!, depth + 1)
  // Arrays of other things have formats of their own, which pay off by size rather than by speed.
  if (element?.kind !== Kind.string && element?.kind !== Kind.int && element?.kind !== Kind.boolean) return undefined
  return node(Kind.array, ast, { element })
}

/** A tuple that is the whole value, of single values alone. */
const tupleNode = (ast: SchemaAST.Arrays, depth: number): Node | undefined => {
  if (depth > 0 || ast.isMutable || ast.checks !== undefined || ast.rest.length > 0) return undefined
  if ((ast as { encodingChecks?: unknown }).encodingChecks !== undefined || ast.elements.length > fieldsMax)
    return undefined
  const elements: Array<Node> = []
  for (const element of ast.elements) {
    const inner = nodeOf(element, depth + 1)
    if (inner === undefined || inner.kind >= Kind.array) return undefined
    if (element.context?.isOptional === true || element.context?.isMutable === true) return undefined
    elements.push(inner)
  }
  return node(Kind.tuple, ast, { elements })
}

const structNode = (ast: SchemaAST.Objects, depth: number): Node | undefined => {
  if (ast.checks !== undefined || (ast as { encodingChecks?: unknown }).encodingChecks !== undefined) return undefined
  const { indexSignatures, propertySignatures } = ast
  if (indexSignatures.length > 0 || propertySignatures.length === 0 || propertySignatures.length > fieldsMax)
    return undefined
  const fields: Array<Field> = []
  for (const { name, type } of propertySignatures) {
    const inner = nodeOf(type, depth + 1)
    // Names that every object answers to cannot be told from absent ones by a look.
    if (inner === undefined || typeof name !== "string" || name in Object.prototype) return undefined
    const { annotations, isMutable, isOptional } = type.context ?? {}
    if (isMutable === true || annotations?.[fieldIdAnnotation] !== undefined) return undefined
    const id = hash(name)
    fields.push({ name, id, tag: uvarint(id * 8), isOptional: isOptional === true, node: inner })
  }
  return node(Kind.struct, ast, { fields, byId: fields.toSorted((a, b) => a.id - b.id) })
}

const utf8 = new TextEncoder()

/** FNV-1a, 32 bits. */
const hash = (name: string): number => {
  let h = 0x811c9dc5
  for (const byte of utf8.encode(name)) h = Math.imul(h ^ byte, 0x01000193)
  return h >>> 0
}

const uvarint = (n: number): Uint8Array => {
  const bytes: Array<number> = []
  for (; n >= 0x80; n = Math.floor(n / 0x80)) bytes.push((n % 0x80) | 0x80)
  return Uint8Array.from([...bytes, n])
}
