import { assert, describe, it } from "@effect/vitest"
import { fold, linesOf, searched, WORD_LENGTH_MAX, wordsOf } from "../src/Words.ts"

const table = (text: string): Readonly<Record<string, ReadonlyArray<number>>> => Object.fromEntries(wordsOf(text).lines)

describe("words", () => {
  const rows: ReadonlyArray<readonly [string, string, Readonly<Record<string, ReadonlyArray<number>>>]> = [
    ["none", "", {}],
    ["a line each", "one two\nthree", { one: [1], two: [1], three: [2] }],
    ["a line once, however often the word stands on it", "a a a\nb\na", { a: [1, 3], b: [2] }],
    ["folded", "Schedule schedule SCHEDULE", { schedule: [1] }],
    ["digits belong to words that have a letter", "v2 42 x_1 _", { v2: [1], x_1: [1] }],
    ["every script", "Straße 日本 naïve", { straße: [1], 日本: [1], naïve: [1] }],
    ["composed and decomposed are one", "\u00e9t\u00e9\ne\u0301te\u0301", { "\u00e9t\u00e9": [1, 2] }],
    ["line ends of every kind", "a\r\nb\rc\nd", { a: [1], b: [2], c: [3], d: [4] }],
    ["names of objects are words", "constructor __proto__", { constructor: [1], ["__proto__"]: [1] }],
    ["too long is no word", "x".repeat(WORD_LENGTH_MAX + 1), {}]
  ]
  for (const [name, text, want] of rows) it(name, () => assert.deepStrictEqual(table(text), want))

  it("each occurrence counts", () => assert.strictEqual(wordsOf("a a\nb 7").count, 3))

  it("a search is one folded word", () => {
    assert.strictEqual(searched(" Schedule "), "schedule")
    for (const none of ["", "two words", "a-b", "42", "x".repeat(WORD_LENGTH_MAX + 1)]) {
      assert.isUndefined(searched(none), none)
    }
  })

  it("folding does not depend on the form typed", () => assert.strictEqual(fold("E\u0301"), "\u00e9"))

  it("lines are counted as they are shown", () => assert.deepStrictEqual(linesOf("a\r\nb"), ["a", "b"]))
})
