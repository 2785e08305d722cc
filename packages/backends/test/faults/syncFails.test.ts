/**
 * A sync that fails with relaxed commits before it: they may be gone, though the machine never stopped. No version of theirs
 * is given again, nobody who has the file open goes on, and nothing of it comes into the file before the log was made whole.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Version from "@weft/domain/core/Version"
import * as FileBackend from "../../src/FileBackend.ts"
import { Database } from "../../src/internal/file/Database.ts"
import { client, memoryDirectory, opened, value } from "../support.ts"
import { runTold } from "./faults.ts"

const hasStrace = spawnSync("strace", ["-V"]).status === 0
const worker = path.join(import.meta.dirname, "syncWorker.ts")

const trace = (file: string, end: "die" | "close", inject: ReadonlyArray<string>) =>
  Effect.promise(() =>
    runTold("strace", [
      "-f",
      "-qq",
      "-P",
      `${file}-wal`,
      "-e",
      "trace=fsync,fdatasync",
      "-e",
      "signal=none",
      ...inject,
      process.execPath,
      "--no-warnings",
      worker,
      file,
      end
    ])
  )

const numberOf = (lines: ReadonlyArray<string>, word: string): number =>
  Number(lines.find((line) => line.startsWith(`${word} `))!.slice(word.length))

/** Which sync is that of the last commit, counted in a run without faults. */
const countSyncs = (file: string) =>
  Effect.map(trace(file, "die", []), ({ lines, stderr }) => {
    assert.strictEqual(lines.at(-1), "last Success", stderr)
    const count = (call: string) => stderr.split("\n").filter((line) => line.includes(`${call}(`)).length
    return count("fsync") > 0 ? { call: "fsync", at: count("fsync") } : { call: "fdatasync", at: count("fdatasync") }
  })

/** Runs the worker so that the sync of its last commit fails. */
const fail = (file: string, end: "die" | "close", { at, call }: { readonly call: string; readonly at: number }) =>
  Effect.gen(function* () {
    const told = yield* trace(file, end, ["-e", `inject=${call}:error=EIO:when=${at}`])
    assert.strictEqual(told.lines.at(-1), "last CommitUnknown", told.stderr)
    assert.strictEqual(told.injected, 1)
    return { synced: numberOf(told.lines, "synced"), version: numberOf(told.lines, "told") }
  })

const law = (name: string, body: (directory: string, file: string) => Effect.Effect<void, unknown>) =>
  it.live(
    name,
    () =>
      Effect.scoped(Effect.flatMap(memoryDirectory, (directory) => body(directory, path.join(directory, "desk.weft")))),
    60_000
  )

describe.skipIf(!hasStrace)(`a sync that fails${hasStrace ? "" : " (skipped: strace is not installed)"}`, () => {
  law("takes relaxed commits away, and their versions are not given again", (directory) =>
    Effect.gen(function* () {
      const last = yield* countSyncs(path.join(directory, "quiet.weft"))
      for (const end of ["die", "close"] as const) {
        const file = path.join(directory, `${end}.weft`)
        const { synced, version } = yield* fail(file, end, last)
        const length = fs.statSync(`${file}-wal`).size
        assert.isAbove(length, synced, "the log is left as it is")
        // What the disk has once the system has dropped what it could not write.
        fs.truncateSync(`${file}-wal`, synced)
        fs.truncateSync(`${file}-wal`, length)
        const after = yield* opened(file)
        assert.deepStrictEqual(after.cells, { a: "1", b: "0" })
        assert.isAbove(after.version, version)
        assert.strictEqual(Version.epochOf(after.version), Version.epochOf(version) + 1)
        assert.deepStrictEqual(yield* opened(file), after)
      }
    })
  )

  law("ends the store in all processes that have it open, and nobody opens it before they let go", (directory, file) =>
    Effect.gen(function* () {
      const version = yield* Effect.scoped(
        Effect.gen(function* () {
          const written = (path: string) =>
            Effect.gen(function* () {
              const backend = yield* FileBackend.make({ path })
              const { commit } = client(backend)
              const write = (text: string) => commit([{ _tag: "Set", key: "d", value: value(text) }], "relaxed")
              yield* write("1")
              return { backend, write }
            })
          const quiet = path.join(directory, "quiet.weft")
          yield* written(quiet)
          const last = yield* countSyncs(quiet)
          const { backend, write } = yield* written(file)
          const { version } = yield* fail(file, "close", last)
          const refused = yield* Effect.flip(write("2"))
          assert.match(refused.message, /sync of the file failed in another process/)
          const read = yield* Effect.exit(backend.read({ keys: ["d"], ranges: [] }))
          assert.strictEqual(read._tag, "Failure")
          assert.throws(
            () => new Database({ path: file, journal: "wal", pageBytes: 4096, version: Version.none }),
            /all processes that have it open must let go/
          )
          return version
        })
      )
      assert.isAbove(fs.statSync(`${file}-wal`).size, 0, "the log is left as it is")
      const after = yield* opened(file)
      // The last commit of the worker is unknown: its frames are in the log, and may be taken.
      assert.deepStrictEqual({ ...after.cells, c: "1" }, { a: "1", b: "4", c: "1", d: "1" })
      assert.isAbove(after.version, version)
      assert.deepStrictEqual(yield* opened(file), after)
    })
  )
})
