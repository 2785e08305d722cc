/** The program as people start it. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

let folder = ""
let stores = ""
beforeAll(() => {
  stores = mkdtempSync(join(tmpdir(), "weft-cli-store-"))
  folder = mkdtempSync(join(tmpdir(), "weft-cli-"))
  writeFileSync(join(folder, "b.txt"), "the Loom and the weft\n")
  writeFileSync(join(folder, "a.txt"), "warp\nweft, weft\n")
  writeFileSync(join(folder, "raw.bin"), Uint8Array.of(0))
})
afterAll(() => [folder, stores].forEach((path) => rmSync(path, { recursive: true, force: true })))

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const start = (...args: ReadonlyArray<string>) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8" })

describe("npm start", () => {
  it("answers a search, says what it skipped, and prints the digest", () => {
    const { status, stderr, stdout } = start(folder, "--search", "Weft", "--search", "silk")
    assert.strictEqual(status, 0)
    const [first, ...rest] = stdout.split("\n")
    assert.strictEqual(first, '"weft": 2 lines in 2 files')
    assert.deepStrictEqual(rest.slice(0, 3), [
      "  a.txt:2: weft, weft",
      "  b.txt:1: the Loom and the weft",
      '"silk" is nowhere in the index'
    ])
    assert.match(stdout, /^digest [0-9a-f]{64}$/m)
    assert.match(stderr, /^skipped raw\.bin: binary$/m)
    assert.match(stderr, /3\/3 files {2}8 words/)
  })

  it("gives one JSON object with --json", () => {
    const { status, stdout } = start(folder, "--json", "--search", "loom", "--workers", "2")
    assert.strictEqual(status, 0)
    const { answers, conflicts, digest, files, skipped, words } = JSON.parse(stdout)
    assert.match(digest, /^[0-9a-f]{64}$/)
    assert.deepStrictEqual(
      { answers, conflicts, files, skipped, words },
      {
        answers: [
          { word: "loom", files: 1, lines: 1, places: [{ path: "b.txt", line: 1, text: "the Loom and the weft" }] }
        ],
        conflicts: 0,
        files: 2,
        skipped: [{ path: "raw.bin", reason: "binary" }],
        words: 8
      }
    )
  })

  it("gives the same index on a file, and goes on from it the next time", () => {
    const store = `file:${join(stores, "index.weft")}`
    const json = (...args: ReadonlyArray<string>) => {
      const { status, stderr, stdout } = start(folder, "--json", "--search", "weft", ...args)
      assert.strictEqual(status, 0, stderr)
      return JSON.parse(stdout)
    }
    const inMemory = json()
    const first = json("--store", store)
    const again = json("--store", store)
    for (const { answers, digest, files, words } of [first, again]) {
      const { answers: a, digest: d, files: f, words: w } = inMemory
      assert.deepStrictEqual({ answers, digest, files, words }, { answers: a, digest: d, files: f, words: w })
    }
    assert.isBelow(again.commits, first.commits, "the second build did the work again")
  })

  it("refuses what it cannot do, with the reason and exit code 1", () => {
    const missing = join(folder, "missing")
    for (const [args, message] of [
      [[missing], `${missing} does not exist`],
      [[folder, "--search", "two words"], '"two words" is not a word'],
      [[folder, "--workers", "0"], "--workers must be 1 to 256"],
      [[folder, "--store", "tape"], "store tape:"]
    ] as const) {
      const { status, stderr } = start(...args)
      assert.strictEqual(status, 1, args.join(" "))
      assert.include(stderr, message)
    }
  })
})
