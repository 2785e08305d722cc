/** The program as people start it. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
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
const start = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [main, ...args], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: join(stores, "cache") }
  })

/** Each test starts some processes, on a machine that may be busy. */
const TIMEOUT = 300_000

describe("npm start", { timeout: TIMEOUT }, () => {
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
    const { answers, digest, files, skipped, words } = JSON.parse(stdout)
    assert.match(digest, /^[0-9a-f]{64}$/)
    assert.deepStrictEqual(
      { answers, files, skipped, words },
      {
        answers: [
          { word: "loom", files: 1, lines: 1, places: [{ path: "b.txt", line: 1, text: "the Loom and the weft" }] }
        ],
        files: 2,
        skipped: [{ path: "raw.bin", reason: "binary" }],
        words: 8
      }
    )
  })

  it("keeps the index in the cache directory, says where, and takes only what changed the next time", () => {
    for (const name of ["a.txt", "b.txt", "raw.bin"]) utimesSync(join(folder, name), 1000, 1000)
    const json = (...args: ReadonlyArray<string>) => {
      const { status, stderr, stdout } = start(folder, "--json", "--search", "weft", ...args)
      assert.strictEqual(status, 0, stderr)
      const { answers, changes, digest, files, store, words } = JSON.parse(stdout)
      return { changes, store, index: { answers, digest, files, words } }
    }
    const inMemory = json("--store", "inproc")
    json()
    const again = json()
    assert.deepStrictEqual(again.index, inMemory.index)
    assert.deepStrictEqual(again.changes, { added: 0, changed: 0, removed: 0 })
    assert.match(again.store, /^file:.*cache.weft.weft-cli-\w+-[0-9a-f]{12}\.weft$/)
    assert.isTrue(existsSync(again.store.slice("file:".length)))
    const { stderr } = start(folder, "--search", "weft")
    assert.include(stderr, `index in ${again.store}`)
    assert.include(stderr, "nothing has changed since the last run")
  })

  it("refuses what it cannot do, with the reason and exit code 1", () => {
    const missing = join(folder, "missing")
    const foreign = join(stores, "foreign")
    writeFileSync(foreign, "not a store, but somebody's text\n".repeat(100))
    for (const [args, message] of [
      [[missing], `${missing} does not exist`],
      [[folder, "--search", "two words"], '"two words" is not a word'],
      [[folder, "--workers", "0"], "--workers must be 1 to 256"],
      [[folder, "--store", "tape"], "store tape:"],
      [[folder, "--store", `file:${foreign}`], `store file:${foreign}:`],
      [[folder, "--store", `file:${folder}`], `store file:${folder}:`]
    ] as const) {
      const { status, stderr } = start(...args)
      assert.strictEqual(status, 1, args.join(" "))
      assert.include(stderr, message)
    }
    assert.match(readFileSync(foreign, "utf8"), /^not a store/)
  })
})
