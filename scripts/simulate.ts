/**
 * Runs the Raft simulation over many seeds: `npm run simulate -- --seeds 20000 --from 1 --workers 2`.
 *
 * Each seed runs twice and must give the same digest. A failure prints the rule, the seed and the command that replays it
 * with a trace. The last line adds everything up; the exit code is 1 if any seed failed.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { type Branch, BranchCoverage } from "./branchCoverage.ts"
import { coverageProfile } from "../packages/raft/testing/sim/coverageProfiles.ts"
import type * as CampaignModule from "../packages/raft/testing/sim/Campaign.ts"
import type { Overrides } from "../packages/raft/testing/sim/Options.ts"
import type * as SimulationModule from "../packages/raft/testing/sim/Simulation.ts"

const usage = `node scripts/simulate.ts [options]
  --seeds N      how many seeds (default 300)
  --from S       first seed (default 1)
  --minutes M    stop after so many minutes, whatever is left
  --workers W    threads (default 1)
  --seed S       one seed alone; with --trace, a trace of it that a person can read
  --trace        print the trace of --seed, or of the first failure
  --last N       lines of the trace from its end (default 400 for a failure, all for --seed)
  --grep TEXT    lines of the trace that contain TEXT alone
  --once         run each seed once (no comparison of digests)
  --nodes N      voters at the start
  --set JSON     overrides of the drawn options, see testing/sim/Options.ts (Overrides)
  --coverage     count the branches of src/core that were reached (one worker, slower)
  --keep-going   do not stop at the first failure
  --quiet        the last line alone
  --json         print the sums as JSON`

const { values: args } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string" },
    minutes: { type: "string" },
    workers: { type: "string" },
    seed: { type: "string" },
    trace: { type: "boolean" },
    last: { type: "string" },
    grep: { type: "string" },
    once: { type: "boolean" },
    nodes: { type: "string" },
    set: { type: "string" },
    coverage: { type: "boolean" },
    "keep-going": { type: "boolean" },
    quiet: { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean" }
  },
  ...(isMainThread ? {} : { args: (workerData as { readonly argv: ReadonlyArray<string> }).argv.slice() })
})

const overrides: Overrides = {
  ...(args.set === undefined ? {} : (JSON.parse(args.set) as Overrides)),
  ...(args.nodes === undefined ? {} : { nodes: Number(args.nodes) })
}

const coreFolder = new URL("../packages/raft/src/core/", import.meta.url).pathname

/** Loaded late, so that coverage counts from the first line. */
const load = async (): Promise<typeof SimulationModule & typeof CampaignModule> => ({
  ...(await import("../packages/raft/testing/sim/Simulation.ts")),
  ...(await import("../packages/raft/testing/sim/Campaign.ts"))
})

/** The options of a seed as this command runs it: with coverage, most seeds are aimed at what general ones reach seldom. */
const overridesOf = (seed: number): Overrides =>
  args.coverage === true ? { ...coverageProfile(seed), ...overrides } : overrides

const runSeed = (
  { simulate, summarize }: Awaited<ReturnType<typeof load>>,
  seed: number
): CampaignModule.RunSummary => {
  const before = process.threadCpuUsage()
  // With coverage, some runs are traced, so that what makes the text of a trace counts too.
  const trace =
    args.coverage === true && seed % 10 === 0
      ? (_at: number, _who: string, text: () => string) => void text()
      : undefined
  const report = simulate(seed, overridesOf(seed), trace)
  const { system, user } = process.threadCpuUsage(before)
  const summary = summarize(report, (system + user) / 1000)
  if (args.once === true || report.failure !== undefined) return summary
  const again = simulate(seed, overridesOf(seed))
  if (again.digest === report.digest && again.steps === report.steps) return summary
  const message = `digest ${report.digest} and ${again.digest}, steps ${report.steps} and ${again.steps}`
  return { ...summary, failure: { rule: "a seed gives one run", message } }
}

const print = (text: string): void => {
  if (args.quiet !== true) console.log(text)
}

