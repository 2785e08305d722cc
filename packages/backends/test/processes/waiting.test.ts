/** A process that only waits for a change of a file store stays alive while it waits, and no longer. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as Cells from "@weft/domain/testing/Cells"
import * as FileBackend from "../../src/FileBackend.ts"
import { memoryDirectory } from "../support.ts"

const workerFile = path.join(import.meta.dirname, "waitWorker.ts")

describe("a process that only waits", () => {
  it.live("is alive until the change comes, and then ends by itself", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* memoryDirectory, "desk.weft")
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, [workerFile, file], { stdio: ["ignore", "pipe", "inherit"] })),
          (child) => Effect.sync(() => child.kill("SIGKILL"))
        )
        let said = ""
        const waits = new Promise<void>((go) =>
          child.stdout.on("data", (data) => {
            said += String(data)
            if (said.includes("waits")) go()
          })
        )
        const ended = new Promise<number | null>((go) => child.once("close", go))
        yield* Effect.promise(() => Promise.race([waits, ended]))
        // Long enough for a process that nothing holds to come to its end; one that waits does not mind.
        yield* Effect.raceFirst(
          Effect.promise(() => ended),
          Effect.sleep(300)
        )
        assert.isNull(child.exitCode, `it ended before the change, having said ${said}`)
        yield* Effect.provide(Cells.set("k", "there"), Store.layer(FileBackend.layer({ path: file })))
        assert.strictEqual(yield* Effect.promise(() => ended), 0)
        assert.include(said, "saw there")
      })
    )
  )
})
