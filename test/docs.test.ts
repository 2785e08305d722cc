/**
 * The documents against the code: every TypeScript block of README.md and docs/*.md compiles, those marked `run` print what
 * they say, every link to a file finds one. First the tool itself, on blocks that must fail.
 */
import { existsSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { blocksOf, linksOf } from "../scripts/docs/blocks.ts"
import { compile, run, write } from "../scripts/docs/run.ts"
import { root, sources } from "../scripts/house/files.ts"

const fence = "```"
const fixture = [
  "# Fixture",
  `${fence}ts run`,
  `const n: number = 41 + 1`,
  `console.log(n) // => 42`,
  fence,
  `${fence}ts`,
  `const s: string = 1`,
  fence,
  `${fence}ts continues`,
  `const t: string = s`,
  fence,
  `${fence}ts run`,
  `console.log("other") // => this`,
  fence,
  `${fence}ts sketch`,
  `this is not TypeScript`,
  fence,
  `${fence}sh`,
  `npm test`,
  fence
].join("\n")

const fixtureFolder = join(root, "dist", "docs-fixture")
const folder = join(root, "dist", "docs")
afterAll(() => {
  rmSync(fixtureFolder, { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
})

describe("blocks of a document", () => {
  const blocks = blocksOf("FIXTURE.md", fixture)

  it("are found with their lines, and what continues has what it continues", () => {
    assert.deepStrictEqual(
      blocks.map(({ expected, isRun, line }) => ({ line, isRun, expected })),
      [
        { line: 3, isRun: true, expected: ["42"] },
        { line: 7, isRun: false, expected: [] },
        { line: 10, isRun: false, expected: [] },
        { line: 13, isRun: true, expected: ["this"] }
      ]
    )
    assert.include(blocks[2]!.code, "const s: string = 1")
  })

  it("a word that means nothing is refused", () => {
    assert.throws(() => blocksOf("FIXTURE.md", `${fence}ts rnu\n1\n${fence}`), /"rnu" after/)
  })

  it("a type error is told with the line of the document, and what is not printed is missed", () => {
    write(blocks, fixtureFolder)
    const errors = compile(blocks, fixtureFolder)
    assert.deepStrictEqual(errors.get(blocks[0]!), [])
    assert.match(errors.get(blocks[1]!)!.join("\n"), /^FIXTURE\.md:7:7: error TS2322/)
    assert.deepStrictEqual(run(blocks[0]!, fixtureFolder).printed, ["42"])
    assert.notDeepEqual(run(blocks[3]!, fixtureFolder).printed, blocks[3]!.expected)
  })

  it("links to files are found, others are not", () => {
    const text = "[a](docs/A.md#part) [b](https://example.org) [c](#here)\n[d](./LICENSE)"
    assert.deepStrictEqual(linksOf(text), [
      { line: 1, target: "docs/A.md" },
      { line: 2, target: "./LICENSE" }
    ])
  })
})

const documents = sources().filter(({ path }) => path === "README.md" || /^docs\/[^/]+\.md$/.test(path))
const blocks = documents.flatMap(({ path, text }) => blocksOf(path, text))

describe.skipIf(blocks.length === 0)("documents", () => {
  if (blocks.length > 0) write(blocks, folder)
  const errors = compile(blocks, folder)
  for (const block of blocks) {
    const name = `${block.document}:${block.line}`
    it(`${name} compiles`, () => assert.deepStrictEqual(errors.get(block), []))
    if (!block.isRun) continue
    it(`${name} prints what it says`, () => {
      const { errors: stderr, exitCode, printed } = run(block, folder)
      assert.deepStrictEqual({ exitCode, printed, stderr }, { exitCode: 0, printed: block.expected, stderr: "" })
    })
  }
})

describe("links", () => {
  for (const { path, text } of documents) {
    it(`${path} links to files that exist`, () => {
      const dead = linksOf(text).filter(({ target }) => !existsSync(join(root, dirname(path), target)))
      assert.deepStrictEqual(dead, [])
    })
  }
})
