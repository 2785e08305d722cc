/** What the file store does beyond the contract: bad files, damage, backups, processes that come and go. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import * as Version from "@weft/domain/core/Version"
import { StoreError } from "@weft/domain/StoreError"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../src/FileBackend.ts"
import { client, contents, directory, value } from "./support.ts"

/** Syncs of a disk that others use at the same time may take tens of milliseconds each. */
const syncsMillis = 60_000

const inDirectory = (name: string, body: (file: string) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.scoped(Effect.flatMap(directory, (dir) => body(path.join(dir, "desk.weft")))), syncsMillis)

/** Opens, uses, closes. */
const using = <A, E>(
  file: string,
  use: (backend: Effect.Success<ReturnType<typeof FileBackend.make>>) => Effect.Effect<A, E>
) => Effect.scoped(Effect.flatMap(FileBackend.make({ path: file }), use))

const fill = (file: string, keys: number) =>
  using(file, (backend) => {
    const { commit } = client(backend)
    return commit(
      Array.from({ length: keys }, (_, i) => ({ _tag: "Set" as const, key: `k${i}`, value: value(`v${i}`.repeat(20)) }))
    )
  })

const refusal = (file: string) =>
  Effect.map(Effect.flip(using(file, contents)), (error) => {
    assert.instanceOf(error, StoreError)
    return `${error.reason._tag}: ${error.message}`
  })

describe("opening", () => {
  inDirectory("a new file, then the same one: what was acknowledged is there", (file) =>
    Effect.gen(function* () {
      yield* fill(file, 3)
      assert.deepStrictEqual(Object.keys(yield* using(file, contents)), ["k0", "k1", "k2"])
    })
  )

  inDirectory(
    "a directory, a missing directory, a text, a foreign database, a newer format: typed, untouched",
    (file) =>
      Effect.gen(function* () {
        assert.match(yield* refusal(path.dirname(file)), /^InvalidInput.*directory/)
        assert.match(yield* refusal(path.join(file, "no", "desk.weft")), /^InvalidInput.*does not exist/)
        fs.writeFileSync(file, "dear diary, this is no database at all")
        assert.match(yield* refusal(file), /^Corrupt.*no store of Weft/)
        assert.strictEqual(fs.readFileSync(file, "latin1"), "dear diary, this is no database at all")
        fs.rmSync(file)
        const other = new DatabaseSync(file)
        other.exec("CREATE TABLE t (a); PRAGMA application_id = 17")
        other.close()
        const before = fs.readFileSync(file)
        assert.match(yield* refusal(file), /^InvalidInput.*another program/)
        assert.isTrue(before.equals(fs.readFileSync(file)))
        fs.rmSync(file)
        yield* fill(file, 1)
        const newer = new DatabaseSync(file)
        newer.exec("PRAGMA user_version = 99")
        newer.close()
        assert.match(yield* refusal(file), /^InvalidInput.*format 99/)
      })
  )

  inDirectory("an empty and a cut file", (file) =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "")
      yield* fill(file, 100)
      fs.truncateSync(file, 5000)
      assert.match(yield* refusal(file), /^Corrupt/)
    })
  )

  inDirectory("a lock that another program never gives back ends in a typed error", (file) =>
    Effect.gen(function* () {
      yield* fill(file, 1)
      const other = new DatabaseSync(file)
      other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
      const waiting = yield* Effect.forkChild(Effect.exit(using(file, contents)))
      yield* Effect.sleep("100 millis")
      other.exec("COMMIT")
      other.close()
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(waiting)))
    })
  )
})

describe("two handles on one file", () => {
  inDirectory("see each other's commits at once, in reads, in commits, in changes", (file) =>
    using(file, (a) =>
      using(file, (b) =>
        Effect.gen(function* () {
          const seen = yield* Effect.forkChild(
            b.changes({ from: Version.none, values: true }).pipe(Stream.take(2), Stream.runCollect)
          )
          yield* client(a).set("x", "1")
          assert.deepStrictEqual(yield* contents(b), { x: "1" })
          yield* client(b).set("x", "2")
          assert.deepStrictEqual(yield* contents(a), { x: "2" })
          const versions = (yield* Fiber.join(seen)).map((change) => change._tag === "Commit" && change.version)
          assert.deepStrictEqual(versions, [1, 2])
        })
      )
    )
  )

  inDirectory("a follower that does nothing else is woken by the other's commit", (file) =>
    using(file, (a) =>
      using(file, (b) =>
        Effect.gen(function* () {
          const seen = yield* Effect.forkChild(
            b.changes({ from: Version.none, values: true }).pipe(Stream.take(1), Stream.runCollect)
          )
          yield* Effect.sleep(50)
          yield* client(a).set("x", "1")
          assert.strictEqual((yield* Fiber.join(seen))[0]!._tag, "Commit")
        })
      )
    )
  )

  inDirectory("a file that vanishes ends the store with a typed error, nothing is acknowledged into it", (file) =>
    using(file, (backend) =>
      Effect.gen(function* () {
        yield* client(backend).set("x", "1")
        fs.renameSync(file, `${file}.away`)
        const error = yield* Effect.flip(client(backend).set("x", "2"))
        assert.match(error.message, /Unavailable.*removed/)
      })
    )
  )
})

/** SQLite's head of a file. */
const headBytes = 100

