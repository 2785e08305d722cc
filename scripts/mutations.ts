/**
 * Puts known bugs into the code, one at a time, and asks whether the named test catches each: `node scripts/mutations.ts`. A bug
 * that no test catches is a hole in the tests, so it fails. Works on a copy in a temporary folder.
 *
 *   node scripts/mutations.ts [--only ID,ID] [--write]
 *
 * Mutations are data: `packages/<name>/test/mutations/*.json`, each with `id`, `file`, `find` (occurs once), `replace`,
 * `test` (a test file, after ` -t ` a name, before it settings such as WEFT_SCALE=full) and `description` (what the bug
 * is). `--write` brings docs/MUTATIONS.md up to date.
 */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { root } from "./house/files.ts"

interface Mutation {
  readonly id: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly test: string
  readonly description: string
}

interface Caught {
  readonly mutation: Mutation
  readonly line: number
  /** Name of the first test that failed; `undefined`: the bug was not caught. */
  readonly by: string | undefined
  readonly seconds: number
}

/** A mutated test may hang: that is caught, too. So a test must take much less than this when it passes. */
const runMillisMax = 60_000
const passMillisMax = 30_000

const load = (): ReadonlyArray<Mutation> =>
  Fs.globSync("packages/*/test/mutations/*.json", { cwd: root })
    .sort()
    .flatMap((path) => JSON.parse(Fs.readFileSync(Path.join(root, path), "utf8")) as ReadonlyArray<Mutation>)

/** A copy of the packages; dependencies are shared, the packages' own links lead into the copy. */
const copyTree = (): string => {
  const copy = Fs.mkdtempSync(Path.join(Os.tmpdir(), "weft-mutations-"))
  for (const name of ["package.json", "tsconfig.json", "tsconfig.base.json", "vitest.config.ts"]) {
    Fs.copyFileSync(Path.join(root, name), Path.join(copy, name))
  }
  const isCode = (path: string) => !/[\\/](node_modules|dist)$/.test(path)
  Fs.cpSync(Path.join(root, "packages"), Path.join(copy, "packages"), { recursive: true, filter: isCode })
  const modules = Path.join(root, "node_modules")
  Fs.mkdirSync(Path.join(copy, "node_modules", "@weft"), { recursive: true })
  for (const name of Fs.readdirSync(modules)) {
    if (name === "@weft" || name === ".vite" || name === ".vitest") continue
    Fs.symlinkSync(Path.join(modules, name), Path.join(copy, "node_modules", name))
  }
  for (const name of Fs.readdirSync(Path.join(copy, "packages"))) {
    Fs.symlinkSync(Path.join(copy, "packages", name), Path.join(copy, "node_modules", "@weft", name))
  }
  return copy
}

