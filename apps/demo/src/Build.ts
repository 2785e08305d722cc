/**
 * Builds the index: hands files to workers through a queue in the store. A worker takes a file with an acknowledged take,
 * reads it, and puts it into the index in one transaction; what dies in between is delivered again, and what was done
 * already is not done twice. The workers stop when the store says that no file remains.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DQueue from "@weft/domain/DQueue"
import * as Tx from "@weft/domain/Tx"
import * as Concordance from "./Concordance.ts"
import * as Corpus from "./Corpus.ts"
import type { Progress } from "./Progress.ts"

/** Fibers that index; beyond it they only wait for one another. */
export const WORKERS_MAX = 256

/** Files that are handed out in one transaction. */
const FILES_A_HAND = 1_000

/** Files that wait for a worker. */
export const pending = DQueue.make("pending", { value: Schema.String })

/** What this process has done so far; the store has the truth about the index. */
class Tally implements Progress {
  filesDone = 0
  filesTotal = 0
  words = 0
  commits = 0
  conflicts = 0
  seconds = 0
}

/** Counts the attempts of a transaction that were lost to others. Stands inside of it. */
const counting = <A, E, R>(tally: Tally, self: Effect.Effect<A, E, R>) =>
  Tx.transact(
    Effect.gen(function* () {
      const { reason } = yield* Tx.attempt
      if (reason === "conflict") tally.conflicts += 1
      return yield* self
    })
  ).pipe(Effect.tap(() => Effect.sync(() => (tally.commits += 1))))

/** Hands out those of the files that were not handed out before: in the queue, in the set and in the count, or in none. */
const handOutSome = Effect.fnUntraced(function* (paths: ReadonlyArray<string>) {
  const fresh: Array<string> = []
  for (const path of paths) if (yield* Concordance.handed.add(path)) fresh.push(path)
  yield* pending.offerAll(fresh)
  yield* Concordance.remaining.add(fresh.length)
})

/** Hands files out; places that cannot be read are skipped at once. */
const handOut = Effect.fn("Build.handOut")(function* (listing: Corpus.Listing, tally: Tally) {
  yield* counting(
    tally,
    Effect.forEach(listing.skipped, ({ path, reason }) => Concordance.skipped.set(path, reason), { discard: true })
  )
  for (let from = 0; from < listing.paths.length; from += FILES_A_HAND) {
    yield* counting(tally, handOutSome(listing.paths.slice(from, from + FILES_A_HAND)))
  }
})

/** One file: read outside of the transaction, indexed or skipped inside of it. */
const index = Effect.fn("Build.index")(function* (root: string, path: string, tally: Tally) {
  const text = yield* Corpus.read(root, path)
  if (typeof text === "string") {
    const words = yield* counting(tally, Concordance.add(path, text))
    tally.words += words ?? 0
  } else yield* counting(tally, Concordance.skip(text))
  tally.filesDone += 1
})

/** Ends when every file that was handed out has been dealt with, by whomever. */
const allDone = Tx.transact(
  Effect.gen(function* () {
    yield* Tx.check((yield* Concordance.remaining.get) === 0)
  })
)

/** A build that can be watched while it runs. */
export const build = (root: string, starts: ReadonlyArray<string>, options: { readonly workers: number }) => {
  const tally = new Tally()
  let started = 0
  const run = Effect.gen(function* () {
    started = yield* Clock.currentTimeMillis
    const listing = yield* Corpus.list(root, starts)
    yield* handOut(listing, tally)
    // Also those that an earlier build left behind.
    tally.filesTotal = yield* Concordance.remaining.get
    const worker = Effect.forever(pending.process((path) => index(root, path, tally)))
    const workers = Effect.all(
      Array.from({ length: options.workers }, () => worker),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.raceFirst(allDone, workers)
    tally.seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
    const progress: Progress = { ...tally }
    return progress
  })
  const now = Effect.map(Clock.currentTimeMillis, (millis): Progress => ({
    ...tally,
    seconds: (millis - started) / 1000
  }))
  return { run, now }
}
