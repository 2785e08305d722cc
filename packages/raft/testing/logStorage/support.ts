/** What the laws of a log storage are written with: a log that can be opened again, promises, and short ways to say things. */
import * as assert from "node:assert/strict"
import { Result } from "effect"
import type {
  DamagedRange,
  Entry,
  EntryKind,
  HardState,
  PersistWork,
  Restored,
  SnapshotMeta
} from "../../src/core/Types.ts"
import {
  type Done,
  type EntriesRead,
  type IoFailed,
  isFinal,
  type LogStorage,
  LogStorageError,
  type LogStorageReason,
  type Stage
} from "../../src/LogStorage.ts"

/** Faults that an implementation lets the suite make. A law that needs a missing one is skipped, and says so. */
export interface Faults {
  /** While no handle is open: makes stored entries unreadable. */
  readonly damageEntries?: (range: DamagedRange) => void | Promise<void>
  /** While no handle is open: makes bytes of the node's snapshot unreadable. */
  readonly damageSnapshot?: () => void | Promise<void>
  /** While no handle is open: makes term and vote unreadable, all copies. */
  readonly damageHardState?: () => void | Promise<void>
  /** While a handle is open: its next write fails. */
  readonly failNext?: (kind: IoFailed["kind"]) => void
  /** While no handle is open: gives the file the number of a newer format. */
  readonly newerFormat?: () => void | Promise<void>
  /** While no handle is open: puts a file of another program in its place. */
  readonly foreign?: () => void | Promise<void>
}

/** One log, empty at first. */
export interface LogUnderTest extends Faults {
  /** Opens it: at first, after `close`, and after `crash`. */
  readonly open: () => LogStorage | Promise<LogStorage>
  /** Ends the process that has it open without closing it; works that were not acknowledged may be lost. */
  readonly crash: () => void | Promise<void>
  /** Removes everything. */
  readonly dispose: () => void | Promise<void>
}

export interface Law {
  readonly name: string
  readonly needs?: keyof Faults
  readonly run: (log: LogUnderTest) => Promise<void>
}

const promised = <A>(start: (done: Done<A>) => void): Promise<A> =>
  new Promise((resolve, reject) =>
    start((result) => (Result.isSuccess(result) ? resolve(result.success) : reject(result.failure)))
  )

export const work = (fields: Partial<PersistWork>): PersistWork => ({
  write: 0,
  hardState: undefined,
  truncateFrom: 0,
  entries: [],
  compactTo: 0,
  ...fields
})

export const persist = (log: LogStorage, ...works: ReadonlyArray<Partial<PersistWork>>): Promise<void> =>
  promised((done) => log.persist(works.map(work), done))

export const close = (log: LogStorage): Promise<void> => promised((done) => log.close(done))

export const storePiece = (
  log: LogStorage,
  stage: Stage,
  piece: { readonly meta: SnapshotMeta; readonly offset: number; readonly data: Uint8Array }
): Promise<void> => promised((done) => log.storePiece(stage, piece, done))

/** All bytes of a snapshot in pieces of `size`. */
export const stagePieces = async (
  log: LogStorage,
  stage: Stage,
  snapshot: { readonly meta: SnapshotMeta; readonly data: Uint8Array },
  size = 100
): Promise<void> => {
  const { data, meta } = snapshot
  for (let offset = 0; offset === 0 || offset < data.length; offset += size) {
    await storePiece(log, stage, { meta, offset, data: data.subarray(offset, offset + size) })
  }
}

export const install = (log: LogStorage, meta: SnapshotMeta, keepLog: boolean): Promise<void> =>
  promised((done) => log.install({ meta, keepLog }, done))

export const adopt = (log: LogStorage, meta: SnapshotMeta): Promise<void> => promised((done) => log.adopt(meta, done))

/** The node's own snapshot of the first `index` entries. */
export const makeSnapshot = async (log: LogStorage, index: number, term = 1): Promise<SnapshotMeta> => {
  const made = snapshot(index, term)
  await stagePieces(log, "made", made)
  await adopt(log, made.meta)
  return made.meta
}