interface TestReport {
  readonly numTotalTests: number
  readonly testResults: ReadonlyArray<{
    readonly message: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

/** `WEFT_SCALE=full npx vitest run some.test.ts -t "a name"` in its parts. */
const parseTest = (test: string) => {
  const [before, name] = test.split(" -t ") as [string, string | undefined]
  const words = before.replace("npx vitest run ", "").trim().split(/\s+/)
  const settings = Object.fromEntries(words.slice(0, -1).map((word) => word.split("=") as [string, string]))
  return { file: words.at(-1)!, name: name?.trim().replace(/^["']|["']$/g, ""), settings }
}

/** Runs a command to its end; `false` when it had to be killed, with all that it started. */
const ends = (copy: string, args: ReadonlyArray<string>, settings: NodeJS.ProcessEnv): Promise<boolean> =>
  new Promise((resolve, reject) => {
    // A group of its own: a test that loops for ever sits in a worker of a worker.
    const child = spawn("npx", args, {
      cwd: copy,
      stdio: "ignore",
      detached: true,
      env: { ...process.env, ...settings }
    })
    const timer = setTimeout(() => {
      process.kill(-child.pid!, "SIGKILL")
      resolve(false)
    }, runMillisMax)
    child.on("error", reject)
    child.on("exit", () => {
      clearTimeout(timer)
      resolve(true)
    })
  })

/** Runs a test in the copy: its first failure, "" when all passed. Throws when the test did not run at all. */
const runTest = async (copy: string, test: string): Promise<string> => {
  const { file, name, settings } = parseTest(test)
  const report = Path.join(copy, "report.json")
  Fs.rmSync(report, { force: true })
  const args = ["vitest", "run", file, "--reporter=json", `--outputFile=${report}`, "--testTimeout=30000"]
  if (name !== undefined) args.push("-t", name)
  if (!(await ends(copy, args, settings))) return "(the test hangs)"
  if (!Fs.existsSync(report)) throw new Error(`${test} gave no report: does it exist?`)
  const { numTotalTests, testResults } = JSON.parse(Fs.readFileSync(report, "utf8")) as TestReport
  const results = testResults.flatMap((result) => result.assertionResults)
  if (numTotalTests === 0 || !results.some(({ status }) => status === "passed" || status === "failed")) {
    throw new Error(`${test} ran no test: ${testResults.map((result) => result.message).join("\n")}`)
  }
  return results.find(({ status }) => status === "failed")?.fullName ?? ""
}

/** The file with the bug in it, and the line of the bug. Throws when the place is not there exactly once. */
const mutate = (mutation: Mutation, source: string): { readonly text: string; readonly line: number } => {
  const at = source.indexOf(mutation.find)
  if (at === -1)
    throw new Error(`${mutation.id}: "${mutation.find}" is not in ${mutation.file} any more: bring it up to date`)
  if (source.indexOf(mutation.find, at + 1) !== -1) {
    throw new Error(`${mutation.id}: "${mutation.find}" occurs more than once in ${mutation.file}: say more of it`)
  }
  const text = source.slice(0, at) + mutation.replace + source.slice(at + mutation.find.length)
  return { text, line: source.slice(0, at).split("\n").length }
}

const judge = async (copy: string, mutation: Mutation): Promise<Caught> => {
  const path = Path.join(copy, mutation.file)
  const source = Fs.readFileSync(path, "utf8")
  const { line, text } = mutate(mutation, source)
  Fs.writeFileSync(path, text)
  const started = performance.now()
  try {
    const failed = await runTest(copy, mutation.test)
    return { mutation, line, by: failed === "" ? undefined : failed, seconds: (performance.now() - started) / 1000 }
  } finally {
    Fs.writeFileSync(path, source)
  }
}

const cell = (text: string): string => text.replace(/\s+/g, " ").replaceAll("|", "\\|").trim()

const row = ({ by, line, mutation }: Caught): string => {
  const { description, file, find, id, replace, test } = mutation
  const change = `\`${cell(find)}\` → ${replace.trim() === "" ? "(nothing)" : `\`${cell(replace)}\``}`
  const where = `${file.replace(/^packages\//, "")}:${line}`
  const caughtBy = `\`${Path.basename(parseTest(test).file)}\`: ${cell(by ?? "NOT CAUGHT")}`
  return `| ${id} | ${cell(description)} | ${where} | ${change} | ${caughtBy} |`
}

/** The table of docs/MUTATIONS.md: rows that were judged now, and for the others those that are there. */
const table = (caught: ReadonlyArray<Caught>, ids: ReadonlyArray<string>, before: string): string => {
  const old = new Map(
    before.split("\n").flatMap((line) => (line.startsWith("| ") ? [[line.split(" ")[1]!, line] as const] : []))
  )
  const now = new Map(caught.map((each) => [each.mutation.id, row(each)]))
  const rows = ids.flatMap((id) => now.get(id) ?? old.get(id) ?? [])
  return [
    "# Mutations: known bugs that the tests catch",
    "",
    "Each row is a bug that was put into the code and the test that failed because of it. Made by `node scripts/mutations.ts --write`,",
    "which puts every one in again; a bug that no test catches makes it fail. The mutations themselves are data:",
    "`packages/*/test/mutations/*.json`.",
    "",
    `${rows.length} mutations, ${rows.filter((line) => !line.includes(": NOT CAUGHT |")).length} caught.`,
    "",
    "| id | the bug | where | change | caught by |",
    "|---|---|---|---|---|",
    ...rows,
    ""
  ].join("\n")
}

const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1]?.split(",") : undefined
const all = load()
const mutations = all.filter(({ id }) => only === undefined || only.includes(id))
const twice = all.find(({ id }, i) => all.findIndex((other) => other.id === id) !== i)
if (twice !== undefined) throw new Error(`two mutations are called ${twice.id}`)
const copy = copyTree()
process.on("exit", () => Fs.rmSync(copy, { recursive: true, force: true }))

/** Tests that do not pass, or not fast enough, without any bug: they can judge none. */
const unfit = new Map<string, string>()
for (const test of new Set(mutations.map((mutation) => mutation.test))) {
  const started = performance.now()
  const failed = await runTest(copy, test)
  const millis = Math.round(performance.now() - started)
  if (failed !== "") unfit.set(test, `fails without any bug: ${failed}`)
  else if (millis > passMillisMax) unfit.set(test, `takes ${millis} ms: name a shorter one`)
}
const caught: Array<Caught> = []
for (const mutation of mutations) {
  const reason = unfit.get(mutation.test)
  if (reason !== undefined) {
    console.log(`? ${mutation.id.padEnd(28)} ${mutation.test} ${reason}`)
    continue
  }
  const result = await judge(copy, mutation)
  caught.push(result)
  const seconds = result.seconds.toFixed(1).padStart(5)
  console.log(
    `${result.by === undefined ? "✗" : "✓"} ${mutation.id.padEnd(28)} ${seconds} s  ${result.by ?? "NOT CAUGHT"}`
  )
}
const missed = caught.filter(({ by }) => by === undefined)
if (process.argv.includes("--write")) {
  const path = Path.join(root, "docs/MUTATIONS.md")
  const ids = all.map(({ id }) => id)
  Fs.writeFileSync(path, table(caught, ids, Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : ""))
}
console.log(`mutations: ${caught.length - missed.length} of ${mutations.length} caught`)
process.exitCode = missed.length === 0 && unfit.size === 0 ? 0 : 1
