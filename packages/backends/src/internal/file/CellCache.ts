/**
 * What the table of cells of a file says of some keys, rows and absences, as of its last folding and deletions. Cells that
 * wait to be folded go before it (`Tail.ts`): most of locks and tuples come and go there, and never come here. Two
 * generations: when the young one is full it becomes the old one, and what the old one had is dropped, so that keeping
 * and forgetting are O(1) and no hot key is deleted from a map (V8 slows down on that by orders of magnitude).
 */
import type { Cell } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"

/** Memory of an entry beyond its key and value, estimated in bytes. */
const entryBytes = 200

export class CellCache {
  private young = new Map<Key, Cell | undefined>()
  private old = new Map<Key, Cell | undefined>()
  private youngBytes = 0
  private readonly generationBytes: number

  constructor(bytesMax: number) {
    this.generationBytes = bytesMax / 2
  }

  has(key: Key): boolean {
    return this.young.has(key) || this.old.has(key)
  }

  get(key: Key): Cell | undefined {
    const young = this.young.get(key)
    if (young !== undefined || this.young.has(key)) return young
    if (!this.old.has(key)) return undefined
    const cell = this.old.get(key)
    this.set(key, cell)
    return cell
  }

  set(key: Key, cell: Cell | undefined): void {
    if (this.youngBytes > this.generationBytes) {
      this.old = this.young
      this.young = new Map()
      this.youngBytes = 0
    }
    this.young.set(key, cell)
    this.youngBytes += entryBytes + key.length + (cell === undefined ? 0 : cell.value.size)
  }

  clear(): void {
    this.young = new Map()
    this.old = new Map()
    this.youngBytes = 0
  }
}