const replayCommand = (seed: number): string => {
  const options = overridesOf(seed)
  const set = Object.keys(options).length === 0 ? "" : ` --set '${JSON.stringify(options)}'`
  return `npm run simulate -- --seed ${seed} --trace${set}`
}

const printTrace = async (seed: number, last: number): Promise<void> => {
  const { simulate } = await load()
  const lines: Array<string> = []
  simulate(seed, overridesOf(seed), (micros, who, text) => {
    const line = `${(micros / 1_000_000).toFixed(6).padStart(11)} ${who.padEnd(8)} ${text()}`
    if (args.grep === undefined || line.includes(args.grep)) lines.push(line)
    if (lines.length > 2 * last) lines.splice(0, last)
  })
  console.log(lines.slice(-last).join("\n"))
}

const runOne = async (seed: number): Promise<void> => {
  const modules = await load()
  const { drawOptions } = await import("../packages/raft/testing/sim/Options.ts")
  print(`options of seed ${seed}: ${JSON.stringify(drawOptions(seed, overridesOf(seed)))}`)
  if (args.trace === true) await printTrace(seed, Number(args.last ?? 10_000_000))
  const summary = runSeed(modules, seed)
  print(JSON.stringify(summary, null, 1))
  if (summary.failure === undefined) console.log(`seed ${seed}: no failure, digest ${summary.digest}`)
  else {
    console.log(`seed ${seed} FAILED: ${summary.failure.rule}\n${summary.failure.message}`)
    process.exitCode = 1
  }
}

interface Progress {
  readonly done: (summary: CampaignModule.RunSummary) => void
  readonly next: () => number | undefined
}

const runHere = async (progress: Progress): Promise<void> => {
  const modules = await load()
  for (let seed = progress.next(); seed !== undefined; seed = progress.next()) progress.done(runSeed(modules, seed))
}

const runInWorkers = (workers: number, progress: Progress): Promise<void> =>
  new Promise((resolve, reject) => {
    let running = workers
    for (let i = 0; i < workers; i++) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { argv: process.argv.slice(2) } })
      const feed = (): void => {
        const seed = progress.next()
        worker.postMessage(seed ?? "stop")
      }
      worker.on("message", (summary: CampaignModule.RunSummary | "ready") => {
        if (summary !== "ready") progress.done(summary)
        feed()
      })
      worker.on("error", reject)
      worker.on("exit", () => {
        if (--running === 0) resolve()
      })
    }
  })

const serve = async (): Promise<void> => {
  const modules = await load()
  parentPort?.on("message", (seed: number | "stop") => {
    if (seed === "stop") parentPort?.close()
    else parentPort?.postMessage(runSeed(modules, seed))
  })
  parentPort?.postMessage("ready")
}

