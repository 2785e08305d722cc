/** What is particular to the worker form: groups share a sync, the event loop goes on, a dead thread is a typed failure. */
import * as path from "node:path"
import { Effect, Result } from "effect"
import { afterEach, beforeEach, expect, it } from "vitest"
import { type LogStorage, LogStorageFactory } from "../src/LogStorage.ts"
import { layer, openInline, openWorker } from "../src/SqliteLogStorage.ts"
import { close, entries, entry, fails, persist, sameEntries, work } from "../testing/logStorage/support.ts"
import { removeDirectory, temporaryDirectory } from "./support/sqliteLog.ts"

let directory = ""
let file = ""
beforeEach(() => {
  directory = temporaryDirectory()
  file = path.join(directory, "log")
})
afterEach(() => removeDirectory(directory))

const many = (log: LogStorage, from: number, count: number): Promise<ReadonlyArray<unknown>> =>
  Promise.allSettled(Array.from({ length: count }, (_, at) => persist(log, { entries: [entry(from + at)] })))

it("of many writes in flight the refused ones alone hear of it", async () => {
  const log = await openWorker({ path: file })
  const calls = [
    persist(log, { entries: entries(1, 2) }),
    persist(log, { entries: entries(9, 9) }).catch(() => "refused"),
    persist(log, { entries: entries(3, 4) }),
    persist(log, { truncateFrom: 3, entries: entries(3, 3, 2) }),
    persist(log, { entries: entries(3, 3) }).catch(() => "refused"),
    persist(log, { entries: entries(4, 4, 2) })
  ]
  expect(await Promise.all(calls)).toEqual([undefined, "refused", undefined, undefined, "refused", undefined])
  await close(log)
  const again = openInline({ path: file })
  sameEntries(again.restored.entries, [...entries(1, 2), ...entries(3, 4, 2)])
  await close(again)
})

it("writes in flight together share a transaction", async () => {
  const log = await openWorker({ path: file })
  await many(log, 1, 500)
  await close(log)
  const again = openInline({ path: file })
  expect(again.restored.entries.length).toBe(500)
  await close(again)
  // Each transaction takes one number; the head keeps the last one.
  const { DatabaseSync } = await import("node:sqlite")
  const database = new DatabaseSync(file)
  const body = database.prepare("SELECT body FROM head").get()!["body"] as Uint8Array
  database.close()
  const head = JSON.parse(Buffer.from(body).toString("utf8", 0, body.length - 4))
  expect(head.seq).toBeLessThan(400)
})

it("the caller's bytes are its own again when the call returns", async () => {
  const log = await openWorker({ path: file })
  const data = Buffer.from("payload")
  const call = persist(log, { entries: [{ ...entry(1), data }] })
  data.fill(0)
  await call
  await close(log)
  const again = openInline({ path: file })
  expect(Buffer.from(again.restored.entries[0]!.data).toString()).toBe("payload")
  await close(again)
})

it("as a service: opened with the scope, closed with it", async () => {
  const write = Effect.gen(function* () {
    const { open } = yield* LogStorageFactory
    const log = yield* open
    yield* Effect.promise(() => persist(log, { entries: entries(1, 3) }))
    const twice = yield* Effect.flip(open)
    return [log.restored.entries.length, twice.reason._tag]
  })
  const run = () => Effect.runPromise(write.pipe(Effect.scoped, Effect.provide(layer({ path: file }))))
  expect(await run()).toEqual([0, "AlreadyOpen"])
  const again = await openWorker({ path: file })
  expect(again.restored.entries.length).toBe(3)
  await close(again)
})

it("what cannot be opened is a typed failure of the service", async () => {
  const missing = path.join(directory, "no", "such", "log")
  await fails(openWorker({ path: missing }), "IoFailed")
  await fails(
    Promise.resolve().then(() => openInline({ path: missing })),
    "IoFailed"
  )
})

it("a callback that throws does not lose the answers behind it", async () => {
  const log = openInline({ path: file })
  expect(() =>
    log.persist([work({ entries: entries(1, 1) })], () => {
      throw new Error("the caller's bug")
    })
  ).toThrow("the caller's bug")
  let after: unknown
  log.persist([work({ entries: entries(2, 2) })], (result) => (after = Result.isSuccess(result)))
  expect(after).toBe(true)
  await close(log)
})
