/** Every scenario in `scenarios/` gives exactly what its file says. `UPDATE=1 npx vitest run packages/raft/test/scenarios.test.ts` rewrites. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { runScenario } from "../testing/Scenario.ts"

const folder = new URL("./scenarios/", import.meta.url)
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".txt"))
  .sort()

describe("scenarios", () => {
  for (const name of files) {
    it(name.replace(".txt", "").replaceAll("_", " "), () => {
      const file = new URL(name, folder)
      const expected = readFileSync(file, "utf8")
      const actual = runScenario(expected)
      if (process.env["UPDATE"] === "1") writeFileSync(file, actual)
      else assert.strictEqual(actual, expected)
    })
  }
})
