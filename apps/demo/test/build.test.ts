/**
 * The concordance on small folders: whole files or nothing, the same index for any number of workers and for workers that
 * are interrupted at random. Replay a failure with `WEFT_SEED=<seed> npx vitest run apps/demo/test/build.test.ts`.
 */
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as InprocBackend from "@weft/backends/InprocBackend"
import { Store } from "@weft/domain/Store"
import { Prng } from "@weft/domain/testing/Prng"
import { build } from "../src/Build.ts"
import * as Concordance from "../src/Concordance.ts"
import { digest } from "../src/digest.ts"

const seed = Number(process.env["WEFT_SEED"] ?? 20_261)
const FILES = 60
const vocabulary = Array.from({ length: 300 }, (_, i) => `word${i.toString(36)}`)

let root = ""

beforeAll(() => {
  root = Fs.mkdtempSync(join(tmpdir(), "weft-demo-"))
  const random = new Prng(seed)
  for (let i = 0; i < FILES; i++) {
    const lines = Array.from({ length: 20 }, () =>
      Array.from({ length: 8 }, () => vocabulary[random.below(vocabulary.length)]).join(" ")
    )
    Fs.mkdirSync(join(root, `part${i % 4}`), { recursive: true })
    Fs.writeFileSync(join(root, `part${i % 4}`, `file${i}.txt`), lines.join("\n"))
  }
  Fs.writeFileSync(join(root, "binary.bin"), Uint8Array.of(0, 1, 2))
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const onNewStore = <A, E>(program: Effect.Effect<A, E, Store | NodeServices.NodeServices>) =>
  Effect.provide(program, Layer.merge(Store.layer(InprocBackend.layer()), NodeServices.layer))

/** What the index says, without the machinery that made it. */
const state = Effect.gen(function* () {
  return { digest: yield* digest, summary: yield* Concordance.summary(), left: yield* Concordance.remaining.get }
})

const built = (workers: number) =>
  Effect.gen(function* () {
    const progress = yield* build(root, [""], { workers }).run
    return { progress, ...(yield* state) }
  })

/** The same index, made without queue, workers or transactions of more than one file. */
const plain = Effect.gen(function* () {
  for (const path of Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()) {
    if (path.endsWith(".txt")) yield* Concordance.add(path, Fs.readFileSync(join(root, path), "utf8"))
  }
  return yield* digest
})

describe("the concordance", () => {
  it.live("is the same for 1, 2 and 16 workers, and as made file by file", () =>
    Effect.gen(function* () {
      const expected = yield* onNewStore(plain)
      for (const workers of [1, 2, 16]) {
        const { digest: found, left, progress, summary } = yield* onNewStore(built(workers))
        assert.strictEqual(found, expected, `${workers} workers`)
        assert.strictEqual(left, 0)
        assert.strictEqual(summary.files, FILES)
        assert.strictEqual(summary.words, FILES * 20 * 8)
        assert.deepStrictEqual(summary.skipped, [{ path: "binary.bin", reason: "binary" }])
        assert.strictEqual(progress.filesDone, FILES + 1)
      }
    })
  )

  it.live("changes its digest with one letter", () =>
    Effect.gen(function* () {
      const of = (text: string) => onNewStore(Effect.andThen(Concordance.add("a", text), digest))
      assert.notStrictEqual(yield* of("some text"), yield* of("some test"))
      assert.strictEqual(yield* of("some text"), yield* of("some text"))
    })
  )

  it.live(`is the same when builds are interrupted at random (seed ${seed})`, () =>
    onNewStore(
      Effect.gen(function* () {
        const expected = yield* onNewStore(plain)
        const random = new Prng(seed)
        const fs = yield* FileSystem.FileSystem
        let interrupted = 0
        while ((yield* Concordance.summary()).files < FILES) {
          const stop = yield* Deferred.make<void>()
          let untilStop = 1 + random.below(15)
          const stopping: FileSystem.FileSystem = {
            ...fs,
            readFile: (at) => {
              untilStop -= 1
              return untilStop === 0
                ? Effect.andThen(Deferred.succeed(stop, undefined), fs.readFile(at))
                : fs.readFile(at)
            }
          }
          const run = Effect.provideService(build(root, [""], { workers: 4 }).run, FileSystem.FileSystem, stopping)
          yield* Effect.raceFirst(run, Deferred.await(stop))
          if (untilStop <= 0) interrupted += 1
          const { summary } = yield* state
          const lines = yield* Concordance.documents.values()
          assert.strictEqual(
            lines.reduce((sum, document) => sum + document.words, 0),
            summary.words,
            "a file was counted and not indexed, or the other way round"
          )
        }
        assert.isAbove(interrupted, 1, "nothing was interrupted: the check checked nothing")
        yield* build(root, [""], { workers: 4 }).run
        assert.strictEqual(yield* digest, expected)
        assert.strictEqual((yield* state).left, 0)
      })
    )
  )

  it.live("a file that changes while it is read is named and leaves no trace", () =>
    onNewStore(
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = "part0/file0.txt"
        const growing: FileSystem.FileSystem = {
          ...fs,
          readFile: (at) =>
            at.endsWith("file0.txt")
              ? Effect.tap(fs.readFile(at), () => fs.writeFileString(at, "unheard of words"))
              : fs.readFile(at)
        }
        const text = Fs.readFileSync(join(root, path), "utf8")
        yield* Effect.provideService(build(root, [path, "part1"], { workers: 2 }).run, FileSystem.FileSystem, growing)
        Fs.writeFileSync(join(root, path), text)
        const { left, summary } = yield* state
        assert.deepStrictEqual(summary.skipped, [{ path, reason: "changed while it was read" }])
        assert.strictEqual(left, 0)
        assert.strictEqual((yield* Concordance.search("unheard", 5)).lines, 0)
        assert.isFalse((yield* Concordance.postings.keys()).some(([, at]) => at === path))
      })
    )
  )

  it.live("a file that is delivered twice is indexed once", () =>
    onNewStore(
      Effect.gen(function* () {
        assert.strictEqual(yield* Concordance.add("a.txt", "one two"), 2)
        const first = yield* state
        assert.isUndefined(yield* Concordance.add("a.txt", "one two"))
        yield* Concordance.skip({ path: "a.txt", reason: "gone" })
        assert.deepStrictEqual(yield* state, first)
      })
    )
  )

  it.live("the longest of equals is the first by name, whoever came first", () =>
    onNewStore(
      Effect.gen(function* () {
        for (const path of ["b.txt", "a.txt", "c.txt"]) yield* Concordance.add(path, "two words")
        assert.deepStrictEqual((yield* Concordance.summary()).longest, { path: "a.txt", words: 2 })
      })
    )
  )

  it.live("answers with places in order, from the text that was indexed", () =>
    onNewStore(
      Effect.gen(function* () {
        yield* Concordance.add("b.txt", "nothing\nthe Needle\n")
        yield* Concordance.add("a.txt", "needle needle\nhay\nneedle")
        const answer = yield* Concordance.search("needle", 2)
        assert.deepStrictEqual(answer, {
          word: "needle",
          files: 2,
          lines: 3,
          places: [
            { path: "a.txt", line: 1, text: "needle needle" },
            { path: "a.txt", line: 3, text: "needle" }
          ]
        })
        assert.strictEqual((yield* Concordance.search("need", 2)).lines, 0)
      })
    )
  )
})
