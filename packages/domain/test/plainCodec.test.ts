/**
 * The short way of plain values against `SchemaBinary`, which it stands for: random Schemas, random values, some that do
 * not fit. Replay with `WEFT_SEED=<seed> npx vitest run packages/domain/test/plainCodec.test.ts`.
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { SchemaBinary } from "effect/encoding"
import { describe, expect, it } from "vitest"
import { encoderOf } from "../src/core/PlainCodec.ts"
import { headerBytes, withHeader, codecBytes } from "../src/core/ValueCodec.ts"
import * as Prng from "../testing/Prng.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/plainCodec.test.ts`
const schemas = process.env["WEFT_SCALE"] === "full" ? 20_000 : 400
const valuesOfEach = 25

interface Drawn {
  readonly schema: Schema.Constraint
  readonly value: () => unknown
}

const texts = ["", "a", "ada", "é", "\u{1f600}", "a\0b", "long ".repeat(30), "x".repeat(200)]
const numbers = [0, -0, 1, -1, 127, 128, 2 ** 31, -(2 ** 32), 2 ** 48 - 1, 2 ** 48, 2 ** 53, 0.1, -12.5, 1e300, 5e-324]

const leaf = (random: Prng.Prng): Drawn => {
  const text = () => (random.chance(0.05) ? 7 : random.pick(texts))
  const integer = () =>
    random.pick([0, -0, 1, -5, 300, 2 ** 40, -(2 ** 47), 2 ** 52 - 1, 2 ** 53 - 1, random.chance(0.1) ? 1.5 : 9])
  const number = () =>
    random.chance(0.05)
      ? "1"
      : random.pick([...numbers, NaN, Infinity, random.unit(), Math.round(random.unit() * 1e6) / 100])
  return random.pick<() => Drawn>([
    () => ({ schema: Schema.String, value: text }),
    () => ({ schema: Schema.String.check(Schema.isMaxLength(100)), value: text }),
    () => ({ schema: Schema.Int, value: integer }),
    () => ({ schema: Schema.Int.check(Schema.isGreaterThan(-2), Schema.isLessThan(1000)), value: integer }),
    () => ({ schema: Schema.Number, value: number }),
    () => ({ schema: Schema.Finite, value: number }),
    () => ({ schema: Schema.Boolean, value: () => (random.chance(0.05) ? null : random.chance(0.5)) }),
    () => ({ schema: Schema.Literal("kind"), value: () => (random.chance(0.05) ? "other" : "kind") }),
    () => ({ schema: Schema.Literal(3), value: () => 3 }),
    () => ({
      schema: Schema.Array(Schema.String),
      value: () => frozenOrNot(random, Array.from({ length: random.below(40) }, text))
    }),
    () => ({ schema: Schema.Array(Schema.Int), value: () => Array.from({ length: random.below(4) }, integer) }),
    () => ({
      schema: Schema.Array(Schema.Boolean),
      value: () => Array.from({ length: random.below(4) }, () => random.chance(0.5))
    })
  ])()
}

const frozenOrNot = <A extends object>(random: Prng.Prng, value: A): A =>
  random.chance(0.5) ? Object.freeze(value) : value

/** A struct of 1 to 7 fields, some of them optional or structs themselves. */
const struct = (random: Prng.Prng, depth: number): Drawn => {
  const fields: Record<string, Schema.Constraint> = {}
  const values: Record<string, (() => unknown) | undefined> = {}
  for (let i = random.between(1, 7); i > 0; i--) {
    const name = random.pick(["id", "name", "n", "é", "a".repeat(20), "x1", "tags", "w"]) + random.below(30)
    const { schema, value } = depth > 0 && random.chance(0.2) ? struct(random, depth - 1) : leaf(random)
    const isOptional = random.chance(0.3)
    fields[name] = isOptional ? Schema.optionalKey(schema) : schema
    values[name] = () => (random.chance(isOptional ? 0.4 : 0.002) ? absent : value())
  }
  const value = () => {
    const out: Record<string, unknown> = random.chance(0.1) ? { excess: "dropped" } : {}
    for (const [name, make] of Object.entries(values)) {
      const part = make!()
      if (part !== absent) out[name] = part
    }
    return out
  }
  return { schema: Schema.Struct(fields), value }
}

const absent = Symbol("absent")

/** A tuple of 1 to 5 single values; some too short, too long or with a hole. */
const tuple = (random: Prng.Prng): Drawn => {
  const parts: Array<Drawn> = []
  for (let i = random.between(1, 5); i > 0;) {
    const part = leaf(random)
    if (part.schema.ast._tag === "Arrays") continue
    parts.push(part)
    i--
  }
  const value = () => {
    const out = parts.map((part) => part.value())
    if (random.chance(0.02)) out.pop()
    else if (random.chance(0.03)) out.push("excess")
    else if (random.chance(0.01)) delete out[0]
    return frozenOrNot(random, out)
  }
  return { schema: Schema.Tuple(parts.map(({ schema }) => schema)), value }
}

