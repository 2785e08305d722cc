/** Collections on the file store, each against plain JavaScript, by the suite of the domain. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { CollectionSuite } from "@weft/domain/testing"
import * as FileBackend from "../src/FileBackend.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-collections-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let files = 0
for (const journal of ["wal", "rollback"] as const) {
  CollectionSuite.suite(`file, ${journal}`, {
    layer: () => FileBackend.layer({ path: path.join(directory, `${++files}.weft`), journal }),
    steps: 120
  })
}
