/**
 * Templates as data, so that any process can decide any waiter's template: literals, kinds of well-known Schemas, names of
 * predicates. Pure. What cannot be written so (a Schema of one's own, a literal that is no plain data) makes the template
 * *private*: only the process that asked can decide it.
 */
import * as Schema from "effect/Schema"
import { any, Is, Where } from "./Template.ts"

/** One place: any, kind, one of some literals, predicate, plain data, or a literal that JSON cannot hold. */
type Place =
  | { readonly a: 1 }
  | { readonly k: string }
  | { readonly l: ReadonlyArray<Literal> }
  | { readonly w: string }
  | { readonly j: unknown }
  | { readonly v: Literal }

/** A primitive: its type and how it is written. */
type Literal = readonly [type: string, text: string]

export type TemplateData = ReadonlyArray<Place>

const kinds: Readonly<Record<string, Schema.Constraint>> = {
  String: Schema.String,
  NonEmptyString: Schema.NonEmptyString,
  Number: Schema.Number,
  Int: Schema.Int,
  Finite: Schema.Finite,
  Boolean: Schema.Boolean,
  BigInt: Schema.BigInt,
  Null: Schema.Null,
  Undefined: Schema.Undefined,
  Unknown: Schema.Unknown
}

/** The template as data, `undefined` when it is private. */
export const toData = (template: ReadonlyArray<unknown>): TemplateData | undefined => {
  const out: Array<Place> = []
  for (const place of template) {
    const data = placeToData(place)
    if (data === undefined) return undefined
    out.push(data)
  }
  return out
}

/** The template of some data. Throws `RangeError` for data that is none. */
export const fromData = (data: TemplateData): ReadonlyArray<unknown> => data.map(placeFromData)

const placeToData = (place: unknown): Place | undefined => {
  if (place === any) return { a: 1 }
  if (place instanceof Where) return { w: place.predicate }
  if (place instanceof Is) return isToData(place)
  const literal = literalToData(place)
  if (literal !== undefined) return { v: literal }
  return isPlain(place, 0) ? { j: place } : undefined
}

const isToData = ({ schema }: Is<unknown>): Place | undefined => {
  if (schema === undefined) return undefined
  for (const [name, known] of Object.entries(kinds))
    if (known === schema || known.ast === schema.ast) return { k: name }
  const { ast } = schema
  const members = ast._tag === "Union" && ast.checks === undefined ? ast.types : [ast]
  const literals: Array<Literal> = []
  for (const member of members) {
    if (member._tag !== "Literal" || member.encoding !== undefined || member.checks !== undefined) return undefined
    literals.push(literalToData(member.literal)!)
  }
  return { l: literals }
}

const placeFromData = (place: Place): unknown => {
  if ("a" in place) return any
  if ("w" in place) return new Where(place.w)
  if ("v" in place) return literalFromData(place.v)
  if ("j" in place) return place.j
  if ("l" in place) {
    const literals = place.l.map(literalFromData)
    return new Is((value): value is unknown => literals.includes(value))
  }
  const schema = Object.hasOwn(kinds, place.k) ? kinds[place.k] : undefined
  if (schema === undefined) throw new RangeError(`no kind "${place.k}" is known`)
  return new Is(Schema.is(schema), schema)
}

const literalToData = (value: unknown): Literal | undefined => {
  if (value === null) return ["null", ""]
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
    case "undefined":
      return [typeof value, String(value)]
    default:
      return undefined
  }
}

const literalFromData = ([type, text]: Literal): unknown => {
  switch (type) {
    case "null":
      return null
    case "undefined":
      return undefined
    case "string":
      return text
    case "number":
      return Number(text)
    case "boolean":
      return text === "true"
    case "bigint":
      return BigInt(text)
    default:
      throw new RangeError(`no literal of type "${type}" is known`)
  }
}

const plainDepthMax = 32

/** Whether JSON gives back an equal value. */
const isPlain = (value: unknown, depth: number): boolean => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== "object" || depth > plainDepthMax) return false
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth + 1))
  if (Object.getPrototypeOf(value) !== Object.prototype || "toJSON" in value) {
    return false
  }
  return Object.values(value).every((item) => isPlain(item, depth + 1))
}
