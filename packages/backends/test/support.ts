/** Files and requests for the tests of the file store. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect } from "effect"
import type { Backend } from "@weft/domain/Backend"
import type { CommitRequest, Durability, Write } from "@weft/domain/core/Commit"
import { Value } from "@weft/domain/core/Value"
import * as FileBackend from "../src/FileBackend.ts"

const directoryIn = (parent: () => string) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(parent(), "weft-file-"))),
    (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
  )

/** A directory that is gone with the scope. */
export const directory = directoryIn(os.tmpdir)

/** The same in memory where there is such a place: for tests to which the speed of a disk's syncs says nothing. */
export const memoryDirectory = directoryIn(() => (fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()))

export const value = (text: string): Value => new Value(new TextEncoder().encode(`\x00\x00\x00${text}`))
export const textOf = (value: Value | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value.bytes.subarray(3))

let sessions = 0

/** Commits writes without reads, one request a call, as one session. */
export const client = (backend: Backend["Service"], session = `test-${++sessions}`) => {
  let sequence = 0
  const request = (writes: ReadonlyArray<Write>, durability?: Durability): CommitRequest => ({
    id: { session, sequence: ++sequence },
    resolvedBelow: sequence,
    base: 0,
    atMillis: 0,
    reads: [],
    ranges: [],
    writes,
    durability
  })
  return {
    session,
    request,
    commit: (writes: ReadonlyArray<Write>, durability?: Durability) =>
      Effect.map(backend.commit([request(writes, durability)]), (replies) => replies[0]!),
    set: (key: string, text: string) =>
      Effect.map(backend.commit([request([{ _tag: "Set", key, value: value(text) }])]), (replies) => replies[0]!)
  }
}

/** Everything in the store, as text. */
export const contents = (backend: Backend["Service"]) =>
  Effect.map(backend.read({ keys: [], ranges: [{ start: "", end: "\xff" }] }), ({ ranges }) =>
    Object.fromEntries(ranges[0]!.map(({ cell, key }) => [key, textOf(cell.value)]))
  )

/** What a file says when it is opened: its version and cells. */
export const opened = (file: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const backend = yield* FileBackend.make({ path: file })
      const { version } = yield* backend.read({ keys: [], ranges: [] })
      return { version, cells: yield* contents(backend) }
    })
  )
