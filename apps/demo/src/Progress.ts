/** The lines that show how far the concordance is. Pure: figures in, text out. */
import type { Member } from "./Fleet.ts"

export interface Progress {
  readonly filesDone: number
  readonly filesTotal: number
  readonly words: number
  readonly commits: number
  readonly conflicts: number
  readonly seconds: number
  /** Worker processes, where there are some. */
  readonly members: ReadonlyArray<Member>
  readonly kills: number
  readonly renames: number
  /** Hands done by another worker after the first one had died. */
  readonly takenOver: number
}

const BAR_WIDTH = 24
const MEMBER_BAR_WIDTH = 8
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

export const plural = (count: number, noun: string): string => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`

/** A bar of `width` cells, filled in eighths of a cell. */
export const bar = (share: number, width: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const full = "█".repeat(filled >> 3) + eighths[filled & 7]!
  return full.padEnd(width, "░")
}

/** Words a second; nothing to say before there was time. */
const rate = ({ seconds, words }: Progress): string => (seconds > 0 ? `${whole(words / seconds)} words/s` : "")

/** What happened to the work, as far as something did. */
const events = ({ kills, renames, takenOver }: Progress): ReadonlyArray<string> => [
  kills > 0 ? plural(kills, "kill") : "",
  takenOver > 0 ? `${whole(takenOver)} taken over` : "",
  renames > 0 ? plural(renames, "rename") : ""
]

export const line = (progress: Progress): string => {
  const { commits, conflicts, filesDone, filesTotal, words } = progress
  const share = filesTotal === 0 ? 1 : filesDone / filesTotal
  return [
    `${bar(share, BAR_WIDTH)} ${whole(filesDone)}/${whole(filesTotal)} files`,
    `${whole(words)} words`,
    plural(commits, "commit"),
    plural(conflicts, "conflict"),
    rate(progress),
    ...events(progress)
  ]
    .filter((part) => part !== "")
    .join("  ")
}

const marks: Readonly<Record<Member["state"], string>> = {
  ended: "✓",
  killed: "✗",
  starting: "…",
  waiting: "·",
  working: "▶"
}

/** One process: its share of what all processes did, its figures, how often it died, and where it is. */
const memberLine = ({ deaths, pid, state, tally }: Member, all: number): string =>
  [
    `  ${marks[state]} ${String(pid).padStart(7)} ${bar(all === 0 ? 0 : tally.files / all, MEMBER_BAR_WIDTH)}`,
    `${whole(tally.files).padStart(5)} files  ${whole(tally.words).padStart(9)} words`,
    `${whole(tally.commits).padStart(6)} commits  ${whole(tally.conflicts).padStart(4)} conflicts`,
    ...(deaths > 0 ? [`† ${deaths}`] : []),
    ...(state === "working" ? [tally.at] : [])
  ].join("  ")

/** All of it: one line, and below it one for each process. */
export const view = (progress: Progress): ReadonlyArray<string> => {
  const all = progress.members.reduce((sum, { tally }) => sum + tally.files, 0)
  return [line(progress), ...progress.members.map((member) => memberLine(member, all))]
}
