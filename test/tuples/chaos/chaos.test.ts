/** Takers in four processes, killed; `npm run chaos:tuples` is the full size of this, in pieces. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { chaos } from "./chaos.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const tuples = isFull ? 20_000 : 400
const kills = isFull ? 40 : 2
const seed = Number(process.env["WEFT_SEED"] ?? 1)

it.live(
  `${tuples} tuples through 8 takers in 4 processes, ${kills} of them killed: each consumed once, in order (replay: WEFT_SEED=${seed})`,
  () =>
    Effect.gen(function* () {
      const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()
      const directory = fs.mkdtempSync(path.join(parent, "weft-chaos-"))
      const report = yield* Effect.ensuring(
        chaos({ directory, tuples, kills, seed }),
        Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
      )
      console.log(JSON.stringify(report))
      assert.deepStrictEqual(report.wrong, [])
      assert.strictEqual(report.kills, kills)
      assert.strictEqual(report.inDiaries + report.inLedger + report.withTheDead, tuples)
      assert.strictEqual(report.audit.out, tuples)
      assert.isAbove(report.cancelled, 0)
      assert.isAbove(report.leasesDropped, 0)
      assert.isAbove(report.audit.handedOver, 0)
      assert.isAbove(report.audit.takenAtOnce, 0)
      assert.isAbove(report.audit.putBack, 0)
    }),
  isFull ? 3_600_000 : 240_000
)
