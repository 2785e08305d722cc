/**
 * Laws of keys (docs/KEYS.md): golden vectors for ever, byte order = tuple order, round trip, prefix-freeness, and what
 * is refused. Replay a random failure with `WEFT_SEED=<seed> npx vitest run packages/domain/test/keys.test.ts`.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import * as Key from "../src/core/Key.ts"
import {
  encode,
  encodePart,
  encodeTuplePrefix,
  placeholderStamp,
  stampBytes,
  stampLength
} from "../src/core/KeyCodec.ts"
import * as Prng from "../testing/Prng.ts"
import { decode, decodePart, format, hex } from "../src/core/KeyDecode.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/keys.test.ts`

const prng = (seed: number) => {
  const random = Prng.make(seed)
  return (n: number) => random.below(n)
}

/** Parts as JSON: {"s": string} {"n": number text} {"i": bigint text} {"b": hex} {"v": [version, index]} {"t": [...]} true false null */
type Json = null | boolean | Record<string, any>
const fromJson = (json: Json): Key.Part => {
  if (json === null || typeof json === "boolean") return json
  if ("s" in json) return json["s"]
  if ("n" in json) return Number(json["n"])
  if ("i" in json) return BigInt(json["i"])
  if ("b" in json) return Uint8Array.from(Buffer.from(json["b"], "hex"))
  if ("v" in json) return new Key.Stamp(json["v"][0], json["v"][1])
  return json["t"].map(fromJson)
}
const vectors = JSON.parse(readFileSync(new URL("keys.vectors.json", import.meta.url), "utf8")) as {
  readonly vectors: ReadonlyArray<{ readonly parts: ReadonlyArray<Json>; readonly hex: string }>
  readonly refused: ReadonlyArray<{ readonly hex: string; readonly why: string }>
}

/** The order that docs/KEYS.md states, written a second time without bytes. */
const rank = (p: Key.Part): number =>
  p === null
    ? 0
    : p === false
      ? 1
      : p === true
        ? 2
        : typeof p === "number"
          ? 3
          : typeof p === "bigint"
            ? 4
            : typeof p === "string"
              ? 5
              : p instanceof Uint8Array
                ? 6
                : p instanceof Key.Stamp
                  ? 7
                  : 8 // prettier: one table
const three = (a: any, b: any) => (a < b ? -1 : a > b ? 1 : 0)
const compare = (a: Key.Part, b: Key.Part): number => {
  if (rank(a) !== rank(b)) return three(rank(a), rank(b))
  if (typeof a === "string" && typeof b === "string") return Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Math.sign(Buffer.compare(a, b))
  if (a instanceof Key.Stamp && b instanceof Key.Stamp) return three(a.version, b.version) || three(a.index, b.index)
  if (Array.isArray(a) && Array.isArray(b)) return compareTuples(a, b)
  return three(a, b)
}
const compareTuples = (a: ReadonlyArray<Key.Part>, b: ReadonlyArray<Key.Part>): number => {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const c = compare(a[i]!, b[i]!)
    if (c !== 0) return c
  }
  return three(a.length, b.length)
}

const texts = [
  "",
  "a",
  "ab",
  "a\0",
  "a\0\xff",
  "\0",
  "\0\0",
  "é",
  "e\u0301",
  "\uffff",
  "\u{10000}",
  "z",
  "\x7f",
  "\x80",
  "\x01"
]
const numbers = [
  0,
  1,
  -1,
  0.5,
  -0.5,
  255,
  256,
  1e300,
  -1e300,
  Infinity,
  -Infinity,
  5e-324,
  -5e-324,
  2 ** 53,
  -(2 ** 53),
  1 / 3
]
const randomPart = (next: (n: number) => number, depth: number): Key.Part => {
  switch (next(depth > 2 ? 8 : 9)) {
    case 0:
      return null
    case 1:
      return next(2) === 0
    case 2:
      return next(3) === 0 ? numbers[next(numbers.length)]! : (next(2000) - 1000) * 2 ** (next(40) - 20)
    case 3: {
      const magnitude = BigInt(next(2 ** 31)) ** BigInt(next(12))
      return next(2) === 0 ? magnitude : -magnitude
    }
    case 4:
    case 5:
      return next(2) === 0 ? texts[next(texts.length)]! : texts[next(texts.length)]! + texts[next(texts.length)]!
    case 6:
      return Uint8Array.from({ length: next(4) }, () => [0, 1, 2, 255][next(4)]!)
    case 7:
      return new Key.Stamp(next(2) === 0 ? next(1000) : 2 ** 43 * next(3) + next(2 ** 31), next(3))
    default:
      return Array.from({ length: next(3) }, () => randomPart(next, depth + 1))
  }
}
const randomTuple = (next: (n: number) => number) => Array.from({ length: next(4) }, () => randomPart(next, 0))

