/**
 * Puts known bugs back into a copy of the Raft package, one by one, and demands that each is caught:
 * `npm run mutations:raft -- [--only id,id] [--seeds N] [--workers W] [--aimed-only] [--table]`.
 *
 * Each bug is judged twice. The text scenarios show that its place is reached at all: at least one must change its output.
 * Then general seeds of the simulation, from 1 on, until one fails; how many that took is the figure. A bug that no
 * scenario notices is "directed" by seeds aimed at it instead (`Mutation.aimed`). `--table` writes docs/MUTATIONS-RAFT.md.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { mutations } from "../packages/raft/test/mutations/all.ts"
import type { Mutation } from "../packages/raft/test/mutations/Mutation.ts"

const root = new URL("..", import.meta.url).pathname

const { values: args } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string" },
    aimed: { type: "string" },
    from: { type: "string" },
    workers: { type: "string" },
    table: { type: "boolean" },
    "aimed-only": { type: "boolean" },
    list: { type: "boolean" }
  }
})

/** General seeds that a bug may need; then the aimed ones have their turn. */
const seedsMax = Number(args.seeds ?? 400)

/** Aimed seeds that a bug may need before it counts as missed. */
const aimedMax = Number(args.aimed ?? 800)
const from = Number(args.from ?? 1)

/** Longest run of one step in milliseconds: a mutant may run for ever, which counts as caught by the clock. */
const stepMillisMax = 900_000

interface Verdict {
  readonly mutation: Mutation
  readonly scenarios: ReadonlyArray<string>
  /** General seeds until the first failure; undefined: none failed. */
  readonly seeds: number | undefined
  readonly aimedSeeds: number | undefined
  readonly rule: string
}

const run = (folder: string, argv: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] })
    let text = ""
    child.stdout.on("data", (data: Buffer) => (text += data.toString()))
    child.stderr.on("data", (data: Buffer) => (text += data.toString()))
    const timer = setTimeout(() => child.kill("SIGKILL"), stepMillisMax)
    child.on("close", () => {
      clearTimeout(timer)
      resolve(text)
    })
  })

/** A copy of what a mutant needs, to be patched. */
const prepare = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "weft-mutant-"))
  mkdirSync(join(folder, "packages"))
  mkdirSync(join(folder, "scripts"))
  cpSync(join(root, "packages/raft"), join(folder, "packages/raft"), {
    recursive: true,
    filter: (path) => !path.includes("node_modules")
  })
  for (const name of ["simulate.ts", "branchCoverage.ts"])
    cpSync(join(root, "scripts", name), join(folder, "scripts", name))
  cpSync(join(root, "package.json"), join(folder, "package.json"))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  writeFileSync(join(folder, "scripts/scenarios.ts"), scenarioProgram)
  return folder
}

/** Prints the names of the scenarios whose output is not what their file says. */
const scenarioProgram = `
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { runScenario } from "../packages/raft/testing/Scenario.ts"
for (const folder of ["scenarios", "mutations/scenarios"]) {
  const at = new URL("../packages/raft/test/" + folder + "/", import.meta.url)
  if (!existsSync(at)) continue
  for (const name of readdirSync(at).filter((name) => name.endsWith(".txt")).sort()) {
    const expected = readFileSync(new URL(name, at), "utf8")
    let actual = ""
    try { actual = runScenario(expected) } catch (error) { actual = String(error) }
    if (actual !== expected) console.log("CHANGED " + name)
  }
}
`

