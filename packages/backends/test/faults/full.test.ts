/**
 * A disk that is really full: a file system of 1 MiB in memory, in a mount namespace of the process's own (Linux, with the
 * right to make one). Commits are refused whole, what stands is served, and when there is room the store goes on.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support.ts"
import { judge, runTold, workerArguments } from "./faults.ts"

const unshare = ["--mount", "--map-root-user"]
const mount = "mount -t tmpfs -o size=1m none"
const canMount =
  os.platform() === "linux" && spawnSync("unshare", [...unshare, "sh", "-c", `${mount} /tmp`]).status === 0
const why = canMount ? "" : " (skipped: no right to mount a file system)"

const commits = 120

describe.skipIf(!canMount)(`a full disk${why}`, () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `refuses whole and goes on when there is room: ${journal}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* directory
            const [disk, saved] = [path.join(dir, "disk"), path.join(dir, "saved")]
            for (const made of [disk, saved]) fs.mkdirSync(made)
            const [, program, ...rest] = workerArguments(path.join(disk, "desk.weft"), journal, commits)
            const args = [process.execPath, program, ...rest, path.join(disk, "pad")].map((arg) => `'${arg}'`).join(" ")
            // The disk is gone with its last process: the store is copied out as the worker left it.
            const script = `${mount} ${disk} && head -c 400k /dev/zero > ${disk}/pad && ${args}; code=$?; cp -a ${disk}/desk* ${saved}/; exit $code`
            const told = yield* Effect.promise(() => runTold("unshare", [...unshare, "sh", "-c", script]))
            const verdict = yield* judge(path.join(saved, "desk.weft"), journal, told)
            console.log(`${journal}: ${JSON.stringify(verdict)}`)
            assert.deepStrictEqual(verdict.wrong, [], told.lines.slice(-5).join("\n"))
            const room = told.lines.indexOf("room")
            const refusals = told.lines.filter((line) => line.startsWith("refused"))
            assert.isAbove(room, 0, told.lines.slice(-5).join("\n"))
            assert.isTrue(
              refusals.every((line) => line.includes("the disk is full") && line.includes("Unavailable")),
              refusals.join("\n")
            )
            assert.isTrue(told.lines.slice(0, room).some((line) => line.startsWith("ack")))
            assert.isTrue(told.lines.slice(room).some((line) => line.startsWith("ack")))
            assert.match(told.lines.at(-1)!, /^(done|ended)/)
          })
        ),
      120_000
    )
  }
})
