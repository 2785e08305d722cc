import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, "../../../..")
const work = join(root, "node_modules/.cache/weft-types")

interface Case {
  readonly line: number
  readonly code: string
  readonly text: string
  readonly source: string
}

/** Cases of the fixture: where each begins, and what the compiler must say in it. */
const casesOf = (lines: ReadonlyArray<string>): ReadonlyArray<Case> =>
  lines.flatMap((line, i) => {
    const match = /^\/\/! (TS\d+) (.*)$/.exec(line)
    return match === null ? [] : [{ line: i + 1, code: match[1]!, text: match[2]!, source: lines[i + 1] ?? "" }]
  })

const compile = (
  source: string
): ReadonlyArray<{ readonly line: number; readonly code: string; readonly message: string }> => {
  mkdirSync(work, { recursive: true })
  writeFileSync(join(work, "errors.ts"), source)
  const base = JSON.parse(readFileSync(join(root, "tsconfig.base.json"), "utf8")) as {
    readonly compilerOptions: object
  }
  const options = { ...base.compilerOptions, noEmit: true, rootDir: root }
  writeFileSync(join(work, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["errors.ts"] }))
  let output = ""
  try {
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", work, "--pretty", "false"], {
      cwd: work,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"]
    })
  } catch (error) {
    output = (error as { readonly stdout: string }).stdout
  }
  const found: Array<{ line: number; code: string; message: string }> = []
  for (const line of output.split("\n")) {
    const match = /^(.*errors\.ts)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line)
    if (match !== null) found.push({ line: Number(match[2]), code: match[3]!, message: match[4]! })
    else if (found.length > 0) found[found.length - 1]!.message += `\n${line}`
  }
  return found
}

describe("what the types refuse", () => {
  const source = readFileSync(join(here, "errors.ts.fixture"), "utf8")
  const cases = casesOf(source.split("\n"))
  const errors = compile(source)

  it("has the 51 cases at least", () => {
    expect(cases.length).toBeGreaterThanOrEqual(51)
  })

  it("refuses nothing before the first case", () => {
    expect(errors.filter((error) => error.line < cases[0]!.line)).toEqual([])
  })

  cases.forEach((each, i) => {
    it(`line ${each.line + 1}: ${each.source.slice(0, 80)}`, () => {
      const end = cases[i + 1]?.line ?? Number.POSITIVE_INFINITY
      const mine = errors.filter((error) => error.line > each.line && error.line < end)
      expect(mine.map((error) => error.code)).toContain(each.code)
      expect(mine.map((error) => error.message).join("\n")).toContain(each.text)
    })
  })
})
