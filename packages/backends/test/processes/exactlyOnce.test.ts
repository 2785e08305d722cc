/**
 * Exactly once across deaths: two callers on one file are killed again and again between a commit and its answer (and now
 * and then before the commit). Each starts again, asks for what it had heard nothing of, and repeats what was rejected: in
 * the end every item is there once. Short: 2,000 commits; `WEFT_SCALE=full`: 50,000 on each journal.
 */
import { fork } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Store } from "@weft/domain/Store"
import * as Cells from "@weft/domain/testing/Cells"
import * as FileBackend from "../../src/FileBackend.ts"
import { memoryDirectory } from "../support.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 31)
const items = isFull ? 50_000 : 2_000
const callers = 2
const replay = `replay: WEFT_SEED=${seed}${isFull ? " WEFT_SCALE=full" : ""} npx vitest run packages/backends/test/processes/exactlyOnce`

const workerFile = path.join(import.meta.dirname, "onceWorker.ts")

/** Lives of one caller until it has done its items. */
const live = async (args: ReadonlyArray<string>): Promise<number> => {
  for (let lives = 1; ; lives++) {
    const child = fork(workerFile, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    let stderr = ""
    child.stderr!.on("data", (data) => (stderr += String(data)))
    const signal = await new Promise<NodeJS.Signals | null>((go, fail) =>
      child.once("close", (code, signal) =>
        code === 0 || signal === "SIGKILL"
          ? go(signal)
          : fail(new Error(`a caller ended with ${code ?? signal}: ${stderr.slice(-2000)}; ${replay}`))
      )
    )
    if (signal === null) return lives
  }
}

const diaryOf = (files: ReadonlyArray<string>) => {
  const lines = files.flatMap((file) => fs.readFileSync(file, "utf8").split("\n"))
  const count = (start: string): number => lines.filter((line) => line.startsWith(start)).length
  const asked = (outcome: string): number =>
    lines.filter((line) => line.startsWith("asked ") && line.endsWith(` ${outcome}`)).length
  return {
    killedBefore: count("killed before"),
    killedAfter: count("killed after"),
    heard: count("heard "),
    committed: asked("Committed"),
    rejected: asked("Rejected")
  }
}

describe("exactly once on one file", () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `${items} commits of callers that are killed before they hear of them: ${journal}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* memoryDirectory
            const file = path.join(dir, "desk.weft")
            const each = items / callers
            const diaries = Array.from({ length: callers }, (_, c) => path.join(dir, `diary-${c}`))
            const lives = yield* Effect.promise(() =>
              Promise.all(
                diaries.map((diary, c) =>
                  live([file, journal, c * each, (c + 1) * each, seed * 100 + c, diary].map(String))
                )
              )
            )
            const { count, log } = yield* Effect.provide(
              Effect.all({ log: Cells.log("log"), count: Cells.counter("count") }),
              Store.layer(FileBackend.layer({ path: file, journal }))
            )
            const told = diaryOf(diaries)
            console.log(`${journal}: ${items} commits in ${lives.join(" and ")} lives: ${JSON.stringify(told)}`)
            const times = new Map<number, number>()
            for (const item of log as ReadonlyArray<number>) times.set(item, (times.get(item) ?? 0) + 1)
            const wrong = Array.from({ length: items }, (_, item) => [item, times.get(item) ?? 0] as const)
            assert.deepStrictEqual(
              wrong.filter(([, n]) => n !== 1).slice(0, 10),
              [],
              `items and how often they are there; ${replay}`
            )
            assert.strictEqual(count, items)
            assert.strictEqual(log.length, items)
            // Answers must have been lost on both sides of the commit, or this showed nothing.
            assert.isAbove(told.killedAfter, 1)
            assert.isAbove(told.committed, told.killedAfter)
            assert.strictEqual(told.heard + told.committed, items)
          })
        ),
      3_600_000
    )
  }
})
