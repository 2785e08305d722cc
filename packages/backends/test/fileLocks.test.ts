/** Tree locks on the file store, by the suite of the domain. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Store } from "@weft/domain/Store"
import * as StoreLock from "@weft/domain/StoreLock"
import { LockSuite } from "@weft/domain/testing"
import { overStore } from "@weft/domain/testing/overStore"
import * as FileBackend from "../src/FileBackend.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-locks-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let files = 0
const layer = () => Store.layer(FileBackend.layer({ path: path.join(directory, `${files}.weft`) }))

LockSuite.suite("locks in a file", {
  settleMillis: 40,
  tree: (options) => {
    files++
    return overStore(StoreLock.make(`tree ${files}`, options), layer())
  }
})

LockSuite.lossSuite("a holder that was taken for dead, on a file", {
  processes: Effect.suspend(() => {
    files++
    // Two layers are two stores on the one file, as of two processes.
    return Effect.all([Layer.build(layer()), Layer.build(layer())])
  })
})

describe("waiters on a file", () => {
  it.live("64 waiting writers: a release wakes at most two", () =>
    Effect.suspend(() => {
      files++
      const tree = StoreLock.make("desk")
      const standing = Effect.map(tree.standings, (all) => all.filter(({ path }) => path.length === 1).length)
      return LockSuite.wakeUpsPerRelease(tree.write("/a"), { writers: 64, standing }).pipe(
        Effect.map((woken) => {
          assert.strictEqual(woken.length, 64)
          assert.isAtMost(Math.max(...woken), 2)
        }),
        Effect.provide(layer())
      )
    })
  )
})
