/** Ways to spoil a disk whose node can be mended from its peers. */
import type { Index } from "../../src/core/Types.ts"
import type { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"

export interface Damage {
  readonly kind: "entryFlipped" | "snapshotFlipped"
  readonly from: Index
  readonly to: Index
  /** A second damaged entry; often the first one again. */
  readonly other: Index
  readonly description: string
  readonly inflict: () => void
}

/** Draws a damage for what the node's disk holds now; `undefined` if it holds nothing. */
export const damageOf = ({ disk }: SimNode, random: SeededRandom): Damage | undefined => {
  const { extent, snapshot } = disk.memory.peek()
  if (snapshot !== undefined && random.chance(0.3)) {
    const { index } = snapshot.meta
    return {
      kind: "snapshotFlipped",
      from: index,
      to: index,
      other: index,
      description: `the snapshot up to ${index}`,
      inflict: () => disk.memory.damageSnapshot()
    }
  }
  if (extent.last < extent.first) return undefined
  const place = random.below(3)
  const from = place === 0 ? extent.last : place === 1 ? extent.first : random.between(extent.first, extent.last)
  const to = Math.min(extent.last, from + random.pick([0, 0, 1, 5, 1000]))
  // Sometimes a second place of the same disk.
  const other = random.chance(0.3) ? random.between(extent.first, extent.last) : from
  // With the last entry its term may be lost, which the disk keeps a second time.
  const isTailLost = Math.max(to, other) === extent.last && random.chance(0.4)
  return {
    kind: "entryFlipped",
    from,
    to,
    other,
    description: `entries ${from}..${to} and ${other} of ${extent.first}..${extent.last}${isTailLost ? ", its term too" : ""}`,
    inflict: () => {
      disk.memory.damageEntries(from, to)
      disk.memory.damageEntries(other)
      if (isTailLost) disk.memory.damageTail()
    }
  }
}

/** The disk holds everything it should, as far as can be seen from outside. */
export const isWhole = ({ disk, driver }: SimNode): boolean => {
  const { extent, snapshotDamaged } = disk.memory.peek()
  if (extent.damaged.length > 0 || snapshotDamaged || driver === undefined) return false
  return driver.raft.recoverTo === 0 && driver.raft.snapshot().damaged.length === 0
}
