/**
 * Value codecs: golden bytes (an upgrade that changes an encoding fails here), round trips, what is shared and what never,
 * and what the errors say. Replay with `WEFT_SEED=<seed> npx vitest run packages/domain/test/codec.test.ts`.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { describe, expect, it } from "vitest"
import { Codec, NeedsEffect } from "../src/Codec.ts"
import { encode } from "../src/core/KeyCodec.ts"
import * as Envelope from "../src/core/Envelope.ts"
import { Value } from "../src/core/Value.ts"
import { StoreError } from "../src/StoreError.ts"
import * as Prng from "../testing/Prng.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/codec.test.ts`
const key = encode(["users", true, "ada"])

class Person extends Schema.Class<Person>("Person")({ name: Schema.String, age: Schema.Int }) {}
const Plain = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  tags: Schema.Array(Schema.String),
  on: Schema.Boolean,
  w: Schema.Number,
  nick: Schema.optionalKey(Schema.String),
  note: Schema.optional(Schema.String),
  inner: Schema.Struct({ n: Schema.NullOr(Schema.BigInt) })
})
const plain = { id: 7, name: "Ada é", tags: ["a", "bb"], on: true, w: -1.5, inner: { n: 10n ** 20n } }
const Command = Schema.TaggedUnion({ Put: { key: Schema.String, n: Schema.Number }, Del: { key: Schema.String } })
interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

/** Every kind of encoding that is in use, by name. */
const cases: Record<string, readonly [Schema.Constraint, unknown]> = {
  "number 0": [Schema.Number, 0],
  "number -0": [Schema.Number, -0],
  "number 1.5": [Schema.Number, 1.5],
  "number NaN": [Schema.Number, NaN],
  integer: [Schema.Int, -3],
  "string empty": [Schema.String, ""],
  "string ascii": [Schema.String, "Ada \x00\x7f"],
  "string of one byte each that is not ascii": [Schema.String, "Adaé"],
  string: [Schema.NonEmptyString, "Ada é\u{1f600}"],
  boolean: [Schema.Boolean, true],
  "bigint 0": [Schema.BigInt, 0n],
  "bigint negative": [Schema.BigInt, -(2n ** 70n)],
  "number from string": [Schema.NumberFromString, 12],
  date: [Schema.DateTimeUtcFromMillis, undefined],
  struct: [Plain, plain],
  "struct with all": [Plain, { ...plain, nick: "x", note: undefined, w: NaN, inner: { n: null } }],
  class: [Person, new Person({ name: "Ada", age: 36 })],
  union: [Command, { _tag: "Put", key: "k", n: 2 }],
  literals: [Schema.Literals(["a", "b"]), "b"],
  tuple: [Schema.Tuple([Schema.String, Schema.Int]), ["a", 1]],
  "array of structs": [
    Schema.Array(Schema.Struct({ a: Schema.String, b: Schema.Int })),
    [
      { a: "x", b: 1 },
      { a: "x", b: 2 }
    ]
  ],
  record: [Schema.Record(Schema.String, Schema.Number), { b: 1, a: 2 }],
  bytes: [Schema.Uint8Array, Uint8Array.of(0, 1, 255)],
  option: [Schema.Option(Schema.String), Option.some("x")],
  recursive: [Tree, { label: "a", children: [{ label: "b", children: [] }] }],
  "null or": [Schema.NullOr(Schema.String), null]
}
cases["date"] = [
  Schema.DateTimeUtcFromMillis,
  Schema.decodeUnknownSync(Schema.DateTimeUtcFromMillis)(1_700_000_000_000)
]

const golden = JSON.parse(readFileSync(new URL("values.golden.json", import.meta.url), "utf8")) as Record<
  string,
  string
>
const hexOf = (value: Value): string => Buffer.from(value.bytes).toString("hex")
/** As another process sees it: the bytes alone. */
const stored = (value: Value): Value => new Value(value.bytes)

const reasonOf = (f: () => unknown): { readonly _tag: string; readonly message: string } => {
  try {
    f()
  } catch (error) {
    if (error instanceof StoreError) return error.reason
    throw error
  }
  throw new Error("did not fail")
}

