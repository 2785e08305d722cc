/** What a `MemoryDisk` keeps over crashes, and how works change it. Mutates the image it is given; no I/O. */
import type { Entry, HardState, Index, PersistWork, Restored, SnapshotMeta } from "../core/Types.ts"
import type { Stage } from "../LogStorage.ts"
import { contains, emptyExtent, type ExtentFields, LogExtent, shapeOf, type Staged } from "./logExtent.ts"

export interface StoredSnapshot {
  readonly meta: SnapshotMeta
  readonly pieces: ReadonlyArray<Uint8Array>
}

/** Everything that a crash leaves. Immutable but for `entries`, whose place `i` holds index `offset + i`. */
export interface Image {
  hardState: HardState
  extent: ExtentFields
  offset: Index
  entries: Array<Entry>
  tail: { readonly index: Index; readonly term: number } | undefined
  snapshot: StoredSnapshot | undefined
  snapshotDamaged: boolean
  hardStateDamaged: boolean
  staged: { readonly arrived: StoredSnapshot | undefined; readonly made: StoredSnapshot | undefined }
}

export const emptyImage = (): Image => ({
  hardState: { term: 0, vote: undefined, commit: 0, recoverTo: 0 },
  extent: emptyExtent,
  offset: 1,
  entries: [],
  tail: undefined,
  snapshot: undefined,
  snapshotDamaged: false,
  hardStateDamaged: false,
  staged: { arrived: undefined, made: undefined }
})

export const lengthOf = (stored: StoredSnapshot | undefined): Staged | undefined =>
  stored && { meta: stored.meta, length: stored.pieces.reduce((sum, piece) => sum + piece.length, 0) }

export const readable = (image: Image, from: Index, to: Index): ReadonlyArray<Entry> => {
  const { damaged } = image.extent
  const entries = image.entries.slice(from - image.offset, to + 1 - image.offset)
  return damaged.length === 0 ? entries : entries.filter(({ index }) => !contains(damaged, index))
}

export const restore = (image: Image): Restored => ({
  hardState: image.hardState,
  snapshot: image.snapshot?.meta,
  snapshotDamaged: image.snapshotDamaged,
  entries: readable(image, image.extent.first, image.extent.last),
  damaged: image.extent.damaged,
  tail: image.tail
})

export const takeWork = (image: Image, work: PersistWork): void => {
  const extent = new LogExtent(image.extent)
  if (work.hardState !== undefined) image.hardState = work.hardState
  if (work.truncateFrom > 0 && work.truncateFrom <= extent.last) {
    image.entries.length = work.truncateFrom - image.offset
    const last = image.entries.at(-1)
    const known = last !== undefined && !contains(extent.damaged, last.index)
    image.tail = known ? { index: last.index, term: last.term } : undefined
  }
  for (const entry of work.entries) image.entries[entry.index - image.offset] = entry
  extent.persist(shapeOf(work))
  const last = work.entries.at(-1)
  if (last !== undefined && last.index === extent.last) image.tail = { index: last.index, term: last.term }
  image.extent = { first: extent.first, last: extent.last, snapshot: extent.snapshot, damaged: extent.damaged }
  dropPrefix(image)
}

/** Frees the dropped prefix once it is half of the array: amortised O(1) per entry. */
export const dropPrefix = (image: Image): void => {
  const dropped = image.extent.first - image.offset
  if (dropped > 64 && dropped * 2 > image.entries.length) {
    image.entries = image.entries.slice(dropped)
    image.offset = image.extent.first
  }
  if (image.extent.first > image.extent.last) image.tail = undefined
}

export const become = (image: Image, stage: Stage): void => {
  image.snapshot = image.staged[stage]
  image.snapshotDamaged = false
  image.staged = { ...image.staged, [stage]: undefined }
}