describe("the short way of plain values", () => {
  it("gives the bytes of SchemaBinary, and a frozen copy as they decode, or leaves the value to it", () => {
    const random = Prng.make(seed)
    let taken = 0
    let refused = 0
    let left = 0
    for (let s = 0; s < schemas; s++) {
      const { schema, value } = random.chance(0.4) ? tuple(random) : struct(random, 2)
      const short = encoderOf(schema.ast)!
      const codec = SchemaBinary.toCodec(schema) as Schema.Codec<unknown, Uint8Array<ArrayBuffer>>
      const [toBytes, fromBytes] = [Schema.encodeUnknownExit(codec), Schema.decodeUnknownSync(codec)]
      for (let v = 0; v < valuesOfEach; v++) {
        const input = value()
        const number = random.below(65_536)
        const expected = toBytes(input)
        const plain = short(input, number)
        if (Exit.isFailure(expected)) {
          refused++
          expect(plain, replay).toBeUndefined()
        } else if (plain === undefined) left++
        else {
          taken++
          const body = Uint8Array.from(expected.value)
          expect(plain.bytes, replay).toEqual(withHeader(codecBytes.binary, number, body))
          expect(plain.copy, replay).toStrictEqual(fromBytes(plain.bytes.subarray(headerBytes)))
          expect(plain.copy, replay).not.toBe(input)
          expect(isDeeplyFrozen(plain.copy), replay).toBe(true)
        }
      }
    }
    const runs = schemas * valuesOfEach
    expect(taken, `${taken} taken, ${refused} refused, ${left} left of ${runs}; ${replay}`).toBeGreaterThan(runs * 0.4)
    expect(refused, replay).toBeGreaterThan(runs * 0.1)
    expect(left, replay).toBeLessThan(runs * 0.2)
  })

  it("leaves to SchemaBinary what it does not know", () => {
    const of = (schema: Schema.Constraint) => encoderOf(schema.ast)
    class Person extends Schema.Class<Person>("Person")({ name: Schema.String }) {}
    for (const schema of [
      Schema.String,
      Person,
      Schema.Struct({}),
      Schema.Struct({ n: Schema.NumberFromString }),
      Schema.Struct({ n: Schema.NullOr(Schema.Number) }),
      Schema.Struct({ n: Schema.mutableKey(Schema.Number) }),
      Schema.Struct({ list: Schema.Array(Schema.Number) }),
      Schema.Struct({ toString: Schema.String }),
      Schema.Struct({ a: Schema.Int }).check(Schema.makeFilter(({ a }) => a > 0)),
      Schema.Record(Schema.String, Schema.Int),
      Schema.Tuple([Schema.Int, Schema.Array(Schema.Int)]),
      Schema.Tuple([Schema.Int, Schema.optionalKey(Schema.Int)]),
      Schema.TupleWithRest(Schema.Tuple([Schema.Int]), [Schema.Int]),
      Schema.Tuple([Schema.NumberFromString]),
      Schema.Tuple([Schema.Int]).check(Schema.makeFilter(([n]) => n > 0))
    ]) {
      expect(of(schema)).toBeUndefined()
    }
    const short = of(Schema.Struct({ name: Schema.String, note: Schema.optionalKey(Schema.String) }))!
    class Named {
      name = "ada"
    }
    const inherited = Object.create({ name: "ada" }) as unknown
    const throwing = {
      get name(): string {
        throw new Error("no name")
      }
    }
    for (const input of [
      new Named(),
      inherited,
      throwing,
      { name: "a", note: undefined },
      { name: "a\ud800" },
      [],
      null
    ])
      expect(short(input, 1)).toBeUndefined()
    expect(short({ name: "x".repeat(5000) }, 1)).toBeUndefined()
    expect(short({ name: "ada" }, 1)?.copy).toEqual({ name: "ada" })
  })

  it("reads each field once, and checks what it keeps", () => {
    let reads = 0
    const moving = {
      get n() {
        return ++reads
      }
    }
    const short = encoderOf(Schema.Struct({ n: Schema.Int }).ast)!
    expect(short(moving, 1)?.copy).toEqual({ n: 1 })
    expect(reads).toBe(1)
  })

  it("neither freezes nor keeps what it is given", () => {
    const short = encoderOf(
      Schema.Struct({ tags: Schema.Array(Schema.String), in: Schema.Struct({ n: Schema.Int }) }).ast
    )!
    const given = { tags: ["a"], in: { n: 1 } }
    const { copy } = short(given, 1)!
    given.tags.push("later")
    given.in.n = 2
    expect(copy).toEqual({ tags: ["a"], in: { n: 1 } })
  })
})

const isDeeplyFrozen = (value: unknown): boolean =>
  typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen))
