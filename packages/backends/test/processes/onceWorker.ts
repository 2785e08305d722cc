/**
 * A caller that is killed between a commit and its answer: `onceWorker.ts FILE JOURNAL FROM TO SEED DIARY`. Commits each item
 * of FROM to TO - 1 once, many at a time, and keeps a diary that outlives it. Started again, it asks the store what became of
 * the commits that the one before it had sent and heard nothing of, and does those again that were rejected.
 *
 * Lines of the diary: `sent ITEM SESSION SEQUENCE`, `heard ITEM`, `asked ITEM OUTCOME`, `killed WHEN`.
 */
import * as fs from "node:fs"
import { Effect, Layer } from "effect"
import { Backend } from "@weft/domain/Backend"
import type { CommitRequest } from "@weft/domain/core/Commit"
import { Store } from "@weft/domain/Store"
import * as Cells from "@weft/domain/testing/Cells"
import { Prng } from "@weft/domain/testing/Prng"
import * as Tx from "@weft/domain/Tx"
import * as FileBackend from "../../src/FileBackend.ts"

/** Fibers that commit items at the same time: how many answers one death takes away. */
const clients = 32

type Arguments = [string, string, string, "wal" | "rollback", string, string, string, string]

/** Calls of `commit` that a life lasts, at least and at most. */
const lifeCalls = [3, 24] as const

if (process.argv[1] === import.meta.filename) {
  const [, , path, journal, from, to, seed, diaryPath] = process.argv as Arguments
  const orphaned = (): never => process.exit(1)
  process.on("disconnect", orphaned)
  const diary = fs.openSync(diaryPath, "a+")
  const note = (line: string): void => void fs.writeSync(diary, `${line}\n`)
  const past = fs.readFileSync(diaryPath, "utf8").split("\n")
  const prng = new Prng(Number(seed) + past.filter((line) => line.startsWith("killed")).length * 7919)
  let callsLeft = prng.between(...lifeCalls)

  const die = (when: string): void => {
    note(`killed ${when}`)
    process.kill(process.pid, "SIGKILL")
  }
  /** The item that a request commits: the one entry that it appends to the log. */
  const itemOf = (request: CommitRequest): number | undefined => {
    for (const write of request.writes) if (write._tag === "Append") return Number(Cells.decode(write.value))
    return undefined
  }
  /** The file store, whose caller dies before a commit or, more often, after it and before the answer. */
  const mortal = (backend: Backend["Service"]): Backend["Service"] => ({
    ...backend,
    commit: (requests) =>
      Effect.suspend(() => {
        for (const request of requests) {
          const item = itemOf(request)
          if (item !== undefined && request.id !== undefined)
            note(`sent ${item} ${request.id.session} ${request.id.sequence}`)
        }
        const isLast = --callsLeft === 0
        if (isLast && prng.chance(0.35)) die("before")
        return Effect.tap(backend.commit(requests), () => Effect.sync(() => isLast && die("after")))
      })
  })

  const commit = (item: number) =>
    Effect.map(Tx.transact(Effect.andThen(Cells.append("log", item), Cells.add("count", 1))), () =>
      note(`heard ${item}`)
    )

  /** What is certain of earlier lives: asks for the commits that were sent and never heard of. */
  const resolve = Effect.gen(function* () {
    const done = new Set<number>()
    const open = new Map<number, { readonly session: string; readonly sequence: number }>()
    for (const line of past) {
      const [word, item, session, sequence] = line.split(" ")
      if (word === "sent") open.set(Number(item), { session: session!, sequence: Number(sequence) })
      else if (word === "heard") done.add(Number(item))
      else if (word === "asked") {
        if (session === "Committed") done.add(Number(item))
        else open.delete(Number(item))
      }
    }
    for (const [item, id] of open) {
      if (done.has(item)) continue
      const { _tag } = yield* Store.outcome(id)
      if (_tag === "Forgotten") throw new Error(`the outcome of item ${item} is forgotten: ${JSON.stringify(id)}`)
      note(`asked ${item} ${_tag}`)
      if (_tag === "Committed") done.add(item)
    }
    return done
  })

  const main = Effect.gen(function* () {
    const done = yield* resolve
    const left = Array.from({ length: Number(to) - Number(from) }, (_, i) => Number(from) + i).filter(
      (item) => !done.has(item)
    )
    yield* Effect.forEach(left, commit, { concurrency: clients, discard: true })
  })
  const backend = Layer.effect(Backend, Effect.map(FileBackend.make({ path, journal }), mortal))
  await Effect.runPromise(Effect.provide(main, Store.layer(backend)))
  process.off("disconnect", orphaned)
  process.disconnect()
}
