/**
 * A store in one SQLite file: durable, for any number of processes of one machine at once.
 *
 * What an acknowledged commit survives: the process, the machine and the power, as far as the disk keeps what `fdatasync`
 * said it keeps; a relaxed one (docs/CONTRACT.md) the process alone, until a later one is synced. A failed or unsure sync ends this store's life (nothing of it is acknowledged, and nothing after it);
 * a full disk refuses commits whole and goes on when there is room.
 *
 * Cost: a commit is one row of the log and one sync, shared by all commits that arrive while another one is under
 * way; a read asks the file for its last batch (about 2 microseconds) and is served from memory or by one query.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Backend, type Capabilities, type ChangesRequest, type Limits } from "@weft/domain/Backend"
import { rules } from "@weft/domain/core/Apply"
import type { Change, CommitId, CommitRequest, Outcome, ReadRequest, Reply } from "@weft/domain/core/Commit"
import { sealRequest } from "@weft/domain/core/Machine"
import * as MachineLimits from "@weft/domain/core/Limits"
import { select } from "@weft/domain/core/MachineReads"
import * as Version from "@weft/domain/core/Version"
import * as StoreError from "@weft/domain/StoreError"
import { Database, walPagesDefault } from "./internal/file/Database.ts"
import { FileStore, logBytesMaxDefault } from "./internal/file/FileStore.ts"
import * as Maintainer from "./internal/file/Maintainer.ts"
import { compactStep, type Integrity } from "./internal/file/maintenance.ts"
import type { Journal } from "./internal/file/openFile.ts"
import { foldCellsDefault } from "./internal/file/Tail.ts"
import { pollMillisDefault } from "./internal/file/Wake.ts"
import { lockRetryMillis, Writer } from "./internal/file/Writer.ts"
import * as SqliteError from "./internal/file/sqliteError.ts"

export type { Integrity } from "./internal/file/maintenance.ts"

export interface Options {
  /** The file; its directory must exist. Beside it stand `-wal`, `-shm`, `-wake` and `-turn`. */
  readonly path: string
  /**
   * `"wal"` (the default): fastest, but all processes must be on one machine. `"rollback"`: for file systems over a
   * network that keep POSIX locks (NFS 4, CephFS); readers and writers wait for each other.
   */
  readonly journal?: Journal | undefined
  /** Memory for cells, in bytes. 64 MiB. */
  readonly cacheBytes?: number | undefined
  /** The log of the last commits is kept within this many bytes. 256 MiB. */
  readonly logBytesMax?: number | undefined
  /** Cells that stand in the log alone before they are brought into their table. 1,024. */
  readonly foldCells?: number | undefined
  /** Size of a page in bytes, for a file that is made now. */
  readonly pageBytes?: number | undefined
  /** Pages of the write-ahead log before they are brought into the file. 1,000. */
  readonly walPages?: number | undefined
  /** Time between two looks for commits of others when nothing wakes, in milliseconds. 250. */
  readonly pollMillis?: number | undefined
  readonly limits?: Partial<Limits> | undefined
}

/** Memory for cells unless said otherwise, in bytes. */
export const cacheBytesDefault = 64 * 1024 * 1024

/** Bytes of a page unless said otherwise. */
export const pageBytesDefault = 4096

/** Batches of the log that one step of a change stream reads. */
const feedBatches = 64

/** The store in a file. Fails with a `StoreError` that says what to do when the file may not or cannot be served. */
export const layer = (options: Options): Layer.Layer<Backend, StoreError.StoreError> =>
  Layer.effect(Backend, make(options))

/** The same from settings: `WEFT_FILE_PATH`-like names, as the provider maps those of `Options`, without `limits`. */
export const layerConfig = (
  config: Config.Config<Options> = options
): Layer.Layer<Backend, StoreError.StoreError | Config.ConfigError> =>
  Layer.effect(Backend, Effect.flatMap(config, make))

const options: Config.Config<Options> = Config.all({
  path: Config.String("path"),
  journal: Config.Literals(["wal", "rollback"], "journal").pipe(Config.withDefault("wal" as const)),
  cacheBytes: Config.Int("cacheBytes").pipe(Config.withDefault(cacheBytesDefault)),
  logBytesMax: Config.Int("logBytesMax").pipe(Config.withDefault(logBytesMaxDefault)),
  foldCells: Config.Int("foldCells").pipe(Config.withDefault(foldCellsDefault)),
  pageBytes: Config.Int("pageBytes").pipe(Config.withDefault(pageBytesDefault)),
  walPages: Config.Int("walPages").pipe(Config.withDefault(walPagesDefault)),
  pollMillis: Config.Int("pollMillis").pipe(Config.withDefault(pollMillisDefault))
})

