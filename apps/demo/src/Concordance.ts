/**
 * The index: its collections, and the transactions over them. Runs on any store.
 *
 * Footprints: two files never conflict over the index, since each writes cells of its own (a posting is a word and a file)
 * and adds to a counter, which commutes.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DCounter from "@weft/domain/DCounter"
import * as DMap from "@weft/domain/DMap"
import * as DRef from "@weft/domain/DRef"
import * as DSet from "@weft/domain/DSet"
import * as Tx from "@weft/domain/Tx"
import type { Answer, Place } from "./Answer.ts"
import type { Read, Skipped } from "./Corpus.ts"
import { linesOf, wordsOf } from "./Words.ts"

const File = Schema.Struct({
  /** The state of the file that the index speaks of; empty when it has to be read again. */
  stamp: Schema.String,
  words: Schema.Int,
  lines: Schema.Int,
  /** Why it is left out, if it is. */
  reason: Schema.optionalKey(Schema.String)
})

/** What is known of each place: indexed, or left out with a reason. */
export const files = DMap.make("files", { key: Schema.String, value: File })

/** The text of each file as it was indexed, so that an answer shows the lines that the index speaks of. */
export const texts = DMap.make("texts", { key: Schema.String, value: Schema.String })

/** Lines of a word in a file, by (word, file). */
export const postings = DMap.make("postings", {
  key: Schema.Tuple([Schema.String, Schema.String]),
  value: Schema.Array(Schema.Int)
})

/** Words of all files, each occurrence counted. */
export const words = DCounter.make("words")

/** Files by their number of words, negative: the longest first, of equals the first by name. */
export const byLength = DSet.make("byLength", { value: Schema.Tuple([Schema.Int, Schema.String]) })

/** What the index is of. One store has one index, of one directory. */
export const corpus = DRef.make("corpus", {
  value: Schema.NullOr(Schema.Struct({ root: Schema.String, starts: Schema.Array(Schema.String), rules: Schema.Int })),
  initial: null
})

/** Which files are indexed in what state: what a run compares the directory with. */
export const known = Effect.map(files.entries(), (all) => new Map(all))

/** Words of a file as they stand in the index. */
const wordsAt = Effect.fnUntraced(function* (path: string) {
  const text = yield* texts.get(path)
  return Option.isNone(text) ? undefined : wordsOf(text.value)
})

const isEqual = (a: ReadonlyArray<number>, b: ReadonlyArray<number> | undefined): boolean =>
  b !== undefined && a.length === b.length && a.every((line, i) => line === b[i])

/** Brings the postings of one file from one state to the next: what stays the same is not written. */
const replaceWords = Effect.fnUntraced(function* (path: string, next: ReturnType<typeof wordsOf> | undefined) {
  const before = yield* wordsAt(path)
  const gone = before === undefined ? [] : [...before.lines.keys()].filter((word) => next?.lines.has(word) !== true)
  yield* postings.removeMany(gone.map((word) => [word, path] as const))
  if (before !== undefined) yield* byLength.remove([-before.count, path])
  if (next !== undefined) {
    const changed = Array.from(next.lines).filter(([word, lines]) => !isEqual(lines, before?.lines.get(word)))
    yield* postings.setMany(changed.map(([word, lines]) => [[word, path] as const, lines] as const))
    yield* byLength.add([-next.count, path])
  }
  yield* words.add((next?.count ?? 0) - (before?.count ?? 0))
})

/** The version of what the index knows of a file, for `bring`. */
export const versionOf = (path: string) =>
  Effect.map(
    files.getVersioned(path),
    Option.match({ onNone: () => "empty" as const, onSome: ({ version }) => version })
  )

/**
 * Brings the index in line with what was read of a file: all old entries out, all new ones in, or nothing. Gives the words of
 * the file, or `undefined` when the index has changed since `seen`, in which case the file has to be read again: so the
 * last to write is one that read after the one before it had written.
 */