describe("value codec", () => {
  it("encodes as it always did (golden bytes), and decodes them", () => {
    const now = Object.fromEntries(
      Object.entries(cases).map(([name, [schema, value]]) => [
        name,
        hexOf(new Codec(schema).encode(value, 0x0102, key))
      ])
    )
    expect(now).toEqual(golden)
    for (const [name, [schema, value]] of Object.entries(cases)) {
      const bytes = Uint8Array.from(Buffer.from(golden[name]!, "hex"))
      expect(new Codec(schema).decode(new Value(bytes), key), name).toEqual(value)
    }
  })

  it("knows how many bytes a value has before they are made", () => {
    for (const [name, [schema, value]] of Object.entries(cases)) {
      const encoded = new Codec(schema).encode(value, 0x0102, key)
      const { size } = encoded
      expect(encoded.bytes.length, name).toBe(size)
      expect(encoded.size, name).toBe(size)
      expect(encoded.bytes, name).toBe(encoded.bytes)
    }
  })

  it("a text that is not bytes yet says what they will be; any other value does not", () => {
    const codec = new Codec(Schema.String)
    const { ascii } = codec.encode("Ada", 0x0102, key)
    expect(ascii).toEqual({ text: "Ada", schema: 0x0102 })
    const asked = codec.encode("Ada", 0x0102, key)
    expect(hexOf(asked)).toBe("030102416461")
    expect(asked.ascii).toBeUndefined()
    for (const text of ["\x80", "é", "\u{1f600}"]) expect(codec.encode(text, 1, key).ascii).toBeUndefined()
    expect(new Codec(Schema.Number).encode(7, 1, key).ascii).toBeUndefined()
    expect(new Codec(Schema.NumberFromString).encode(7, 1, key).ascii).toBeUndefined()
    expect(stored(codec.encode("Ada", 1, key)).ascii).toBeUndefined()
  })

  it("gives the same value from memory as from bytes, whatever was drawn", () => {
    const random = Prng.make(seed)
    const codec = new Codec(Plain)
    const text = () => random.pick(["", "a", "é", "\u{1f600}", "long ".repeat(random.below(40)), "\0"])
    const number = () => random.pick([0, -0, 1, -1, 0.1, 1e300, 5e-324, 2 ** 53, NaN, Infinity, random.unit() * 1e6])
    const runs = process.env["WEFT_SCALE"] === "full" ? 200_000 : 5_000
    for (let i = 0; i < runs; i++) {
      const value = {
        id: random.between(-1000, 2 ** 40),
        name: text(),
        tags: Array.from({ length: random.below(4) }, text),
        on: random.chance(0.5),
        w: number(),
        ...(random.chance(0.5) ? { nick: text() } : {}),
        ...(random.chance(0.5) ? { note: random.chance(0.5) ? undefined : text() } : {}),
        inner: { n: random.chance(0.3) ? null : BigInt(random.below(1000)) ** BigInt(random.below(9)) },
        excess: "dropped"
      }
      const encoded = codec.encode(value, 1, key)
      const fromMemory = codec.decode(encoded, key)
      const fromBytes = codec.decode(stored(encoded), key)
      expect(fromMemory, replay).toStrictEqual(fromBytes)
      expect(fromMemory, replay).not.toBe(value)
    }
  })

  it("shares only what nobody can change, and never freezes what it was given", () => {
    const given = { ...plain, tags: ["a"], inner: { n: 1n } }
    const codec = new Codec<typeof Plain.Type>(Plain)
    const value = codec.encode(given, 1, key)
    given.tags.push("changed later")
    given.inner.n = 2n
    const seen = codec.decode(value, key)
    expect(seen.tags).toEqual(["a"])
    expect(seen.inner.n).toBe(1n)
    expect(codec.decode(value, key)).toBe(seen)
    for (const part of [seen, seen.tags, seen.inner]) expect(Object.isFrozen(part)).toBe(true)
    expect(Object.isFrozen(given)).toBe(false)
    expect(Object.isFrozen(given.tags)).toBe(false)
    // From bytes: decoded once, then shared.
    const again = stored(value)
    expect(codec.decode(again, key)).toBe(codec.decode(again, key))
    expect(Object.isFrozen(codec.decode(again, key).tags)).toBe(true)
  })

  it("does not share class instances, bytes, options and mutable parts: each reader has its own", () => {
    const Mutable = Schema.Struct({ list: Schema.mutable(Schema.Array(Schema.String)) })
    const MutableKey = Schema.Struct({ n: Schema.mutableKey(Schema.Number) })
    const examples: ReadonlyArray<readonly [Schema.Constraint, unknown]> = [
      [Person, new Person({ name: "Ada", age: 36 })],
      [Schema.Uint8Array, Uint8Array.of(1)],
      [Mutable, { list: ["a"] }],
      [MutableKey, { n: 1 }],
      [Schema.Struct({ bytes: Schema.Uint8Array }), { bytes: Uint8Array.of(1) }]
    ]
    for (const [schema, value] of examples) {
      const codec = new Codec<object>(schema)
      const encoded = codec.encode(value, 1, key)
      const [a, b] = [codec.decode(encoded, key), codec.decode(encoded, key)]
      expect(a).not.toBe(b)
      expect(a).toEqual(b)
      expect(Object.isFrozen(a)).toBe(false)
    }
    // A reader who writes into bytes changes nothing that is stored.
    const codec = new Codec<Uint8Array>(Schema.Uint8Array)
    const encoded = codec.encode(Uint8Array.of(1, 2), 1, key)
    codec.decode(encoded, key)[0] = 99
    expect(codec.decode(encoded, key)).toEqual(Uint8Array.of(1, 2))
  })

  it("does not remember what a lossy transformation was given", () => {
    const Rounded = Schema.Number.pipe(
      Schema.decodeTo(Schema.Number, { decode: SchemaGetter.passthrough(), encode: SchemaGetter.transform(Math.round) })
    )
    const codec = new Codec(Rounded)
    expect(codec.decode(codec.encode(1.4, 1, key), key)).toBe(1)
  })

  it("refuses what does not fit, naming key, reason and value", () => {
    for (const [schema, value, why] of [
      [Schema.Number, "1", "Number"],
      [Schema.Int, 1.5, "integer"],
      [Schema.NonEmptyString, "", "length"],
      [Plain, { ...plain, id: "x" }, "id"],
      [Schema.String, "a\ud800", "surrogate"],
      [Schema.Struct({ name: Schema.String }), { name: "a\ud800" }, 'at ["name"]'],
      [Schema.Struct({ tags: Schema.Array(Schema.String) }), { tags: ["b", "\udc00"] }, 'at ["tags"]["1"]'],
      [Schema.Union([Schema.Struct({ a: Schema.Option(Schema.String) })]), { a: Option.some("\ud800") }, "surrogate"],
      [Schema.Record(Schema.String, Schema.Int), { "\ud800": 1 }, "surrogate"],
      [Schema.ReadonlyMap(Schema.String, Schema.String), new Map([["k", "\ud800x"]]), "surrogate"]
    ] as const) {
      const reason = reasonOf(() => new Codec(schema).encode(value, 1, key))
      expect(reason._tag).toBe("InvalidInput")
      expect(reason.message).toContain('("users", true, "ada")')
      expect(reason.message).toContain(why)
      expect(reason.message).toContain("Nothing was written")
    }
  })

  it("calls damaged bytes undecodable, with the key", () => {
    for (const [schema, hex] of [
      [Schema.Number, "020001000000"],
      [Schema.Number, "03000161"],
      [Schema.Boolean, "04000107"],
      [Schema.BigInt, "0500010200"],
      [Schema.String, "030001ff"],
      [Plain, "060001ffffff"],
      [Plain, "0200010000000000000000"],
      [Schema.Int, hexOf(new Codec(Schema.Number).encode(1.5, 1, key))]
    ] as const) {
      const reason = reasonOf(() => new Codec(schema).decode(new Value(Uint8Array.from(Buffer.from(hex, "hex"))), key))
      expect(reason._tag).toBe("Undecodable")
      expect(reason.message).toContain('("users", true, "ada")')
      expect(reason.message).toContain("untouched")
    }
  })

  it("hands over what needs an effect", async () => {
    const Later = Schema.String.pipe(
      Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.yieldNow, `${s}!`)),
        encode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.yieldNow, s.slice(0, -1)))
      })
    )
    const codec = new Codec<string>(Later)
    expect(codec.mayNeedEffect).toBe(true)
    expect(new Codec(Plain).mayNeedEffect).toBe(false)
    const caught = (f: () => unknown): NeedsEffect => {
      try {
        f()
      } catch (error) {
        if (error instanceof NeedsEffect) return error
        throw error
      }
      throw new Error("answered at once")
    }
    const encoded = await Effect.runPromise(
      caught(() => codec.encode("hi!", 1, key)).effect as Effect.Effect<unknown, unknown>
    )
    const value = codec.encoded("hi!", encoded, 1, key)
    const decoded = await Effect.runPromise(
      caught(() => codec.decode(stored(value), key)).effect as Effect.Effect<unknown, unknown>
    )
    expect(decoded).toBe("hi!")
  })
})

