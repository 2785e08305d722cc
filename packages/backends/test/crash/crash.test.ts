/**
 * Power cuts, all of them: the writes and syncs of a process on a store are recorded, and after every one of them the
 * machine "dies", with what was not synced lost, kept, torn or reordered. Every image must open and hold every durable commit
 * that was acknowledged and all before it, whole, perhaps relaxed ones behind it, and at most the one that was under way
 * besides; and no version that was told is given again.
 *
 * `WEFT_SCALE=full npx vitest run packages/backends/test/crash` takes every operation; the short form every few.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as MemoryBackend from "@weft/domain/MemoryBackend"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"
import { client, contents } from "../support.ts"
import { imageAt, losses, parse, straceArguments } from "./Recording.ts"
import { isRelaxed, writesOf } from "./scenario.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const commits = isFull ? 120 : 40
const hasStrace = spawnSync("strace", ["-V"]).status === 0

/** What the store holds after 0, 1, 2, ... commits of the scenario, by the store in memory. */
const states = Effect.gen(function* () {
  const backend = MemoryBackend.make()
  const { commit } = client(backend)
  const found: Array<string> = [JSON.stringify(yield* contents(backend))]
  for (let n = 0; n < commits; n++) {
    yield* commit(writesOf(n))
    found.push(JSON.stringify(yield* contents(backend)))
  }
  return found
})

const record = (journal: "wal" | "rollback") => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-crash-"))
  try {
    const log = path.join(directory, "strace.log")
    const file = path.join(directory, "desk.weft")
    const scenario = path.join(import.meta.dirname, "scenario.ts")
    const run = spawnSync(
      "strace",
      [...straceArguments(log), process.execPath, scenario, file, journal, String(commits)],
      { encoding: "utf8" }
    )
    assert.strictEqual(run.status, 0, run.stderr)
    return { file, operations: parse(log, directory) }
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

describe.skipIf(!hasStrace)(`power cuts${hasStrace ? "" : " (skipped: strace is not installed)"}`, () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `every image of a cut holds what was acknowledged: ${journal}`,
      () =>
        Effect.gen(function* () {
          const { file, operations } = record(journal)
          const expected = yield* states
          const work = fs.mkdtempSync(
            fs.existsSync("/dev/shm") ? "/dev/shm/weft-crash-" : path.join(os.tmpdir(), "weft-crash-")
          )
          const prng = new Prng(7)
          const random = () => prng.unit()
          const stride = isFull ? 1 : Math.ceil(operations.length / 45)
          let images = 0
          let inFlightKept = 0
          let relaxedLost = 0
          try {
            for (let count = 1; count <= operations.length; count += stride) {
              const acks = told(operations.slice(0, count), "ack")
              const acknowledged = acks.length
              const durable = journal === "wal" ? acks.findLastIndex((_, n) => !isRelaxed(n)) + 1 : acknowledged
              const version = Math.max(0, ...acks.map((line) => Number(line.split(" ")[2])))
              const begun = told(operations.slice(0, count), "begin").length
              for (const loss of losses) {
                fs.rmSync(work, { recursive: true, force: true })
                fs.mkdirSync(work)
                for (const [name, bytes] of imageAt(operations, count, loss, random)) {
                  fs.writeFileSync(path.join(work, path.basename(name)), bytes)
                }
                const exit = yield* Effect.exit(read(path.join(work, path.basename(file)), journal))
                const where = `operation ${count} of ${operations.length}, ${loss}, ${acknowledged} acknowledged`
                assert.isTrue(Exit.isSuccess(exit), `${where}: ${Exit.isFailure(exit) ? exit.cause : ""}`)
                if (!Exit.isSuccess(exit)) continue
                const found = expected.indexOf(exit.value.state, durable)
                assert.isTrue(found >= durable && found <= begun, `${where}: the state is that of no allowed commit`)
                assert.isAtLeast(exit.value.version, version, `${where}: a version that was told will be given again`)
                if (found > acknowledged) inFlightKept++
                if (found < acknowledged) relaxedLost++
                images++
              }
            }
          } finally {
            fs.rmSync(work, { recursive: true, force: true })
          }
          console.log(
            `${journal}: ${operations.length} operations, ${images} images, ${inFlightKept} held the commit under way, ${relaxedLost} lost relaxed ones`
          )
          assert.isAbove(images, 150)
          assert.isAbove(inFlightKept, 0)
          if (journal === "wal") assert.isAbove(relaxedLost, 0)
          else assert.strictEqual(relaxedLost, 0)
        }),
      isFull ? 7_200_000 : 900_000
    )
  }
})

const told = (operations: ReadonlyArray<ReturnType<typeof parse>[number]>, word: string): ReadonlyArray<string> =>
  operations.flatMap((operation) =>
    operation._tag === "Told" && operation.line.startsWith(`${word} `) ? [operation.line] : []
  )

const read = (file: string, journal: "wal" | "rollback") =>
  Effect.scoped(
    Effect.gen(function* () {
      const backend = yield* FileBackend.make({ path: file, journal })
      const { version } = yield* backend.read({ keys: [], ranges: [] })
      return { state: JSON.stringify(yield* contents(backend)), version }
    })
  )