describe("keys", () => {
  it("encode the golden vectors, which are in ascending order, and decode them", () => {
    let last: string | undefined
    for (const vector of vectors.vectors) {
      const parts = vector.parts.map(fromJson)
      const key = encode(parts)
      expect(hex(key), JSON.stringify(vector.parts)).toBe(vector.hex)
      expect(decode(key)).toEqual(parts)
      expect(Key.fromBytes(Key.toBytes(key))).toBe(key)
      if (last !== undefined) expect(last < key, `${hex(last)} < ${vector.hex}`).toBe(true)
      last = key
    }
  })

  it("refuse damaged bytes", () => {
    for (const { hex, why } of vectors.refused) {
      expect(() => decode(Key.fromBytes(Buffer.from(hex, "hex"))), why).toThrow(Key.KeyError)
    }
  })

  it("compare as their tuples, come back, and no part is a prefix of another", () => {
    const next = prng(seed)
    const runs = process.env["WEFT_SCALE"] === "full" ? 2_000_000 : 60_000
    for (let i = 0; i < runs; i++) {
      const a = randomTuple(next)
      const b = next(3) === 0 ? [...a.slice(0, next(a.length + 1)), ...randomTuple(next)] : randomTuple(next)
      const [ka, kb] = [encode(a), encode(b)]
      if (three(ka, kb) !== compareTuples(a, b)) expect.fail(`order of ${hex(ka)} and ${hex(kb)}; ${replay}`)
      if (compareTuples(decode(ka), a) !== 0) expect.fail(`round trip of ${hex(ka)}; ${replay}`)
      const [p, q] = [randomPart(next, 0), randomPart(next, 0)]
      if (compare(p, q) !== 0 && encodePart(q).startsWith(encodePart(p))) {
        expect.fail(`${hex(encodePart(p))} is a prefix of ${hex(encodePart(q))}; ${replay}`)
      }
    }
  })

  it("never take damaged bytes for another key", () => {
    const next = prng(seed + 1)
    for (let i = 0; i < 20_000; i++) {
      const key = encode(randomTuple(next))
      if (key.length === 0) continue
      const at = next(key.length)
      const broken = key.slice(0, at) + String.fromCharCode(next(256)) + key.slice(at + 1)
      let parts: ReadonlyArray<Key.Part>
      try {
        parts = decode(broken)
      } catch (error) {
        expect(error).toBeInstanceOf(Key.KeyError)
        continue
      }
      if (encode(parts) !== broken) expect.fail(`${hex(broken)} was read as ${hex(encode(parts))}; ${replay}`)
    }
  })

  it("say what they are: -0 is 0, NaN and lone surrogates are refused, normal forms differ, 1 is not 1n", () => {
    expect(encodePart(-0)).toBe(encodePart(0))
    expect(() => encodePart(NaN)).toThrow(/NaN/)
    expect(() => encodePart("a\ud800")).toThrow(/lone surrogate at 1/)
    expect(() => encodePart("\udc00b")).toThrow(/lone surrogate at 0/)
    expect(encodePart("é")).not.toBe(encodePart("e\u0301"))
    expect(encodePart(1)).not.toBe(encodePart(1n))
    const strangers: ReadonlyArray<unknown> = [undefined, {}, new Date(0), Symbol("s"), () => 1]
    for (const no of strangers) {
      expect(() => encodePart(no as Key.Part)).toThrow(/may not be part of a key/)
    }
  })

  it("have limits with names", () => {
    const limit = (f: () => unknown) => {
      try {
        f()
      } catch (error) {
        return error instanceof Key.KeyError ? error.limit : error
      }
      return "none"
    }
    expect(limit(() => encode(["x".repeat(4094)]))).toBe("none")
    expect(limit(() => encode(["x".repeat(4095)]))).toEqual({ name: "keyBytes", max: 4096, actual: 4097 })
    expect(limit(() => encodePart(2n ** 1008n - 1n))).toBe("none")
    expect(limit(() => encodePart(-(2n ** 1008n)))).toEqual({ name: "bigintBytes", max: 126, actual: 127 })
    let deep: Key.Part = []
    for (let i = 1; i < 16; i++) deep = [deep]
    expect(limit(() => encodePart(deep))).toBe("none")
    expect(decodePart(encodePart(deep), 0).part).toEqual(deep)
    expect(limit(() => encodePart([deep]))).toEqual({ name: "tupleDepth", max: 16, actual: 17 })
  })

  it("bound prefixes", () => {
    for (const [prefix, end] of [
      ["", "\xff"],
      ["a", "b"],
      ["a\xff", "b"],
      ["\x02\xfe", "\x02\xff"]
    ] as const) {
      expect(Key.prefixEnd(prefix)).toBe(end)
    }
    const users = encode(["users"])
    const end = Key.prefixEnd(users)
    expect(encode(["users", "zzz", 1]) < end && encode(["users", "zzz", 1]) > users).toBe(true)
    expect(encode(["users\0"]) > end || encode(["users\0"]) < users).toBe(true)
    expect(encode(["users2"]) > end || encode(["users2"]) < users).toBe(true)
    expect(encodePart(["a", 1]).startsWith(encodeTuplePrefix(["a"]))).toBe(true)
  })

  it("order placeholders after all stored stamps, then by index", () => {
    const stored = stampBytes(Number.MAX_SAFE_INTEGER, 0xffff)
    expect(stored < placeholderStamp(0)).toBe(true)
    expect(placeholderStamp(0) < placeholderStamp(1)).toBe(true)
    expect(placeholderStamp(255) < placeholderStamp(256)).toBe(true)
    expect(stored.length).toBe(stampLength)
    expect(placeholderStamp(0).length).toBe(stampLength)
    expect(() => stampBytes(1, 65536)).toThrow(/index/)
    expect(() => stampBytes(-1, 0)).toThrow(/version/)
  })

  it("print for people", () => {
    expect(format(encode(["users", true, ["a", -1.5, 3n], Uint8Array.of(1, 255), new Key.Stamp(7, 2), null]))).toBe(
      '("users", true, ("a", -1.5, 3n), 0x01ff, @7.2, null)'
    )
    expect(format("\x20oops")).toBe("0x206f6f7073")
  })
})
