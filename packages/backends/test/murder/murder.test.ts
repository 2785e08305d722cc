/** Processes on one file store are killed; `npm run murder -- --kills 500` is the full size of this. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support.ts"
import { murder } from "./murder.ts"

const kills = process.env["WEFT_SCALE"] === "full" ? 250 : 6

describe("kill -9 of processes that write", () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `${kills} kills of 4 processes: ${journal}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const file = path.join(yield* directory, "desk.weft")
            const report = yield* Effect.promise(() => murder({ file, journal, kills, seed: 11 }))
            console.log(journal, JSON.stringify(report))
            assert.deepStrictEqual(report.wrong, [])
            assert.strictEqual(report.kills, kills)
            assert.isAbove(report.acknowledged, kills)
          })
        ),
      900_000
    )
  }
})
