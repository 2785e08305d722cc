import { assert, describe, it } from "@effect/vitest"
import { excerpt, render, SHOWN_LENGTH_MAX } from "../src/Answer.ts"
import { bar, line, view, type Progress } from "../src/Progress.ts"
import { Lines } from "../src/terminal.ts"
import { nothingYet } from "../src/Worker.ts"

const none: Progress = {
  filesDone: 0,
  filesTotal: 0,
  words: 0,
  commits: 0,
  conflicts: 0,
  seconds: 0,
  members: [],
  kills: 0,
  renames: 0,
  takenOver: 0
}

describe("progress", () => {
  it("a bar fills in eighths and never leaves its width", () => {
    assert.deepStrictEqual(
      [0, 0.5, 9 / 16, 1, 7, -1].map((share) => bar(share, 2)),
      ["░░", "█░", "█▏", "██", "██", "░░"]
    )
  })

  it("says files, words, commits, conflicts and rate", () => {
    const text = line({ ...none, filesDone: 1, filesTotal: 4, words: 12_345, commits: 7, conflicts: 2, seconds: 0.5 })
    assert.strictEqual(
      text,
      `${"█".repeat(6)}${"░".repeat(18)} 1/4 files  12,345 words  7 commits  2 conflicts  24,690 words/s`
    )
  })

  it("has no rate before there was time, and is full when there is nothing to do", () => {
    const text = line(none)
    assert.strictEqual(text, `${"█".repeat(24)} 0/0 files  0 words  0 commits  0 conflicts`)
  })
})

describe("processes", () => {
  it("have a line each, with what happened to them", () => {
    const tally = { files: 3, words: 1200, commits: 9, conflicts: 1, hands: 1, at: "src/a.ts" }
    const [head, first, second, ...rest] = view({
      ...none,
      kills: 1,
      takenOver: 2,
      members: [
        { pid: 41, state: "working", tally, deaths: 1 },
        { pid: 42, state: "starting", tally: { ...nothingYet, files: 1 }, deaths: 0 }
      ]
    })
    assert.match(head!, /0 conflicts {2}1 kill {2}2 taken over$/)
    assert.strictEqual(
      first,
      "  ▶      41 ██████░░      3 files      1,200 words       9 commits     1 conflicts  † 1  src/a.ts"
    )
    assert.strictEqual(second, "  …      42 ██░░░░░░      1 files          0 words       0 commits     0 conflicts")
    assert.deepStrictEqual(rest, [])
  })
})

describe("lines", () => {
  const written = (isTTY: boolean) => {
    let text = ""
    const lines = new Lines({ isTTY, columns: 5, rows: 3, write: (more) => (text += more) })
    lines.show(["one", "too long"], false)
    lines.show(["two", "b", "no room"], true)
    return text
  }

  it("overwrite themselves on a terminal, cut to its size", () => {
    assert.strictEqual(written(true), "\rone\u001b[K\ntoo \u001b[K\u001b[J\r\u001b[1Atwo\u001b[K\nb\u001b[K\u001b[J\n")
  })

  it("are written once, whole, where there is none", () => {
    assert.strictEqual(written(false), "two\nb\nno room\n")
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
