/** The log and the table of cells: what stands in the one alone, and files of the format before it. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Cell, Entry, Range } from "@weft/domain/core/Commit"
import { StoreError } from "@weft/domain/StoreError"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../src/FileBackend.ts"
import { Tail } from "../src/internal/file/Tail.ts"
import { client, contents, directory, value } from "./support.ts"

const inOrder = (cells: ReadonlyMap<string, Cell>, { end, limit, reverse, start }: Range): ReadonlyArray<Entry> => {
  const found = [...cells].filter(([key]) => key >= start && key < end).sort(([a], [b]) => (a < b ? -1 : 1))
  if (reverse === true) found.reverse()
  return found.slice(0, limit).map(([key, cell]) => ({ key, cell }))
}

describe("what stands in the log alone", () => {
  it("the table with the tail over it is the store, through random writes, deletions and folds", () => {
    const prng = new Prng(Number(process.env["WEFT_SEED"] ?? 4711))
    const store = new Map<string, Cell>()
    const table = new Map<string, Cell>()
    const tail = new Tail(12)
    let folds = 0
    const key = () => `k${String(prng.below(20)).padStart(2, "0")}`
    for (let version = 1; version <= 20_000; version++) {
      const changed = key()
      const before = store.get(changed)
      const after = prng.below(3) === 0 ? undefined : { value: value(`${version}`), version }
      if (before === undefined && after === undefined) continue
      if (after === undefined) store.delete(changed)
      else store.set(changed, after)
      if (tail.apply({ key: changed, before, after })) {
        assert.isTrue(table.delete(changed), "a row was to go that is not there")
      }
      if (tail.isFull) {
        folds++
        for (const { cell, key } of tail.entries()) table.set(key, cell)
        tail.clear()
      }
      const [a, b] = [key(), key()].sort() as [string, string]
      const range = { start: a, end: `${b}~`, limit: prng.pick([undefined, 0, 1, 2, 5]), reverse: prng.below(2) === 0 }
      const where = `version ${version} (WEFT_SEED=${prng.seed})`
      assert.deepStrictEqual(
        tail.range(range, (rows) => inOrder(table, rows)),
        inOrder(store, range),
        where
      )
      const whole = { start: "", end: "~" }
      assert.strictEqual(tail.unfiled + table.size, inOrder(store, whole).length, where)
    }
    assert.isAbove(folds, 100)
  })

  const inDirectory = (name: string, body: (file: string) => Effect.Effect<void, unknown>) =>
    it.live(name, () => Effect.scoped(Effect.flatMap(directory, (dir) => body(path.join(dir, "desk.weft")))))

  const rows = (file: string, sql: string): ReadonlyArray<unknown> => {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      return db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row)[0])
    } finally {
      db.close()
    }
  }

  inDirectory("a set is in the log until it is folded, a deletion takes its row out of the table at once", (file) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { commit, set } = client(yield* FileBackend.make({ path: file, foldCells: 3 }))
        const table = () => rows(file, "SELECT CAST(key AS TEXT) FROM cells ORDER BY key")
        for (const key of ["a", "b", "c"]) yield* set(key, "1")
        assert.deepStrictEqual(table(), [])
        yield* set("d", "1")
        assert.deepStrictEqual(table(), ["a", "b", "c", "d"])
        yield* set("a", "2")
        yield* commit([{ _tag: "Delete", key: "a" }])
        yield* commit([{ _tag: "Delete", key: "b" }])
        assert.deepStrictEqual(table(), ["c", "d"])
      })
    )
  )

  inDirectory("what another process folded is gone from the table when it is deleted here", (file) =>
    Effect.scoped(
      Effect.gen(function* () {
        const here = client(yield* FileBackend.make({ path: file, foldCells: 3 }))
        const there = client(yield* FileBackend.make({ path: file, foldCells: 3 }))
        yield* here.set("a", "1")
        // The fourth cell makes the other one fold.
        for (const key of ["b", "c", "d"]) yield* there.set(key, "1")
        yield* here.commit([{ _tag: "Delete", key: "a" }])
        assert.deepStrictEqual(rows(file, "SELECT CAST(key AS TEXT) FROM cells ORDER BY key"), ["b", "c", "d"])
      })
    )
  )

  inDirectory("a process that ends well leaves nothing in the log alone", (file) =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.flatMap(FileBackend.make({ path: file }), (backend) => client(backend).set("a", "1")))
      assert.deepStrictEqual(rows(file, "SELECT CAST(key AS TEXT) FROM cells"), ["a"])
    })
  )

  inDirectory("what is in the log alone stays there for longer than its limits say, until it is folded", (file) =>
    Effect.gen(function* () {
      const limits = { recentCommits: 10 }
      const first = FileBackend.make({ path: file, limits })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const backend = yield* first
          yield* client(backend).set("early", "1")
          const { set } = client(backend)
          yield* Effect.forEach(
            Array.from({ length: 600 }, (_, n) => n),
            (n) => set("late", String(n))
          )
          // Another process reads what the first one holds in its log, some of it trimmed by now.
          assert.isBelow(rows(file, "SELECT count(*) FROM batches")[0] as number, 600)
          const found = yield* Effect.scoped(Effect.flatMap(FileBackend.make({ path: file, limits }), contents))
          assert.deepStrictEqual(found, { early: "1", late: "599" })
        })
      )
    })
  )
})

/** A file of format 1 (pages of 1 kB): k1 again, k3, k4, k6; k2 deleted. Compressed. */
const format1 = [
  "H4sIAAAAAAACAwsO9MksSVVIyy/KTSxRMGZgYWBkZHBQUGBgADIhGAaYkPggmhGGw1PTShiwAxYGvalneEGamZ4xMGcBiVEwCugOGhmZ2MWFhR",
  "kbM0sSk3JSc/LTgYjFOcjVMcRVIcTRycdVASigoFGcWqjg6Rfi6u4apBAQ5OnrGBSp4O0aqaNQllpUnJmfB5f08w9R8Av18dFRSMpPqVRw8vF3",
  "QhIrLs3FUKnZKMzILi4uztjECnZDcmpOTjGYYEZxB1hIQSM7FWoqkc4oS8wpTSXKHQrhniEe/qEhCkH+4Z4uoAwMzsWjYBSMghEHuJjvMrAwL2",
  "JgXsR8knk787vREBkFo2AwARFWAUYZlmxDViA7MT0xM69sw5YGQaCgGEu2CagdXmYioF57XBgkwpptzAwSMWZgeDjr5jIgUxCoygjUci8z4p1X",
  "B9VmxgYSMJP0XrcD1DZnZ3zMwPyGeR6zP9M/pvVMJkDuKBg+wJ+djYGxUYCVDdxZc5BAlWUrSS0u0TWECSNJMzIwZZuBkg4rOLVABN84zuytZA",
  "MZmMLKCjFQBLuBUGEkaSaggYbM9h/gAmCDDYEEByxtA1UYMTowoKowgrDnFEwW9WUF+4WFBWK1AHarocJI0iC/mMD9YgISkrnX8dKfBRI0zBDj",
  "OLAbBxVGkgYZZww3zhgi+NxX4aMvM8R9TBADGbAbCOUiSYMMNGJC8bCEldhpHyY2Bk6gcWDTkAIO2TSYMJI0yDRDJuQAZuC0Mu0UYmRl4JBjgb",
  "f2S64/7QQAYr7fwQAQAAA="
].join("")

