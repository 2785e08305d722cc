/**
 * The concordance on small folders: whole files or nothing, the same index for any number of workers, for runs that are
 * interrupted at random, and for directories that are moved about. Replay a failure with
 * `WEFT_SEED=<seed> npx vitest run apps/demo/test/build.test.ts`.
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
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { Build } from "../src/Build.ts"
import * as Concordance from "../src/Concordance.ts"
import type { Read } from "../src/Corpus.ts"
import { digest } from "../src/digest.ts"
import { drawing } from "../src/draw.ts"
import { RETURNS_MAX, space } from "../src/Hands.ts"
import { Workers } from "../src/Worker.ts"
import { type Asked, quietDigest, Run } from "../src/Run.ts"
import { any } from "@weft/tuplespace/TupleSpace"

const seed = Number(process.env["WEFT_SEED"] ?? 2)
const FILES = 60
const vocabulary = Array.from({ length: 300 }, (_, i) => `word${i.toString(36)}`)

/** A folder of its own, with files that changed long ago. */
const corpus = () => {
  const root = Fs.mkdtempSync(join(tmpdir(), "weft-demo-"))
  const draw = drawing(seed)
  for (let i = 0; i < FILES; i++) {
    const lines = Array.from({ length: 20 }, () =>
      Array.from({ length: 8 }, () => vocabulary[draw(vocabulary.length)]).join(" ")
    )
    const folder = join(root, `part${i % 4}`, `section${i % 8}`)
    Fs.mkdirSync(folder, { recursive: true })
    write(join(folder, `file${i}.txt`), lines.join("\n"))
  }
  write(join(root, "binary.bin"), Uint8Array.of(0, 1, 2))
  return root
}

const write = (path: string, content: string | Uint8Array) => {
  Fs.writeFileSync(path, content)
  Fs.utimesSync(path, 1000, 1000)
}

let root = ""
beforeAll(() => void (root = corpus()))
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const onNewStore = <A, E>(program: Effect.Effect<A, E, Store | NodeServices.NodeServices>) =>
  Effect.provide(program, Layer.merge(Store.layer(InprocBackend.layer()), NodeServices.layer))

