import { assert, describe, it } from "@effect/vitest"
import { excerpt, render, SHOWN_LENGTH_MAX } from "../src/Answer.ts"
import { bar, line } from "../src/Progress.ts"

describe("progress", () => {
  it("a bar fills in eighths and never leaves its width", () => {
    assert.deepStrictEqual(
      [0, 0.5, 9 / 16, 1, 7, -1].map((share) => bar(share, 2)),
      ["░░", "█░", "█▏", "██", "██", "░░"]
    )
  })

  it("says files, words, commits, conflicts and rate", () => {
    const text = line({ filesDone: 1, filesTotal: 4, words: 12_345, commits: 7, conflicts: 2, seconds: 0.5 })
    assert.strictEqual(
      text,
      `${"█".repeat(6)}${"░".repeat(18)} 1/4 files  12,345 words  7 commits  2 conflicts  24,690 words/s`
    )
  })

  it("has no rate before there was time, and is full when there is nothing to do", () => {
    const text = line({ filesDone: 0, filesTotal: 0, words: 0, commits: 0, conflicts: 0, seconds: 0 })
    assert.strictEqual(text, `${"█".repeat(24)} 0/0 files  0 words  0 commits  0 conflicts`)
  })
})

describe("answer", () => {
  it("names places with their lines, and how many are not shown", () => {
    const places = [{ path: "a.ts", line: 3, text: "  const   schedule = 1 " }]
    assert.strictEqual(
      render({ word: "schedule", files: 2, lines: 4, places }),
      '"schedule": 4 lines in 2 files\n  a.ts:3: const schedule = 1\n  … and 3 lines more (--limit shows more)'
    )
    assert.strictEqual(render({ word: "nope", files: 0, lines: 0, places: [] }), '"nope" is nowhere in the index')
  })

  it("a long line is cut around the word", () => {
    const shown = excerpt(`${"x ".repeat(500)}Needle${" y".repeat(500)}`, "needle")
    assert.include(shown, "Needle")
    assert.isAtMost(shown.length, SHOWN_LENGTH_MAX + 2)
    assert.match(shown, /^….*…$/)
  })
})
