/**
 * The command line of the concordance: what it is asked, and how it answers. Answers go to stdout, progress and what was
 * skipped to stderr, so that `--json` can be piped on.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Terminal from "effect/Terminal"
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Backends from "@weft/backends/Backends"
import { Store } from "@weft/domain/Store"
import { render, type Answer } from "./Answer.ts"
import { build, WORKERS_MAX } from "./Build.ts"
import * as Concordance from "./Concordance.ts"
import { digest } from "./digest.ts"
import { line, whole, type Progress } from "./Progress.ts"
import { searched } from "./Words.ts"

/** Which texts: a folder, and where below it to start. */
export interface Texts {
  readonly root: string
  readonly starts: ReadonlyArray<string>
}

/** What belongs to the terminal at hand rather than to the program. */
export interface Screen {
  /** Writes progress: `isLast` when the line stays. Absent: no progress is shown. */
  readonly progress: ((text: string, isLast: boolean) => void) | undefined
  /** Whether somebody sits there to be asked for words. */
  readonly isInteractive: boolean
}

const PROGRESS_MILLIS = 100

/** Skipped places that are named one by one for people. */
const SKIPPED_SHOWN_MAX = 20

const fail = (message: string) => Effect.fail(new CliError.UserError({ cause: message, userMessage: message }))

const textsAt = Effect.fn("Cli.textsAt")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const info = yield* Effect.result(fs.stat(directory))
  if (info._tag === "Failure") {
    const why = info.failure.reason._tag === "NotFound" ? "does not exist" : `cannot be read (${info.failure.message})`
    return yield* fail(`${directory} ${why}. Give a directory of text, or none for the sources of effect.`)
  }
  if (info.success.type === "Directory") return { root: directory, starts: [""] }
  if (info.success.type === "File") return { root: path.dirname(directory), starts: [path.basename(directory)] }
  return yield* fail(`${directory} is neither a directory nor a file. Give a directory of text.`)
})

/** Shows the progress of `self` on its line until it ends. */
const withProgress = <A, E, R>(self: Effect.Effect<A, E, R>, now: Effect.Effect<Progress>, screen: Screen) => {
  const { progress } = screen
  if (progress === undefined) return self
  const show = (isLast: boolean) => Effect.map(now, (figures) => progress(line(figures), isLast))
  const forever = Effect.forever(Effect.andThen(show(false), Effect.sleep(PROGRESS_MILLIS)))
  return Effect.raceFirst(self, forever).pipe(Effect.ensuring(show(true)))
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

interface Asked {
  readonly directory: Option.Option<string>
  readonly workers: number
  readonly search: ReadonlyArray<string>
  readonly limit: number
  readonly json: boolean
}

const concordance = (defaults: Texts, screen: Screen) =>
  Effect.fn("Cli.concordance")(function* ({ directory, json, limit, search, workers }: Asked) {
    const texts = Option.isNone(directory) ? defaults : yield* textsAt(directory.value)
    const wrong = search.find((input) => searched(input) === undefined)
    if (wrong !== undefined) return yield* fail(noWord(wrong))
    const job = build(texts.root, texts.starts, { workers })
    const progress = yield* withProgress(job.run, job.now, screen)
    const summary = yield* Concordance.summary()
    const answers = yield* Effect.forEach(search, (input) => Concordance.search(searched(input)!, limit))
    const hash = yield* digest
    if (json) {
      const { commits, conflicts, seconds } = progress
      const found = answers.map(toJson)
      yield* Console.log(
        JSON.stringify({ digest: hash, ...summary, workers, commits, conflicts, seconds, answers: found })
      )
      return
    }
    yield* nameSkipped(summary.skipped)
    for (const answer of answers) yield* Console.log(render(answer))
    yield* Console.log(
      `${whole(summary.files)} files, ${whole(summary.words)} words, ${whole(summary.postings)} places of words; ` +
        `longest: ${summary.longest.path || "none"} (${whole(summary.longest.words)} words)\ndigest ${hash}`
    )
    if (search.length === 0 && screen.isInteractive) yield* prompt(limit)
  })

/** On the store that was named: the one line that makes the same program run elsewhere. */
const handle = (defaults: Texts, screen: Screen) => {
  const run = concordance(defaults, screen)
  return (asked: Asked & { readonly store: string }) =>
    run(asked).pipe(
      Effect.provide(Store.layer(Backends.layer(asked.store))),
      Effect.catchTag("StoreError", (error) => fail(`store ${asked.store}: ${error.message}`))
    )
}

/** The command. Needs what the platform gives. */
export const command = (defaults: Texts, screen: Screen) =>
  Command.make(
    "concordance",
    {
      directory: Argument.String("directory").pipe(
        Argument.withDescription("A directory of text, or one file. Default: the sources and guides of effect"),
        Argument.optional
      ),
      workers: Flag.Int("workers").pipe(
        Flag.withAlias("w"),
        Flag.withDescription(`Fibers that index files, 1 to ${WORKERS_MAX}`),
        Flag.filter(
          (workers) => workers >= 1 && workers <= WORKERS_MAX,
          (workers) => `--workers must be 1 to ${WORKERS_MAX}, not ${workers}`
        ),
        Flag.withDefault(4)
      ),
      search: Flag.String("search").pipe(
        Flag.withAlias("s"),
        Flag.withDescription("A word to look for; may be given more than once"),
        Flag.atLeast(0)
      ),
      limit: Flag.Int("limit").pipe(
        Flag.withDescription("Lines shown of each word"),
        Flag.filter(
          (limit) => limit >= 0,
          (limit) => `--limit must be 0 or more, not ${limit}`
        ),
        Flag.withDefault(20)
      ),
      store: Flag.String("store").pipe(
        Flag.withDescription(
          "Where the index lives: memory, or file:PATH, which a later run goes on with. Or WEFT_STORE"
        ),
        Flag.withFallbackConfig(Backends.fromEnvironment)
      ),
      json: Flag.Boolean("json").pipe(Flag.withDescription("One JSON object on stdout"), Flag.withDefault(false))
    },
    handle(defaults, screen)
  ).pipe(Command.withDescription("Builds a concordance of text on a Weft store and answers where words are."))
