/** Commits that need not be on the disk when they are acknowledged, and what is known to be empty. Power cuts: `crash`. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { sealRequest } from "@weft/domain/core/Machine"
import * as MachineLimits from "@weft/domain/core/Limits"
import * as Version from "@weft/domain/core/Version"
import * as FileBackend from "../src/FileBackend.ts"
import { Database } from "../src/internal/file/Database.ts"
import { FileStore } from "../src/internal/file/FileStore.ts"
import { client, memoryDirectory, opened, value } from "./support.ts"

const inDirectory = (name: string, body: (file: string) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.scoped(Effect.flatMap(memoryDirectory, (dir) => body(path.join(dir, "desk.weft")))))

const set = (key: string, text: string) => [{ _tag: "Set", key, value: value(text) } as const]

describe("relaxed commits", () => {
  inDirectory(
    "after the death of all processes nothing is lost and the epoch is higher, once; after a close it is the same",
    (file) =>
      Effect.gen(function* () {
        const died = `${file}.died`
        const told = yield* Effect.scoped(
          Effect.gen(function* () {
            const backend = yield* FileBackend.make({ path: file })
            const { commit } = client(backend)
            yield* commit(set("a", "1"))
            for (let i = 0; i < 5; i++) yield* commit(set("b", `${i}`), "relaxed")
            for (const side of ["", "-wal"]) fs.copyFileSync(file + side, died + side)
            return (yield* backend.read({ keys: [], ranges: [] })).version
          })
        )
        const cells = { a: "1", b: "4" }
        // Whether a sync has failed nobody is left to say: then the last ones might be gone.
        const after = yield* opened(died)
        assert.strictEqual(Version.epochOf(after.version), Version.epochOf(told) + 1)
        assert.isAbove(after.version, told)
        assert.deepStrictEqual(after.cells, cells)
        assert.deepStrictEqual(yield* opened(died), after)
        // It was closed: all of it is on the disk.
        assert.deepStrictEqual(yield* opened(file), { version: told, cells })
      })
  )

  inDirectory(
    "only a transaction of relaxed requests alone goes without a sync, and none before the file says so",
    (file) =>
      Effect.sync(() => {
        const begun: Array<boolean> = []
        const open = (journal: "wal" | "rollback") => {
          const database = new Database({ path: file, journal, pageBytes: 4096, version: Version.none })
          const begin = database.beginImmediate.bind(database)
          database.beginImmediate = (isRelaxed = false) => {
            begun.push(isRelaxed)
            begin(isRelaxed)
          }
          const limits = MachineLimits.make({})
          return new FileStore(database, { limits, cacheBytes: 1e6, logBytesMax: 1e6, foldCells: 100 })
        }
        // It only makes requests.
        const { request } = client(undefined as never)
        const relaxed = () => request(set("a", "1"), "relaxed")
        const durable = () => request(set("b", "1"))
        const check = () => ({ ...request([]), id: undefined })
        const store = open("wal")
        store.commit([[relaxed()]])
        assert.deepStrictEqual(begun.splice(0), [false], "before the file says on the disk that there may be such")
        store.commit([[relaxed()]])
        store.commit([[relaxed(), check()], [relaxed()]])
        assert.deepStrictEqual(begun.splice(0), [true, true])
        store.commit([[relaxed(), durable()]])
        store.commit([[relaxed()], [durable()]])
        store.commit([[relaxed(), sealRequest(request([]).id!, store.horizon)]])
        assert.deepStrictEqual(begun.splice(0), [false, false, false])
        store.close()
        begun.length = 0
        const other = open("rollback")
        other.commit([[relaxed()]])
        other.commit([[relaxed()]])
        assert.deepStrictEqual(begun.splice(0), [false, false])
        other.database.close()
      })
  )
})

describe("what is known to be empty", () => {
  inDirectory("is empty no longer after a fold, of this process or of another one", (file) =>
    Effect.scoped(
      Effect.gen(function* () {
        const range = { start: "m", end: "n" }
        const one = yield* FileBackend.make({ path: file, foldCells: 3 })
        const two = yield* FileBackend.make({ path: file, foldCells: 3 })
        const keys = (backend: typeof one) =>
          Effect.map(backend.read({ keys: [], ranges: [range] }), ({ ranges }) => ranges[0]!.map(({ key }) => key))
        for (const writer of [one, two]) {
          for (let i = 0; i < 12; i++) {
            const before = yield* keys(one)
            assert.deepStrictEqual(yield* keys(two), before)
            const { commit } = client(writer)
            yield* commit([...set(`m${i}`, "x"), ...set(`a${i}`, "x"), ...set(`z${i}`, "x")])
            const after = [...before, `m${i}`].sort()
            assert.deepStrictEqual(yield* keys(one), after)
            assert.deepStrictEqual(yield* keys(two), after)
          }
          yield* client(writer).commit([{ _tag: "DeleteRange", start: "a", end: "zz" }])
          assert.deepStrictEqual([yield* keys(one), yield* keys(two)], [[], []])
        }
      })
    )
  )
})
