/** A fresh process that opens a store and reads one cell: `fileOpenChild.ts FILE`. Prints milliseconds and MiB. */
import * as Effect from "effect/Effect"
import * as FileBackend from "@weft/backends/FileBackend"

const path = process.argv[2]!
const from = performance.now()
const program = Effect.gen(function* () {
  const backend = yield* FileBackend.make({ path })
  const { ranges } = yield* backend.read({ keys: [], ranges: [{ start: "cell", end: "cell\xff", limit: 1 }] })
  const millis = performance.now() - from
  const found = ranges[0]!.length
  return { millis, found, mebibytes: process.resourceUsage().maxRSS / 1024 }
})
console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(program))))
