/** A copy of the Raft package in which one known bug at a time is put back, and what is run in it. */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Mutation } from "../../packages/raft/test/mutations/Mutation.ts"
import type { Overrides } from "../../packages/raft/testing/sim/Options.ts"

export const root = new URL("../..", import.meta.url).pathname

/** Longest run of the simulation in milliseconds: a mutant may run for ever, which counts as caught by the clock. */
const simulationMillisMax = 900_000

/** Longest run of the directed tests in milliseconds; beyond it they count as failed. */
const directedMillisMax = 180_000

/** Tests of one rule each. */
const directedTests = ["packages/raft/test/paper", "packages/raft/test/driver.test.ts"]

/** Prints the names of the scenarios whose output is not what their file says. */
const scenarioProgram = `
import { readdirSync, readFileSync } from "node:fs"
import { runScenario } from "../packages/raft/testing/Scenario.ts"
const folder = new URL("../packages/raft/test/scenarios/", import.meta.url)
for (const name of readdirSync(folder).filter((name) => name.endsWith(".txt")).sort()) {
  const expected = readFileSync(new URL(name, folder), "utf8")
  let actual = ""
  try { actual = runScenario(expected) } catch (error) { actual = String(error) }
  if (actual !== expected) console.log("CHANGED " + name)
}
console.log("END")
`

/** What noticed the bug among the tests that are directed at single rules. */
export interface Directed {
  /** Text scenarios whose output changes. */
  readonly scenarios: ReadonlyArray<string>
  /** Tests of a rule that fail. */
  readonly tests: ReadonlyArray<string>
}

/** What seeds of the simulation noticed: the number of seeds until the first failure, if any. */
export interface Simulated {
  readonly seeds: number | undefined
  readonly rule: string
}

interface TestReport {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly title: string; readonly status: string }>
  }>
}

export class Mutant {
  private readonly folder = mkdtempSync(join(tmpdir(), "weft-mutant-"))

  constructor() {
    mkdirSync(join(this.folder, "packages"))
    mkdirSync(join(this.folder, "scripts"))
    cpSync(join(root, "packages/raft"), join(this.folder, "packages/raft"), {
      recursive: true,
      filter: (path) => !path.includes("node_modules")
    })
    for (const name of ["simulate.ts", "branchCoverage.ts"])
      cpSync(join(root, "scripts", name), join(this.folder, "scripts", name))
    for (const name of ["package.json", "vitest.config.ts"]) cpSync(join(root, name), join(this.folder, name))
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"))
    writeFileSync(join(this.folder, "scripts/scenarios.ts"), scenarioProgram)
  }

  /** Puts the bug in; the returned function takes it out again. */
  patch({ edits, id }: Mutation): () => void {
    const before = new Map<string, string>()
    for (const { file, find, replace } of edits) {
      const path = join(this.folder, "packages/raft", file)
      const text = readFileSync(path, "utf8")
      if (!before.has(path)) before.set(path, text)
      if (text.split(find).length !== 2) throw new Error(`${id}: ${file} does not hold its text exactly once: ${find}`)
      writeFileSync(
        path,
        text.replace(find, () => replace)
      )
    }
    return () => {
      for (const [path, text] of before) writeFileSync(path, text)
    }
  }

  /** Runs all scenarios and all tests of single rules. */
  async direct(): Promise<Directed> {
    const text = await this.run(["scripts/scenarios.ts"], directedMillisMax)
    const changed = [...text.matchAll(/CHANGED (.*)\.txt/g)].map((match) => match[1] ?? "")
    const scenarios = text.includes("END") ? changed : [...changed, "(the runner itself fails)"]
    return { scenarios, tests: await this.test() }
  }

  private async test(): Promise<ReadonlyArray<string>> {
    const report = join(this.folder, "report.json")
    rmSync(report, { force: true })
    // Random histories are not directed at anything.
    const options = ["--isolate=false", "--exclude", "**/repairRandom*", "--reporter=json", `--outputFile=${report}`]
    await this.run(["node_modules/vitest/vitest.mjs", "run", ...directedTests, ...options], directedMillisMax)
    let results: TestReport["testResults"]
    try {
      results = (JSON.parse(readFileSync(report, "utf8")) as TestReport).testResults
    } catch {
      return ["(the tests do not end)"]
    }
    return results.flatMap(({ assertionResults, name, status }) => {
      const failed = assertionResults.filter((one) => one.status === "failed").map(({ title }) => title)
      return status === "failed" && failed.length === 0 ? [`(all of ${name.split("/").at(-1)})`] : failed
    })
  }

  /** Runs so many seeds until one fails. */
  async simulate(overrides: Overrides | undefined, seeds: number, from: number): Promise<Simulated> {
    const argv = ["scripts/simulate.ts", "--once", "--quiet", "--seeds", String(seeds), "--from", String(from)]
    if (overrides !== undefined) argv.push("--set", JSON.stringify(overrides))
    const text = await this.run(argv, simulationMillisMax)
    const found = /seed (\d+) FAILED: (.*)/.exec(text)
    if (found !== null) return { seeds: Number(found[1]) - from + 1, rule: found[2] ?? "" }
    if (/0 failures/.test(text)) return { seeds: undefined, rule: "" }
    return { seeds, rule: `did not end: ${text.trim().split("\n").at(-1) ?? ""}` }
  }

  private run(argv: ReadonlyArray<string>, millisMax: number): Promise<string> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, argv, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] })
      let text = ""
      child.stdout.on("data", (data: Buffer) => (text += data.toString()))
      child.stderr.on("data", (data: Buffer) => (text += data.toString()))
      const timer = setTimeout(() => child.kill("SIGKILL"), millisMax)
      child.on("close", () => {
        clearTimeout(timer)
        resolve(text)
      })
    })
  }

  /** Deletes the copy. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
