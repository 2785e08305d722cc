/**
 * The rule by which bytes of an old Schema may be read under a new one (`core/Shape.ts`): sound for whatever is drawn, and
 * not so strict that the usual changes fail. Replay with `WEFT_SEED=<seed> npx vitest run packages/domain/test/shapes.test.ts`.
 */
import * as Schema from "effect/Schema"
import { SchemaBinary } from "effect/encoding"
import { isDeepStrictEqual } from "node:util"
import { describe, expect, it } from "vitest"
import { Codec } from "../src/Codec.ts"
import { encode } from "../src/core/KeyCodec.ts"
import * as Shape from "../src/core/Shape.ts"
import { differences } from "../src/core/ShapeDifference.ts"
import { Value } from "../src/core/Value.ts"
import * as Prng from "../testing/Prng.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/shapes.test.ts`
const key = encode(["c"])
const S = Schema
const diff = (old: Schema.Constraint, next: Schema.Constraint) => differences(Shape.of(old), Shape.of(next))

/** A description from which a Schema, a changed Schema and values are made. */
type Plan =
  | { readonly t: "string" | "number" | "int" | "boolean" | "bigint" | "date" }
  | { readonly t: "literals"; readonly of: ReadonlyArray<string> }
  | { readonly t: "struct"; readonly fields: ReadonlyArray<readonly [string, boolean, Plan]> }
  | { readonly t: "array"; readonly of: Plan }
  | { readonly t: "nullOr"; readonly of: Plan }
  | {
      readonly t: "tagged"
      readonly cases: ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, boolean, Plan]>]>
    }

const leaves = ["string", "number", "int", "boolean", "bigint", "date"] as const
const names = ["a", "b", "c", "d", "e"]

const drawFields = (random: Prng.Prng, depth: number) =>
  names.filter(() => random.chance(0.5)).map((name) => [name, random.chance(0.4), draw(random, depth + 1)] as const)

const draw = (random: Prng.Prng, depth = 0): Plan => {
  switch (random.below(depth > 2 ? 7 : 11)) {
    case 6:
      return { t: "literals", of: names.slice(0, random.between(1, 3)) }
    case 7:
    case 8:
      return { t: "struct", fields: drawFields(random, depth) }
    case 9:
      return random.chance(0.5)
        ? { t: "array", of: draw(random, depth + 1) }
        : { t: "nullOr", of: draw(random, depth + 1) }
    case 10:
      return {
        t: "tagged",
        cases: ["x", "y", "z"].slice(0, random.between(1, 3)).map((tag) => [tag, drawFields(random, depth)] as const)
      }
    default:
      return { t: random.pick(leaves) }
  }
}

const changeFields = (random: Prng.Prng, fields: ReadonlyArray<readonly [string, boolean, Plan]>) => {
  let out = fields.map(
    ([name, optional, plan]) => [name, random.chance(0.15) ? !optional : optional, change(random, plan)] as const
  )
  if (random.chance(0.2)) out = out.filter(() => random.chance(0.8))
  const free = names.filter((name) => !out.some(([other]) => other === name))
  if (free.length > 0 && random.chance(0.5))
    out = [...out, [random.pick(free), random.chance(0.8), draw(random, 2)] as const]
  return random.chance(0.3) ? random.shuffle(out) : out
}

/** Mostly the same, here and there something else, as people change Schemas. */
const change = (random: Prng.Prng, plan: Plan): Plan => {
  if (random.chance(0.04)) return draw(random, 2)
  if (random.chance(0.04)) return { t: "nullOr", of: plan }
  switch (plan.t) {
    case "struct":
      return { t: "struct", fields: changeFields(random, plan.fields) }
    case "array":
      return { t: "array", of: change(random, plan.of) }
    case "nullOr":
      return random.chance(0.1) ? plan.of : { t: "nullOr", of: change(random, plan.of) }
    case "literals":
      return random.chance(0.4) ? { t: "literals", of: names.slice(0, random.between(1, 4)) } : plan
    case "tagged": {
      const cases = plan.cases.map(([tag, fields]) => [tag, changeFields(random, fields)] as const)
      return { t: "tagged", cases: random.chance(0.4) ? [...cases, ["w", drawFields(random, 2)] as const] : cases }
    }
    case "int":
      return random.chance(0.1) ? { t: "number" } : plan
    case "number":
      return random.chance(0.1) ? { t: "int" } : plan
    default:
      return plan
  }
}

