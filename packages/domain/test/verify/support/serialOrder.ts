/** The slow and certain judge of small histories: tries all serial orders that real time allows. */
import type { History, Op } from "../../../testing/History.ts"

type State = ReadonlyMap<string, ReadonlyArray<number>>

/** An order (indices of the transactions that took effect) that explains the history, or `undefined`. */
export const serialOrder = (history: History): ReadonlyArray<number> | undefined => {
  const candidates = history.map((_, i) => i).filter((i) => history[i]!.status !== "failed")
  const go = (done: ReadonlyArray<number>, state: State): ReadonlyArray<number> | undefined => {
    const left = candidates.filter((i) => !done.includes(i))
    const due = left.filter((i) => history[i]!.status === "ok")
    if (due.length === 0) return done
    for (const i of left) {
      if (due.some((j) => j !== i && history[j]!.end < history[i]!.start)) continue
      const next = run(history[i]!.ops, state)
      const order = next === undefined ? undefined : go([...done, i], next)
      if (order !== undefined) return order
    }
    return undefined
  }
  return go([], new Map())
}

/** The state after the operations, or `undefined` when one of them saw something else. */
const run = (ops: ReadonlyArray<Op>, before: State): State | undefined => {
  const state = new Map(before)
  for (const op of ops) {
    const now = state.get(op.key) ?? []
    if (op.f === "append") state.set(op.key, [...now, op.value])
    else if (op.f === "write") state.set(op.key, [op.value])
    else {
      const seen = op.f === "list" ? op.value : op.value === null ? [] : [op.value]
      if (seen.length !== now.length || seen.some((value, i) => value !== now[i])) return undefined
    }
  }
  return state
}