const patch = (folder: string, mutation: Mutation): (() => void) => {
  const before = new Map<string, string>()
  for (const { file, find, replace } of mutation.edits) {
    const path = join(folder, "packages/raft", file)
    const text = readFileSync(path, "utf8")
    if (!before.has(path)) before.set(path, text)
    if (text.split(find).length !== 2)
      throw new Error(`${mutation.id}: ${file} does not hold its text exactly once: ${find}`)
    writeFileSync(
      path,
      text.replace(find, () => replace)
    )
  }
  return () => {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

interface Caught {
  readonly seeds: number | undefined
  readonly rule: string
}

const simulate = async (folder: string, overrides: object | undefined, seeds: number): Promise<Caught> => {
  const argv = ["scripts/simulate.ts", "--once", "--quiet", "--seeds", String(seeds), "--from", String(from)]
  if (overrides !== undefined) argv.push("--set", JSON.stringify(overrides))
  const text = await run(folder, argv)
  const found = /seed (\d+) FAILED: (.*)/.exec(text)
  if (found !== null) return { seeds: Number(found[1]) - from + 1, rule: found[2] ?? "" }
  if (/0 failures/.test(text)) return { seeds: undefined, rule: "" }
  return { seeds: seedsMax, rule: `did not end: ${text.trim().split("\n").at(-1) ?? ""}` }
}

const judge = async (folder: string, mutation: Mutation): Promise<Verdict> => {
  const restore = patch(folder, mutation)
  try {
    const text = await run(folder, ["scripts/scenarios.ts"])
    const changed = [...text.matchAll(/CHANGED (.*)\.txt/g)].map((match) => match[1] ?? "")
    const scenarios = /CHANGED|^$/.test(text) ? changed : ["(the runner itself fails)"]
    const skip = args["aimed-only"] === true
    const general = skip ? { seeds: undefined, rule: "" } : await simulate(folder, undefined, seedsMax)
    // Aimed seeds where the general ones were not enough, or where nothing else shows that the place is reached.
    const wanted = mutation.aimed !== undefined && (general.seeds === undefined || scenarios.length === 0)
    const aimed = wanted ? await simulate(folder, mutation.aimed, aimedMax) : { seeds: undefined, rule: "" }
    return { mutation, scenarios, seeds: general.seeds, aimedSeeds: aimed.seeds, rule: general.rule || aimed.rule }
  } finally {
    restore()
  }
}

const describe = ({ aimedSeeds, mutation, rule, scenarios, seeds }: Verdict): string =>
  `${mutation.id.padEnd(32)} ${seeds === undefined ? "NOT CAUGHT" : `${seeds} seeds`.padEnd(10)} ` +
  `${aimedSeeds === undefined ? "" : `aimed ${aimedSeeds} `}${scenarios.length} scenarios  ${rule.slice(0, 110)}`

/** General seeds that it took; where those were not enough, all of them and the aimed ones that did it. */
const seedsNeeded = ({ aimedSeeds, seeds }: Verdict): number => seeds ?? seedsMax + (aimedSeeds ?? Infinity)

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const writeTable = (verdicts: ReadonlyArray<Verdict>): void => {
  const seeds = verdicts.map(seedsNeeded)
  const rows = verdicts.map(({ aimedSeeds, mutation, rule, scenarios, seeds }) => {
    const shown = scenarios.slice(0, 2).map((name) => `\`${name}\``)
    const directed = [...shown, ...(scenarios.length > 2 ? [`and ${scenarios.length - 2} more`] : [])]
    if (aimedSeeds !== undefined) directed.push(`aimed seeds: ${aimedSeeds}`)
    const missed = aimedSeeds === undefined ? "not caught" : `over ${seedsMax}, ${aimedSeeds} aimed`
    const count = seeds === undefined ? missed : String(seeds)
    return `| \`${mutation.id}\` | ${cell(mutation.description)} | ${cell(mutation.source)} | ${count} | ${cell(rule)} | ${directed.join(", ") || "none"} |`
  })
  const text = `# Known bugs put back: Raft

Generated by \`npm run mutations:raft -- --table\`. Each row is a change of the source of \`packages/raft\` (\`packages/raft/test/mutations\`)
that puts a known bug back. *Seeds* counts the general seeds of the simulation, from ${from} on, until one fails; nothing in them is
aimed at the bug. Where ${seedsMax} were not enough, seeds aimed at it (\`aims.ts\`: few kinds of fault, many of them) have their turn.
*Reached by* names what proves that the place is reached at all: text scenarios whose output changes, or the aimed seeds.

${verdicts.length} bugs, ${verdicts.filter((verdict) => seedsNeeded(verdict) < Infinity).length} caught, ${verdicts.filter(({ seeds }) => seeds !== undefined).length} of them by general seeds, median ${median(seeds)} seeds, worst ${Math.max(...seeds)}.

| bug | what goes wrong | known from | seeds | rule that broke | reached by |
|---|---|---|---|---|---|
${rows.join("\n")}
`
  writeFileSync(join(root, "docs/MUTATIONS-RAFT.md"), text)
}

const main = async (): Promise<void> => {
  const only = args.only?.split(",")
  const chosen = mutations.filter(({ id }) => only === undefined || only.includes(id))
  if (args.list === true) return console.log(chosen.map(({ description, id }) => `${id}: ${description}`).join("\n"))
  const verdicts = new Map<string, Verdict>()
  const queue = [...chosen]
  const work = async (): Promise<void> => {
    const folder = prepare()
    try {
      for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
        const verdict = await judge(folder, mutation)
        verdicts.set(mutation.id, verdict)
        console.log(describe(verdict))
        // As far as it is known: a run that is cut short leaves what it found.
        if (args.table === true) writeTable(chosen.flatMap(({ id }) => verdicts.get(id) ?? []))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  await Promise.all(Array.from({ length: Number(args.workers ?? 2) }, work))
  const ordered = chosen.flatMap(({ id }) => verdicts.get(id) ?? [])
  const caught = ordered.filter(({ aimedSeeds, seeds }) => seeds !== undefined || aimedSeeds !== undefined)
  const reached = ordered.filter(({ aimedSeeds, scenarios }) => scenarios.length > 0 || aimedSeeds !== undefined)
  const seeds = ordered.map(seedsNeeded)
  console.log(
    `${ordered.length} bugs put back, ${caught.length} caught, ${reached.length} reached by a directed scenario; ` +
      `median ${median(seeds)} seeds, worst ${Math.max(...seeds)}`
  )
  if (caught.length < ordered.length || reached.length < ordered.length) process.exitCode = 1
}

await main()
