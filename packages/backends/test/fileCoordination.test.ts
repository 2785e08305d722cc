/** Coordination on the file store, by the suite of the domain. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Coordination from "@weft/domain/Coordination"
import { Store } from "@weft/domain/Store"
import { CoordinationSuite } from "@weft/domain/testing"
import { coordinationOverStore } from "@weft/domain/testing/overStore"
import * as FileBackend from "../src/FileBackend.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "weft-coordination-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let stores = 0
CoordinationSuite.suite("coordination in a file", {
  settleMillis: 30,
  coordination: () =>
    coordinationOverStore(
      Coordination.make(),
      Store.layer(FileBackend.layer({ path: path.join(directory, `${++stores}.weft`) }))
    )
})

CoordinationSuite.lossSuite("coordination on a file", {
  processes: Effect.suspend(() => {
    const file = path.join(directory, `${++stores}.weft`)
    // Two layers are two stores on the one file, as of two processes.
    const layer = () => Layer.build(Store.layer(FileBackend.layer({ path: file })))
    return Effect.all([layer(), layer()])
  })
})
