/**
 * What a disk and a wire of bytes do to what they carry, for runs in which nothing travels or stays as an object: entries
 * and descriptions of snapshots are encoded and decoded, and some frames are spoiled on their way.
 */
import { MalformedBytes } from "../../src/core/Bytes.ts"
import { decodeMessage } from "../../src/core/Codec.ts"
import { decodeEntry, decodeSnapshotMeta, encodeEntry, encodeSnapshotMeta } from "../../src/core/EntryCodec.ts"
import type { PersistWork, Restored, SnapshotMeta } from "../../src/core/Types.ts"
import type { SeededRandom } from "./Random.ts"

/** A work as a disk of bytes keeps it. */
export const storedWork = (work: PersistWork): PersistWork => ({
  ...work,
  entries: work.entries.map((entry) => decodeEntry(encodeEntry(entry)))
})

/** The description of a snapshot as a disk of bytes keeps it. */
export const storedMeta = (meta: SnapshotMeta): SnapshotMeta => decodeSnapshotMeta(encodeSnapshotMeta(meta))

/** The same damage, told in more ranges: a storage may name each of its blocks. */
export const damageInParts = (restored: Restored, random: SeededRandom): Restored => ({
  ...restored,
  damaged: restored.damaged.flatMap(({ from, to }) => {
    if (from === to || random.chance(0.5)) return [{ from, to }]
    const end = random.between(from, to - 1)
    return [
      { from, to: end },
      { from: end + 1, to }
    ]
  })
})

/** Cuts a frame short, makes it longer, or writes other bytes over a few of its own. */
const spoil = (bytes: Uint8Array, random: SeededRandom): Uint8Array => {
  const way = random.below(5)
  if (way === 0) return bytes.slice(0, random.below(bytes.length))
  if (way === 1) return Uint8Array.from([...bytes, random.below(256)])
  const spoilt = bytes.slice()
  const from = random.below(bytes.length)
  // A run of high bits is a number without an end; a single one is a wrong kind, flag or length.
  const length = way === 2 ? random.between(1, 12) : 1
  for (let at = from; at < Math.min(bytes.length, from + length); at++)
    spoilt[at] = way === 2 ? 0xff : random.below(256)
  return spoilt
}

/**
 * A frame that was spoiled on its way. A transport's checksum refuses it, so it is lost; were there none, the codec must
 * still read a message or say `MalformedBytes`. Gives what it said instead, if it did.
 */
export const wrongAnswerToSpoilt = (bytes: Uint8Array, random: SeededRandom): unknown => {
  try {
    decodeMessage(spoil(bytes, random))
  } catch (error) {
    return error instanceof MalformedBytes ? undefined : error
  }
  return undefined
}
