/** Tables of histories made by hand, each with its verdict, which an exhaustive checker must share. */
import { describe, expect, it } from "vitest"
import { check, type Model } from "../../testing/Linearizability.ts"
import { exhaustive, historyOf, type Line } from "./smallHistories.ts"

export interface Row<I, O> {
  readonly name: string
  readonly good: boolean
  readonly lines: ReadonlyArray<Line<I, O>>
}

export const table = <S, I, O>(name: string, model: Model<S, I, O>, rows: ReadonlyArray<Row<I, O>>): void => {
  describe(name, () => {
    for (const { good, lines, name: row } of rows) {
      it(`${good ? "allowed" : "forbidden"}: ${row}`, () => {
        const history = historyOf(lines)
        const verdict = check(model, history)
        expect(verdict._tag).toBe(good ? "Linearizable" : "NotLinearizable")
        expect(exhaustive(model, history)).toBe(good)
        if (verdict._tag !== "NotLinearizable") return
        const { operations, powerless } = verdict.counterexample
        expect(exhaustive(model, [...operations, ...powerless])).toBe(false)
        expect(verdict.counterexample.minimal).toBe(true)
      })
    }
  })
}
