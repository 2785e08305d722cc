/** Tree locks on the file store, by the suite of the domain. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { Store } from "@weft/domain/Store"
import * as StoreLock from "@weft/domain/StoreLock"
import { LockSuite } from "@weft/domain/testing"
import { overStore } from "@weft/domain/testing/overStore"
import * as FileBackend from "../src/FileBackend.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-locks-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let trees = 0
LockSuite.suite("locks in a file", {
  settleMillis: 60,
  tree: () => {
    const layer = FileBackend.layer({ path: path.join(directory, `${++trees}.weft`) })
    return overStore(StoreLock.make(`tree ${trees}`), Store.layer(layer))
  }
})
