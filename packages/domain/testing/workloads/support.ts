/** Recorded operations on cells: registers that hold a payload and a stamp no other write has, and lists. */
import * as Effect from "effect/Effect"
import * as Cells from "../Cells.ts"
import type { Op } from "../History.ts"
import type { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import type { Context } from "./harness.ts"

type Stamped = readonly [payload: number, stamp: number]

/** Reads a register: its payload, `undefined` when it was never written. Logs the stamp. */
export const read = (name: string, ops: Array<Op>): Effect.Effect<number | undefined, StoreError, Store> =>
  Effect.map(Cells.get(name), (json) => logRead(name, json, ops))

/** Logs a register that was read in another way. */
export const logRead = (name: string, json: Cells.Json | undefined, ops: Array<Op>): number | undefined => {
  const stamped = json as Stamped | undefined
  ops.push({ f: "read", key: name, value: stamped === undefined ? null : stamped[1] })
  return stamped?.[0]
}

/** Writes a register under a new stamp. */
export const write = (
  context: Context,
  name: string,
  payload: number,
  ops: Array<Op>
): Effect.Effect<void, StoreError, Store> =>
  Effect.suspend(() => {
    const stamp = context.recorder.value()
    ops.push({ f: "write", key: name, value: stamp })
    return Cells.set(name, [payload, stamp])
  })

/** Notes a problem with where it was seen. */
export const problem = (context: Context, what: string): void => {
  context.problems.push(`${context.process} at ${context.recorder.now()}: ${what}`)
}
