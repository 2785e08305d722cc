/**
 * Histories as data: what each transaction asked and saw, and when it ran. Plain JSON, so that histories of several
 * processes merge and a failing one can be kept as a file. Pure but for `Recorder`, which collects.
 *
 * Times come from one clock for all that are merged: a counter within a process, the machine's monotonic clock
 * (`process.hrtime.bigint()` on Linux) between processes of one host. A real-time edge exists only where one transaction's
 * `end` is *before* another's `start`; equal times are concurrent.
 */

/** One operation on an object of the test, in the order the body ran it. Written and appended values are unique per key. */
export type Op =
  | { readonly f: "append"; readonly key: string; readonly value: number }
  | { readonly f: "list"; readonly key: string; readonly value: ReadonlyArray<number> }
  | { readonly f: "write"; readonly key: string; readonly value: number }
  /** `null`: the register was never written. */
  | { readonly f: "read"; readonly key: string; readonly value: number | null }

/**
 * How a transaction ended for its caller: `ok` (committed), `failed` (certainly without effect: it failed, was aborted or
 * refused) or `unknown` (it may have taken effect, once at most).
 */
export type Status = "ok" | "failed" | "unknown"

export interface Transaction {
  /** Who ran it; a process runs one transaction at a time. */
  readonly process: string
  readonly status: Status
  /** Before its first read. */
  readonly start: number
  /** After its reply; for `unknown` it is not used, as it may take effect at any later time. */
  readonly end: number
  /** Operations of the attempt that decided, in order. */
  readonly ops: ReadonlyArray<Op>
}

/** All transactions of a test, in any order. */
export type History = ReadonlyArray<Transaction>

/** Histories of several processes as one. Fails with `RangeError` when a process name occurs in two of them. */
export const merge = (histories: ReadonlyArray<History>): History => {
  const owner = new Map<string, number>()
  histories.forEach((history, i) => {
    for (const { process } of history) {
      const other = owner.get(process)
      if (other !== undefined && other !== i) {
        throw new RangeError(`process "${process}" occurs in histories ${other} and ${i}: give each its own names`)
      }
      owner.set(process, i)
    }
  })
  return histories.flat()
}

/** One line of JSON per transaction. */
export const toLines = (history: History): string => history.map((t) => JSON.stringify(t)).join("\n")

/** Reads what `toLines` wrote. Throws `SyntaxError` with the line's number. */
export const fromLines = (text: string): History =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line, i) => {
      try {
        return JSON.parse(line) as Transaction
      } catch {
        throw new SyntaxError(`line ${i + 1} of the history is not JSON: ${line.slice(0, 80)}`)
      }
    })

/** A transaction for people: `p1 ok [3,7] append x 1, list x [1]`. */
export const format = (t: Transaction): string =>
  `${t.process} ${t.status} [${t.start},${t.end}] ${t.ops.map(formatOp).join(", ")}`

/** An operation for people: `append x 1`. */
export const formatOp = (op: Op): string =>
  `${op.f} ${op.key} ${op.f === "list" ? `[${op.value.join(" ")}]` : String(op.value)}`

/** Collects transactions while a test runs. */
export class Recorder {
  readonly #transactions: Array<Transaction> = []
  readonly #now: () => number
  #values: number

  /** `now`: the clock, a counter when left out. `firstValue`: where `value` starts; give each process its own room. */
  constructor(options: { readonly now?: (() => number) | undefined; readonly firstValue?: number | undefined } = {}) {
    let tick = 0
    this.#now = options.now ?? (() => ++tick)
    this.#values = (options.firstValue ?? 1) - 1
  }

  /** The clock's time. */
  now(): number {
    return this.#now()
  }

  /** Takes a whole transaction. */
  add(transaction: Transaction): void {
    this.#transactions.push(transaction)
  }

  /** Starts one; fill `ops` as the body runs (empty it at the start of each attempt), then call `end` once. */
  begin(process: string): Open {
    const start = this.#now()
    const ops: Array<Op> = []
    return {
      ops,
      end: (status) => {
        this.#transactions.push({ process, status, start, end: this.#now(), ops: ops.slice() })
      }
    }
  }

  /** A value that no other write of this recorder has. */
  value(): number {
    return ++this.#values
  }

  history(): History {
    return this.#transactions
  }
}

/** A transaction that is being recorded. */
export interface Open {
  readonly ops: Array<Op>
  readonly end: (status: Status) => void
}

const linePattern = /^(\S+) (ok|failed|unknown) \[(\d+),(\d+)\] ?(.*)$/
const opPattern = /^(append|list|write|read) (\S+) (\[[\d ]*\]|\d+|null)$/

/**
 * Reads what `format` prints, one transaction a line; blank lines are skipped. For histories written by hand.
 * Throws `SyntaxError` with the line.
 */
export const parse = (text: string): History =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const match = linePattern.exec(line)
      if (match === null) throw new SyntaxError(`not a transaction: ${line}`)
      const [, process, status, start, end, ops] = match
      return {
        process: process!,
        status: status as Status,
        start: Number(start),
        end: Number(end),
        ops: ops === "" ? [] : ops!.split(", ").map(parseOp)
      }
    })

const parseOp = (text: string): Op => {
  const match = opPattern.exec(text)
  if (match === null) throw new SyntaxError(`not an operation: ${text}`)
  const key = match[2]!
  const value = match[3]!
  // The pattern admits nothing else.
  const f = match[1] as Op["f"]
  if (f === "list") return { f, key, value: value.slice(1, -1).split(" ").filter(Boolean).map(Number) }
  if (f === "read") return { f, key, value: value === "null" ? null : Number(value) }
  return { f, key, value: Number(value) }
}
