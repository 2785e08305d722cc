import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Corpus from "../src/Corpus.ts"

let root = ""

beforeAll(() => {
  root = Fs.mkdtempSync(join(tmpdir(), "weft-corpus-"))
  Fs.mkdirSync(join(root, "sub", "node_modules"), { recursive: true })
  Fs.writeFileSync(join(root, "b.txt"), "two words")
  Fs.writeFileSync(join(root, "a.md"), "one")
  Fs.writeFileSync(join(root, "sub", "c.ts"), "three")
  Fs.writeFileSync(join(root, "sub", "node_modules", "d.ts"), "not mine")
  Fs.writeFileSync(join(root, "image.png"), Uint8Array.of(0x89, 0x50, 0x00, 0x01))
  Fs.writeFileSync(join(root, "latin1.txt"), Uint8Array.of(0x63, 0x61, 0x66, 0xe9))
  Fs.writeFileSync(join(root, "huge.txt"), "x".repeat(Corpus.FILE_BYTES_MAX + 1))
  Fs.symlinkSync(root, join(root, "loop"))
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

describe("corpus", () => {
  it.live("the stamp of a file is that of the walk, unless the file has only just changed", () =>
    Effect.gen(function* () {
      const stampInList = Effect.map(Corpus.list(root, ["a.md"]), ({ files }) => files[0]!.stamp)
      Fs.utimesSync(join(root, "a.md"), 1000, 1000)
      const first = yield* Corpus.read(root, "a.md")
      assert.deepStrictEqual(first, { text: "one", stamp: yield* stampInList })
      Fs.writeFileSync(join(root, "a.md"), "two")
      assert.deepStrictEqual(yield* Corpus.read(root, "a.md"), { text: "two", stamp: "" })
      Fs.utimesSync(join(root, "a.md"), 1000, 1000)
      Fs.rmSync(join(root, "a.md"))
      Fs.writeFileSync(join(root, "a.md"), "six")
      Fs.utimesSync(join(root, "a.md"), 1000, 1000)
      // Same size and time of change, as package managers leave them: another file all the same.
      assert.notStrictEqual(yield* stampInList, first.stamp)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  layer(NodeServices.layer)((it) => {
    it.effect("lists files in order, follows no links, leaves installed packages alone", () =>
      Effect.gen(function* () {
        const { files, skipped } = yield* Corpus.list(root, [""])
        const paths = files.map(({ path }) => path)
        assert.deepStrictEqual(paths, ["a.md", "b.txt", "huge.txt", "image.png", "latin1.txt", "sub/c.ts"])
        assert.deepStrictEqual(skipped, [{ path: "loop", reason: "no regular file" }])
      })
    )

    it.effect("names a start that does not exist, and takes a single file", () =>
      Effect.gen(function* () {
        const { files, skipped } = yield* Corpus.list(root, ["a.md", "nowhere", "a.md"])
        assert.deepStrictEqual(
          files.map(({ path }) => path),
          ["a.md"]
        )
        assert.deepStrictEqual(skipped, [{ path: "nowhere", reason: "gone" }])
      })
    )

    it.effect("reads text whole and says why not otherwise", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Corpus.read(root, "b.txt")).text, "two words")
        const reasons: Readonly<Record<string, Corpus.Reason>> = {
          "image.png": "binary",
          "latin1.txt": "binary",
          "huge.txt": "too large",
          nowhere: "gone",
          sub: "no regular file"
        }
        for (const [path, reason] of Object.entries(reasons)) {
          const { reason: found, text } = yield* Corpus.read(root, path)
          assert.deepStrictEqual([found, text], [reason, undefined])
        }
      })
    )

    it.effect("a file that changes while it is read is not taken", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        Fs.writeFileSync(join(root, "log.txt"), "first")
        const growing: FileSystem.FileSystem = {
          ...fs,
          readFile: (path) => Effect.tap(fs.readFile(path), () => fs.writeFileString(path, "first and second"))
        }
        const text = yield* Effect.provideService(Corpus.read(root, "log.txt"), FileSystem.FileSystem, growing)
        assert.deepStrictEqual(text, { reason: "changed while it was read", stamp: "" })
        assert.strictEqual((yield* Corpus.read(root, "log.txt")).text, "first and second")
      })
    )

    it.effect("a file or folder that may not be read is named", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        // Reading a folder as a file fails for everyone, the superuser too: a real refusal of the file system.
        const denied = Effect.fail(yield* Effect.flip(fs.readFileString(join(root, "sub"))))
        const closed: FileSystem.FileSystem = { ...fs, readFile: () => denied, readDirectoryEntries: () => denied }
        const provide = Effect.provideService(FileSystem.FileSystem, closed)
        assert.deepStrictEqual(yield* provide(Corpus.read(root, "a.md")), { reason: "unreadable", stamp: "" })
        const { skipped } = yield* provide(Corpus.list(root, ["sub"]))
        assert.deepStrictEqual(skipped, [{ path: "sub", reason: "unreadable" }])
      })
    )
  })
})
