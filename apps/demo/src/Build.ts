/**
 * A run: finds what has changed since the last one, hands it out to workers through a tuple space, and waits for what comes
 * of each hand. One run at a time; what a run that was cut short has left behind is thrown away, since the next one finds
 * again what is missing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import type { LockError } from "@weft/domain/Lock"
import type { Store } from "@weft/domain/Store"
import type { StoreError } from "@weft/domain/StoreError"
import * as Tx from "@weft/domain/Tx"
import { any } from "@weft/tuplespace/TupleSpace"
import * as Concordance from "./Concordance.ts"
import * as Corpus from "./Corpus.ts"
import type { FleetError } from "./Fleet.ts"
import { FILES_A_HAND_MAX, cut, office, space } from "./Hands.ts"
import type { NothingToMove } from "./Renamer.ts"

/** Hands that are put out in one transaction. */
const HANDS_AT_ONCE = 500

/** When it has waited this long for its turn, a run says for whom. */
const PATIENCE_MILLIS = 1_000

/** Times that a run which was taken for dead (its disk or its machine stood still for a lease) begins again. */
const LOSSES_MAX = 20

/** Raised when the same texts could give another index: a store of other rules is refused. */
const RULES = 1

/** The store has the index of another directory, or one by other rules. */
export class OtherIndex extends Schema.TaggedError<OtherIndex>()("OtherIndex", { message: Schema.String }) {}

/** Files of which the index is to learn, and what became of them since the last run. */
export interface Changes {
  readonly added: number
  readonly changed: number
  readonly removed: number
}

/** There is less to do than things that are to happen meanwhile. */
export class TooLittleWork extends Schema.TaggedError<TooLittleWork>()("TooLittleWork", { message: Schema.String }) {}

/** Whatever can end a run early. */
export type Failure = StoreError | LockError | FleetError | NothingToMove | OtherIndex | TooLittleWork | PlatformError
type Services = Store | FileSystem.FileSystem | Path.Path

/**
 * Something that happens between two portions of the work; gives files that have to be looked at once more. `isIdle` says
 * whether all that was handed out until now is done.
 */
export type Event = (isIdle: () => boolean) => Effect.Effect<ReadonlyArray<string>, Failure, Services>

export interface Options {
  readonly root: string
  readonly starts: ReadonlyArray<string>
  /** Works at the hands of a run until it is interrupted. */
  readonly crew: (run: string) => Effect.Effect<unknown, Failure, Services>
  /** What happens while the work is under way, spread over it. */
  readonly events?: ReadonlyArray<Event>
  /** Named to others who wait for this run to end. */
  readonly owner: string
  /** Is told whom this run waits for. */
  readonly onWait?: ((owner: string) => void) | undefined
}

const claim = Tx.fn("Build.claim")(function* (root: string, starts: ReadonlyArray<string>) {
  const found = yield* Concordance.corpus.get
  if (found === null) return yield* Concordance.corpus.set({ root, starts, rules: RULES })
  const isSame = found.root === root && found.starts.join("\0") === starts.join("\0")
  if (isSame && found.rules === RULES) return
  const what = isSame ? "was made by other rules of this program" : `is of ${found.root}, not of ${root}`
  return yield* new OtherIndex({ message: `the index in this store ${what}: nothing was changed. Name another store` })
})

/** Compares the directory with the index: files to look at, and how many of what kind. */
const survey = Effect.fn("Build.survey")(function* (root: string, starts: ReadonlyArray<string>) {
  const listing = yield* Corpus.list(root, starts)
  const known = yield* Concordance.known
  const news = listing.skipped.filter(({ path, reason }) => known.get(path)?.reason !== reason)
  if (news.length > 0) yield* Concordance.skipAll(news)
  const fresh = listing.files.filter(({ path, stamp }) => stamp === "" || known.get(path)?.stamp !== stamp)
  const there = new Set([...listing.files, ...listing.skipped].map(({ path }) => path))
  const gone = [...known.keys()].filter((path) => !there.has(path)).map((path) => ({ path, bytes: 0 }))
  const added = fresh.filter(({ path }) => !known.has(path)).length
  const changes: Changes = { added, changed: fresh.length - added, removed: gone.length }
  return { changes, files: [...fresh, ...gone] }
})

/** What was left behind by runs that were cut short. */
const clear = Effect.andThen(space.takeAll(["hand", any, any]), space.takeAll(["done", any, any, any, any]))

