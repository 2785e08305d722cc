/**
 * The process whose disk fails: `worker.ts FILE JOURNAL COMMITS [PAD]`. Commits one after another on a store, tells each on
 * standard output before it is begun and what became of it, and stops when the store says that it has ended.
 *
 * Lines: `begin N`, `ack N`, `refused N TAG message`, `unknown N message`, `open TAG message`, `ended TAG message`,
 * `room` (the file PAD was removed to make room on a full disk), `done`.
 */
import * as fs from "node:fs"
import { Cause, Effect, Exit } from "effect"
import type { Backend } from "@weft/domain/Backend"
import type { CommitRequest, Write } from "@weft/domain/core/Commit"
import * as StoreError from "@weft/domain/StoreError"
import * as FileBackend from "../../src/FileBackend.ts"
import { value } from "../support.ts"

export const session = "faults"

/** Two cells that must be there together, an entry in a list (which shows a commit that was applied twice), ballast. */
export const writesOf = (n: number): ReadonlyArray<Write> => [
  { _tag: "Set", key: `a${n}`, value: value(`${n}`) },
  { _tag: "Append", prefix: "log", index: 0, suffix: "", value: value(`${n}`) },
  { _tag: "Set", key: `ballast${n % 16}`, value: value(`${n} `.repeat(1000)) },
  { _tag: "Set", key: `b${n}`, value: value(`${n}`) }
]

export const requestOf = (n: number): CommitRequest => ({
  id: { session, sequence: n + 1 },
  resolvedBelow: 0,
  base: 0,
  atMillis: 0,
  reads: [],
  ranges: [],
  writes: writesOf(n)
})

/** Commits refused in a row before room is made. */
const refusalsUntilRoom = 3

const tell = (line: string): void => void fs.writeSync(1, `${line.replaceAll("\n", " ")}\n`)

const reasonOf = (cause: Cause.Cause<StoreError.StoreError>): StoreError.StoreError["reason"] => {
  const error = Cause.squash(cause)
  if (error instanceof StoreError.StoreError) return error.reason
  throw error
}

const run = (backend: Backend["Service"], commits: number, pad: string | undefined) =>
  Effect.gen(function* () {
    let refusals = 0
    for (let n = 0; n < commits; n++) {
      tell(`begin ${n}`)
      const exit = yield* Effect.exit(backend.commit([requestOf(n)]))
      if (Exit.isSuccess(exit)) {
        if (exit.value[0]!._tag !== "Committed") throw new Error(`commit ${n} was ${JSON.stringify(exit.value)}`)
        tell(`ack ${n}`)
        continue
      }
      const reason = reasonOf(exit.cause)
      if (reason._tag === "CommitUnknown") {
        tell(`unknown ${n} ${reason.message}`)
        const after = yield* Effect.exit(backend.commit([requestOf(n + 1)]))
        if (Exit.isSuccess(after)) throw new Error("a store that failed while it wrote took another commit")
        const read = yield* Effect.exit(backend.read({ keys: ["a0"], ranges: [] }))
        if (Exit.isSuccess(read)) throw new Error("a store that failed while it wrote served a read")
        const end = reasonOf(after.cause)
        return tell(`ended ${end._tag} ${end.message}`)
      }
      tell(`refused ${n} ${reason._tag} ${reason.message}`)
      if (reason.message.includes("has ended")) return tell(`ended ${reason._tag} ${reason.message}`)
      const served = yield* Effect.exit(backend.read({ keys: [`a${n}`, `b${n}`], ranges: [] }))
      if (Exit.isSuccess(served) && served.value.cells.some((cell) => cell !== undefined)) {
        throw new Error(`commit ${n} was refused and half of it is there`)
      }
      if (++refusals === refusalsUntilRoom && pad !== undefined) {
        fs.rmSync(pad)
        tell("room")
      }
    }
    tell("done")
  })

if (process.argv[1] === import.meta.filename) {
  const [, , path, journal, commits, pad] = process.argv as [
    string,
    string,
    string,
    "wal" | "rollback",
    string,
    string?
  ]
  // Small pages, and a write-ahead log that is brought into the file every few commits.
  const open = FileBackend.make({ path, journal, pageBytes: 1024, walPages: 40 })
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const opened = yield* Effect.exit(open)
        if (Exit.isSuccess(opened)) return yield* run(opened.value, Number(commits), pad)
        const { _tag, message } = reasonOf(opened.cause)
        tell(`open ${_tag} ${message}`)
      })
    )
  )
}
