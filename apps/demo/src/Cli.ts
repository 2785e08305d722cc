/**
 * The command line of the concordance: what it is asked, and how it answers. Answers go to stdout, progress and what was
 * skipped to stderr, so that `--json` can be piped on.
 */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Terminal from "effect/Terminal"
import * as Command from "effect/cli/Command"
import * as Backends from "@weft/backends/Backends"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { render, type Answer } from "./Answer.ts"
import type { Machine } from "./cacheFile.ts"
import * as Concordance from "./Concordance.ts"
import { digest } from "./digest.ts"
import { flags, type Flags } from "./flags.ts"
import { LEASE } from "./Hands.ts"
import { plural, type Progress, view, whole } from "./Progress.ts"
import { quietDigest, Run } from "./Run.ts"
import { copyOf, fail, storeFor, type Texts, textsAt } from "./Setup.ts"
import { searched } from "./Words.ts"

/** What belongs to the machine at hand rather than to the program. */
export interface Place {
  /** Writes lines over those written last: `isLast` when they stay. Absent: no progress is shown. */
  readonly progress: ((lines: ReadonlyArray<string>, isLast: boolean) => void) | undefined
  /** Whether somebody sits there to be asked for words. */
  readonly isInteractive: boolean
  readonly machine: Machine
}

const PROGRESS_MILLIS = 100

/** Skipped places that are named one by one for people. */
const SKIPPED_SHOWN_MAX = 20

/** Shows the progress of a run until it ends. */
const watched = (run: Run, { progress }: Place) => {
  if (progress === undefined) return run.whole
  const show = (isLast: boolean) => Effect.map(run.now, (figures) => progress(view(figures), isLast))
  const forever = Effect.forever(Effect.andThen(show(false), Effect.sleep(PROGRESS_MILLIS)))
  return Effect.raceFirst(run.whole, forever).pipe(Effect.ensuring(show(true)))
}

const find = (input: string, limit: number) => {
  const word = searched(input)
  return word === undefined ? Effect.succeed(undefined) : Concordance.search(word, limit)
}

const noWord = (input: string) => `"${input}" is not a word: one run of letters, digits and underscores, with a letter`

const toJson = ({ files, lines, places, word }: Answer) => ({ word, files, lines, places })

/** Asks for words until the input ends or an empty line comes. */
const prompt = (limit: number) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    while (true) {
      yield* terminal.display("search> ")
      const input = yield* terminal.readLine
      if (input.trim() === "") return
      const answer = yield* find(input, limit)
      yield* Console.log(answer === undefined ? noWord(input) : render(answer))
    }
  }).pipe(Effect.catchTag("QuitError", () => Effect.void))

/** Names what was left out, the first of it when it is much. */
const nameSkipped = Effect.fnUntraced(function* (
  all: ReadonlyArray<{ readonly path: string; readonly reason: string }>
) {
  for (const { path, reason } of all.slice(0, SKIPPED_SHOWN_MAX)) yield* Console.error(`skipped ${path}: ${reason}`)
  const rest = all.length - SKIPPED_SHOWN_MAX
  if (rest > 0) yield* Console.error(`skipped ${whole(rest)} more (--json names all)`)
})

/** What there was to do, in words. */
const told = ({ added, changed, removed }: Run["build"]["changes"]): string =>
  added + changed + removed === 0
    ? "nothing has changed since the last run"
    : `${plural(added, "file")} new, ${whole(changed)} changed, ${whole(removed)} gone`

interface Asked extends Omit<Flags, "seed"> {
  readonly texts: Texts
  readonly store: string
  readonly seed: number
}

