/** The line that shows how far the concordance is. Pure: figures in, one line of text out. */

export interface Progress {
  readonly filesDone: number
  readonly filesTotal: number
  readonly words: number
  readonly commits: number
  readonly conflicts: number
  readonly seconds: number
}

const BAR_WIDTH = 24
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

/** A bar of `width` cells, filled in eighths of a cell. */
export const bar = (share: number, width: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const full = "█".repeat(filled >> 3) + eighths[filled & 7]!
  return full.padEnd(width, "░")
}

/** Words a second; nothing to say before there was time. */
const rate = ({ seconds, words }: Progress): string => (seconds > 0 ? `${whole(words / seconds)} words/s` : "")

export const line = (progress: Progress): string => {
  const { commits, conflicts, filesDone, filesTotal, words } = progress
  const share = filesTotal === 0 ? 1 : filesDone / filesTotal
  return [
    `${bar(share, BAR_WIDTH)} ${filesDone}/${filesTotal} files`,
    `${whole(words)} words`,
    `${whole(commits)} commits`,
    `${whole(conflicts)} conflicts`,
    rate(progress)
  ]
    .filter((part) => part !== "")
    .join("  ")
}
