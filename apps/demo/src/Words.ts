/**
 * What a word is, and where the words of a text are. Pure.
 *
 * A word is a run of letters, digits and underscores of any script, with at least one letter; it is folded to lower case, so
 * that a search finds `Schedule` and `schedule` alike. Same text, same words, whatever the machine or its locale.
 */

/** Characters of a folded word that are kept: what is longer is data inside of a text, and no one searches for it. */
export const WORD_LENGTH_MAX = 64

const run = /[\p{L}\p{M}\p{N}_]+/gu
const letter = /\p{L}/u

/** Without the locale of the machine, and in one normal form: `é` is one word however it was typed. */
export const fold = (word: string): string => word.normalize("NFC").toLowerCase()

export interface Words {
  /** Lines (from 1, ascending, each once) by folded word. */
  readonly lines: ReadonlyMap<string, ReadonlyArray<number>>
  /** Occurrences, each counted. */
  readonly count: number
}

/** The lines of a text: ended by a line feed, a carriage return or both. */
export const linesOf = (text: string): ReadonlyArray<string> => text.split(/\r\n|\n|\r/)

/** Where each word of a text stands. Cost: one pass over the text. */
export const wordsOf = (text: string): Words => {
  const lines = new Map<string, Array<number>>()
  let count = 0
  for (const [index, line] of linesOf(text.normalize("NFC")).entries()) {
    for (const [word] of line.matchAll(run)) {
      if (word.length > WORD_LENGTH_MAX || !letter.test(word)) continue
      count += 1
      const folded = fold(word)
      const found = lines.get(folded)
      if (found === undefined) lines.set(folded, [index + 1])
      else if (found.at(-1) !== index + 1) found.push(index + 1)
    }
  }
  return { lines, count }
}

/** The word that a search asks for, or `undefined` when the input is no single word. */
export const searched = (input: string): string | undefined => {
  const folded = fold(input.trim())
  return folded.length <= WORD_LENGTH_MAX && /^[\p{L}\p{M}\p{N}_]+$/u.test(folded) && letter.test(folded)
    ? folded
    : undefined
}
