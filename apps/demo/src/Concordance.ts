/**
 * The index: its collections, and the transactions over them. Runs on any store.
 *
 * Footprints: two files never conflict over the index, since each writes cells of its own (a posting is a word and a file)
 * and adds to counters, which commutes. The longest file is one cell that is read and written: that is where workers race.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DCounter from "@weft/domain/DCounter"
import * as DMap from "@weft/domain/DMap"
import * as DSet from "@weft/domain/DSet"
import * as DStruct from "@weft/domain/DStruct"
import * as Tx from "@weft/domain/Tx"
import type { Answer, Place } from "./Answer.ts"
import type { Skipped } from "./Corpus.ts"
import { linesOf, wordsOf } from "./Words.ts"

const Document = Schema.Struct({ text: Schema.String, words: Schema.Int, lines: Schema.Int })

/** What each file is: its text as it was indexed, so that an answer shows the lines that the index speaks of. */
export const documents = DMap.make("documents", { key: Schema.String, value: Document })

/** Lines of a word in a file, by (word, file). */
export const postings = DMap.make("postings", {
  key: Schema.Tuple([Schema.String, Schema.String]),
  value: Schema.Array(Schema.Int)
})

/** Files that are not in the index, with the reason. */
export const skipped = DMap.make("skipped", { key: Schema.String, value: Schema.String })

/** Words of all files, each occurrence counted. */
export const words = DCounter.make("words")

/** The file with the most words; of equals the first by name, so that it does not depend on who was first. */
export const longest = DStruct.make("longest", {
  fields: { path: Schema.String, words: Schema.Int },
  initial: { path: "", words: 0 }
})

/** Files that were handed out, ever: a build that is started again hands out only the others. */
export const handed = DSet.make("handed", { value: Schema.String })

/** Files that are handed out and neither indexed nor skipped yet. */
export const remaining = DCounter.make("remaining")

/** Whether a file was dealt with: deliveries are at least once, what they do is done once. */
const isDone = Effect.fnUntraced(function* (path: string) {
  return (yield* documents.has(path)) || (yield* skipped.has(path))
})

/** Puts a file into the index, whole, once. Gives its words, or `undefined` if it was there already. */
export const add = Tx.fn("Concordance.add")(function* (path: string, text: string) {
  if (yield* isDone(path)) return undefined
  const found = wordsOf(text)
  yield* documents.set(path, { text, words: found.count, lines: linesOf(text).length })
  yield* postings.setMany(Array.from(found.lines, ([word, lines]) => [[word, path] as const, lines] as const))
  yield* words.add(found.count)
  const record = yield* longest.get
  if (found.count > record.words || (found.count === record.words && path < record.path)) {
    yield* longest.patch({ path, words: found.count })
  }
  yield* remaining.decrement
  return found.count
})

/** Notes that a file which was handed out is not in the index, and why. */
export const skip = Tx.fn("Concordance.skip")(function* ({ path, reason }: Skipped) {
  if (yield* isDone(path)) return
  yield* skipped.set(path, reason)
  yield* remaining.decrement
})

/** Where a folded word stands: how often, and the first `limit` places in order of file and line. One snapshot. */
export const search = Tx.fn("Concordance.search")(function* (word: string, limit: number) {
  const found = yield* postings.entries({ prefix: [word] })
  const places: Array<Place> = []
  for (const [[, path], lines] of found) {
    const wanted = lines.slice(0, limit - places.length)
    if (wanted.length === 0) break
    const document = Option.getOrThrow(yield* documents.get(path))
    const texts = linesOf(document.text)
    places.push(...wanted.map((line) => ({ path, line, text: texts[line - 1] ?? "" })))
  }
  const lines = found.reduce((sum, [, list]) => sum + list.length, 0)
  const answer: Answer = { word, files: found.length, lines, places }
  return answer
})

/** Totals of the index, and what was left out. One snapshot. */
export const summary = Tx.fn("Concordance.summary")(function* () {
  return {
    files: yield* documents.size,
    postings: yield* postings.size,
    words: yield* words.get,
    longest: yield* longest.get,
    skipped: (yield* skipped.entries()).map(([path, reason]) => ({ path, reason }))
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
      for (const [path, { lines, words: count }] of yield* documents.entries()) {
        write(`file\t${path}\t${lines}\t${count}\n`)
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
