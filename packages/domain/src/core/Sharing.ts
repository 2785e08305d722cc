/**
 * When the decoded form of a value may be shared between readers: nobody may change stored state through it. Pure.
 */
import type * as SchemaAST from "effect/SchemaAST"

/** Makes a deeply frozen copy of a validated value, equal to what decoding its bytes would give. */
export type Copier = (input: any) => unknown

const identity: Copier = (input) => input

/**
 * A copier for plain Schemas: structs, arrays and tuples of primitives, without transformation, records, mutable parts or
 * unions of anything but primitives. `undefined` for all others: their values are decoded from the bytes instead.
 */
export const copierOf = (ast: SchemaAST.AST): Copier | undefined => {
  const copier = copier_(ast, 0)
  return copier === identity ? undefined : copier
}

const depthMax = 8

const copier_ = (ast: SchemaAST.AST, depth: number): Copier | undefined => {
  if (ast.encoding !== undefined || depth > depthMax) return undefined
  switch (ast._tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "BigInt":
    case "Literal":
    case "Null":
    case "Undefined":
    case "TemplateLiteral":
    case "Enum":
      return identity
    case "Union":
      return ast.types.every((type) => copier_(type, depth + 1) === identity) ? identity : undefined
    case "Arrays":
      return arrayCopier(ast, depth)
    case "Objects":
      return structCopier(ast, depth)
    default:
      return undefined
  }
}

const arrayCopier = (ast: SchemaAST.Arrays, depth: number): Copier | undefined => {
  if (ast.elements.length > 0) return tupleCopier(ast, depth)
  if (ast.isMutable || ast.rest.length !== 1) return undefined
  const inner = copier_(ast.rest[0]!, depth + 1)
  if (inner === undefined) return undefined
  return inner === identity
    ? // What is frozen all the way down is as good as a copy, and slow to copy.
      (input: ReadonlyArray<unknown>) => (Object.isFrozen(input) ? input : Object.freeze(input.slice()))
    : (input: ReadonlyArray<unknown>) => Object.freeze(input.map(inner))
}

const tupleCopier = (ast: SchemaAST.Arrays, depth: number): Copier | undefined => {
  if (ast.isMutable || ast.rest.length > 0) return undefined
  const copiers: Array<Copier> = []
  for (const element of ast.elements) {
    const inner = copier_(element, depth + 1)
    if (inner === undefined || element.context?.isOptional === true || element.context?.isMutable === true)
      return undefined
    copiers.push(inner)
  }
  return (input: ReadonlyArray<unknown>) => Object.freeze(copiers.map((copier, i) => copier(input[i])))
}

const structCopier = (ast: SchemaAST.Objects, depth: number): Copier | undefined => {
  if (ast.indexSignatures.length > 0 || ast.propertySignatures.length > 64) return undefined
  const names: Array<string> = []
  const copiers: Array<Copier> = []
  const optional: Array<boolean> = []
  for (const { name, type } of ast.propertySignatures) {
    const inner = copier_(type, depth + 1)
    if (inner === undefined || typeof name !== "string" || name === "__proto__") return undefined
    if (type.context?.isMutable === true) return undefined
    names.push(name)
    copiers.push(inner)
    optional.push(type.context?.isOptional === true)
  }
  return (input: Record<string, unknown>) => {
    const out: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      if (optional[i]! && !Object.hasOwn(input, name)) continue
      const copier = copiers[i]!
      out[name] = copier === identity ? input[name] : copier(input[name])
    }
    return Object.freeze(out)
  }
}

/**
 * Whether all decoded values of a Schema are made of primitives, plain objects and arrays that its type calls readonly, so
 * that freezing them surprises nobody. Class instances, dates, byte arrays and maps are not: they are decoded at each read.
 */
export const isShareable = (ast: SchemaAST.AST, depth = 0): boolean => {
  if (depth > depthMax) return false
  switch (ast._tag) {
    case "Objects":
      return (
        ast.propertySignatures.every((p) => p.type.context?.isMutable !== true && isShareable(p.type, depth + 1)) &&
        ast.indexSignatures.every((i) => isShareable(i.type, depth + 1))
      )
    case "Arrays":
      return (
        !ast.isMutable &&
        ast.elements.every((e) => isShareable(e, depth + 1)) &&
        ast.rest.every((r) => isShareable(r, depth + 1))
      )
    case "Union":
      return ast.types.every((type) => isShareable(type, depth + 1))
    case "Declaration":
    case "Suspend":
    case "Any":
    case "Unknown":
    case "ObjectKeyword":
      return false
    default:
      return true
  }
}

/** Freezes plain objects and arrays all the way down; for values of a shareable Schema that nobody else holds. */
export const deepFreeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  for (const inner of Array.isArray(value) ? value : Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
