/**
 * A write-ahead log that a process left behind is written once more and synced before any of it comes into the file: after a
 * sync that failed it may be in the page cache alone.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FileBackend from "../../src/FileBackend.ts"
import { workerArguments } from "../faults/faults.ts"
import { client, contents, directory } from "../support.ts"

const hasStrace = spawnSync("strace", ["-V"]).status === 0

describe.skipIf(!hasStrace)(`a log left behind${hasStrace ? "" : " (skipped: strace is not installed)"}`, () => {
  it.live("is made whole on the disk before it is brought into the file", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dir = yield* directory
        const [alive, left] = [path.join(dir, "alive.weft"), path.join(dir, "left.weft")]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const backend = yield* FileBackend.make({ path: alive })
            for (let i = 0; i < 20; i++) yield* client(backend).set(`k${i}`, "x".repeat(500))
            // As a death would leave them.
            for (const side of ["", "-wal"]) fs.copyFileSync(alive + side, left + side)
          })
        )
        const bytes = fs.statSync(`${left}-wal`).size
        assert.isAbove(bytes, 20 * 4096)
        const log = path.join(dir, "strace.log")
        const trace = ["-f", "-y", "-qq", "-e", "trace=pwrite64,fsync", "-e", "signal=none", "-o", log]
        const run = spawnSync("strace", [...trace, ...workerArguments(left, "wal", 0)], { encoding: "utf8" })
        assert.strictEqual(run.status, 0, run.stderr)
        const calls = fs.readFileSync(log, "utf8").split("\n")
        const brought = calls.findIndex((call) => call.includes(`pwrite64(`) && call.includes(`${left}>`))
        assert.isAbove(brought, 0, "the log was not brought into the file")
        const before = calls.slice(0, brought).filter((call) => call.includes(`${left}-wal>`))
        const written = before.filter((call) => call.includes("pwrite64("))
        const total = written.reduce((sum, call) => sum + Number(call.split("= ").at(-1)), 0)
        assert.strictEqual(total, bytes)
        assert.include(before.slice(before.indexOf(written.at(-1)!)).join(), "fsync(")
        const found = yield* Effect.scoped(Effect.flatMap(FileBackend.make({ path: left }), contents))
        assert.strictEqual(Object.keys(found).length, 20)
      })
    )
  )
})