const fieldsOf = (fields: ReadonlyArray<readonly [string, boolean, Plan]>): Record<string, Schema.Top> =>
  Object.fromEntries(
    fields.map(([name, optional, plan]) => [name, optional ? S.optionalKey(schemaOf(plan)) : schemaOf(plan)])
  )

const schemaOf = (plan: Plan): Schema.Top => {
  switch (plan.t) {
    case "string":
      return S.String
    case "number":
      return S.Number
    case "int":
      return S.Int
    case "boolean":
      return S.Boolean
    case "bigint":
      return S.BigInt
    case "date":
      return S.Date
    case "literals":
      return S.Literals(plan.of as [string, ...Array<string>])
    case "struct":
      return S.Struct(fieldsOf(plan.fields))
    case "array":
      return S.Array(schemaOf(plan.of))
    case "nullOr":
      return S.NullOr(schemaOf(plan.of))
    case "tagged":
      return S.Union(plan.cases.map(([tag, fields]) => S.Struct({ kind: S.Literal(tag), ...fieldsOf(fields) })))
  }
}

const drawObject = (
  random: Prng.Prng,
  fields: ReadonlyArray<readonly [string, boolean, Plan]>
): Record<string, unknown> =>
  Object.fromEntries(
    fields
      .filter(([, optional]) => !optional || random.chance(0.6))
      .map(([name, , plan]) => [name, valueOf(random, plan)])
  )

const valueOf = (random: Prng.Prng, plan: Plan): unknown => {
  switch (plan.t) {
    case "string":
      return random.pick(["", "a", "é", "x".repeat(random.below(50))])
    case "number":
      return random.pick([0, 1.5, -1e9, 300, NaN])
    case "int":
      return random.between(-300, 70_000)
    case "boolean":
      return random.chance(0.5)
    case "bigint":
      return BigInt(random.between(-1000, 1000)) ** 5n
    case "date":
      return new Date(random.below(2 ** 31))
    case "literals":
      return random.pick(plan.of)
    case "struct":
      return drawObject(random, plan.fields)
    case "array":
      return Array.from({ length: random.below(4) }, () => valueOf(random, plan.of))
    case "nullOr":
      return random.chance(0.3) ? null : valueOf(random, plan.of)
    case "tagged": {
      const [tag, fields] = random.pick(plan.cases)
      return { kind: tag, ...drawObject(random, fields) }
    }
  }
}

const codecOf = (schema: Schema.Constraint): Codec<unknown> | undefined => {
  try {
    return new Codec(schema)
  } catch {
    return undefined
  }
}

