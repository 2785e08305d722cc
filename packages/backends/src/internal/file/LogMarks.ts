/**
 * The rows of the log as a store keeps them in mind, oldest first: where each ends, and how many of the oldest the log's
 * limits have no room for. Pure (mutable).
 */
import type { Version } from "@weft/domain/core/Version"

/** Where a batch stands. */
interface Mark {
  readonly seq: number
  readonly version: Version
  readonly bytes: number
}

/** Batches between two looks at what of the log can go. */
const trimPeriodBatches = 256

export class LogMarks {
  private marks: Array<Mark> = []
  private bytes = 0
  private untrimmed = 0

  /** The oldest row: where the log begins. */
  get first(): Mark {
    return this.marks[0]!
  }

  push(mark: Mark): void {
    this.marks.push(mark)
    this.bytes += mark.bytes
  }

  clear(): void {
    this.marks = []
    this.bytes = 0
  }

  /** Sequence of the last row that ends at `version` or before; that of the oldest when there is none. */
  lastUpTo(version: Version): number {
    return this.marks[
      Math.max(
        this.marks.findLastIndex((mark) => mark.version <= version),
        0
      )
    ]!.seq
  }

  /**
   * The row that the log should begin with, looked for every `trimPeriodBatches` calls; `undefined` when nothing has to go.
   * Rows go whose commits are of `below` or before, and the oldest while the log has more than `bytesMax`; never the last.
   */
  trimmable(below: Version, bytesMax: number): number | undefined {
    if (++this.untrimmed < trimPeriodBatches) return undefined
    this.untrimmed = 0
    let from = 0
    let { bytes } = this
    while (from < this.marks.length - 1 && (this.marks[from + 1]!.version < below || bytes > bytesMax)) {
      bytes -= this.marks[from++]!.bytes
    }
    return from === 0 ? undefined : this.marks[from]!.seq
  }

  /** The rows below `seq` are gone. */
  trim(seq: number): void {
    const from = this.marks.findIndex((mark) => mark.seq >= seq)
    for (const { bytes } of this.marks.slice(0, from)) this.bytes -= bytes
    this.marks = this.marks.slice(from)
  }
}