describe("damage", () => {
  const flips = process.env["WEFT_SCALE"] === "full" ? 1000 : 60

  inDirectory(`a bit flipped at ${flips} places of a closed store: named, or harmless, never wrong data`, (file) =>
    Effect.gen(function* () {
      yield* fill(file, 400)
      const sound = yield* using(file, contents)
      const bytes = fs.readFileSync(file)
      const sums = fs.readFileSync(`${file}-sums`)
      let named = 0
      let harmless = 0
      const prng = new Prng(Number(process.env["WEFT_SEED"] ?? 12345))
      for (let i = 0; i < flips; i++) {
        const place = prng.below(bytes.length * 8)
        const flipped = Buffer.from(bytes)
        flipped[place >> 3]! ^= 1 << (place & 7)
        fs.writeFileSync(file, flipped)
        fs.writeFileSync(`${file}-sums`, sums)
        for (const side of ["-wal", "-shm"]) fs.rmSync(file + side, { force: true })
        const exit = yield* Effect.exit(using(file, contents))
        if (Exit.isSuccess(exit)) {
          assert.deepStrictEqual(exit.value, sound, `wrong data after a flip of bit ${place} (WEFT_SEED=${prng.seed})`)
          // Its sums cover a closed file. A flip in SQLite's own head may make them those of another state.
          assert.isBelow(place >> 3, headBytes, `bit ${place} was flipped and nobody noticed`)
          harmless++
        } else {
          const error = exit.cause.reasons[0]
          assert.isTrue(
            error?._tag === "Fail" && error.error instanceof StoreError,
            `untyped after bit ${place}: ${exit.cause}`
          )
          named++
        }
      }
      console.log(`${flips} flips: ${named} named, ${harmless} harmless`)
      assert.strictEqual(named + harmless, flips)
    })
  )

  inDirectory("without its sums (after a crash) a damaged cell is named and not served", (file) =>
    Effect.gen(function* () {
      yield* fill(file, 10)
      fs.rmSync(`${file}-sums`)
      const db = new DatabaseSync(file)
      db.exec("UPDATE cells SET value = x'00000041' WHERE key = CAST('k3' AS BLOB)")
      db.close()
      assert.match(yield* refusal(file), /^Corrupt.*0x6b33/)
      const found = yield* FileBackend.integrity({ path: file })
      assert.deepStrictEqual([found.cells, found.damages.length], [10, 1])
    })
  )
})

describe("backups", () => {
  inDirectory("a backup taken while a writer runs is a state that was; restored, it is a new epoch", (file) =>
    Effect.gen(function* () {
      const copy = `${file}.backup`
      yield* using(file, (backend) =>
        Effect.gen(function* () {
          const { commit } = client(backend)
          let n = 0
          const writer = yield* Effect.forkChild(
            Effect.forever(
              Effect.suspend(() =>
                commit([
                  { _tag: "Set", key: "a", value: value(String(++n)) },
                  { _tag: "Set", key: "b", value: value(String(n)) }
                ])
              )
            )
          )
          yield* Effect.sleep("20 millis")
          const { damages } = yield* FileBackend.backup({ path: file, to: copy })
          assert.deepStrictEqual(damages, [])
          yield* Fiber.interrupt(writer)
          assert.match(
            String(yield* Effect.flip(FileBackend.restore({ path: file, from: copy }))),
            /is open in a process/
          )
        })
      )
      const { a, b } = yield* using(copy, contents)
      assert.strictEqual(a, b)
      yield* FileBackend.restore({ path: file, from: copy })
      yield* using(file, (backend) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* contents(backend), { a, b })
          const reply = yield* backend.commit([client(backend).request([{ _tag: "Set", key: "c", value: value("x") }])])
          assert.strictEqual(reply[0]!._tag, "TooOld")
          const { version } = yield* backend.read({ keys: [], ranges: [] })
          assert.strictEqual(Version.epochOf(version), 1)
        })
      )
    })
  )

  inDirectory("compact gives room back while the store is used", (file) =>
    using(file, (backend) =>
      Effect.gen(function* () {
        const { commit } = client(backend)
        const big = value("x".repeat(4000))
        yield* commit(Array.from({ length: 500 }, (_, i) => ({ _tag: "Set" as const, key: `k${i}`, value: big })))
        yield* commit([{ _tag: "DeleteRange", start: "k", end: "l" }])
        yield* FileBackend.compact({ path: file })
        assert.deepStrictEqual(yield* contents(backend), {})
        assert.isBelow(fs.statSync(file).size, 500 * 4000 * 4)
      })
    )
  )
})

/** Another process tries to have the file alone, as an opener does that settles a log which was left behind. */
const tryAlone = (file: string) =>
  Effect.sync(() => {
    const script = `
      const { DatabaseSync } = require("node:sqlite")
      const db = new DatabaseSync(process.argv[1], { timeout: 0 })
      try {
        db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE")
        console.log("alone")
      } catch (error) {
        console.log(error.message)
      }`
    return spawnSync(process.execPath, ["--no-warnings", "-e", script, file], { encoding: "utf8" }).stdout
  })

describe("locks of one process", () => {
  inDirectory("a second look at the file by the same process leaves the locks of the first one", (file) =>
    using(file, (backend) =>
      Effect.gen(function* () {
        yield* client(backend).set("a", "1")
        const second = yield* Effect.scoped(Effect.flatMap(FileBackend.make({ path: file }), () => tryAlone(file)))
        assert.match(second, /locked/)
        assert.match(yield* tryAlone(file), /locked/)
      })
    )
  )
})
