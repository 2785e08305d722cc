/**
 * Histories: what the clients of a shared object saw, and when. Data and pure functions; the recorder counts events
 * instead of reading a clock, so a history recorded in a simulation is the same on every run.
 *
 * Times only order events. An operation takes effect at one instant within `[call, returned]`; operation A is before B
 * when `A.returned < B.call`, and equal times count as concurrent (the weaker claim, so no false alarm comes of it).
 */

/** Stands for an answer that never came: the operation may take effect at any time after its call, or never. */
export const unknown: unique symbol = Symbol("weft/unknown outcome")
export type Unknown = typeof unknown

/** One call of a client. `returned` is `undefined` exactly when `output` is `unknown`. */
export interface Operation<I, O> {
  /** Position in the recorded history; names the operation in counterexamples. */
  readonly id: number
  readonly client: string
  readonly call: number
  readonly returned: number | undefined
  readonly input: I
  readonly output: O | Unknown
}

/** Operations in any order. Calls that certainly had no effect ("failed") do not belong in it: leave them out. */
export type History<I, O> = ReadonlyArray<Operation<I, O>>

/** A history that no client can have seen: an operation that returns before its call, or a time that is no number. */
export class HistoryMalformed extends Error {
  override readonly name = "HistoryMalformed"
}

/** Refuses what would make a verdict meaningless. Cost: O(operations). */
export const validate = <I, O>(history: History<I, O>): void => {
  const ids = new Set<number>()
  for (const operation of history) {
    const { call, id, output, returned } = operation
    if (ids.has(id)) throw new HistoryMalformed(`operation ${id} stands twice in the history; give each its own id`)
    ids.add(id)
    if (!Number.isFinite(call)) throw new HistoryMalformed(`operation ${id} has the call time ${call}`)
    if ((returned === undefined) !== (output === unknown)) {
      throw new HistoryMalformed(`operation ${id} must have both a return time and an output, or neither`)
    }
    if (returned !== undefined && !(returned >= call)) {
      throw new HistoryMalformed(`operation ${id} returns at ${returned}, before its call at ${call}`)
    }
  }
}

/** Records one history by counting events: each call and each return gets the next number, so no two are equal. */
export class HistoryRecorder<I, O> {
  #events = 0
  readonly #open = new Map<number, { readonly client: string; readonly call: number; readonly input: I }>()
  readonly #done: Array<Operation<I, O>> = []
  #nextId = 0

  /** A client calls; keep the number for `ok`, `failed` or `unknown`. */
  call(client: string, input: I): number {
    const id = this.#nextId++
    this.#open.set(id, { client, call: this.#events++, input })
    return id
  }

  /** The answer arrived. */
  ok(id: number, output: O): void {
    this.#done.push({ id, ...this.#take(id), returned: this.#events++, output })
  }

  /** It is certain that the operation had no effect and never will: it leaves the history. */
  failed(id: number): void {
    this.#take(id)
  }

  /** No answer, or one that does not say. The same as never closing it; kept for code that says what it means. */
  unknown(id: number): void {
    this.#done.push({ id, ...this.#take(id), returned: undefined, output: unknown })
  }

  /** All operations so far in call order; open ones count as unknown. Cost: O(n log n). */
  history(): History<I, O> {
    const open = Array.from(this.#open, ([id, call]): Operation<I, O> => {
      return { id, ...call, returned: undefined, output: unknown }
    })
    return [...this.#done, ...open].sort((a, b) => a.call - b.call)
  }

  #take(id: number): { readonly client: string; readonly call: number; readonly input: I } {
    const open = this.#open.get(id)
    if (open === undefined) throw new HistoryMalformed(`operation ${id} is not open: never called, or closed before`)
    this.#open.delete(id)
    return open
  }
}

/** One JSON object a line, as processes write them while they run. Inputs and outputs must be JSON values. */
export const toNdjson = <I, O>(history: History<I, O>): string =>
  history
    .map(({ call, client, id, input, output, returned }) =>
      JSON.stringify(
        returned === undefined ? { id, client, call, input } : { id, client, call, returned, input, output }
      )
    )
    .join("\n")

/** Reads `toNdjson` back; the types of input and output are the caller's claim. Throws `HistoryMalformed`. */
export const fromNdjson = <I, O>(text: string): History<I, O> => {
  const history = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line, index): Operation<I, O> => {
      try {
        const row = JSON.parse(line)
        return { returned: undefined, ...row, output: "returned" in row ? row.output : unknown }
      } catch (cause) {
        throw new HistoryMalformed(`line ${index + 1} of the history is no JSON object: ${line.slice(0, 80)}`, {
          cause
        })
      }
    })
  validate(history)
  return history
}
