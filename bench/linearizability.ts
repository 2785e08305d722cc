/**
 * How fast the linearizability checker decides: 10,000 operations of 10 clients, on one register (nothing to split), on a map
 * of 20 keys, and on one queue; honest, with 1 % unknown outcomes, and with one stale read.
 * Target: at most 10 s for each. Run: `node bench/linearizability.ts [--seed N]`; prints a line per row, then JSON.
 */
import { type History, type Model } from "../packages/raft/testing/Linearizability.ts"
import * as Linearizability from "../packages/raft/testing/Linearizability.ts"
import { SeededRandom } from "../packages/raft/testing/sim/Random.ts"

export interface Row {
  readonly name: string
  readonly operations: number
  readonly seconds: number
  readonly verdict: string
  readonly steps: number
}

const operations = 10_000
const clients = 10

interface Shape<I, O> {
  readonly draw: (random: SeededRandom, number: number) => I
  readonly apply: (input: I) => O
}

/** Ten clients in random order of calls, effects and returns; an effect is one instant between call and return. */
const record = <I, O>(random: SeededRandom, shape: Shape<I, O>, unknownPerMille: number): History<I, O> => {
  const recorder = new Linearizability.HistoryRecorder<I, O>()
  const open = new Map<number, { readonly id: number; readonly input: I; answer?: { readonly output: O } }>()
  let started = 0
  while (started < operations || open.size > 0) {
    const client = random.below(clients)
    const call = open.get(client)
    if (call === undefined) {
      if (started >= operations) continue
      const input = shape.draw(random, started++)
      open.set(client, { id: recorder.call(`c${client}`, input), input })
    } else if (call.answer === undefined) call.answer = { output: shape.apply(call.input) }
    else {
      if (random.below(1000) < unknownPerMille) recorder.unknown(call.id)
      else recorder.ok(call.id, call.answer.output)
      open.delete(client)
    }
  }
  return recorder.history()
}

const measure = <S, I, O>(name: string, model: Model<S, I, O>, history: History<I, O>): Row => {
  const start = performance.now()
  const verdict = Linearizability.check(model, history)
  const seconds = (performance.now() - start) / 1000
  return { name, operations: history.length, seconds, verdict: verdict._tag, steps: verdict.steps }
}

type RegisterInput = Linearizability.RegisterInput
type RegisterOutput = Linearizability.RegisterOutput

const registerHistory = (random: SeededRandom, unknownPerMille: number): History<RegisterInput, RegisterOutput> => {
  let value: Linearizability.Value = null
  return record<RegisterInput, RegisterOutput>(
    random,
    {
      draw: (draws, number) => (draws.below(2) === 0 ? { op: "read" } : { op: "write", value: number }),
      apply: (input) => {
        if (input.op === "write") value = input.value
        return input.op === "write" ? null : value
      }
    },
    unknownPerMille
  )
}

/** One read, 9,000 operations in, answers what was there 100 values ago. */
const withStaleRead = (history: History<RegisterInput, RegisterOutput>): History<RegisterInput, RegisterOutput> => {
  const writes = history.filter(({ input }) => input.op === "write")
  const old = writes[Math.floor(writes.length * 0.9) - 100]!.input as RegisterInput & { readonly op: "write" }
  const at = history.findIndex(
    ({ call, input }) => input.op === "read" && call > writes[Math.floor(writes.length * 0.9)]!.call
  )
  return history.map((operation, index) => (index === at ? { ...operation, output: old.value } : operation))
}

const mapHistory = (random: SeededRandom, unknownPerMille: number) => {
  const cells = new Map<string, Linearizability.Value>()
  return record<Linearizability.MapInput, Linearizability.MapOutput>(
    random,
    {
      draw: (draws, number) => {
        const key = `k${draws.below(20)}`
        return draws.below(2) === 0 ? { op: "get", key } : { op: "set", key, value: number }
      },
      apply: (input) => {
        if (input.op !== "get" && input.op !== "set") return null
        if (input.op === "set") cells.set(input.key, input.value)
        return input.op === "set" ? null : (cells.get(input.key) ?? null)
      }
    },
    unknownPerMille
  )
}

const queueHistory = (random: SeededRandom) => {
  const values: Array<Linearizability.Value> = []
  return record<Linearizability.QueueInput, Linearizability.QueueOutput>(
    random,
    {
      draw: (draws, number) => (draws.below(2) === 0 ? { op: "offer", value: number } : { op: "poll" }),
      apply: (input) => {
        if (input.op === "offer") return values.push(input.value) > 0
        return values.shift() ?? null
      }
    },
    0
  )
}

export const run = async (seed = 1): Promise<ReadonlyArray<Row>> => {
  const random = new SeededRandom(seed, "bench")
  const { map, queue, register } = Linearizability
  const honest = registerHistory(random, 0)
  return [
    measure("register, honest", register(), honest),
    measure("register, 1 % unknown", register(), registerHistory(random, 10)),
    measure("register, one stale read, shrunk", register(), withStaleRead(honest)),
    measure("map of 20 keys, honest", map(), mapHistory(random, 0)),
    measure("map of 20 keys, 1 % unknown", map(), mapHistory(random, 10)),
    measure("queue, honest", queue(), queueHistory(random))
  ]
}

if (import.meta.main) {
  const at = process.argv.indexOf("--seed")
  const rows = await run(at === -1 ? 1 : Number(process.argv[at + 1]))
  for (const { name, operations: count, seconds, steps, verdict } of rows) {
    console.log(
      `${name.padEnd(34)} ${count} operations ${seconds.toFixed(2).padStart(6)} s  ${verdict}, ${steps} steps`
    )
  }
  console.log(JSON.stringify(rows))
}
