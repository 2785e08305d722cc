/**
 * The process whose writes are recorded: a fixed sequence of commits on a new store, each told on standard output before
 * it is begun and after it is acknowledged. `node scenario.ts FILE JOURNAL COMMITS`.
 */
import * as fs from "node:fs"
import { Effect } from "effect"
import type { Write } from "@weft/domain/core/Commit"
import * as FileBackend from "../../src/FileBackend.ts"
import { client, value } from "../support.ts"

/** What commit `n` does: small and large values, updates, deletes, ranges; so that pages split, overflow and are freed. */
export const writesOf = (n: number): ReadonlyArray<Write> => {
  const own = `k${n % 37}`
  switch (n % 5) {
    case 0:
      return [{ _tag: "Set", key: own, value: value(`big ${n} `.repeat(1500)) }]
    case 1:
      return Array.from({ length: 8 }, (_, i) => ({ _tag: "Set", key: `m${i}`, value: value(`${n}`) }) as const)
    case 2:
      return [
        { _tag: "Delete", key: `k${(n * 7) % 37}` },
        { _tag: "Set", key: "last", value: value(`${n}`) }
      ]
    case 3:
      return [
        { _tag: "DeleteRange", start: "k1", end: "k13" },
        { _tag: "Add", key: "sum", delta: n }
      ]
    default:
      return [
        { _tag: "Append", prefix: "log", index: 0, suffix: "", value: value(`${n}`) },
        { _tag: "Set", key: own, value: value("x") }
      ]
  }
}

/** Whether commit `n` need not be on the disk when it is acknowledged: now one, now several in a row. */
export const isRelaxed = (n: number): boolean => n % 11 > 7 || n % 4 === 1

const tell = (line: string): Effect.Effect<void> => Effect.sync(() => void fs.writeSync(1, `${line}\n`))

if (process.argv[1] === import.meta.filename) {
  const [, , file, journal, commits] = process.argv as [string, string, string, "wal" | "rollback", string]
  // Small pages, a write-ahead log that is brought into the file every few commits, and cells that are folded as often.
  const open = FileBackend.make({ path: file, journal, pageBytes: 1024, walPages: 40, foldCells: 9 })
  const run = Effect.flatMap(open, (backend) => {
    const { commit } = client(backend)
    return Effect.forEach(
      Array.from({ length: Number(commits) }, (_, n) => n),
      (n) =>
        Effect.gen(function* () {
          yield* tell(`begin ${n}`)
          const reply = yield* commit(writesOf(n), isRelaxed(n) ? "relaxed" : undefined)
          yield* tell(`ack ${n} ${reply._tag === "Committed" ? reply.version : reply._tag}`)
        })
    )
  })
  await Effect.runPromise(Effect.scoped(run))
}
