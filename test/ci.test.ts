/** What the last line of CI says. */
import { assert, describe, it } from "@effect/vitest"
import { count, type Report } from "../scripts/ciCount.ts"

const report = (more: Partial<Report> = {}): Report => ({
  numPassedTests: 5,
  numFailedTests: 0,
  testResults: [],
  ...more
})
const unloadable = { status: "failed", assertionResults: [] }
const withFailure = { status: "failed", assertionResults: [{ status: "failed" }] }

describe("the count of a CI run", () => {
  const rows: ReadonlyArray<readonly [string, Parameters<typeof count>[0], string]> = [
    ["all is well", { checkExit: 0, testExit: 0, report: report() }, "6 passed, 0 failed"],
    ["a check failed", { checkExit: 1, testExit: 0, report: report() }, "5 passed, 1 failed"],
    [
      "tests failed",
      { checkExit: 0, testExit: 1, report: report({ numFailedTests: 2, testResults: [withFailure] }) },
      "6 passed, 2 failed"
    ],
    [
      "a file could not be loaded",
      { checkExit: 0, testExit: 1, report: report({ testResults: [unloadable] }) },
      "6 passed, 1 failed"
    ],
    ["something failed beside the tests", { checkExit: 0, testExit: 1, report: report() }, "6 passed, 1 failed"],
    ["vitest died", { checkExit: 1, testExit: 1, report: undefined }, "0 passed, 2 failed"],
    ["vitest said nothing and was content", { checkExit: 0, testExit: 0, report: undefined }, "1 passed, 1 failed"]
  ]
  for (const [name, run, want] of rows) {
    it(name, () => {
      const { failed, passed } = count(run)
      assert.strictEqual(`${passed} passed, ${failed} failed`, want)
    })
  }
})
