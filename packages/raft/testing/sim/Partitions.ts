/**
 * Shapes of broken networks, each a set of blocked directions that can be taken back as a whole.
 *
 * The shapes are those that broke real systems: splits, links that work one way only (a node that hears and is not
 * heard), rings and bridges (no two nodes agree about who is reachable: Jepsen's "majorities ring" and "bridge"), one node
 * cut off, and links that flap.
 */
import type { SeededRandom } from "./Random.ts"
import type { FaultKind } from "./Tally.ts"

/** The part of a network that a shape needs. */
export interface Blockable {
  block(from: number, to: number): void
  unblock(from: number, to: number): void
}

/** A partition in force. */
export interface Partition {
  readonly kind: FaultKind
  /** For the trace: which directions are blocked. */
  readonly description: string
  readonly heal: () => void
}

type Directions = Array<readonly [from: number, to: number]>

const impose = (network: Blockable, kind: FaultKind, description: string, directions: Directions): Partition => {
  for (const [from, to] of directions) network.block(from, to)
  return {
    kind,
    description,
    heal: () => {
      for (const [from, to] of directions) network.unblock(from, to)
    }
  }
}

/** All directions between two groups, both ways. */
const between = (left: ReadonlyArray<number>, right: ReadonlyArray<number>): Directions =>
  left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]))

/** Cuts one place off from the others, both ways. */
export const isolate = (network: Blockable, places: ReadonlyArray<number>, victim: number): Partition =>
  impose(
    network,
    "partitionIsolate",
    `n${victim} | rest`,
    between(
      [victim],
      places.filter((p) => p !== victim)
    )
  )

/** Two groups of random sizes that do not hear each other. */
export const split = (network: Blockable, places: ReadonlyArray<number>, random: SeededRandom): Partition => {
  const order = random.shuffle([...places])
  const size = random.between(1, order.length - 1)
  const [left, right] = [order.slice(0, size), order.slice(size)]
  return impose(network, "partitionSplit", `${left.join(",")} | ${right.join(",")}`, between(left, right))
}

/** One place hears nothing, or is not heard; or one link works in one direction only. */
export const oneWay = (
  network: Blockable,
  places: ReadonlyArray<number>,
  random: SeededRandom,
  victim: number
): Partition => {
  const others = places.filter((p) => p !== victim)
  const heard = others.filter(() => random.chance(0.8))
  const targets = heard.length === 0 ? others : heard
  return random.chance(0.5)
    ? impose(
        network,
        "partitionOneWay",
        `n${victim} is not heard by ${targets}`,
        targets.map((p) => [victim, p] as const)
      )
    : impose(
        network,
        "partitionOneWay",
        `n${victim} does not hear ${targets}`,
        targets.map((p) => [p, victim] as const)
      )
}

/** Every place hears its two neighbours in a random circle and nobody else. */
export const ring = (network: Blockable, places: ReadonlyArray<number>, random: SeededRandom): Partition => {
  const order = random.shuffle([...places])
  const n = order.length
  const directions: Directions = []
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const apart = Math.min(j - i, n - (j - i))
      if (apart > 1) directions.push(...between([order[i] as number], [order[j] as number]))
    }
  }
  return impose(network, "partitionRing", `ring ${order.join("-")}`, directions)
}

/** Two halves that share one place, which hears both. */
export const bridge = (network: Blockable, places: ReadonlyArray<number>, random: SeededRandom): Partition => {
  const order = random.shuffle([...places])
  const middle = order.pop() as number
  const half = order.length >> 1
  const [left, right] = [order.slice(0, half), order.slice(half)]
  return impose(network, "partitionBridge", `${left.join(",")} | n${middle} | ${right.join(",")}`, between(left, right))
}

/**
 * The line along which a membership change can break: those who vote only in the old set on one side, everybody else (the
 * leader with the new set) on the other. `undefined` if nobody leaves.
 */
export const alongChange = (
  network: Blockable,
  old: ReadonlyArray<number>,
  others: ReadonlyArray<number>
): Partition | undefined =>
  old.length === 0 || others.length === 0
    ? undefined
    : impose(network, "partitionAlongChange", `${old.join(",")} | ${others.join(",")}`, between(old, others))