/** Everything on the store that was chosen. */
const onStore = Effect.fn("Cli.onStore")(function* (asked: Asked, place: Place) {
  const { json, kill, limit, rename, search, seed, store, texts, workers } = asked
  const isScenario = kill || rename
  const processes = asked.processes > 1 || kill ? asked.processes : 0
  const run = new Run({
    ...texts,
    store,
    workers,
    processes,
    kills: kill ? asked.kills : 0,
    renames: rename ? asked.renames : 0,
    seed,
    onWait: (owner) => {
      const patience = `when it was killed, for ${LEASE} at most`
      process.stderr.write(`waiting for ${owner}, which works on this index (${patience})\n`)
    }
  })
  const progress = yield* watched(run, place)
  const summary = yield* Concordance.summary()
  const answers = yield* Effect.forEach(search, (input) => Concordance.search(searched(input)!, limit))
  const hash = yield* digest
  const quiet = isScenario ? yield* quietDigest({ ...texts, workers }) : undefined
  if (json) yield* Console.log(JSON.stringify(inJson(asked, run, progress, { answers, hash, quiet, summary })))
  else {
    yield* Console.error(told(run.build.changes))
    yield* nameSkipped(summary.skipped)
    for (const answer of answers) yield* Console.log(render(answer))
    yield* Console.log(
      `${whole(summary.files)} files, ${whole(summary.words)} words, ${whole(summary.postings)} places of words; ` +
        `longest: ${summary.longest.path || "none"} (${whole(summary.longest.words)} words)\ndigest ${hash}`
    )
  }
  if (quiet !== undefined && quiet !== hash) {
    return yield* fail(`the digest of a quiet run is ${quiet}: another one. Replay with --seed ${seed}`)
  }
  if (quiet !== undefined && !json) yield* Console.log("       equals that of a quiet run")
  if (!json && search.length === 0 && place.isInteractive) yield* prompt(limit)
})

const inJson = (
  { kill, processes, rename, seed, store, workers }: Asked,
  run: Run,
  progress: Progress,
  found: {
    readonly hash: string
    readonly quiet: string | undefined
    readonly summary: Effect.Success<ReturnType<typeof Concordance.summary>>
    readonly answers: ReadonlyArray<Answer>
  }
) => {
  const { commits, conflicts, kills, renames, seconds, takenOver } = progress
  const events = kill || rename ? { seed, kills, takenOver, renames, quietDigest: found.quiet } : {}
  const answers = found.answers.map(toJson)
  const { changes } = run.build
  const figures = { commits, conflicts, seconds }
  return { digest: found.hash, ...found.summary, store, workers, processes, changes, ...figures, ...events, answers }
}

/** Whatever ends a run early, as people read it. */
const saying = <A, E, R>(store: string, self: Effect.Effect<A, E, R>) =>
  Effect.catchIf(
    self,
    (error): error is E & Error => error instanceof Error && "_tag" in error && failures.has(String(error._tag)),
    (error) => fail("_tag" in error && error._tag === "StoreError" ? `store ${store}: ${error.message}` : error.message)
  )

const failures = new Set(
  "StoreError LockError FleetError NotShared NothingToMove OtherIndex TooLittleWork PlatformError".split(" ")
)

const handle = (defaults: Texts, place: Place) =>
  Effect.fn("Cli.handle")(function* (asked: Flags) {
    const wrong = asked.search.find((input) => searched(input) === undefined)
    if (wrong !== undefined) return yield* fail(noWord(wrong))
    const named = Option.isNone(asked.directory) ? defaults : yield* textsAt(asked.directory.value)
    const isScenario = asked.kill || asked.rename
    const texts = asked.rename ? yield* copyOf(named) : named
    const store = yield* storeFor(asked.store, texts, isScenario, place.machine)
    const seed = Option.isSome(asked.seed) ? asked.seed.value : yield* Random.nextIntBetween(0, 1_000_000)
    if (!asked.json) yield* Console.error(`index in ${store}${isScenario ? `, seed ${seed}` : ""}`)
    // The one line that makes the same program run elsewhere.
    const whole = Effect.provide(onStore({ ...asked, texts, store, seed }, place), Store.layer(Backends.layer(store)))
    yield* saying(store, Effect.provideService(whole, Sessions.Lease, LEASE))
  }, Effect.scoped)

/** The command. Needs what the platform gives. */
export const command = (defaults: Texts, place: Place) =>
  Command.make("concordance", flags(Config.String("WEFT_STORE").pipe(Config.withDefault(""))), (asked) =>
    handle(defaults, place)(asked)
  ).pipe(Command.withDescription("Builds a concordance of text on a Weft store and answers where words are."))
