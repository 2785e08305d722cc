/** A foreign process: commits directly at the backend, as an engine elsewhere would, and is recorded like a client. */
import * as Effect from "effect/Effect"
import type { Backend } from "../../../src/Backend.ts"
import type { CommitRequest, Write } from "../../../src/core/Commit.ts"
import * as Cells from "../../../testing/Cells.ts"
import type { Op, Recorder } from "../../../testing/History.ts"
import type { Prng } from "../../../testing/Prng.ts"
import { names } from "../../../testing/workloads/opacity.ts"

type Service = Backend["Service"]

/**
 * Moves money between accounts of the opacity workload for as long as it is not interrupted. It honours no turns, so
 * leave the clients room: at most `restMillisMax` of simulated time between two moves, or a few turns when 0.
 */
export const mover =
  (backend: Service, space: string, accounts: number, restMillisMax: number) =>
  (recorder: Recorder, prng: Prng): Effect.Effect<never> => {
    let sequence = 0
    const move = Effect.gen(function* () {
      for (let n = prng.below(30); n > 0; n--) yield* Effect.yieldNow
      if (restMillisMax > 0) yield* Effect.sleep(prng.below(restMillisMax))
      const from = prng.below(accounts)
      const to = (from + 1 + prng.below(accounts - 1)) % accounts
      const start = recorder.now()
      const keys = [names(space, from).account, names(space, to).account]
      const { cells, version } = yield* backend.read({ keys: keys.map(Cells.key), ranges: [] })
      if (cells.some((cell) => cell === undefined)) return
      const ops: Array<Op> = []
      const writes: Array<Write> = []
      const amounts = cells.map((cell, i) => {
        const [amount, stamp] = Cells.decode(cell!.value) as readonly [number, number]
        ops.push({ f: "read", key: keys[i]!, value: stamp })
        return amount
      })
      for (const [i, account, delta] of [
        [from, 0, -1],
        [to, 1, 1]
      ] as const) {
        const stamp = recorder.value()
        const value = Cells.encode([amounts[account]! + delta, stamp])
        for (const name of Object.values(names(space, i))) {
          ops.push({ f: "write", key: name, value: stamp })
          writes.push({ _tag: "Set", key: Cells.key(name), value })
        }
      }
      const reads = keys.map((name, i) => ({ key: Cells.key(name), version: cells[i]!.version }))
      const id = { session: "foreign", sequence: ++sequence }
      const request: CommitRequest = {
        id,
        resolvedBelow: sequence,
        base: version,
        atMillis: 0,
        reads,
        ranges: [],
        writes
      }
      const [reply] = yield* backend.commit([request])
      const status = reply!._tag === "Committed" ? "ok" : "failed"
      recorder.add({ process: "foreign", status, start, end: recorder.now(), ops })
    })
    return Effect.forever(Effect.orDie(move))
  }
