/**
 * Why values written under one shape may not be read under another (`Shape.ts` states the rule). Pure.
 */
import { equal, type Field, type Shape } from "./Shape.ts"

/**
 * Reasons, one line each with the place, why `next` cannot read all values written under `old`; empty when it can and
 * reads each as the same value. Conservative: what is not known to be sound is a difference.
 */
export const differences = (old: Shape, next: Shape, path = "value"): ReadonlyArray<string> => {
  if (equal(old, next)) return []
  if (old.t !== next.t) return [`${path}: was ${describe(old)}, is ${describe(next)}`]
  switch (old.t) {
    case "leaf":
      return leaf(old, next as typeof old, path)
    case "struct":
      return [...struct(old, next as typeof old, path), ...checks(old, next, path)]
    case "array":
      return [...array(old, next as typeof old, path), ...checks(old, next, path)]
    case "union":
      return [...union(old, next as typeof old, path), ...checks(old, next, path)]
    case "declared":
      return [...declared(old, next as typeof old, path), ...checks(old, next, path)]
    case "coded": {
      const other = next as typeof old
      return [
        ...differences(old.type, other.type, path),
        ...differences(old.encoded, other.encoded, `${path} (stored)`)
      ]
    }
    default:
      return [`${path}: was ${describe(old)}, is ${describe(next)}`]
  }
}

type Of<T extends Shape["t"]> = Extract<Shape, { readonly t: T }>

const isInt = "effect/schema/isInt"

const leaf = (old: Of<"leaf">, next: Of<"leaf">, path: string): ReadonlyArray<string> => {
  if (old.kind !== next.kind) return [`${path}: was ${describe(old)}, is ${describe(next)}`]
  const dropped = old.checks?.includes(isInt) === true && next.checks?.includes(isInt) !== true
  return dropped ? [`${path}: was an integer, is a number: its bytes differ`] : checks(old, next, path)
}

const checks = (old: Shape, next: Shape, path: string): ReadonlyArray<string> => {
  const had = "checks" in old ? (old.checks ?? []) : []
  const has = "checks" in next ? (next.checks ?? []) : []
  return has
    .filter((check) => !had.includes(check))
    .map((check) => `${path}: the check ${JSON.stringify(check)} is new: stored values may not pass it`)
}

const struct = (old: Of<"struct">, next: Of<"struct">, path: string): ReadonlyArray<string> => {
  const out: Array<string> = []
  for (const [name, field] of Object.entries(old.fields)) {
    const other = next.fields[name]
    if (other === undefined) out.push(`${path}.${name}: the field is gone, its stored data would be lost`)
    else out.push(...fieldDifferences(field, other, `${path}.${name}`))
  }
  const added = Object.entries(next.fields).filter(([name]) => old.fields[name] === undefined)
  for (const [name, field] of added) {
    if (!field.optional) out.push(`${path}.${name}: a new field must be optional, stored values do not have it`)
    else if (old.index.length > 0)
      out.push(`${path}.${name}: a field was added to a record, whose keys may be called so`)
    // A field id in use by another name would read that one's bytes.
    else if (Object.values(old.fields).some((o) => o.id !== undefined && o.id === field.id)) {
      out.push(`${path}.${name}: its wire id ${field.id} belonged to another field`)
    }
  }
  if (JSON.stringify(old.index) !== JSON.stringify(next.index)) out.push(`${path}: its index signatures changed`)
  return out
}

const fieldDifferences = (old: Field, next: Field, path: string): ReadonlyArray<string> => {
  if (old.id !== next.id) return [`${path}: its wire id was ${old.id ?? "by name"}, is ${next.id ?? "by name"}`]
  const inside = differences(old.shape, next.shape, path)
  return old.optional && !next.optional ? [...inside, `${path}: was optional, is required`] : inside
}

const array = (old: Of<"array">, next: Of<"array">, path: string): ReadonlyArray<string> => {
  const optionality = (shape: Of<"array">) => shape.elements.map((element) => element.optional)
  if (old.rest.length !== next.rest.length || JSON.stringify(optionality(old)) !== JSON.stringify(optionality(next))) {
    return [`${path}: its elements were ${describe(old)}, are ${describe(next)}`]
  }
  return [
    ...old.elements.flatMap((element, i) => differences(element.shape, next.elements[i]!.shape, `${path}[${i}]`)),
    ...old.rest.flatMap((element, i) => differences(element, next.rest[i]!, `${path}[]`))
  ]
}

/** What tells a member of a union from the others: its kind, or for structs the literals of its required fields. */
const discriminator = (shape: Shape): string | undefined => {
  if (shape.t === "literal") return `literal ${shape.value}`
  if (shape.t === "leaf") return shape.kind
  if (shape.t !== "struct") return undefined
  const literals = Object.entries(shape.fields).filter(([, field]) => !field.optional && field.shape.t === "literal")
  return literals.length === 0 ? undefined : JSON.stringify(literals.map(([name, field]) => [name, field.shape]))
}

const union = (old: Of<"union">, next: Of<"union">, path: string): ReadonlyArray<string> => {
  const tags = next.of.map(discriminator)
  if (tags.includes(undefined) || new Set(tags).size !== tags.length) {
    return [
      `${path}: was ${describe(old)}, is ${describe(next)}, and not every member is told by a literal or its kind`
    ]
  }
  const added = next.of.filter((shape) => !old.of.some((o) => discriminator(o) === discriminator(shape)))
  // Literals of one kind share their layout with a plain member of that kind, so only like may join like.
  const kinds = new Set(old.of.map((shape) => (shape.t === "literal" ? "literal" : shape.t)))
  const strange = added.filter((shape) => !(shape.t === "literal" || shape.t === "struct") || !kinds.has(shape.t))
  const out = strange.map(
    (shape) => `${path}: ${describe(shape)} joined the union: its other members' bytes may change`
  )
  for (const member of old.of) {
    const other = next.of.find((shape) => discriminator(shape) === discriminator(member))
    if (other === undefined) out.push(`${path}: ${describe(member)} is gone from the union`)
    else out.push(...differences(member, other, `${path} (${describe(member)})`))
  }
  return out
}

const declared = (old: Of<"declared">, next: Of<"declared">, path: string): ReadonlyArray<string> =>
  old.id !== next.id || old.of.length !== next.of.length
    ? [`${path}: was ${describe(old)}, is ${describe(next)}`]
    : old.of.flatMap((shape, i) => differences(shape, next.of[i]!, `${path}<${i}>`))

/** A shape in a few words. */
export const describe = (shape: Shape): string => {
  switch (shape.t) {
    case "leaf":
      return shape.checks?.includes(isInt) === true ? "an integer" : shape.kind
    case "literal":
      return shape.value
    case "struct":
      return `{ ${Object.entries(shape.fields)
        .map(([name, field]) => name + (field.optional ? "?" : ""))
        .join(", ")} }`
    case "array":
      return `[${[...shape.elements.map((e) => describe(e.shape)), ...shape.rest.map((r) => "..." + describe(r))].join(", ")}]`
    case "union":
      return shape.of.map(describe).join(" | ")
    case "declared":
      return shape.of.length === 0 ? shape.id : `${shape.id}<${shape.of.map(describe).join(", ")}>`
    case "coded":
      return `${describe(shape.type)} (stored as ${describe(shape.encoded)})`
    default:
      return "(recursive)"
  }
}
