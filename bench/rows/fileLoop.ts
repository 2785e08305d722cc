/**
 * How long the event loop stands still while 64 fibers write to a file store, beside the time that the disk itself takes to
 * sync (p99 of the same run, measured before and after): a commit is synced on the loop, and nothing else may hold it.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DRef from "@weft/domain/DRef"
import * as Tx from "@weft/domain/Tx"
import type { Row, Subject } from "../lib.ts"
import { inDirectory, onFile, p99, syncTimes } from "./fileSupport.ts"
import { FIBERS } from "./peers.ts"

const WARM_UP_SHARE = 0.5

const block: Subject = {
  name: `Tx.transact on a file: ${FIBERS} fibers, a DRef each`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const before = syncTimes(directory, seconds / 2)
      const delay = monitorEventLoopDelay({ resolution: 1 })
      const refs = Array.from({ length: FIBERS }, (_, i) => DRef.make(`n${i}`, { value: Schema.Int, initial: 0 }))
      const program = Effect.gen(function* () {
        let commits = 0
        const write = (until: number) =>
          Effect.forEach(
            refs,
            (ref) => {
              const one = Tx.transact(Effect.flatMap(ref.get, (value) => ref.set(value + 1)))
              return Effect.whileLoop({
                while: () => performance.now() < until,
                body: () => one,
                step: () => commits++
              })
            },
            { concurrency: "unbounded", discard: true }
          )
        yield* write(performance.now() + seconds * 1000 * WARM_UP_SHARE)
        delay.enable()
        commits = 0
        yield* write(performance.now() + seconds * 1000)
        delay.disable()
        return commits / seconds
      })
      const perSecond = await onFile(path.join(directory, "desk.weft"), program)
      const syncP99Millis = p99([...before, ...syncTimes(directory, seconds / 2)])
      const blockMillis = delay.max / 1e6
      return {
        value: blockMillis * 1000,
        details: {
          blockMillis,
          blockP99Millis: delay.percentile(99) / 1e6,
          syncP99Millis,
          beyondMillis: blockMillis - syncP99Millis,
          perSecond
        }
      }
    })
}

const BEYOND_MILLIS_MAX = 20

export const row: Row = {
  id: "fileLoop",
  title: "the event loop under writers of a file store",
  workloads: [
    {
      name: `longest block, ${FIBERS} writers`,
      unit: "micros",
      ours: block,
      bounds: [{ of: "beyondMillis", max: BEYOND_MILLIS_MAX }]
    }
  ]
}
