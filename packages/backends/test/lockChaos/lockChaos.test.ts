/**
 * Random lock histories of four processes on one file, killed and paused beyond their lease. Short: 300 histories;
 * `WEFT_SCALE=full`: 100,000, the second half with wall clocks shifted by `faketime` where Debian's is installed.
 */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { memoryDirectory } from "../support.ts"
import { chaos, hasFaketime } from "./chaos.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 5)
const size = isFull ? { histories: 50_000, kills: 60, pauses: 60 } : { histories: 150, kills: 1, pauses: 1 }

describe(`tree locks of 4 processes on a file, ${size.kills} killed and ${size.pauses} paused beyond their lease`, () => {
  for (const skewed of [false, true]) {
    const title = `${size.histories} histories${skewed ? " with wall clocks shifted by faketime" : ""}`
    it.live.skipIf(skewed && !hasFaketime)(
      title,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const file = path.join(yield* memoryDirectory, "desk.weft")
            const report = yield* Effect.promise(() =>
              chaos({ ...size, file, seed: seed + Number(skewed), processes: 4, fibers: 6, leaseMillis: 600, skewed })
            )
            const replay = `npm run chaos:locks -- --seed ${seed + Number(skewed)} --histories ${size.histories} --kills ${size.kills} --pauses ${size.pauses} --fibers 6${skewed ? " --skewed" : ""}`
            console.log(`${JSON.stringify(report)}\nreplay: ${replay}`)
            assert.deepStrictEqual(report.wrong, [], replay)
            assert.isAtLeast(report.histories, size.histories)
            assert.deepStrictEqual([report.kills, report.pauses], [size.kills, size.pauses])
            // The faults hit somebody, and there was something to get wrong.
            assert.isAtLeast(report.deadGone, size.kills)
            assert.isAtLeast(report.tally.lostWaiting + report.tally.lostHolding, size.pauses)
            assert.isAbove(report.handovers, size.histories / 2)
            if (skewed) assert.isAtLeast(report.skewed, 1)
          })
        ),
      3_600_000
    )
  }
})