export class Build {
  changes: Changes = { added: 0, changed: 0, removed: 0 }
  filesTotal = 0
  filesDone = 0
  words = 0
  /** Hands that came back from a worker that had died, and were done by another. */
  takenOver = 0
  startedMillis = 0
  /** Events that have happened. */
  private happened = 0
  private left = 0
  private putOut = 0
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
  }

  /** Runs once. When it is taken for dead it begins again, with what is left to do. */
  get run(): Effect.Effect<void, Failure, Services> {
    return Effect.retry(Effect.scoped(this.once()), {
      times: LOSSES_MAX,
      while: (error) => error._tag === "LockError" && error.reason._tag === "LockLost"
    })
  }

  /** What is still to happen. */
  private get events(): ReadonlyArray<Event> {
    return this.options.events?.slice(this.happened) ?? []
  }

  private readonly once = Effect.fnUntraced({ self: this }, function* (this: Build) {
    const { crew, owner, root, starts } = this.options
    const isFirst = this.startedMillis === 0
    const { events } = this
    if (isFirst) this.startedMillis = yield* Clock.currentTimeMillis
    const seat = yield* Effect.raceFirst(office.request({ write: ["/"] }, { owner }).scoped, this.tellWhoWorks)
    const hands = yield* seat.guard(
      Effect.gen({ self: this }, function* () {
        yield* claim(root, starts)
        const { changes, files } = yield* survey(root, starts)
        if (isFirst) this.changes = changes
        if (isFirst && files.length < events.length) {
          const message = `only ${files.length} files have changed since the last run: too few for ${events.length} kills and renames while they are indexed. Name a new store`
          return yield* new TooLittleWork({ message })
        }
        this.filesTotal = this.filesDone + files.length
        yield* clear
        return cut(files, handSize(files.length, events.length))
      })
    )
    if (hands.length === 0) return
    const run = `${yield* Random.nextInt}${yield* Random.nextInt}`
    this.left = hands.length + 1
    this.putOut = 0
    const lead = seat.guard(Effect.all([this.handOut(run, hands), this.collect(run)], { concurrency: 2 }))
    yield* Effect.raceFirst(lead, Effect.raceFirst(this.bury(run), Effect.andThen(crew(run), Effect.never)))
  })

  /** Puts the hands out in portions, and between two of them lets happen what is to happen. */
  private readonly handOut = Effect.fnUntraced(
    { self: this },
    function* (this: Build, run: string, hands: ReadonlyArray<ReadonlyArray<string>>) {
      const { events } = this
      const size = Math.max(1, Math.ceil(hands.length / (events.length + 1)))
      const isIdle = () => this.left - 1 === hands.length - this.putOut
      for (let i = 0; i <= events.length; i++) {
        const portion = hands.slice(i * size, i === events.length ? undefined : (i + 1) * size)
        yield* this.put(run, portion)
        this.putOut += portion.length
        const more = (yield* events[i]?.(isIdle) ?? Effect.succeed([])).map((path) => ({ path, bytes: 0 }))
        if (events[i] !== undefined) this.happened += 1
        const extra = cut(more)
        this.left += extra.length
        this.filesTotal += more.length
        yield* this.put(run, extra)
      }
      yield* space.out(["done", run, 0, 0, 0])
    }
  )

  private readonly put = Effect.fnUntraced(function* (run: string, hands: ReadonlyArray<ReadonlyArray<string>>) {
    for (let from = 0; from < hands.length; from += HANDS_AT_ONCE) {
      const some = hands.slice(from, from + HANDS_AT_ONCE)
      yield* Tx.transact(Effect.forEach(some, (paths) => space.out(["hand", run, paths]), { discard: true }))
    }
  })

  /** Waits for what comes of each hand, and for the end of the handing out. */
  private readonly collect = Effect.fnUntraced({ self: this }, function* (this: Build, run: string) {
    while (this.left > 0) {
      const [, , files, words, returns] = yield* space.take(["done", run, any, any, any])
      this.left -= 1
      this.filesDone += files
      this.words += words
      if (returns > 0) this.takenOver += 1
    }
  })

  /** Names the files of hands whose workers died again and again. Never ends. */
  private bury(run: string) {
    const once = Tx.transact(
      Effect.gen(function* () {
        const letters = yield* space.takeDeadLetters
        yield* Tx.check(letters.length > 0)
        for (const letter of letters) {
          if (letter[0] !== "hand" || letter[1] !== run) continue
          const places = letter[2].map((path) => ({ path, reason: "its workers died" as const }))
          yield* Concordance.skipAll(places)
          yield* space.out(["done", run, places.length, 0, 0])
        }
      })
    )
    return Effect.forever(once)
  }

  /** Says for whom this run waits, when it does. Never ends. */
  private get tellWhoWorks(): Effect.Effect<never, StoreError | LockError, Store> {
    const tell = Effect.map(office.standings, (all) => {
      const holder = all.find(({ state }) => state === "holds")
      if (holder !== undefined) this.options.onWait?.(holder.owner)
    })
    return Effect.andThen(Effect.delay(tell, PATIENCE_MILLIS), Effect.never)
  }
}

/** Files of a hand, such that there is a hand for each portion between events. */
const handSize = (files: number, events: number): number =>
  Math.max(1, Math.min(FILES_A_HAND_MAX, Math.floor(files / (events + 1))))
