/**
 * Puts known bugs back into a copy of the Raft package, one by one, and demands that each is caught:
 * `npm run mutations:raft -- [--only id,id] [--seeds N] [--aimed N] [--from S] [--workers W] [--table]
 * [--directed-only | --simulated-only | --aimed-only]`.
 *
 * Each bug is judged twice. Text scenarios and tests of single rules show that its place is reached at all: at least one
 * must notice it, and all must pass without it. Then general seeds of the simulation, from 1 on, until one fails; how many that took is
 * the figure. Where they were not enough, seeds aimed at the bug have their turn. `--table` writes docs/MUTATIONS-RAFT.md.
 */
import { parseArgs } from "node:util"
import { mutations } from "../packages/raft/test/mutations/all.ts"
import type { Mutation } from "../packages/raft/test/mutations/Mutation.ts"
import { type Directed, Mutant, type Simulated } from "./raft-mutations/Mutant.ts"
import { median, seedsNeeded, type Verdict, writeTable } from "./raft-mutations/table.ts"

const { values: args } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string" },
    aimed: { type: "string" },
    from: { type: "string" },
    workers: { type: "string" },
    table: { type: "boolean" },
    "aimed-only": { type: "boolean" },
    "directed-only": { type: "boolean" },
    "simulated-only": { type: "boolean" },
    list: { type: "boolean" }
  }
})

/** General seeds that a bug may need; then the aimed ones have their turn. */
const seedsMax = Number(args.seeds ?? 400)

/** Aimed seeds that a bug may need before it counts as missed. */
const aimedMax = Number(args.aimed ?? 1500)
const from = Number(args.from ?? 1)

const isDirected = args["aimed-only"] !== true && args["simulated-only"] !== true

const notRun: Simulated = { seeds: undefined, rule: "" }

const judge = async (mutant: Mutant, mutation: Mutation): Promise<Verdict> => {
  const restore = mutant.patch(mutation)
  try {
    const directed: Directed = isDirected ? await mutant.direct() : { scenarios: [], tests: [] }
    const isSimulated = args["directed-only"] !== true
    const general =
      isSimulated && args["aimed-only"] !== true ? await mutant.simulate(undefined, seedsMax, from) : notRun
    const isAimed = isSimulated && general.seeds === undefined && mutation.aimed !== undefined
    const aimed = isAimed ? await mutant.simulate(mutation.aimed, aimedMax, from) : notRun
    const rule = general.rule || aimed.rule
    return { ...directed, mutation, seedsMax, seeds: general.seeds, aimedSeeds: aimed.seeds, rule }
  } finally {
    restore()
  }
}

const describe = ({ aimedSeeds, mutation, rule, scenarios, seeds, tests }: Verdict): string =>
  `${mutation.id.padEnd(32)} ${(seeds !== undefined ? `${seeds} seeds` : aimedSeeds !== undefined ? `aimed ${aimedSeeds}` : "NOT CAUGHT").padEnd(10)} ` +
  `${scenarios.length} scenarios ${tests.length} tests  ${rule.slice(0, 110)}`

/** Without any bug nothing may be noticed. */
const demandQuiet = async (mutant: Mutant): Promise<void> => {
  const { scenarios, tests } = await mutant.direct()
  const noise = [...scenarios, ...tests]
  if (noise.length > 0) throw new Error(`without any bug these fail: ${noise.join(", ")}`)
}

const report = (verdicts: ReadonlyArray<Verdict>): void => {
  const isCaught = (one: Verdict): boolean => one.seeds !== undefined || one.aimedSeeds !== undefined
  const isReached = (one: Verdict): boolean => one.scenarios.length + one.tests.length > 0
  const seeds = verdicts.map(seedsNeeded)
  console.log(
    `${verdicts.length} bugs put back, ${verdicts.filter(isCaught).length} caught, ` +
      `${verdicts.filter(isReached).length} noticed by a directed scenario or test; ` +
      `median ${median(seeds)} seeds, worst ${Math.max(...seeds)}`
  )
  if (!verdicts.every((one) => isCaught(one) && isReached(one))) process.exitCode = 1
}

const main = async (): Promise<void> => {
  const only = args.only?.split(",")
  const chosen = mutations.filter(({ id }) => only === undefined || only.includes(id))
  if (args.list === true) return console.log(chosen.map(({ description, id }) => `${id}: ${description}`).join("\n"))
  const verdicts: Array<Verdict> = []
  const queue = [...chosen]
  const work = async (first: boolean): Promise<void> => {
    const mutant = new Mutant()
    try {
      if (first && isDirected) await demandQuiet(mutant)
      for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
        const verdict = await judge(mutant, mutation)
        verdicts.push(verdict)
        console.log(describe(verdict))
        // As far as it is known: a run that is cut short leaves what it found.
        if (args.table === true) writeTable(verdicts, from)
      }
    } finally {
      mutant.remove()
    }
  }
  await Promise.all(Array.from({ length: Number(args.workers ?? 2) }, (_, i) => work(i === 0)))
  report(verdicts)
  if (args.table === true) console.log(`the whole table: ${writeTable(verdicts, from)}`)
}

await main()
