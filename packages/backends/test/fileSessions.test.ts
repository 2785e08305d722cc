/** Sessions on the file store, by the suite of the domain. */
import * as path from "node:path"
import { Effect, Layer } from "effect"
import { Store } from "@weft/domain/Store"
import { SessionSuite } from "@weft/domain/testing"
import * as FileBackend from "../src/FileBackend.ts"
import { memoryDirectory } from "./support.ts"

SessionSuite.suite("sessions in a file", {
  processes: Effect.gen(function* () {
    const file = path.join(yield* memoryDirectory, "desk.weft")
    // Two layers are two stores on the one file, as of two processes.
    const open = Layer.build(Layer.fresh(Store.layer(FileBackend.layer({ path: file }))))
    return [yield* open, yield* open]
  })
})
