/**
 * Histories for tests of the checker: short ways to write them, an exhaustive checker to agree with, and simulated objects
 * that can be told to lie.
 */
import {
  type History,
  type HistoryRecorder,
  illegal,
  type Model,
  type Operation,
  unknown
} from "../../testing/Linearizability.ts"
import type { SeededRandom } from "../../testing/sim/Random.ts"

/** `[client, call, returned, input, output]`; without the last two times and output the outcome is unknown. */
export type Line<I, O> =
  | readonly [client: string, call: number, returned: number, input: I, output: O]
  | readonly [client: string, call: number, input: I]

export const historyOf = <I, O>(lines: ReadonlyArray<Line<I, O>>): History<I, O> =>
  lines.map((line, id): Operation<I, O> => {
    if (line.length === 3) {
      return { id, client: line[0], call: line[1], returned: undefined, input: line[2], output: unknown }
    }
    return { id, client: line[0], call: line[1], returned: line[2], input: line[3], output: line[4] }
  })

/** Tries every order of every choice of unknown operations. Cost: factorial; for 8 operations at most. */
export const exhaustive = <S, I, O>(model: Model<S, I, O>, history: History<I, O>): boolean => {
  const go = (state: S, left: ReadonlyArray<Operation<I, O>>): boolean => {
    const answered = left.filter(({ output }) => output !== unknown)
    if (answered.length === 0) return true
    const deadline = Math.min(...answered.map(({ returned }) => returned!))
    return left.some((operation) => {
      if (operation.call > deadline) return false
      const next = model.step(state, operation.input, operation.output)
      return (
        next !== illegal &&
        go(
          next,
          left.filter((other) => other !== operation)
        )
      )
    })
  }
  return go(model.initial, history)
}

/** Random intervals and random answers of a small alphabet: about half of them have an order. */
export const randomHistory = <I, O>(
  random: SeededRandom,
  count: number,
  draw: (random: SeededRandom) => readonly [input: I, output: O]
): History<I, O> => {
  const lines = Array.from({ length: count }, (_, at): Line<I, O> => {
    const call = random.below(2 * count)
    const [input, output] = draw(random)
    const client = `c${at}`
    return random.below(5) === 0 ? [client, call, input] : [client, call, call + 1 + random.below(count), input, output]
  })
  return historyOf(lines)
}

/** What the simulated object may do wrong. */
export interface Lies {
  /** Answers from the value before the last one, in so many of 1,000 reads. */
  readonly staleReads?: number
  /** Acknowledges and forgets, so many of 1,000 writes. */
  readonly lostWrites?: number
  /** Answers of so many of 1,000 operations get lost (not a lie: the clients know that they do not know). */
  readonly lostAnswers?: number
}

/** Runs clients against an object that takes effect at a random instant between call and return. Counts what was done wrong. */
export const simulate = <I, O>(
  random: SeededRandom,
  recorder: HistoryRecorder<I, O>,
  options: { readonly clients: number; readonly operations: number; readonly lies: Lies },
  object: {
    readonly draw: (random: SeededRandom, number: number) => I
    readonly apply: (input: I, lie: (kind: "staleReads" | "lostWrites") => boolean) => O
  }
): void => {
  const { clients, lies, operations } = options
  interface Call {
    readonly id: number
    readonly input: I
    effect: { readonly output: O } | undefined
  }
  const open = new Map<number, Call>()
  const chance = (perMille: number | undefined): boolean => random.below(1000) < (perMille ?? 0)
  let started = 0
  while (started < operations || open.size > 0) {
    const client = random.below(clients)
    const call = open.get(client)
    if (call === undefined) {
      if (started >= operations) continue
      const input = object.draw(random, started++)
      open.set(client, { id: recorder.call(`c${client}`, input), input, effect: undefined })
    } else if (call.effect === undefined) {
      if (chance(lies.lostAnswers)) {
        // Lost on the way there, or on the way back.
        if (random.below(2) === 0) object.apply(call.input, () => false)
        recorder.unknown(call.id)
        open.delete(client)
      } else call.effect = { output: object.apply(call.input, (kind) => chance(lies[kind])) }
    } else {
      recorder.ok(call.id, call.effect.output)
      open.delete(client)
    }
  }
}
