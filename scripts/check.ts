/**
 * `npm run check`: every check of the house, one after the other, each also a script of its own (`npm run check:types`).
 * Writes nothing outside of temporary folders. Runs on after a failure, so that one run names everything; ends with one
 * line per check and exit code 1 if any failed. `--fast` leaves out what builds packages.
 */
import { spawnSync } from "node:child_process"
import { root } from "./house/files.ts"

interface Check {
  readonly name: string
  /** What a failure means and what helps, in a few words. */
  readonly hint: string
}

const checks: ReadonlyArray<Check> = [
  { name: "types", hint: "tsc over sources and tests" },
  { name: "consumer", hint: "a program that uses the packages and emits declarations" },
  { name: "lint", hint: "oxlint; npm run fix mends some" },
  { name: "format", hint: "oxfmt; npm run fix mends all" },
  { name: "effect", hint: "Effect diagnostics (effect-tsgo)" },
  { name: "house", hint: "import directions, purity of core/, house rules" },
  { name: "unused", hint: "knip: exports, files and dependencies that nobody uses" },
  { name: "publish", hint: "build, publint and attw over the packages as npm would ship them" }
]

const slow = new Set(["publish"])

const run = (check: Check): readonly [boolean, number] => {
  console.log(`\n── ${check.name}: ${check.hint}`)
  const started = performance.now()
  const { status } = spawnSync("npm", ["run", "--silent", `check:${check.name}`], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32"
  })
  return [status === 0, (performance.now() - started) / 1000]
}

const chosen = process.argv.includes("--fast") ? checks.filter((check) => !slow.has(check.name)) : checks
const results = chosen.map((check) => ({ check, result: run(check) }))

console.log("")
for (const { check, result } of results) {
  const [ok, seconds] = result
  console.log(
    `${ok ? "✓" : "✗"} ${check.name.padEnd(9)} ${seconds.toFixed(1).padStart(5)} s${ok ? "" : `   ${check.hint}`}`
  )
}
const failed = results.filter(({ result }) => !result[0]).length
console.log(`check: ${results.length - failed} of ${results.length} passed`)
process.exitCode = failed === 0 ? 0 : 1