export const readPiece = (
  log: LogStorage,
  index: number,
  offset: number,
  length: number
): Promise<Uint8Array | undefined> => promised((done) => log.readPiece({ index, offset, length }, done))

export const readEntries = (log: LogStorage, from: number, to: number): Promise<EntriesRead> =>
  promised((done) => log.readEntries({ from, to }, done))

export const hardState = (term: number, vote?: string, more: Partial<HardState> = {}): HardState => ({
  term,
  vote,
  commit: 0,
  recoverTo: 0,
  ...more
})

/** An entry whose bytes are drawn from its index and term, so that a mix-up shows. */
export const entry = (index: number, term = 1, bytes = 12, kind: EntryKind = "command"): Entry => ({
  index,
  term,
  kind,
  session: 0,
  sequence: 0,
  resolved: 0,
  data: Uint8Array.from({ length: bytes }, (_, at) => (index * 31 + term * 7 + at) & 0xff)
})

/** Entries `from` to `to`, both included. */
export const entries = (from: number, to: number, term = 1): ReadonlyArray<Entry> =>
  Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term))

export const snapshot = (
  index: number,
  term = 1,
  bytes = 250
): { readonly meta: SnapshotMeta; readonly data: Uint8Array } => ({
  meta: {
    index,
    term,
    configuration: {
      voters: ["a", "b", "c"],
      outgoing: [],
      learners: ["d"],
      learnersNext: [],
      addresses: { a: "host:1" }
    },
    configurationIndex: 1,
    bytes
  },
  data: Uint8Array.from({ length: bytes }, (_, at) => (index * 13 + at) & 0xff)
})

/** Closes and opens again. */
export const reopen = async (under: LogUnderTest, log: LogStorage): Promise<LogStorage> => {
  await close(log)
  return under.open()
}

const plain = (found: Entry): unknown => ({ ...found, data: Buffer.from(found.data).toString("hex") })

/** Entries equal in every field, whatever kind of byte array they carry. */
export const sameEntries = (actual: ReadonlyArray<Entry>, expected: ReadonlyArray<Entry>): void => {
  // One by one: the difference of two long lists takes minutes to print.
  const indexes = (some: ReadonlyArray<Entry>): string =>
    `${some.length} entries from ${some[0]?.index} to ${some.at(-1)?.index}`
  assert.equal(indexes(actual), indexes(expected))
  for (const [at, found] of actual.entries()) assert.deepEqual(plain(found), plain(expected[at]!))
}

/** Equal bytes, whatever kind of byte array they stand in. */
export const sameBytes = (actual: Uint8Array | undefined, expected: Uint8Array): void => {
  assert.notEqual(actual, undefined)
  assert.equal(Buffer.from(actual!).toString("hex"), Buffer.from(expected).toString("hex"))
}

export const sameRestored = (actual: Restored, expected: Restored): void => {
  sameEntries(actual.entries, expected.entries)
  assert.deepEqual({ ...actual, entries: [] }, { ...expected, entries: [] })
}

/** The call fails for this reason, in time, with a message that names the log. Answers the error. */
export const fails = async (call: Promise<unknown>, tag: LogStorageReason["_tag"]): Promise<LogStorageError> => {
  const error = await call.then(
    () => assert.fail(`expected ${tag}, but the call succeeded`),
    (error: unknown) => error
  )
  assert.ok(error instanceof LogStorageError, `expected a LogStorageError, got ${String(error)}`)
  assert.equal(error.reason._tag, tag, error.message)
  assert.ok(error.message.includes(error.storage))
  assert.equal(isFinal(error), tag !== "Refused" && tag !== "TooLarge" && tag !== "PiecesMismatch")
  return error
}

/** Opening fails for this reason. */
export const failsToOpen = (under: LogUnderTest, tag: LogStorageReason["_tag"]): Promise<LogStorageError> =>
  fails(
    (async () => under.open())().then(async (log) => {
      await close(log)
    }),
    tag
  )
