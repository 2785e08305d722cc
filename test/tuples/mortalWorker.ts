/** Workers that end badly, each in its own way: `mortalWorker.ts FILE`. */
import { Effect, Schema } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import { Store } from "@weft/domain/Store"
import * as StoreTupleSpace from "@weft/tuplespace/StoreTupleSpace"
import * as Worker from "@weft/tuplespace/Worker"
import * as WorkerHost from "@weft/tuplespace/WorkerHost"

export class DiskFull extends Schema.TaggedError<DiskFull>()("DiskFull", { bytes: Schema.Int }) {}

export const space = StoreTupleSpace.make("mortal", {
  tuple: Schema.Union([
    Schema.Tuple([Schema.Literal("at work"), Schema.Int]),
    Schema.Tuple([Schema.Literal("job"), Schema.Int]),
    Worker.failures([DiskFull])
  ])
})

const how = Schema.Literals([
  "fails",
  "throws",
  "throws elsewhere",
  "exits",
  "is killed",
  "waits",
  "holds a job",
  "ends"
])

export const dies = Worker.make("dies", {
  input: how,
  errors: [DiskFull],
  run: (how): Effect.Effect<unknown, DiskFull, Store> => {
    switch (how) {
      case "fails":
        return Effect.fail(new DiskFull({ bytes: 7 }))
      case "throws":
        return Effect.sync(() => {
          throw new RangeError("out of range")
        })
      case "throws elsewhere":
        return Effect.andThen(
          Effect.sync(
            () =>
              void setImmediate(() => {
                throw new RangeError("nobody catches this")
              })
          ),
          Effect.never
        )
      case "exits":
        return Effect.sync(() => process.exit(3))
      case "is killed":
        return Effect.andThen(
          Effect.sync(() => void process.kill(process.pid, "SIGKILL")),
          Effect.never
        )
      case "waits":
        return Effect.orDie(Effect.andThen(space.out(["at work", process.pid]), Effect.never))
      case "holds a job":
        return Effect.orDie(
          Effect.scoped(
            Effect.flatMap(space.takeLeased(["job", 1]), () =>
              Effect.andThen(space.out(["at work", process.pid]), Effect.never)
            )
          )
        )
      case "ends":
        return Effect.void
    }
  }
})

// The test itself loads this module for what it defines.
if (process.argv[1] === import.meta.filename) {
  await WorkerHost.serve([dies], Store.layer(FileBackend.layer({ path: process.argv[2]! })))
}
