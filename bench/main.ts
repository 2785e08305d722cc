/**
 * `npm run bench -- --row 7 [--json] [--reps 3] [--seconds 1] [--workload text]`: measures rows (`--row 7,8`, `--row all`) and
 * prints a table, or with `--json` one object a line. Every row's newest objects are kept in `bench/results/`. Exit code 1 when a
 * floor was missed. `--list` names the rows.
 *
 * Each figure is the median of the repetitions, with their range; each subject of a repetition is a process of its own.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Measure, Row, Subject, Workload } from "./lib.ts"
import { collect, passes, table, type Repetition, type Result } from "./report.ts"
import { rows } from "./rows.ts"

const here = dirname(fileURLToPath(import.meta.url))

/** Longest that one subject may take, warm-up and building of its state included. */
const SUBJECT_SECONDS_MAX = 180

const { values: options } = parseArgs({
  options: {
    row: { type: "string" },
    workload: { type: "string" },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    reps: { type: "string", default: "3" },
    seconds: { type: "string", default: "1" },
    /** Internal: `row/workload/subject` to measure in this process. */
    subject: { type: "string" }
  },
  allowPositionals: true
})

const fail = (message: string): never => {
  console.error(message)
  return process.exit(2)
}

const listRows = (): string =>
  Object.entries(rows)
    .map(([id, { title }]) => `  --row ${id.padEnd(8)} ${title}`)
    .join("\n")

const entryOf = (id: string) => rows[id] ?? fail(`There is no row "${id}". There are:\n${listRows()}`)

const load = (id: string): Promise<Row> => {
  const entry = entryOf(id)
  return "load" in entry ? entry.load() : fail(`Row ${id} is a program of its own: bench/${entry.script}`)
}

const roles = ["ours", "peer", "limit"] as const
type Role = (typeof roles)[number]

/** Child: measures one subject and prints it. */
const measureHere = async (address: string): Promise<void> => {
  const [id, workload, role] = JSON.parse(address) as readonly [string, number, Role]
  const subject: Subject | undefined = (await load(id)).workloads[workload]?.[role]
  if (subject === undefined) return fail(`no subject ${address}`)
  process.stdout.write(`${JSON.stringify(await subject.run(Number(options.seconds)))}\n`)
  // Layers may keep the process: what had to be measured has been.
  process.exit(0)
}

/** Parent: starts a process for one subject. A subject that dies is an error, never a missing figure. */
const measureApart = (id: string, workload: number, role: Role): Measure => {
  const address = JSON.stringify([id, workload, role])
  const { signal, status, stderr, stdout } = spawnSync(
    process.execPath,
    ["--expose-gc", join(here, "main.ts"), "--subject", address, "--seconds", options.seconds],
    { encoding: "utf8", timeout: SUBJECT_SECONDS_MAX * 1000, maxBuffer: 1 << 26 }
  )
  if (status !== 0)
    throw new Error(`subject ${address} ended with ${signal ?? `exit code ${status}`}:\n${stderr.slice(-4000)}`)
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measure
}

const repeat = (id: string, workload: Workload, index: number): Result => {
  const rival = (role: "peer" | "limit") =>
    workload[role] === undefined ? {} : { [role]: measureApart(id, index, role) }
  const repetitions = Array.from({ length: Number(options.reps) }, (): Repetition => ({
    ours: measureApart(id, index, "ours"),
    ...rival("peer"),
    ...rival("limit")
  }))
  const run = { seconds: Number(options.seconds), load: loadavg()[0]!, cores: cpus().length }
  return collect(id, workload, repetitions, run)
}

/** The newest results of a row, kept as evidence; a run of one workload alone keeps nothing. */
const keep = (id: string, results: ReadonlyArray<object>): void => {
  if (options.workload !== undefined) return
  const folder = join(here, "results")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `row-${id}.jsonl`), results.map((result) => `${JSON.stringify(result)}\n`).join(""))
}

const runScript = (id: string, script: string): boolean => {
  const args = [join(here, script), ...(options.json ? ["--json"] : [])]
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  process.stdout.write(stdout)
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"))
  if (lines.length > 0) {
    keep(
      id,
      lines.map((line) => ({ row: id, ...(JSON.parse(line) as object) }))
    )
  }
  return status === 0
}

const runRow = async (id: string): Promise<boolean> => {
  const entry = entryOf(id)
  if (!options.json) console.log(`\nrow ${id}: ${entry.title}`)
  if ("script" in entry) return runScript(id, entry.script)
  const row = await entry.load()
  const results: Array<Result> = []
  for (const [index, workload] of row.workloads.entries()) {
    if (options.workload !== undefined && !workload.name.includes(options.workload)) continue
    const result = repeat(id, workload, index)
    results.push(result)
    console.log(options.json ? JSON.stringify(result) : table(result))
  }
  keep(id, results)
  return results.every(passes)
}

if (options.subject !== undefined) await measureHere(options.subject)
if (options.list || options.row === undefined) {
  console.log(
    `npm run bench -- --row N [--json] [--reps 3] [--seconds 1] [--workload text]\n${listRows()}\n  --row all`
  )
  process.exit(options.list ? 0 : 2)
}
let allOk = true
for (const id of options.row === "all" ? Object.keys(rows) : options.row.split(",")) allOk = (await runRow(id)) && allOk
process.exitCode = allOk ? 0 : 1