const withCorpus = <A, E, R>(use: (root: string) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(Effect.sync(corpus), use, (root) => Effect.sync(() => Fs.rmSync(root, { recursive: true })))

const built = (more?: Partial<Asked>) => {
  const asked = { root, starts: [""], store: "memory", workers: 4, processes: 0, kills: 0, renames: 0, seed }
  const run = new Run({ ...asked, ...more })
  return Effect.map(run.whole, (progress) => ({ progress, changes: run.build.changes }))
}

const text = (content: string): Read => ({ text: content, stamp: "s" })

const add = (path: string, content: string) =>
  Effect.flatMap(Concordance.versionOf(path), (seen) => Concordance.bring(path, text(content), seen))

/** The same index, made without tuple space, workers or locks. */
const plain = Effect.gen(function* () {
  for (const path of Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()) {
    if (path.endsWith(".txt")) yield* add(path, Fs.readFileSync(join(root, path), "utf8"))
  }
  return yield* digest
})

describe("the concordance", () => {
  it.live("is the same for 1, 2 and 16 workers, and as made file by file", () =>
    Effect.gen(function* () {
      const expected = yield* onNewStore(plain)
      for (const workers of [1, 2, 16]) {
        const { changes, found, left, progress, summary } = yield* onNewStore(
          Effect.gen(function* () {
            const made = yield* built({ workers })
            const left = (yield* space.count(["hand", any, any])) + (yield* space.count(["done", any, any, any, any]))
            return { ...made, found: yield* digest, left, summary: yield* Concordance.summary() }
          })
        )
        assert.strictEqual(found, expected, `${workers} workers`)
        assert.strictEqual(left, 0)
        assert.strictEqual(summary.files, FILES)
        assert.strictEqual(summary.words, FILES * 20 * 8)
        assert.deepStrictEqual(summary.skipped, [{ path: "binary.bin", reason: "binary" }])
        assert.strictEqual(progress.filesDone, FILES + 1)
        assert.deepStrictEqual(changes, { added: FILES + 1, changed: 0, removed: 0 })
      }
    })
  )

  it.live("changes its digest with one letter", () =>
    Effect.gen(function* () {
      const of = (text: string) => onNewStore(Effect.andThen(add("a", text), digest))
      assert.notStrictEqual(yield* of("some text"), yield* of("some test"))
      assert.strictEqual(yield* of("some text"), yield* of("some text"))
    })
  )

  it.live("a second run takes files that were added, changed and removed, and nothing else", () =>
    withCorpus((root) =>
      onNewStore(
        Effect.gen(function* () {
          yield* built({ root })
          const first = yield* digest
          assert.deepStrictEqual((yield* built({ root })).changes, { added: 0, changed: 0, removed: 0 })
          assert.strictEqual(yield* digest, first)
          const section = join(root, "part1", "section1")
          const [changed = "", removed = "", bad = ""] = Fs.readdirSync(section)
          write(join(section, changed), "wholly other words")
          write(join(section, "new.txt"), "brand new\nwords")
          Fs.rmSync(join(section, removed))
          write(join(section, bad), Uint8Array.of(0))
          const { changes, progress } = yield* built({ root })
          assert.deepStrictEqual(changes, { added: 1, changed: 2, removed: 1 })
          assert.strictEqual(progress.filesDone, 4)
          assert.notStrictEqual(yield* digest, first)
          assert.strictEqual(yield* digest, yield* quietDigest({ root, starts: [""], workers: 1 }))
          const summary = yield* Concordance.summary()
          const words = (yield* Concordance.files.values()).reduce((sum, file) => sum + file.words, 0)
          assert.strictEqual(summary.words, words)
          assert.strictEqual(summary.postings, (yield* Concordance.postings.keys()).length)
          assert.strictEqual((yield* Concordance.byLength.values()).length, summary.files)
          assert.deepStrictEqual(
            summary.skipped.map(({ reason }) => reason),
            ["binary", "binary"]
          )
          assert.strictEqual((yield* Concordance.search("wholly", 5)).lines, 1)
        })
      )
    )
  )

  it.live(`is the same when runs are interrupted at random (seed ${seed})`, () =>
    onNewStore(
      Effect.gen(function* () {
        const expected = yield* onNewStore(plain)
        const draw = drawing(seed)
        const fs = yield* FileSystem.FileSystem
        let interrupted = 0
        while ((yield* Concordance.summary()).files < FILES) {
          const stop = yield* Deferred.make<void>()
          let untilStop = 1 + draw(15)
          const stopping: FileSystem.FileSystem = {
            ...fs,
            readFile: (at) => {
              untilStop -= 1
              return untilStop === 0
                ? Effect.andThen(Deferred.succeed(stop, undefined), fs.readFile(at))
                : fs.readFile(at)
            }
          }
          const run = Effect.provideService(built(), FileSystem.FileSystem, stopping)
          yield* Effect.raceFirst(run, Deferred.await(stop))
          if (untilStop <= 0) interrupted += 1
          const files = yield* Concordance.files.values()
          assert.strictEqual(
            files.reduce((sum, file) => sum + file.words, 0),
            (yield* Concordance.summary()).words,
            "a file was counted and not indexed, or the other way round"
          )
        }
        assert.isAbove(interrupted, 1, "nothing was interrupted: the check checked nothing")
        yield* built()
        assert.strictEqual(yield* digest, expected)
      })
    )
  )

  it.live(`is that of the final layout when directories move while workers index (seed ${seed})`, () =>
    withCorpus((root) =>
      onNewStore(
        Effect.gen(function* () {
          const before = Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()
          const fs = yield* FileSystem.FileSystem
          const draw = drawing(seed)
          // Time between the last look at a file and its way into the index: there a move does harm where nothing is locked.
          const read = new Set<string>()
          const slow: FileSystem.FileSystem = {
            ...fs,
            readFile: (at) => Effect.tap(fs.readFile(at), () => Effect.sync(() => read.add(at))),
            stat: (at) => Effect.tap(fs.stat(at), () => Effect.sleep(read.delete(at) ? draw(120) : 0))
          }
          const { progress } = yield* Effect.provideService(built({ root, renames: 24 }), FileSystem.FileSystem, slow)
          assert.strictEqual(progress.renames, 24)
          const after = Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()
          assert.notDeepEqual(after, before)
          assert.strictEqual(yield* digest, yield* quietDigest({ root, starts: [""], workers: 2 }))
          const { files, words } = yield* Concordance.summary()
          assert.deepStrictEqual([files, words], [FILES, FILES * 20 * 8])
        })
      )
    )
  )

  it.live("a file that changes while it is read is named, leaves no trace, and is read by the next run", () =>
    withCorpus((root) =>
      onNewStore(
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = "part0/section0/file0.txt"
          const growing: FileSystem.FileSystem = {
            ...fs,
            readFile: (at) =>
              at.endsWith("file0.txt")
                ? Effect.tap(fs.readFile(at), () => fs.writeFileString(at, "unheard of words"))
                : fs.readFile(at)
          }
          yield* Effect.provideService(built({ root }), FileSystem.FileSystem, growing)
          const { skipped } = yield* Concordance.summary()
          assert.deepStrictEqual(skipped[1], { path, reason: "changed while it was read" })
          assert.strictEqual((yield* Concordance.search("unheard", 5)).lines, 0)
          assert.isFalse((yield* Concordance.postings.keys()).some(([, at]) => at === path))
          assert.deepStrictEqual((yield* built({ root })).changes, { added: 0, changed: 1, removed: 0 })
          assert.strictEqual((yield* Concordance.search("unheard", 5)).lines, 1)
        })
      )
    )
  )

  it.live("what was read before the index changed is not written over it", () =>
    onNewStore(
      Effect.gen(function* () {
        const seen = yield* Concordance.versionOf("a.txt")
        yield* add("a.txt", "newer words")
        assert.isUndefined(yield* Concordance.bring("a.txt", text("older"), seen))
        assert.strictEqual((yield* Concordance.search("newer", 1)).lines, 1)
        assert.strictEqual((yield* Concordance.search("older", 1)).lines, 0)
      })
    )
  )

  it.live("the longest of equals is the first by name, whoever came first, and gives way when it goes", () =>
    onNewStore(
      Effect.gen(function* () {
        for (const path of ["b.txt", "a.txt", "c.txt"]) yield* add(path, "two words")
        assert.deepStrictEqual((yield* Concordance.summary()).longest, { path: "a.txt", words: 2 })
        yield* add("a.txt", "one")
        assert.deepStrictEqual((yield* Concordance.summary()).longest, { path: "b.txt", words: 2 })
      })
    )
  )

  it.live("a run that was taken for dead begins again, and ends with the same index", () =>
    onNewStore(
      Effect.gen(function* () {
        const expected = yield* onNewStore(plain)
        const rounds = { count: 0 }
        const crew = (run: string) =>
          Effect.gen(function* () {
            const session = yield* Sessions.current(Store)
            if (rounds.count++ === 0) {
              for (let bump = 0; bump < 100; bump++) if (yield* Sessions.remove(Store, session.id, bump)) break
              yield* Sessions.renew(Store, session)
            }
            return yield* new Workers(root, run).forever(4)
          })
        const build = new Build({ root, starts: [""], crew, owner: "test" })
        yield* build.run
        assert.strictEqual(rounds.count, 2)
        assert.strictEqual(build.filesDone, build.filesTotal)
        assert.deepStrictEqual(build.changes, { added: FILES + 1, changed: 0, removed: 0 })
        assert.strictEqual(yield* digest, expected)
      })
    )
  )

  it.live("files whose workers die again and again are named, and the run ends", () =>
    onNewStore(
      Effect.gen(function* () {
        const deaths = { count: 0 }
        // Takes each hand and gives it back undone, as the session of a dead process does.
        const dying = (run: string) =>
          space.takeLeased(["hand", run, any]).pipe(
            Effect.tap(() => Effect.sync(() => (deaths.count += 1))),
            Effect.scoped,
            Effect.forever
          )
        const build = new Build({
          root,
          starts: ["binary.bin", "part0/section0/file0.txt"],
          crew: dying,
          owner: "test"
        })
        yield* build.run
        assert.strictEqual(deaths.count, RETURNS_MAX + 1)
        const { files, skipped } = yield* Concordance.summary()
        const reason = "its workers died"
        assert.deepStrictEqual(skipped, [
          { path: "binary.bin", reason },
          { path: "part0/section0/file0.txt", reason }
        ])
        assert.deepStrictEqual([files, build.filesDone], [0, 2])
      })
    )
  )

  it.live("the index of another directory is refused and left alone", () =>
    withCorpus((other) =>
      onNewStore(
        Effect.gen(function* () {
          yield* built()
          const first = yield* digest
          const error = yield* Effect.flip(built({ root: other }))
          assert.strictEqual(error._tag, "OtherIndex")
          assert.include(error.message, other)
          assert.strictEqual(yield* digest, first)
        })
      )
    )
  )

  it.live("processes and a store in memory, or more kills than files, are refused by name", () =>
    onNewStore(
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(built({ processes: 2 })))._tag, "NotShared")
        assert.strictEqual((yield* Effect.flip(built({ renames: FILES + 2 })))._tag, "TooLittleWork")
        const flat = yield* Effect.flip(onNewStore(built({ root: join(root, "part0", "section0"), renames: 1 })))
        assert.strictEqual(flat._tag, "NothingToMove")
      })
    )
  )

  it.live("answers with places in order, from the text that was indexed", () =>
    onNewStore(
      Effect.gen(function* () {
        yield* add("b.txt", "nothing\nthe Needle\n")
        yield* add("a.txt", "needle needle\nhay\nneedle")
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