/** The contract on a file, open until the scope closes. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const limits = MachineLimits.make(options.limits)
  const store = yield* open(options, limits)
  const context = yield* Effect.context<never>()
  const warn = (message: string) => void Effect.runForkWith(context)(Effect.logWarning(message))
  const writer = yield* Effect.acquireRelease(
    Effect.sync(() => new Writer(store, options.pollMillis ?? pollMillisDefault, warn)),
    (writer) => Effect.promise(() => writer.close())
  )
  return Backend.of({
    capabilities: capabilities(limits),
    read: (request) => read(store, writer, request),
    commit: (requests) => commit(writer, requests),
    changes: (request) => changes(store, writer, request),
    outcome: (id) => outcome(store, writer, id),
    hasTurn: () => writer.hasTurn,
    mirror: {
      version: () => (writer.isCurrent ? store.mirrored : -1),
      has: (key) => store.has(key),
      cell: (key) => store.cell(key),
      hasRange: (range) => store.hasRange(range),
      range: (range) => store.rangeInMemory(range)
    }
  })
})

/** Checks a store: SQLite's structure, every cell, every row of the log. Others may use it meanwhile. Cost: reads the file once. */
export const integrity = (
  options: Pick<Options, "path" | "journal">
): Effect.Effect<Integrity, StoreError.StoreError> =>
  Maintainer.perform({ _tag: "integrity", path: options.path, journal: options.journal ?? "wal" })

/** Copies a store as of one commit into a new file, checked, while others write. */
export const backup = (
  options: Pick<Options, "path" | "journal"> & { readonly to: string }
): Effect.Effect<Integrity, StoreError.StoreError> =>
  Maintainer.perform({ _tag: "backup", path: options.path, journal: options.journal ?? "wal", to: options.to })

/** Puts a backup in the place of a store that nobody has open, in a new epoch. */
export const restore = (options: {
  readonly path: string
  readonly from: string
}): Effect.Effect<Integrity, StoreError.StoreError> =>
  Maintainer.perform({ _tag: "restore", path: options.path, from: options.from })

/**
 * Begins a new epoch, as after a loss that nobody noticed (a file that was put back by hand): transactions under way are
 * refused, followers meet a `Gap`.
 */
export const raiseEpoch = (options: Options): Effect.Effect<void, StoreError.StoreError> =>
  Effect.acquireUseRelease(
    open(options, MachineLimits.make(options.limits)),
    (store) =>
      Effect.try({
        try: () => store.raiseEpoch(),
        catch: (error) => SqliteError.describe(options.path, "when a new epoch was begun", error)
      }),
    (store) => Effect.sync(() => store.database.close())
  )

/** Gives free pages back to the file system while others use the store, a few at a time. */
export const compact = (options: Pick<Options, "path" | "journal">): Effect.Effect<void, StoreError.StoreError> =>
  Effect.suspend(() => {
    const attempt = <A>(work: () => A) =>
      Effect.retry(Effect.try({ try: work, catch: (error) => new Thrown(error) }), {
        while: ({ error }) => SqliteError.isBusy(error),
        schedule: Schedule.spaced("2 millis").pipe(Schedule.upTo({ times: openRetries }))
      }).pipe(Effect.mapError(({ error }) => SqliteError.describe(options.path, "while it was compacted", error)))
    return Effect.acquireUseRelease(
      attempt(() => new Database({ ...databaseOptions(options), version: Version.none })),
      (database) =>
        Effect.repeat(
          Effect.delay(
            attempt(() => compactStep(database, compactPages)),
            1
          ),
          { while: (left) => left > 0 }
        ),
      (database) => Effect.sync(() => database.close())
    )
  })

/** Pages given back in one step of `compact`. */
const compactPages = 256

const databaseOptions = (options: Pick<Options, "path" | "journal" | "pageBytes" | "walPages">) => ({
  walPages: options.walPages,
  path: options.path,
  journal: options.journal ?? ("wal" as const),
  pageBytes: options.pageBytes ?? pageBytesDefault
})

const capabilities = (limits: Limits): Capabilities => ({
  name: "file",
  durability: "disk",
  reach: "host",
  history: false,
  rules,
  limits
})