describe("envelope", () => {
  it("taking it off leaves the stored bytes as they are, also those of a Buffer, whose slices share memory", () => {
    const { bytes } = Envelope.withDeliveries(stored(new Codec(Schema.String).encode("x", 1, key)), 2)
    const buffer = Buffer.from(bytes)
    expect(Envelope.stripped(buffer)).toEqual(Envelope.stripped(bytes))
    expect([...buffer]).toEqual([...bytes])
  })

  it("carries deadline and deliveries beside any value, and takes them off again", () => {
    for (const [name, [schema, value]] of Object.entries(cases)) {
      const codec = new Codec(schema)
      const bare = stored(codec.encode(value, 1, key))
      expect(Envelope.isEnveloped(bare.bytes)).toBe(false)
      const timed = Envelope.withDeadline(bare, 1234.5)
      const both = stored(Envelope.withDeliveries(timed, 3))
      expect([Envelope.deadlineOf(both), Envelope.deliveriesOf(both)]).toEqual([1234.5, 3])
      expect([Envelope.deadlineOf(bare), Envelope.deliveriesOf(bare)]).toEqual([undefined, 0])
      expect([Envelope.isExpired(both, 1234), Envelope.isExpired(both, 1234.5)]).toEqual([false, true])
      expect(codec.decode(both, key), name).toEqual(value)
      expect(Envelope.stripped(both.bytes)).toEqual(bare.bytes)
      expect(Envelope.withDeliveries(both, 0).bytes).toEqual(timed.bytes)
      expect(Envelope.deadlineOf(Envelope.withDeadline(both, 9))).toBe(9)
    }
  })
})
