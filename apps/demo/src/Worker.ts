/**
 * A worker: takes a hand on trial, locks its paths for reading, brings each file into the index, and in one transaction ends
 * the trial and says what came of it. A worker that dies anywhere in between has done nothing twice: its hand goes back, and
 * the files that are in the index already are seen to be the same.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Store } from "@weft/domain/Store"
import * as Tx from "@weft/domain/Tx"
import { any } from "@weft/tuplespace/TupleSpace"
import * as Concordance from "./Concordance.ts"
import * as Corpus from "./Corpus.ts"
import { space, tree } from "./Hands.ts"

/** What a process has done so far, as it counts itself; the store has the truth about the index. */
export interface Tally {
  readonly files: number
  readonly words: number
  /** Transactions that wrote or read, those of locks and takes too. */
  readonly commits: number
  /** Attempts that were lost to others. */
  readonly conflicts: number
  /** Hands that it works on at this moment. */
  readonly hands: number
  /** A path that it works on. */
  readonly at: string
}

export const nothingYet: Tally = { files: 0, words: 0, commits: 0, conflicts: 0, hands: 0, at: "" }

/** The lease was lost, so the hand is somebody else's by now. */
class HandLost extends Schema.TaggedError<HandLost>()("HandLost", { message: Schema.String }) {}

/** Fibers that work in this process, and their figures. */
export class Workers {
  readonly root: string
  readonly run: string
  private files = 0
  private words = 0
  private hands = 0
  private at = ""

  constructor(root: string, run: string) {
    this.root = root
    this.run = run
  }

  get tally(): Effect.Effect<Tally, never, Store> {
    return Effect.map(Store, ({ engine: { stats } }) => {
      const { at, files, hands, words } = this
      return {
        at,
        files,
        hands,
        words,
        commits: stats.commits,
        conflicts: stats.localConflicts + stats.foreignConflicts
      }
    })
  }

  /** Works until it is interrupted. A worker that was taken for dead goes on with the next hand. */
  forever(fibers: number) {
    const one = Effect.scoped(this.hand()).pipe(
      Effect.catchTag("HandLost", () => Effect.void),
      Effect.catchReason("LockError", "LockLost", () => Effect.void),
      Effect.forever
    )
    return Effect.all(
      Array.from({ length: fibers }, () => one),
      { concurrency: "unbounded", discard: true }
    )
  }

  private readonly hand = Effect.fnUntraced({ self: this }, function* (this: Workers) {
    const lease = yield* space.takeLeased(["hand", this.run, any])
    const [, , paths] = lease.tuple
    this.hands += 1
    yield* Effect.addFinalizer(() => Effect.sync(() => (this.hands -= 1)))
    const done = Effect.catchReason(lease.done, "StoreError", "InvalidInput", ({ message }) =>
      Effect.fail(new HandLost({ message }))
    )
    const [first = "", ...rest] = paths
    const lock = tree.read(first, ...rest)
    yield* lock.withLock(
      Effect.gen({ self: this }, function* () {
        let words = 0
        for (const path of paths) words += yield* this.file(path)
        yield* Tx.transact(Effect.andThen(done, space.out(["done", this.run, paths.length, words, lease.returns])))
      })
    )
  })

  /** One file: read outside of the transaction that indexes it, again when the index changed meanwhile. Gives its words. */
  private file(path: string) {
    const once = Effect.gen({ self: this }, function* () {
      this.at = path
      const seen = yield* Concordance.versionOf(path)
      return yield* Concordance.bring(path, yield* Corpus.read(this.root, path), seen)
    })
    return Effect.repeat(once, { until: (words) => words !== undefined, schedule: Schedule.forever }).pipe(
      Effect.map((words = 0) => {
        this.files += 1
        this.words += words
        return words
      })
    )
  }
}