export const bring = Tx.fn("Concordance.bring")(function* (
  path: string,
  { reason, stamp, text }: Read,
  seen: Effect.Success<ReturnType<typeof versionOf>>
) {
  if ((yield* versionOf(path)) !== seen) return undefined
  const before = yield* texts.get(path)
  const next = text === undefined ? undefined : wordsOf(text)
  if (Option.getOrUndefined(before) !== text) {
    yield* replaceWords(path, next)
    if (text === undefined) yield* texts.remove(path)
    else yield* texts.set(path, text)
  }
  if (text !== undefined) yield* files.set(path, { stamp, words: next!.count, lines: linesOf(text).length })
  else if (reason === undefined || reason === "gone") yield* files.remove(path)
  else yield* files.set(path, { stamp, words: 0, lines: 0, reason })
  return next?.count ?? 0
})

/** Notes places that cannot be read at all, such as folders. */
export const skipAll = Tx.fn("Concordance.skipAll")(function* (places: ReadonlyArray<Skipped>) {
  for (const { path, reason } of places) yield* bring(path, { reason, stamp: "" }, yield* versionOf(path))
})

/** What is indexed under one path stands under another from now on; nothing when it is not indexed. Says whether it was. */
export const move = Tx.fn("Concordance.move")(function* (from: string, to: string) {
  const file = yield* files.get(from)
  const text = yield* texts.get(from)
  if (Option.isNone(file) || Option.isNone(text)) return false
  const { stamp } = file.value
  yield* bring(to, { text: text.value, stamp }, yield* versionOf(to))
  yield* bring(from, { reason: "gone", stamp: "" }, yield* versionOf(from))
  return true
})

/** Where a folded word stands: how often, and the first `limit` places in order of file and line. One snapshot. */
export const search = Tx.fn("Concordance.search")(function* (word: string, limit: number) {
  const found = yield* postings.entries({ prefix: [word] })
  const places: Array<Place> = []
  for (const [[, path], lines] of found) {
    const wanted = lines.slice(0, limit - places.length)
    if (wanted.length === 0) break
    const all = linesOf(Option.getOrThrow(yield* texts.get(path)))
    places.push(...wanted.map((line) => ({ path, line, text: all[line - 1] ?? "" })))
  }
  const lines = found.reduce((sum, [, list]) => sum + list.length, 0)
  const answer: Answer = { word, files: found.length, lines, places }
  return answer
})

/** Totals of the index, and what was left out. One snapshot. */
export const summary = Tx.fn("Concordance.summary")(function* () {
  const [count, path] = Option.getOrElse(yield* byLength.first(), () => [0, ""] as const)
  return {
    files: yield* texts.size,
    postings: yield* postings.size,
    words: yield* words.get,
    longest: { path, words: Math.abs(count) },
    skipped: (yield* files.entries()).flatMap(([path, { reason }]) => (reason === undefined ? [] : [{ path, reason }]))
  }
})

/** Cells of one step of `dump`. */
const ENTRIES_A_STEP = 10_000

/**
 * The whole index as lines of text, in order of its keys: equal indexes give equal lines, whoever built them in what order.
 * One snapshot; calls `write` with each piece, again from the start if the attempt is given up.
 */
export const dump = Effect.fn("Concordance.dump")(function* (start: () => (piece: string) => void) {
  return yield* Tx.transact(
    Effect.gen(function* () {
      const write = start()
      for (const [path, { lines, reason, words: count }] of yield* files.entries()) {
        if (reason === undefined) write(`file\t${path}\t${lines}\t${count}\n`)
      }
      let after: readonly [string, string] | undefined
      do {
        const step = yield* postings.entries({ after, limit: ENTRIES_A_STEP })
        write(step.map(([[word, path], lines]) => `${word}\t${path}\t${lines.join(",")}\n`).join(""))
        after = step.length < ENTRIES_A_STEP ? undefined : step.at(-1)?.[0]
      } while (after !== undefined)
    })
  )
})
