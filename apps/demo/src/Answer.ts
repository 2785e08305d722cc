/** What a search found, and how people read it. Pure. */
import { fold } from "./Words.ts"

/** One line of one file. */
export interface Place {
  readonly path: string
  readonly line: number
  readonly text: string
}

export interface Answer {
  readonly word: string
  /** Files that have the word. */
  readonly files: number
  /** Lines that have the word, of which `places` are the first. */
  readonly lines: number
  readonly places: ReadonlyArray<Place>
}

/** Characters of a line that are shown. */
export const SHOWN_LENGTH_MAX = 110

/** The part of a long line around the word, with dots where it is cut. */
export const excerpt = (text: string, word: string): string => {
  const trimmed = text.trim().replaceAll(/\s+/g, " ")
  if (trimmed.length <= SHOWN_LENGTH_MAX) return trimmed
  const at = Math.max(0, fold(trimmed).indexOf(word))
  const start = Math.max(0, Math.min(at - (SHOWN_LENGTH_MAX >> 1), trimmed.length - SHOWN_LENGTH_MAX))
  const end = Math.min(trimmed.length, start + SHOWN_LENGTH_MAX)
  return `${start > 0 ? "…" : ""}${trimmed.slice(start, end)}${end < trimmed.length ? "…" : ""}`
}

const plural = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`

export const render = (answer: Answer): string => {
  const { files, lines, places, word } = answer
  if (lines === 0) return `"${word}" is nowhere in the index`
  const rest = lines - places.length
  return [
    `"${word}": ${plural(lines, "line")} in ${plural(files, "file")}`,
    ...places.map(({ line, path, text }) => `  ${path}:${line}: ${excerpt(text, word)}`),
    ...(rest > 0 ? [`  … and ${plural(rest, "line")} more (--limit shows more)`] : [])
  ].join("\n")
}
