/**
 * The house rules, and the repository against them. Each rule is shown sources that must fail: a rule that cannot fail
 * guards nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import { sources } from "../scripts/house/files.ts"
import { check, FILE_LINES_MAX, render } from "../scripts/house/rules.ts"
import { codeOf, importsOf } from "../scripts/house/Source.ts"

const core = "packages/domain/src/core/Cell.ts"
const rulesBrokenBy = (path: string, text: string): ReadonlyArray<string> =>
  check([{ path, text }]).map((violation) => violation.rule)

// In two pieces, here and below, so that this file does not break the rules that it tests.
const leftover = ["TO", "DO"].join("")

interface Row {
  readonly name: string
  readonly path: string
  readonly text: string
}

const broken: Readonly<Record<string, ReadonlyArray<Row>>> = {
  size: [{ name: "too many lines", path: "packages/domain/src/Big.ts", text: "\n".repeat(FILE_LINES_MAX + 1) }],
  leftover: [
    { name: "in code", path: "packages/domain/src/A.ts", text: `// ${leftover}: finish` },
    { name: "in a document", path: "docs/A.md", text: `${leftover} write this` }
  ],
  "focused-test": [
    { name: "only", path: "packages/domain/test/a.test.ts", text: `it.${"only"}("x", () => {})` },
    { name: "skip", path: "packages/domain/test/a.test.ts", text: `describe.${"skip"}("x", () => {})` },
    { name: "effect.only", path: "packages/domain/test/a.test.ts", text: `it.effect.${"only"}("x", () => {})` }
  ],
  global: [
    { name: "environment", path: "packages/domain/test/a.test.ts", text: `process.env["A"] ??= "b"` },
    { name: "global", path: "test/a.test.ts", text: `globalThis.fetch = f` },
    { name: "folder", path: "test/a/b.test.ts", text: `process.chdir("a")` },
    { name: "fake timers", path: "packages/domain/testing/A.ts", text: "vi.useFakeTimers()" },
    { name: "prototype", path: "apps/demo/test/a.test.ts", text: "Map.prototype.get = f" }
  ],
  cast: [
    { name: "any", path: "apps/demo/src/a.ts", text: "const a = b as any\n" },
    { name: "by unknown", path: "apps/demo/src/a.ts", text: "const a = b as unknown as string\n" },
    { name: "ts-ignore", path: "apps/demo/src/a.ts", text: `// @ts-${"ignore"} because\n` }
  ],
  machine: [
    { name: "home", path: "docs/A.md", text: `see ${"/"}home/ada/notes` },
    { name: "registry", path: ".npmrc", text: `registry=${"https"}://registry.example.com/npm` },
    { name: "intranet", path: "bench/a.ts", text: `const host = "${"http"}://cache.internal:80/x"` }
  ],
  "lock-host": [{ name: "resolved", path: "package-lock.json", text: `"resolved": "https://npm.example.com/a.tgz"` }],
  purity: [
    { name: "clock", path: core, text: "const now = Date.now()" },
    { name: "new Date", path: core, text: "const now = new Date()" },
    { name: "performance", path: core, text: "const now = performance.now()" },
    { name: "randomness", path: core, text: "const draw = Math.random()" },
    { name: "timer", path: core, text: "setTimeout(f, 1)" },
    { name: "process", path: core, text: "const level = process.env.LEVEL" },
    { name: "console", path: core, text: "console.log(1)" },
    { name: "crypto", path: core, text: "crypto.randomUUID()" },
    { name: "promise", path: core, text: "const f = async () => 1" },
    { name: "in a template", path: core, text: "const f = `${Date.now()}`" },
    { name: "runtime", path: core, text: `import { Effect } from "effect"` },
    { name: "deep runtime", path: core, text: `import * as Clock from "effect/Clock"` },
    { name: "runtime among data", path: core, text: `import { Option, Ref } from "effect"` },
    { name: "the barrel", path: core, text: `import * as E from "effect"` },
    { name: "out of core", path: core, text: `import { Store } from "../Store.ts"` },
    { name: "dynamic", path: core, text: `const x = import("../Store.ts")` },
    { name: "raft", path: "packages/raft/src/core/step.ts", text: `import { Effect } from "effect"` }
  ],
  direction: [
    { name: "domain on backends", path: "packages/domain/src/A.ts", text: `import { x } from "@weft/backends/Inproc"` },
    { name: "domain on raft", path: "packages/domain/src/A.ts", text: `import { x } from "@weft/raft"` },
    { name: "raft on domain", path: "packages/raft/src/A.ts", text: `import type { x } from "@weft/domain"` },
    { name: "backends on server", path: "packages/backends/src/A.ts", text: `export * from "@weft/server"` },
    { name: "tuplespace on raft", path: "packages/tuplespace/src/A.ts", text: `import "@weft/raft"` },
    { name: "server on the demo", path: "packages/server/src/A.ts", text: `import { x } from "@weft/demo/Index"` },
    { name: "domain on Node", path: "packages/domain/src/A.ts", text: `import { join } from "node:path"` },
    {
      name: "past the exports",
      path: "packages/backends/src/A.ts",
      text: `import { x } from "../../domain/src/Key.ts"`
    },
    { name: "src on tests", path: "packages/domain/src/A.ts", text: `import { x } from "../testing/kit.ts"` },
    { name: "over many lines", path: "packages/domain/src/A.ts", text: `import {\n  a,\n  b\n} from "@weft/server"` },
    { name: "unknown dependency", path: "packages/domain/src/A.ts", text: `import _ from "lodash"` },
    { name: "unknown package", path: "packages/new/src/A.ts", text: `import { x } from "@weft/domain"` }
  ]
}

for (const [rule, rows] of Object.entries(broken)) {
  describe(`house rule ${rule}`, () => {
    for (const { name, path, text } of rows) {
      it(`refuses: ${name}`, () => assert.include(rulesBrokenBy(path, text), rule))
    }
  })
}

describe("house rules let pass", () => {
  const fine: ReadonlyArray<Row> = [
    { name: "data types in core", path: core, text: `import { Option, Schema } from "effect"` },
    { name: "the same folder in core", path: core, text: `import { Key } from "./Key.ts"` },
    { name: "a clock named in a comment", path: core, text: "// not Date.now()\nexport const a = 1" },
    { name: "a clock named in a string", path: core, text: `export const a = "Date.now()"` },
    { name: "a property called process", path: core, text: "const a = queue.process(1)" },
    { name: "a quote in a regular expression", path: core, text: `const a = /"/\nconst b = 1 // "Date.now()"` },
    { name: "packages below", path: "packages/backends/src/A.ts", text: `import { x } from "@weft/domain/Backend"` },
    { name: "vitest in a kit", path: "packages/domain/testing/a.ts", text: `import { it } from "@effect/vitest"` },
    { name: "Node in a driver", path: "packages/raft/src/A.ts", text: `import { join } from "node:path"` },
    { name: "any package in a test", path: "packages/domain/test/a.test.ts", text: `import "@weft/backends"` },
    { name: "a cast that says why", path: "apps/demo/src/a.ts", text: "// Checked by the guard.\nconst a = b as any" },
    { name: "an example in a comment", path: core, text: `/**\n * import { x } from "@weft/server"\n */` }
  ]
  for (const { name, path, text } of fine) it(name, () => assert.deepStrictEqual(rulesBrokenBy(path, text), []))
})

describe("reading sources", () => {
  it("code keeps its lines and loses comments, strings and templates", () => {
    const text = 'a("x // y") /* b\nc */ + `t ${u + "}"} v` // end\nd'
    const code = codeOf(text)
    assert.strictEqual(code.split("\n").length, text.split("\n").length)
    assert.strictEqual(code.replace(/\s+/g, ""), "a()+u+d")
  })

  it("imports are found in every form", () => {
    const text = [
      `import "a"`,
      `import * as B from "b"`,
      `import type { C } from "c"`,
      `export { d as e } from "d"`,
      `const f = import("f")`,
      `// import "g"`,
      `export const h = "h"`
    ].join("\n")
    assert.deepStrictEqual(
      importsOf(text).map(({ line, specifier }) => `${line} ${specifier}`),
      ["1 a", "2 b", "3 c", "4 d", "5 f"]
    )
  })
})

describe("the repository", () => {
  it("breaks no house rule", () => assert.deepStrictEqual(check(sources()).map(render), []))
})
