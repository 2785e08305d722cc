/**
 * Answers of commands between their apply and the moment in which their request is known to be theirs.
 *
 * At a leader both come in one turn. A follower that forwarded a command may apply it before the leader's word
 * says where it went, so the newest answers are kept, bounded in number and bytes.
 */
import type { Applied } from "../core/Surface.ts"
import type { Index, Term } from "../core/Types.ts"

const bytesOf = (applied: Applied): number => (applied._tag === "Result" ? applied.data.length : 0)

export class Results {
  private readonly mask: number
  private readonly bytesMax: number
  private readonly terms: Array<Term>
  private readonly kept: Array<Applied | undefined>
  /** Lowest and highest index kept; nothing is kept while `first > last`. */
  private first: Index = 1
  private last: Index = 0
  private bytes = 0

  /** `countMax` is rounded up to a power of two. */
  constructor(countMax: number, bytesMax: number) {
    let size = 1
    while (size < countMax) size *= 2
    this.mask = size - 1
    this.bytesMax = bytesMax
    this.terms = new Array<Term>(size).fill(0)
    this.kept = new Array<Applied | undefined>(size).fill(undefined)
  }

  /** Keeps the answer of the entry after the last one; a hole (a snapshot came) forgets what was before it. */
  add(index: Index, term: Term, applied: Applied): void {
    if (index !== this.last + 1) this.clear(index)
    if (this.last - this.first + 1 > this.mask) this.drop()
    this.last = index
    this.terms[index & this.mask] = term
    this.kept[index & this.mask] = applied
    this.bytes += bytesOf(applied)
    while (this.bytes > this.bytesMax && this.first < this.last) this.drop()
  }

  /** The answer of the entry at this index and term; `undefined` if it is not kept. */
  get(index: Index, term: Term): Applied | undefined {
    if (index < this.first || index > this.last || this.terms[index & this.mask] !== term) return undefined
    return this.kept[index & this.mask]
  }

  /** Forgets everything; the next index to be added is `next`. */
  clear(next: Index): void {
    while (this.first <= this.last) this.drop()
    this.first = next
    this.last = next - 1
  }

  private drop(): void {
    const slot = this.first & this.mask
    const applied = this.kept[slot]
    if (applied !== undefined) this.bytes -= bytesOf(applied)
    this.kept[slot] = undefined
    this.first++
  }
}
