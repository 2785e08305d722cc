/**
 * The last commits of a store, in a ring: for change streams, for checks of ranges, for reads at older versions. Pure
 * (mutable).
 *
 * Kept as columns, so that remembering a commit of one key makes no object. Versions of kept commits are contiguous; a
 * new epoch begins with an empty ring. `floor` is the version before the oldest commit kept: what changed after any
 * version from `floor` on is known in full.
 *
 * Bounds: commits, and bytes of keys and values (those before a change and after it, each counted where it stands).
 */
import type { CommitId, CommitRecord, Cell, KeyChange } from "./Commit.ts"
import type { Key } from "./Key.ts"
import type { Version } from "./Version.ts"

const sizeMin = 256

/** Bytes of keys and values that the kept commits may hold unless said otherwise: 64 MiB. */
export const recentBytesDefault = 64 * 1024 * 1024

export class Recent {
  /** Commits kept at most, after a trim. */
  private readonly kept: number
  private readonly bytesMax: number
  /** Bytes that the kept commits hold. */
  bytes = 0
  private sizes: Array<number> = []
  private readonly sizeMax: number
  private size = sizeMin
  /** Index of the next commit. */
  private next = 0
  private version: Version
  floor: Version
  private ids: Array<CommitId | undefined> = []
  private at: Array<number> = []
  /** The only key of a commit, its cell before and after; or `undefined` and the changes in `many`. */
  private keys: Array<Key | undefined> = []
  private before: Array<Cell | undefined> = []
  private after: Array<Cell | undefined> = []
  private many: Array<ReadonlyArray<KeyChange> | undefined> = []
  /** Deletions of kept commits, and some older ones, in order: what a look at the present cells cannot tell. */
  private deletedKeys: Array<Key> = []
  private deletedAt: Array<Version> = []
  private deletionsMax: number

  /** `slack`: commits that may come between two trims. */
  constructor(version: Version, kept: number, slack: number, bytesMax: number = recentBytesDefault) {
    this.version = version
    this.floor = version
    this.kept = kept
    this.bytesMax = bytesMax
    this.deletionsMax = 2 * kept
    let sizeMax = sizeMin
    while (sizeMax < kept + slack) sizeMax *= 2
    this.sizeMax = sizeMax
  }

  /** Remembers a commit of one key at the version after the last. */
  pushOne(id: CommitId, atMillis: number, key: Key, before: Cell | undefined, after: Cell | undefined): void {
    const i = this.claim(id, atMillis, key.length + sizeOf(before) + sizeOf(after))
    this.keys[i] = key
    this.before[i] = before
    this.after[i] = after
    this.many[i] = undefined
    if (after === undefined) this.pushDeletion(key)
  }

  push(id: CommitId, atMillis: number, changes: ReadonlyArray<KeyChange>): void {
    if (changes.length === 1) {
      const { after, before, key } = changes[0]!
      this.pushOne(id, atMillis, key, before, after)
      return
    }
    let bytes = 0
    for (let c = 0; c < changes.length; c++) {
      const { after, before, key } = changes[c]!
      bytes += key.length + sizeOf(before) + sizeOf(after)
    }
    const i = this.claim(id, atMillis, bytes)
    this.keys[i] = undefined
    this.before[i] = undefined
    this.after[i] = undefined
    this.many[i] = changes
    for (let c = 0; c < changes.length; c++) if (changes[c]!.after === undefined) this.pushDeletion(changes[c]!.key)
  }

  /** As `push`, of a commit whose keys alone are of interest: `deleted` knows nothing of it. */
  pushKeys(id: CommitId, atMillis: number, changes: ReadonlyArray<KeyChange>): void {
    const only = changes.length === 1 ? changes[0]!.key : undefined
    let bytes = 0
    for (let c = 0; c < changes.length; c++) bytes += changes[c]!.key.length
    const i = this.claim(id, atMillis, bytes)
    this.keys[i] = only
    this.before[i] = undefined
    this.after[i] = undefined
    this.many[i] = only === undefined ? changes.map(({ key }) => ({ key })) : undefined
  }

  private pushDeletion(key: Key): void {
    this.deletedKeys.push(key)
    this.deletedAt.push(this.version)
  }

