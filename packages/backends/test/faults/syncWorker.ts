/**
 * The process whose last sync fails: `syncWorker.ts FILE die|close`. A durable commit, relaxed ones, a durable one.
 *
 * Lines: `synced BYTES` (the length of the write-ahead log that was certainly synced), `told VERSION` of the last relaxed
 * commit, `last TAG` (what became of the last one).
 */
import * as fs from "node:fs"
import { Cause, Effect, Exit } from "effect"
import * as StoreError from "@weft/domain/StoreError"
import * as FileBackend from "../../src/FileBackend.ts"
import { client, value } from "../support.ts"

const tell = (line: string): void => void fs.writeSync(1, `${line}\n`)
const set = (key: string, text: string) => [{ _tag: "Set", key, value: value(text) } as const]

const run = (path: string) =>
  Effect.gen(function* () {
    const backend = yield* FileBackend.make({ path })
    const { commit } = client(backend, "sync")
    yield* commit(set("a", "1"))
    // The first one is synced, with the note that there may be such.
    yield* commit(set("b", "0"), "relaxed")
    tell(`synced ${fs.statSync(`${path}-wal`).size}`)
    for (let i = 1; i <= 4; i++) yield* commit(set("b", `${i}`), "relaxed")
    tell(`told ${(yield* backend.read({ keys: [], ranges: [] })).version}`)
    const last = yield* Effect.exit(commit(set("c", "1")))
    const error = Exit.isFailure(last) ? Cause.squash(last.cause) : undefined
    tell(`last ${error instanceof StoreError.StoreError ? error.reason._tag : last._tag}`)
    if (process.argv[3] === "die") process.exit(0)
  })

await Effect.runPromise(Effect.scoped(run(process.argv[2]!)))
