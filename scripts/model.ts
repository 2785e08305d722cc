/**
 * Checks the models of tree locks and tuple spaces at their large sizes: every state of every small world.
 *
 *   npm run model -- [--only TEXT]... [--short] [--states-max N] [--json] [--list]
 *
 * `--only`, as often as wanted, takes the groups whose name has one of the texts in it, `--short` the sizes of `npm test`. `--states-max` gives
 * up a world after N states, which then counts as cut and fails the run. `--json` prints one object a group, for programs.
 * A violation is printed as the shortest way to it. Progress goes to stderr.
 */
import { parseArgs } from "node:util"
import * as LockModels from "@weft/domain/testing/LockModels"
import * as TupleModels from "@weft/tuplespace/testing/TupleModels"
import { check, type Model, render } from "@weft/domain/testing/ModelChecker"

interface Group {
  readonly name: string
  readonly run: (judge: <S>(model: Model<S>) => void) => void
}

/** A group whose kind of state nobody needs to know. */
const groupOf = <S>({ models, name }: { readonly name: string; readonly models: ReadonlyArray<Model<S>> }): Group => ({
  name,
  run: (judge) => models.forEach((model) => judge(model))
})

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    short: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    "states-max": { type: "string" }
  }
})
const statesMax = values["states-max"] === undefined ? undefined : Number(values["states-max"])
if (statesMax !== undefined && !(Number.isSafeInteger(statesMax) && statesMax >= 1)) {
  throw new RangeError(`--states-max must be a whole number of at least 1, not ${values["states-max"]}`)
}
const wanted = values.only
const ofLocks = values.short ? LockModels.short() : LockModels.full()
const ofTuples = values.short ? TupleModels.short() : TupleModels.full()
const groups = [...ofLocks.map(groupOf), ...ofTuples.map(groupOf)].filter(
  ({ name }) => wanted === undefined || wanted.some((text) => name.includes(text))
)
if (groups.length === 0) throw new RangeError(`no group has "${wanted?.join(`" or "`)}" in its name: --list names them`)

interface Total {
  models: number
  states: number
  steps: number
  violations: number
  cut: number
}

const none = (): Total => ({ models: 0, states: 0, steps: 0, violations: 0, cut: 0 })

const progress = (name: string, seen: number, started: number): void => {
  const perSecond = Math.round(seen / Math.max(0.001, (performance.now() - started) / 1000))
  process.stderr.write(`  ${name}: ${seen} states, ${perSecond} a second\n`)
}

/** Longest silence. */
const progressMillis = 5_000

const runGroup = ({ name, run }: Group): Total => {
  const total = none()
  const started = performance.now()
  let told = started
  const tell = (states: number): void => {
    if (performance.now() - told < progressMillis) return
    told = performance.now()
    progress(name, total.states + states, started)
  }
  run((model) => {
    const found = check(model, { statesMax, progress: tell })
    total.models++
    total.states += found.states
    total.steps += found.steps
    if (found.violation !== undefined) {
      total.violations++
      process.stderr.write(`${render(model.name, found.violation)}\n`)
    } else if (!found.complete) total.cut++
  })
  const seconds = (performance.now() - started) / 1000
  if (values.json) console.log(JSON.stringify({ group: name, ...total, seconds: Number(seconds.toFixed(1)) }))
  else {
    const rate = Math.round(total.states / Math.max(0.001, seconds))
    const cut = total.cut === 0 ? "" : `, ${total.cut} cut`
    console.log(
      `${name}: ${total.models} models, ${total.states} states, ${total.violations} violations${cut} (${seconds.toFixed(1)} s, ${rate} states a second)`
    )
  }
  return total
}

const sum = none()
for (const group of groups) {
  if (values.list) {
    console.log(group.name)
    continue
  }
  const { cut, models, states, steps, violations } = runGroup(group)
  sum.models += models
  sum.states += states
  sum.steps += steps
  sum.violations += violations
  sum.cut += cut
}
if (!values.list) {
  const cut = sum.cut === 0 ? "" : `, ${sum.cut} cut`
  if (values.json) console.log(JSON.stringify({ total: sum }))
  else console.log(`${sum.models} models, ${sum.states} states, ${sum.violations} violations${cut}`)
}
process.exitCode = sum.violations + sum.cut === 0 ? 0 : 1