  /** Forgets what is beyond the limits, but nothing after `until`. To be called at the end of a batch. */
  trim(until: Version = this.version): void {
    while ((this.version - this.floor > this.kept || this.bytes > this.bytesMax) && this.floor < until) this.drop()
    if (this.deletedAt.length > this.deletionsMax) this.trimDeletions()
  }

  /** Forgets the oldest commit. */
  private drop(): void {
    this.floor++
    const i = this.indexOf(this.floor)
    this.bytes -= this.sizes[i]!
    this.ids[i] = undefined
    this.keys[i] = undefined
    this.before[i] = undefined
    this.after[i] = undefined
    this.many[i] = undefined
  }

  private trimDeletions(): void {
    const first = this.firstDeletionAfter(this.floor)
    this.deletedKeys = this.deletedKeys.slice(first)
    this.deletedAt = this.deletedAt.slice(first)
    // One commit may delete many: look again only when as much has come.
    this.deletionsMax = 2 * Math.max(this.kept, this.deletedAt.length)
  }

  private firstDeletionAfter(version: Version): number {
    let low = 0
    let high = this.deletedAt.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.deletedAt[middle]! <= version) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Commits after `since`, which is remembered. */
  countAfter(since: Version): number {
    return this.version - since
  }

  /** Whether a commit after `since` deleted a key of [start, end). Only when it `remembers(since)`. Cost: deletions since. */
  deleted(start: Key, end: Key, since: Version): boolean {
    for (let i = this.deletedAt.length - 1; i >= 0 && this.deletedAt[i]! > since; i--) {
      const key = this.deletedKeys[i]!
      if (start <= key && key < end) return true
    }
    return false
  }

  /** Whether every commit after `since` is kept. */
  remembers(since: Version): boolean {
    return since >= this.floor && since <= this.version
  }

  /** Whether a commit after `since` changed a key of [start, end). Only when it `remembers(since)`. Cost: commits since. */
  changed(start: Key, end: Key, since: Version): boolean {
    for (let n = this.version - since, i = this.next; n > 0; n--) {
      i = i === 0 ? this.size - 1 : i - 1
      const key = this.keys[i]
      if (key !== undefined) {
        if (start <= key && key < end) return true
      } else if (this.many[i]!.some((change) => start <= change.key && change.key < end)) return true
    }
    return false
  }

  /** The commit at a version that is kept. */
  record(version: Version): CommitRecord {
    const i = this.indexOf(version)
    return { _tag: "Commit", version, id: this.ids[i]!, atMillis: this.at[i]!, changes: this.changesAt(i) }
  }

  /** What a kept commit changed. */
  changes(version: Version): ReadonlyArray<KeyChange> {
    return this.changesAt(this.indexOf(version))
  }

  private changesAt(i: number): ReadonlyArray<KeyChange> {
    const key = this.keys[i]
    return key === undefined ? this.many[i]! : [{ key, before: this.before[i], after: this.after[i] }]
  }

  private indexOf(version: Version): number {
    const i = this.next - 1 - (this.version - version)
    return i < 0 ? i + this.size : i
  }

  private claim(id: CommitId, atMillis: number, bytes: number): number {
    if (this.version - this.floor >= this.size) this.make()
    this.bytes += bytes
    const i = this.next
    this.next = i + 1 === this.size ? 0 : i + 1
    this.version++
    this.ids[i] = id
    this.at[i] = atMillis
    this.sizes[i] = bytes
    return i
  }

  /** Makes room: a larger ring up to `sizeMax`, else the oldest commit goes. */
  private make(): void {
    if (this.size >= this.sizeMax) {
      this.drop()
      return
    }
    // The ring is full, so the oldest commit stands at `next`: turn the columns so that it stands at 0.
    const turn = <A>(column: Array<A>): Array<A> => column.slice(this.next).concat(column.slice(0, this.next))
    this.ids = turn(this.ids)
    this.at = turn(this.at)
    this.sizes = turn(this.sizes)
    this.keys = turn(this.keys)
    this.before = turn(this.before)
    this.after = turn(this.after)
    this.many = turn(this.many)
    this.next = this.size
    this.size *= 2
  }
}

const sizeOf = (cell: Cell | undefined): number => (cell === undefined ? 0 : cell.value.size)
