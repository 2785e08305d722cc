/** Lines that overwrite themselves on a terminal; elsewhere only their last state, so that a log stays a log. */

/** The part of an output stream that is needed. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  readonly write: (text: string) => unknown
}

/** Columns of a terminal that does not say. */
const COLUMNS = 80
const ROWS = 24

export class Lines {
  private readonly output: Output
  /** Lines below the first one that stand there. */
  private below = 0

  constructor(output: Output) {
    this.output = output
  }

  show(lines: ReadonlyArray<string>, isLast: boolean): void {
    const { columns = COLUMNS, isTTY, rows = ROWS } = this.output
    if (isTTY !== true) {
      if (isLast) this.output.write(`${lines.join("\n")}\n`)
      return
    }
    // What does not fit on the screen cannot be overwritten.
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => `${line.slice(0, columns - 1)}\u001b[K`)
    const up = this.below > 0 ? `\u001b[${this.below}A` : ""
    this.output.write(`\r${up}${shown.join("\n")}\u001b[J${isLast ? "\n" : ""}`)
    this.below = isLast ? 0 : shown.length - 1
  }
}