const table = (title: string, counts: ReadonlyMap<string, number>): void => {
  print(`\n${title}`)
  for (const [name, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    print(`  ${name.padEnd(44)} ${String(count).padStart(12)}`)
  }
}

/** Branches that no run is expected to reach, with why: `file:text` of the line. */
const reasonOf = async ({ arm, file, text }: Branch): Promise<string | undefined> => {
  const { unreachedReasons } = await import("../packages/raft/testing/sim/unreached.ts")
  const name = file.slice(coreFolder.length)
  return unreachedReasons.find(
    (one) => one.file === name && text.includes(one.text) && (one.arm === undefined || arm.startsWith(one.arm))
  )?.reason
}

const printCoverage = async (branches: ReadonlyArray<Branch>): Promise<void> => {
  const reached = branches.filter(({ count }) => count > 0).length
  let explained = 0
  for (const branch of branches) {
    if (branch.count > 0) continue
    const { arm, file, line, text } = branch
    const reason = await reasonOf(branch)
    if (reason !== undefined) explained++
    console.log(
      `  not reached: ${file.slice(coreFolder.length)}:${line} ${arm}: ${text}\n      ${reason ?? "NO REASON IS GIVEN"}`
    )
  }
  const percent = ((100 * reached) / branches.length).toFixed(2)
  const rest = branches.length - reached
  console.log(
    `branches of src/core reached: ${reached} of ${branches.length} (${percent} %); of the other ${rest}, ${explained} have a reason`
  )
}

const main = async (): Promise<void> => {
  if (args.help === true) return console.log(usage)
  if (args.seed !== undefined) return runOne(Number(args.seed))
  const { Campaign } = await import("../packages/raft/testing/sim/Campaign.ts")
  const campaign = new Campaign()
  const total = Number(args.seeds ?? 300)
  const from = Number(args.from ?? 1)
  const began = performance.now()
  const deadline = args.minutes === undefined ? Infinity : began + Number(args.minutes) * 60_000
  const minutes = (): number => (performance.now() - began) / 60_000
  let next = 0
  let printed = began
  const progress: Progress = {
    next: () => {
      const stop = campaign.failures.length > 0 && args["keep-going"] !== true
      return next < total && !stop && performance.now() < deadline ? from + next++ : undefined
    },
    done: (summary) => {
      campaign.add(summary)
      if (summary.failure !== undefined) {
        const { message, rule } = summary.failure
        console.log(
          `\nseed ${summary.seed} FAILED: ${rule}\n  ${message.slice(0, 2000)}\n  replay: ${replayCommand(summary.seed)}`
        )
      }
      if (performance.now() - printed > 10_000) {
        printed = performance.now()
        print(
          `${campaign.seeds} of ${total} seeds, ${(campaign.seeds / minutes()).toFixed(0)} a minute, ` +
            `${campaign.timesReal.toFixed(0)}x real time a core, ${campaign.failures.length} failures`
        )
      }
    }
  }
  const coverage = args.coverage === true ? new BranchCoverage((file) => file.startsWith(coreFolder)) : undefined
  const coreFiles = readdirSync(coreFolder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(coreFolder, name))
  await coverage?.start(coreFiles)
  const workers = coverage === undefined ? Number(args.workers ?? 1) : 1
  if (workers > 1) await runInWorkers(workers, progress)
  else await runHere(progress)
  table("faults", campaign.faults.counts)
  table("messages", campaign.messages.counts)
  table("transitions", campaign.transitions.counts)
  table("sizes", campaign.nodes.counts)
  const unreached = campaign.unreached()
  print(
    unreached.length === 0 ? "\nevery fault, message and role transition was reached" : `\nNOT REACHED: ${unreached}`
  )
  print(
    `worst after healing: a leader after ${campaign.worstElection.timeouts.toFixed(2)} election timeouts (seed ` +
      `${campaign.worstElection.seed}), all equal after ${(campaign.worstConvergence.micros / 1e6).toFixed(1)} s (seed ${campaign.worstConvergence.seed})`
  )
  print(
    `${campaign.checks} invariant checks, ${campaign.committed} entries, ${campaign.operations} client operations judged, ` +
      `${campaign.undecided} keys undecided`
  )
  print(
    `${(campaign.seeds / minutes()).toFixed(0)} seeds a minute${args.once === true ? "" : " (each run twice)"}, ` +
      `${campaign.timesReal.toFixed(0)} times faster than real time by processor time, ` +
      `${(campaign.simulatedMicros / 60e6 / minutes()).toFixed(0)} by the clock on the wall`
  )
  if (coverage !== undefined) {
    await printCoverage(await coverage.stop())
  }
  if (args.json === true) {
    const { checks, faults, messages, seeds, simulatedMicros, steps, timesReal, transitions } = campaign
    console.log(
      JSON.stringify({
        seeds,
        steps,
        checks,
        simulatedMicros,
        timesReal,
        faults: faults.toRecord(),
        messages: messages.toRecord(),
        transitions: transitions.toRecord()
      })
    )
  }
  const [first] = campaign.failures
  if (first !== undefined && args.trace === true) await printTrace(first.seed, Number(args.last ?? 400))
  console.log(
    `${campaign.seeds} seeds, ${campaign.steps} steps, ${campaign.faults.total()} faults, ${campaign.failures.length} failures`
  )
  if (campaign.failures.length > 0) process.exitCode = 1
}

await (isMainThread ? main() : serve())
