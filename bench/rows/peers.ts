/** Peers and limits that several rows share: Effect's own transactional memory, and the least JavaScript that could do. */
import * as Effect from "effect/Effect"
import * as TxRef from "effect/TxRef"
import { contendedRate, effectRate, syncRate, type Measure, type Subject } from "../lib.ts"

/** Five fields, as in a small record of an application. */
export interface Five {
  readonly id: number
  readonly name: string
  readonly tags: ReadonlyArray<string>
  readonly active: boolean
  readonly score: number
}

export const five: Five = { id: 0, name: "ada", tags: ["a", "b"], active: true, score: 1.5 }

export const must = (condition: boolean, message: string): void => {
  if (!condition) throw new Error(message)
}

/** `Effect.tx` around one get and one set of a `TxRef`, by one fiber. */
export const effectTx = <A>(initial: A, next: (value: A) => A): Subject => ({
  name: "Effect.tx: TxRef get + set",
  run: (seconds) => {
    const ref = TxRef.makeUnsafe(initial)
    const body = Effect.gen(function* () {
      const value = yield* TxRef.get(ref)
      yield* TxRef.set(ref, next(value))
    })
    return Effect.runPromise(Effect.map(effectRate(Effect.tx(body), seconds), (value): Measure => ({ value })))
  }
})

interface Cell {
  value: number
  version: number
}

/**
 * The least optimistic transaction: a journal, validation, publication, no effect system, no fibers. What an in-process
 * transaction in JavaScript cannot pass.
 */
export const plainStm: Subject = {
  name: "journal, validate, publish in plain JavaScript",
  run: async (seconds) => {
    const cell: Cell = { value: 0, version: 0 }
    let runs = 0
    const transact = (
      body: (read: (cell: Cell) => number, write: (cell: Cell, value: number) => void) => void
    ): void => {
      const journal = new Map<Cell, { readonly version: number; value: number; written: boolean }>()
      const entry = (of: Cell) => {
        let found = journal.get(of)
        if (found === undefined) journal.set(of, (found = { version: of.version, value: of.value, written: false }))
        return found
      }
      body(
        (of) => entry(of).value,
        (of, value) => {
          const found = entry(of)
          found.value = value
          found.written = true
        }
      )
      for (const [of, { version }] of journal) if (of.version !== version) return
      for (const [of, { value, written }] of journal) {
        if (!written) continue
        of.value = value
        of.version += 1
      }
    }
    const value = syncRate(() => {
      runs += 1
      transact((read, write) => write(cell, read(cell) + 1))
    }, seconds)
    must(cell.value === runs, `counted ${cell.value} of ${runs}`)
    return { value }
  }
}

export const FIBERS = 64

/** `Effect.tx` with a yield between get and set: 64 fibers on one `TxRef`, or on one each. */
export const txRefContended = (refs: "one" | "own"): Subject => ({
  name: refs === "one" ? "Effect.tx: 64 fibers, one TxRef" : "Effect.tx: 64 fibers, a TxRef each",
  run: (seconds) => {
    const all = Array.from({ length: refs === "one" ? 1 : FIBERS }, () => TxRef.makeUnsafe(0))
    let attempts = 0
    let commits = 0
    const body = (fiber: number) => {
      const ref = all[fiber % all.length]!
      const transaction = Effect.tx(
        Effect.gen(function* () {
          attempts += 1
          const value = yield* TxRef.get(ref)
          yield* Effect.yieldNow
          yield* TxRef.set(ref, value + 1)
        })
      )
      return Effect.tap(transaction, () => Effect.sync(() => (commits += 1)))
    }
    const program = Effect.gen(function* () {
      const { fairness, perSecond } = yield* contendedRate(body, { fibers: FIBERS, seconds })
      const total = all.reduce((sum, ref) => sum + ref.value, 0)
      must(total === commits, `${commits} commits, ${total} counted`)
      return { value: perSecond, attempts: attempts / commits, details: { fairness } }
    })
    return Effect.runPromise(program)
  }
})
