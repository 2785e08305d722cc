/**
 * What the clients of a run asked and saw, by key, and its judgement. The kind of a key follows from its number, so that
 * every run has registers, queues, sets, locks and counters as its number of keys allows.
 */
import {
  check,
  counter,
  type CounterInput,
  HistoryRecorder,
  lock,
  type LockInput,
  type LockOutput,
  type Model,
  queue,
  type QueueInput,
  register,
  type RegisterInput,
  set,
  type SetInput,
  type Value
} from "../Linearizability.ts"
import { invariant } from "./invariant.ts"
import type { Answer, Command } from "./Machine.ts"
import type { SeededRandom } from "./Random.ts"

/** One object under test: what clients may ask of it, and how it is recorded. */
interface Subject {
  readonly draw: (random: SeededRandom, value: number, client: number) => Omit<Command, "key" | "id">
  readonly call: (client: string, command: Command) => number
  readonly ok: (id: number, command: Command, answer: Answer) => void
  readonly failed: (id: number) => void
  readonly unknown: (id: number) => void
  readonly verdict: (stepsMax: number) => { readonly _tag: string; readonly text?: string }
  readonly size: () => number
}

const make = <S, I, O>(
  model: Model<S, I, O>,
  draw: Subject["draw"],
  input: (command: Command) => I,
  output: (command: Command, answer: Answer) => O
): Subject => {
  const recorder = new HistoryRecorder<I, O>()
  return {
    draw,
    call: (client, command) => recorder.call(client, input(command)),
    ok: (id, command, answer) => recorder.ok(id, output(command, answer)),
    failed: (id) => recorder.failed(id),
    unknown: (id) => recorder.unknown(id),
    verdict: (stepsMax) => check(model, recorder.history(), { stepsMax, configurationsMax: 100_000 }),
    size: () => recorder.history().length
  }
}

const registerSubject = (): Subject =>
  make<Value, RegisterInput, Value>(
    register(0),
    (random, value) =>
      random.chance(0.7)
        ? { op: "write", value, expected: 0 }
        : { op: "cas", value, expected: Math.max(0, value - random.between(1, 4)) },
    ({ expected, op, value }) =>
      op === "write" ? { op, value } : op === "cas" ? { op, from: expected, to: value } : { op: "read" },
    ({ op }, { ok, value }) => (op === "write" ? null : op === "cas" ? ok : value)
  )

const queueSubject = (): Subject =>
  make<ReadonlyArray<Value>, QueueInput, Value>(
    queue(),
    (random, value) => ({ op: random.chance(0.55) ? "offer" : "poll", value, expected: 0 }),
    ({ op, value }) => (op === "offer" ? { op, value } : { op: "poll" }),
    ({ op }, { ok, value }) => (op === "offer" ? ok : ok ? value : null)
  )

const setSubject = (): Subject => {
  const opOf = ({ op }: Command): "add" | "remove" | "has" => (op === "add" || op === "remove" ? op : "has")
  return make<ReadonlyMap<string, Value>, SetInput, Value>(
    set(),
    (random) => ({ op: random.chance(0.6) ? "add" : "remove", value: random.below(6), expected: 0 }),
    (command) => ({ op: opOf(command), element: command.value }),
    (_command, { ok }) => ok
  )
}

const lockSubject = (): Subject => {
  const model: Model<unknown, LockInput, LockOutput> = lock() as Model<unknown, LockInput, LockOutput>
  return make<unknown, LockInput, LockOutput>(
    model,
    (random, _value, client) => ({ op: random.chance(0.5) ? "acquire" : "release", value: client + 1, expected: 0 }),
    ({ op, value }) => ({ op: op === "acquire" ? op : "release", owner: `c${value}` }),
    (_command, { ok }) => ok
  )
}

const counterSubject = (): Subject =>
  make<number, CounterInput, number | null>(
    counter(),
    (random) => ({ op: "bump", value: random.between(1, 5), expected: 0 }),
    ({ op, value }) => (op === "bump" ? { op: "add", amount: value } : { op: "read" }),
    (_command, { value }) => value
  )

const kinds = [registerSubject, queueSubject, counterSubject, lockSubject, setSubject] as const

/** The query that reads a key outside of the log; queues and locks have none. */
const queries: ReadonlyArray<"read" | "has" | undefined> = ["read", undefined, "read", undefined, "has"]

export class Histories {
  private readonly subjects: Array<Subject> = []

  constructor(keys: number) {
    for (let key = 0; key < keys; key++) this.subjects.push((kinds[key % kinds.length] as (typeof kinds)[number])())
  }

  draw(key: number, random: SeededRandom, value: number, client: number, id: number): Command {
    return { ...this.subject(key).draw(random, value, client), key, id }
  }

  /** A read of the key outside of the log, if its kind has one. */
  drawRead(key: number, random: SeededRandom): Command | undefined {
    const op = queries[key % kinds.length]
    return op === undefined ? undefined : { op, key, value: random.below(6), expected: 0, id: 0 }
  }

  call(client: number, command: Command): number {
    return this.subject(command.key).call(`c${client}`, command)
  }

  ok(id: number, command: Command, answer: Answer): void {
    this.subject(command.key).ok(id, command, answer)
  }

  failed(id: number, command: Command): void {
    this.subject(command.key).failed(id)
  }

  unknown(id: number, command: Command): void {
    this.subject(command.key).unknown(id)
  }

  /** Judges all keys. Throws at the first that no order explains; gives the number of keys left undecided. */
  judge(stepsMax: number): { readonly operations: number; readonly undecided: number } {
    let undecided = 0
    let operations = 0
    this.subjects.forEach((subject, key) => {
      operations += subject.size()
      const verdict = subject.verdict(stepsMax)
      if (verdict._tag === "Undecided") undecided++
      invariant(
        verdict._tag !== "NotLinearizable",
        "what clients saw is linearizable (thesis 6.3, 6.4)",
        () => `key ${key}\n${verdict.text ?? ""}`
      )
    })
    return { operations, undecided }
  }

  private subject(key: number): Subject {
    return this.subjects[key] as Subject
  }
}
