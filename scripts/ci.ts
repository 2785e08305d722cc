/**
 * What `.ci/run` starts once the clone is installed: `npm run check`, then `npm test` with vitest's own JSON report beside
 * its usual output. Counts from that report, not from the text. Last line: `N passed, N failed`.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "./house/files.ts"

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{ readonly fullName: string; readonly status: string }>
  }>
}

const npm = (args: ReadonlyArray<string>): number => {
  const started = performance.now()
  const { status } = spawnSync("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
  console.log(
    `── npm ${args[0]} ${args[1] ?? ""}: exit ${status}, ${((performance.now() - started) / 1000).toFixed(0)} s`
  )
  return status ?? 1
}

/** Absent when vitest died before it could write one. */
const read = (path: string): Report | undefined => {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report
  } catch {
    return undefined
  }
}

/** A file that could not be loaded has no failed test of its own, yet it has failed. */
const brokenFiles = (report: Report): number =>
  report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")
  ).length

const folder = mkdtempSync(join(tmpdir(), "weft-ci-"))
const output = join(folder, "vitest.json")
const checkFailed = npm(["run", "check"]) === 0 ? 0 : 1
const testExit = npm(["test", "--", "--reporter=default", "--reporter=json", `--outputFile.json=${output}`])
const report = read(output)
rmSync(folder, { recursive: true, force: true })

const failedTests = report === undefined ? 1 : report.numFailedTests + brokenFiles(report)
const passed = (report?.numPassedTests ?? 0) + (1 - checkFailed)
// vitest also fails for what belongs to no test, such as an unhandled rejection.
const failed = checkFailed + (failedTests === 0 && testExit !== 0 ? 1 : failedTests)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