describe("the rule of compatible schemas", () => {
  it("is sound: what it lets pass reads every old value as the same value", () => {
    const random = Prng.make(seed)
    const runs = process.env["WEFT_SCALE"] === "full" ? 200_000 : 6_000
    let changed = 0
    let passed = 0
    for (let i = 0; i < runs; i++) {
      const oldPlan = draw(random)
      const newPlan = change(random, oldPlan)
      const [oldSchema, newSchema] = [schemaOf(oldPlan), schemaOf(newPlan)]
      const [oldCodec, newCodec] = [codecOf(oldSchema), codecOf(newSchema)]
      if (oldCodec === undefined || newCodec === undefined) continue
      const isSame = Shape.equal(Shape.of(oldSchema), Shape.of(newSchema))
      if (!isSame) changed++
      if (differences(Shape.of(oldSchema), Shape.of(newSchema)).length > 0) continue
      if (!isSame) passed++
      for (let j = 0; j < 6; j++) {
        const value = valueOf(random, oldPlan)
        const bytes = oldCodec.encode(value, 1, key).bytes
        let seen: unknown
        try {
          seen = newCodec.decode(new Value(bytes), key)
        } catch (error) {
          seen = error
        }
        if (!isDeepStrictEqual(seen, value)) {
          expect.fail(
            `${JSON.stringify(oldPlan)} -> ${JSON.stringify(newPlan)}\nread ${String(JSON.stringify(seen, big))} for ${JSON.stringify(value, big)}; ${replay}`
          )
        }
      }
    }
    // A rule that lets nothing pass would be sound too.
    expect(passed).toBeGreaterThan(changed / 20)
  })

  it("lets the usual changes pass", () => {
    const User = S.Struct({ id: S.Int, name: S.String })
    const passes: ReadonlyArray<readonly [Schema.Constraint, Schema.Constraint]> = [
      [User, S.Struct({ name: S.String, id: S.Int })],
      [User, S.Struct({ id: S.Int, name: S.String, nick: S.optionalKey(S.String) })],
      [User, S.Struct({ id: S.Int, name: S.String, nick: S.optional(S.String) })],
      [User, S.Struct({ id: S.Int, name: S.optionalKey(S.String) })],
      [S.Array(User), S.Array(S.Struct({ id: S.Int, name: S.String, nick: S.optionalKey(S.String) }))],
      [S.Literals(["a", "b"]), S.Literals(["b", "a", "c"])],
      [S.TaggedUnion({ A: { n: S.Int } }), S.TaggedUnion({ A: { n: S.Int }, B: { s: S.String } })],
      [S.NonEmptyString, S.String],
      [S.String.check(S.isMinLength(2), S.isMaxLength(9)), S.String.check(S.isMaxLength(9))],
      [
        class A extends S.Class<A>("A")({ n: S.Int }) {},
        class B extends S.Class<B>("B")({ n: S.Int, more: S.optionalKey(S.String) }) {}
      ]
    ]
    for (const [old, next] of passes) expect(diff(old, next)).toEqual([])
  })

  it("refuses what would lose, misread or fail, and says what", () => {
    const User = S.Struct({ id: S.Int, name: S.String, nick: S.optionalKey(S.String) })
    const refused: ReadonlyArray<readonly [Schema.Constraint, Schema.Constraint, string]> = [
      [User, S.Struct({ id: S.Int, name: S.String }), "value.nick: the field is gone"],
      [User, S.Struct({ id: S.Int, name: S.String, nick: S.String }), "value.nick: was optional, is required"],
      [
        User,
        S.Struct({ id: S.Int, name: S.String, nick: S.optionalKey(S.String), age: S.Int }),
        "value.age: a new field must be optional"
      ],
      [
        User,
        S.Struct({ id: S.Int, name: S.String, nick: S.optionalKey(S.NullOr(S.String)) }),
        "value.nick: was String"
      ],
      [User, S.Struct({ id: S.Number, name: S.String, nick: S.optionalKey(S.String) }), "value.id: was an integer"],
      [User, S.Struct({ id: S.Int, title: S.String, nick: S.optionalKey(S.String) }), "value.name: the field is gone"],
      [S.String, S.NonEmptyString, "is new: stored values may not pass it"],
      [S.String, S.Number, "was String, is Number"],
      [S.Literals(["a", "b"]), S.Literals(["a"]), '"b" is gone'],
      [S.Date, S.DateTimeUtc, "Date"],
      [S.Record(S.String, S.Number), S.Record(S.String, S.String), "index signatures"],
      [S.Tuple([S.String]), S.Tuple([S.String, S.Int]), "its elements were"]
    ]
    for (const [old, next, why] of refused) expect(diff(old, next).join("\n")).toContain(why)
  })

  it("knows the trap: SchemaBinary drops an optional field that was widened to a union", () => {
    const old = S.Struct({ nick: S.optionalKey(S.String) })
    const next = S.Struct({ nick: S.optionalKey(S.Union([S.String, S.Number])) })
    const bytes = S.encodeUnknownSync(SchemaBinary.toCodec(old))({ nick: "ada" }).slice()
    expect(S.decodeUnknownSync(SchemaBinary.toCodec(next))(bytes)).not.toEqual({ nick: "ada" })
    expect(diff(old, next)).not.toEqual([])
  })

  it("compares recursive Schemas", () => {
    const tree = (extra: Schema.Struct.Fields): Schema.Top => {
      const self: Schema.Top = S.Struct({ n: S.Int, sub: S.Array(S.suspend((): Schema.Top => self)), ...extra })
      return self
    }
    expect(diff(tree({}), tree({}))).toEqual([])
    expect(diff(tree({}), tree({ label: S.optionalKey(S.String) }))).toEqual([])
    expect(diff(tree({}), tree({ label: S.String }))).not.toEqual([])
  })
})

const big = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value)