describe("a file of format 1", () => {
  it.live("is migrated as it is opened, holds what it held, and is closed to programs of that format", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* directory, "desk.weft")
        fs.writeFileSync(file, gunzipSync(Buffer.from(format1, "base64")))
        const old = new DatabaseSync(file)
        assert.strictEqual(Object.values(old.prepare("PRAGMA user_version").get()!)[0], 1)
        const look = old.prepare("SELECT max(seq) FROM log")
        assert.strictEqual(Object.values(look.get()!)[0], 7)
        old.close()
        const held = { k1: "again", k3: "v3", k4: "v4", k6: "v6" }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const backend = yield* FileBackend.make({ path: file })
            assert.deepStrictEqual(yield* contents(backend), held)
            yield* client(backend).set("k7", "v7")
          })
        )
        const { cells, damages, logRows } = yield* FileBackend.integrity({ path: file })
        assert.deepStrictEqual([cells, damages, logRows], [5, [], 9])
        const again = new DatabaseSync(file)
        assert.throws(() => again.prepare("SELECT max(seq) FROM log"), /no such table/)
        again.close()
        const found = yield* Effect.scoped(Effect.flatMap(FileBackend.make({ path: file }), contents))
        assert.deepStrictEqual(found, { ...held, k7: "v7" })
      })
    )
  )

  it.live("a damaged row of its log is named", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = path.join(yield* directory, "desk.weft")
        fs.writeFileSync(file, gunzipSync(Buffer.from(format1, "base64")))
        const db = new DatabaseSync(file)
        db.exec("UPDATE log SET sum = sum + 1 WHERE seq = 3")
        db.close()
        const error = yield* Effect.flip(Effect.scoped(FileBackend.make({ path: file })))
        assert.instanceOf(error, StoreError)
        assert.match(error.message, /log row 3 .*is damaged/)
      })
    )
  )
})
