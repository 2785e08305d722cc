/**
 * `tuplesMax` between processes: four of them put out and take from one bounded space in a file. By the log of the store,
 * commit by commit, there never are more tuples than it may hold. One seed: `WEFT_SEED=n`.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Backend } from "@weft/domain/Backend"
import * as FileBackend from "@weft/backends/FileBackend"
import { Collection } from "@weft/domain/Collection"
import { prefixEnd } from "@weft/domain/core/Key"
import { toCounter } from "@weft/domain/core/Value"
import { SpaceKeys } from "@weft/tuplespace/internal/SpaceKeys"
import { space, tuplesMax } from "./boundedWorker.ts"

const seed = Number(process.env["WEFT_SEED"] ?? 7)
const processes = 4
const steps = 40
const worker = path.join(import.meta.dirname, "boundedWorker.ts")

const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir(), "weft-bounded-"))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
)

/** The most tuples that were kept after any commit, how many are, and what the counters say. */
const audit = Effect.gen(function* () {
  const backend = yield* Backend
  const keys = new SpaceKeys(new Collection({ name: space.name, kind: "TupleSpace" }))
  const ranges = [keys.tuples, keys.inFlight, keys.dead, keys.room].map((start) => ({ start, end: prefixEnd(start) }))
  const { version } = yield* backend.read({ keys: [], ranges: [] })
  let kept = 0
  let most = 0
  let commits = 0
  const counters = new Map<string, number>()
  yield* backend.changes({ from: 0, ranges, values: true }).pipe(
    Stream.tap((change) =>
      Effect.sync(() => {
        assert.notStrictEqual(change._tag, "Gap")
        if (change._tag !== "Commit") return
        commits++
        for (const { after, before, key } of change.changes) {
          if (key.startsWith(keys.room)) counters.set(key, after === undefined ? 0 : toCounter(after.value)!)
          else kept += Number(after !== undefined) - Number(before !== undefined)
        }
        most = Math.max(most, kept)
      })
    ),
    Stream.takeUntil((change) => change._tag !== "Gap" && change.version >= version),
    Stream.runDrain
  )
  return { commits, most, kept, counted: [...counters.values()].reduce((a, b) => a + b, 0) }
})

describe("a bounded space in a file", () => {
  it.live(`never holds more than it may, whoever puts out (replay: WEFT_SEED=${seed})`, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* directory, "desk.weft")
        const run = (n: number) =>
          promisify(execFile)(process.execPath, [worker, file, String(seed * 10 + n), String(steps)])
        const printed = yield* Effect.promise(() => Promise.all(Array.from({ length: processes }, (_, n) => run(n))))
        const counts = printed.map(({ stdout }) => JSON.parse(stdout) as Record<string, number>)
        const sum = (name: string) => counts.reduce((total, each) => total + each[name]!, 0)
        const found = yield* Effect.provide(audit, FileBackend.layer({ path: file }))
        console.log(`${JSON.stringify(counts)} ${JSON.stringify(found)}`)
        assert.strictEqual(found.most, tuplesMax)
        assert.strictEqual(found.kept, sum("put") - sum("taken"))
        assert.strictEqual(found.counted, found.kept)
        assert.isAbove(sum("refused"), 0)
        assert.isAbove(sum("dropped"), 0)
      })
    )
  )
})
