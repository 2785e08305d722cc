/** Workers that fail, die and are stopped, in threads and in processes; what becomes of it is a tuple of its class. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { any } from "@weft/tuplespace/TupleSpace"
import * as Worker from "@weft/tuplespace/Worker"
import * as WorkerPlaces from "@weft/tuplespace/WorkerPlaces"
import * as Workers from "@weft/tuplespace/Workers"
import { dies, DiskFull, space } from "./mortalWorker.ts"

const directory = fs.mkdtempSync(path.join(fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir(), "weft-workers-"))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

let files = 0
const test = <E>(
  title: string,
  kind: "threads" | "processes",
  body: (workers: Workers.Workers<typeof dies>) => Effect.Effect<void, E, Store>
) =>
  it.live(title, () => {
    const file = path.join(directory, `${++files}.weft`)
    const place = WorkerPlaces[kind](new URL("./mortalWorker.ts", import.meta.url), {
      argv: [file],
      grace: "20 seconds"
    })
    return Effect.scoped(
      Effect.flatMap(Workers.makeIn(place, space, { workers: [dies], failed: Worker.toTuple, workersMax: 2 }), body)
    ).pipe(
      Effect.provide(Store.layer(FileBackend.layer({ path: file }))),
      Effect.provideService(Sessions.Lease, "1 second")
    )
  })

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

for (const kind of ["threads", "processes"] as const) {
  describe(`workers in ${kind}`, () => {
    test("an error it declares, one it does not, an exit: each is a tuple of its class", kind, (workers) =>
      Effect.gen(function* () {
        assert.isFalse(yield* (yield* workers.start(dies, "fails")).ended)
        const [, , name, error] = yield* space.take(["failed", "DiskFull", any, any])
        assert.deepStrictEqual([name, error.bytes, error instanceof DiskFull], ["dies", 7, true])

        assert.isFalse(yield* (yield* workers.start(dies, "throws")).ended)
        const [, , , defect] = yield* space.take(["failed", "WorkerDefect", any, any])
        assert.deepStrictEqual([defect.errorClass, defect.message], ["RangeError", "out of range"])

        assert.isFalse(yield* (yield* workers.start(dies, "exits")).ended)
        const [, , , died] = yield* space.take(["failed", "WorkerDied", any, any])
        assert.strictEqual(died.exitCode, 3)

        assert.isFalse(yield* (yield* workers.start(dies, "throws elsewhere")).ended)
        yield* space.take(["failed", "WorkerDied", any, any])

        assert.isTrue(yield* (yield* workers.start(dies, "ends")).ended)
        assert.strictEqual(yield* space.count(["failed", any, any, any]), 0)
      })
    )

    test("too many, and an input of another shape, are refused; who was stopped leaves no tuple", kind, (workers) =>
      Effect.gen(function* () {
        const first = yield* workers.start(dies, "waits")
        yield* workers.start(dies, "waits")
        assert.strictEqual((yield* Effect.flip(workers.start(dies, "ends"))).reason, "workersMax")
        const untyped = workers.start as (
          worker: unknown,
          input: unknown
        ) => Effect.Effect<unknown, Worker.WorkerRefused>
        assert.strictEqual((yield* Effect.flip(untyped(dies, "sings"))).reason, "invalid input")
        assert.strictEqual((yield* Effect.flip(untyped({ ...dies, name: "nobody" }, "ends"))).reason, "unknown worker")
        yield* space.take(["at work", any])
        yield* space.take(["at work", any])
        yield* first.stop
        assert.isFalse(yield* first.ended)
        assert.strictEqual(yield* workers.running, 1)
        assert.strictEqual(yield* space.count(["failed", any, any, any]), 0)
      })
    )
  })
}

describe("workers in processes", () => {
  test("death by a signal is a tuple, and the job that it held comes back", "processes", (workers) =>
    Effect.gen(function* () {
      yield* workers.start(dies, "is killed")
      const [, , , error] = yield* space.take(["failed", "WorkerDied", any, any])
      assert.deepStrictEqual([error.signal, error.exitCode], ["SIGKILL", undefined])

      yield* space.out(["job", 1])
      yield* workers.start(dies, "holds a job")
      const [, pid] = yield* space.take(["at work", any])
      assert.isTrue(Option.isNone(yield* space.takeIfPresent(["job", 1])))
      process.kill(pid, "SIGKILL")
      yield* space.take(["failed", "WorkerDied", any, any])
      const lease = yield* Effect.scoped(Effect.tap(space.takeLeased(["job", 1]), ({ done }) => done))
      assert.strictEqual(lease.returns, 1)
    })
  )

  it.live("the end of the supervisor's scope ends them", () =>
    Effect.gen(function* () {
      const file = path.join(directory, `${++files}.weft`)
      const place = WorkerPlaces.processes(new URL("./mortalWorker.ts", import.meta.url), { argv: [file] })
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const workers = yield* Workers.makeIn(place, space, { workers: [dies], failed: Worker.toTuple })
          yield* workers.start(dies, "waits")
          const [, pid] = yield* space.take(["at work", any])
          assert.isTrue(isAlive(pid))
          return pid
        })
      ).pipe(Effect.provide(Store.layer(FileBackend.layer({ path: file }))))
      assert.isFalse(isAlive(pid))
    })
  )
})
