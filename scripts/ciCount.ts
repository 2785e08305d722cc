/** Counts what a CI run did, from vitest's JSON report and the exit codes. Pure. */

export interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

/** A file that could not be loaded has no failed test of its own, yet it has failed. */
const brokenFiles = (report: Report): number =>
  report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")
  ).length

/**
 * Tests that passed and failed; the checks of the house count as one. `report` is absent when vitest died before it could
 * write one: that is a failure, as is an exit code that no test explains (an unhandled rejection, for example).
 */
export const count = (run: {
  readonly checkExit: number
  readonly testExit: number
  readonly report: Report | undefined
}): { readonly passed: number; readonly failed: number } => {
  const { checkExit, report, testExit } = run
  const checkFailed = checkExit === 0 ? 0 : 1
  const inTests = report === undefined ? 1 : report.numFailedTests + brokenFiles(report)
  const failed = checkFailed + (inTests === 0 && testExit !== 0 ? 1 : inTests)
  return { passed: (report?.numPassedTests ?? 0) + (1 - checkFailed), failed }
}
