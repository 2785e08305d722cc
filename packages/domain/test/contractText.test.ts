/** docs/CONTRACT.md lists the laws of the suite by their names. */
import { strict as assert } from "node:assert"
import * as Fs from "node:fs"
import { it } from "vitest"
import { laws } from "../testing/BackendSuite.ts"
import { laneLaws } from "../testing/backend/laneLaws.ts"

it("docs/CONTRACT.md lists every law by its name, under its theme, and no other", () => {
  const text = Fs.readFileSync(new URL("../../../docs/CONTRACT.md", import.meta.url), "utf8")
  const listed: Record<string, Array<string>> = {}
  let theme: Array<string> | undefined
  for (const line of text.split("\n")) {
    const heading = /^(#+) (.*)$/.exec(line)
    if (heading !== null) theme = heading[1] === "###" ? (listed[heading[2]!] = []) : undefined
    const name = /^- (.*)$/.exec(line)?.[1]
    if (name !== undefined) theme?.push(name)
  }
  const expected = Object.entries({ ...laws, lane: laneLaws }).map(([name, each]) => [
    name,
    each.map((law) => law.name)
  ])
  assert.deepEqual(listed, Object.fromEntries(expected))
})