/** Tries for as long as another process is making or closing the file. */
const open = (options: Options, limits: Limits): Effect.Effect<FileStore, StoreError.StoreError> => {
  const attempt = Effect.try({
    try: () => {
      const database = new Database({ ...databaseOptions(options), version: Version.none })
      try {
        const cacheBytes = options.cacheBytes ?? cacheBytesDefault
        const logBytesMax = options.logBytesMax ?? logBytesMaxDefault
        return new FileStore(database, {
          limits,
          cacheBytes,
          logBytesMax,
          foldCells: options.foldCells ?? foldCellsDefault
        })
      } catch (error) {
        database.close()
        throw error
      }
    },
    catch: (error) => new Thrown(error)
  })
  const patient = (left: number): Effect.Effect<FileStore, StoreError.StoreError> =>
    Effect.catch(attempt, ({ error }) =>
      SqliteError.isBusy(error) && left > 0
        ? Effect.delay(patient(left - 1), openRetryMillis)
        : Effect.fail(SqliteError.describe(options.path, "at its opening", error))
    )
  return Effect.suspend(() => patient(openRetries))
}

/** What SQLite or the file system threw, before it is told what it means for the data. */
class Thrown {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** Opening waits this long for a file that others hold, 1,000 times. */
const openRetryMillis = 10
const openRetries = 1000

const read = (store: FileStore, writer: Writer, request: ReadRequest) => patiently(writer, () => store.read(request))

/**
 * Looks at the file. With a rollback journal a writer that commits keeps readers out for a moment: then it is tried again,
 * on a timer, for `readLockMillis`.
 */
const patiently = <A>(writer: Writer, look: () => A, tries = 0): Effect.Effect<A, StoreError.StoreError> =>
  Effect.suspend(() => {
    if (writer.ended !== undefined) return Effect.fail(writer.ended)
    try {
      return Effect.succeed(look())
    } catch (error) {
      if (SqliteError.isBusy(error) && tries * lockRetryMillis < readLockMillis) {
        return Effect.delay(patiently(writer, look, tries + 1), lockRetryMillis)
      }
      return Effect.fail(writer.readFailed(error))
    }
  })

/** Longest time that a read waits for a writer to let go of the file, in milliseconds. */
const readLockMillis = 30_000

const commit = (writer: Writer, requests: ReadonlyArray<CommitRequest>) =>
  Effect.callback<ReadonlyArray<Reply>, StoreError.StoreError>((resume) => {
    // A commit that was handed over is not taken back: its caller may leave, what it wrote stands.
    writer.submit(requests, (replies) =>
      resume(replies instanceof StoreError.StoreError ? Effect.fail(replies) : Effect.succeed(replies))
    )
  })

const outcome = (store: FileStore, writer: Writer, id: CommitId): Effect.Effect<Outcome, StoreError.StoreError> =>
  Effect.suspend(() =>
    Effect.map(commit(writer, [sealRequest(id, store.horizon)]), ([reply]): Outcome => {
      if (reply?._tag === "Committed") return { _tag: "Committed", version: reply.version }
      return reply?._tag === "Conflict" ? { _tag: "Rejected" } : { _tag: "Forgotten" }
    })
  )

/** Follows the log of the file by pulling: nothing is buffered for a slow subscriber. */
const changes = (
  store: FileStore,
  writer: Writer,
  request: ChangesRequest
): Stream.Stream<Change, StoreError.StoreError> =>
  Stream.fromPull(
    Effect.sync(() => {
      let from = request.from
      const next: Effect.Effect<readonly [Change, ...Array<Change>], StoreError.StoreError> = Effect.suspend(() => {
        return Effect.flatMap(
          patiently(writer, () => step(store, request, from)),
          ([first, ...rest]): typeof next => {
            if (first === undefined) return Effect.flatMap(writer.moved(from), () => next)
            const last = rest.at(-1) ?? first
            from = last._tag === "Gap" ? last.to : last.version
            return Effect.succeed([first, ...rest] as const)
          }
        )
      })
      return next
    })
  )

const step = (store: FileStore, request: ChangesRequest, from: Version.Version): ReadonlyArray<Change> => {
  store.database.begin()
  try {
    store.refresh()
    const { version } = store
    if (from === version) return []
    if (from > version || Version.epochOf(from) !== Version.epochOf(version)) {
      return [{ _tag: "Gap", from, to: version, reason: "epoch" }]
    }
    if (from < store.floor) return [{ _tag: "Gap", from, to: version, reason: "trimmed" }]
    const { records, to } = store.commitsAfter(from, feedBatches)
    const elements: Array<Change> = []
    for (const record of records) {
      const selected = select(record, request)
      if (selected !== undefined) elements.push(selected)
    }
    const last = elements.at(-1)
    if (last === undefined || (last._tag === "Commit" && last.version !== to))
      elements.push({ _tag: "Progress", version: to })
    return elements
  } finally {
    store.database.rollback()
  }
}
