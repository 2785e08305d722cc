/**
 * The rules of tree locks: modes, what excludes what, which nodes a request touches, and who must go first. Pure; the
 * distributed form reads tickets from a store, the local form from memory, and the model checker runs these same
 * functions.
 *
 * Multi-granularity locking (Gray, Lorie, Putzolu, Traiger 1976, "Granularity of locks and degrees of consistency"): to
 * read a sub-tree, S on its root and IS on the ancestors; to write one, X and IX. Modes of one node in one request are
 * *combined* (S and IX are SIX), never ranked: a request that reads /a and writes /a/b must keep readers of /a out.
 *
 * First come, first served per request: a request is granted when no earlier incompatible ticket is left on any of its
 * nodes. It waits for the latest of them alone, so that a release wakes few.
 */

/** 0 IS, 1 IX, 2 S, 3 SIX, 4 X. */
export type Mode = 0 | 1 | 2 | 3 | 4

/** Intends to read below. */
export const IS: Mode = 0
/** Intends to write below. */
export const IX: Mode = 1
/** Reads the whole sub-tree. */
export const S: Mode = 2
/** Reads the whole sub-tree and intends to write below. */
export const SIX: Mode = 3
/** Writes the whole sub-tree. */
export const X: Mode = 4

export const modes: ReadonlyArray<Mode> = [IS, IX, S, SIX, X]
export const modeNames = ["IS", "IX", "S", "SIX", "X"] as const

/** The modes that exclude a mode. IS has one, IX and S three, SIX four, X all five: that many ranges a check reads. */
export const opposed: ReadonlyArray<ReadonlyArray<Mode>> = [
  [X],
  [S, SIX, X],
  [IX, SIX, X],
  [IX, S, SIX, X],
  [IS, IX, S, SIX, X]
]

/** The same as runs of modes that follow one another, first and last: one or two ranges of tickets instead of up to five. */
export const opposedRuns: ReadonlyArray<ReadonlyArray<readonly [Mode, Mode]>> = opposed.map((excluded) => {
  const starts = excluded.filter((mode, i) => i === 0 || excluded[i - 1] !== mode - 1)
  const ends = excluded.filter((mode, i) => i === excluded.length - 1 || excluded[i + 1] !== mode + 1)
  return starts.map((start, i) => [start, ends[i]!] as const)
})

/** Whether two requests may hold these modes of one node at once. */
export const compatible = (a: Mode, b: Mode): boolean => !opposed[a]!.includes(b)

const joins: ReadonlyArray<ReadonlyArray<Mode>> = [
  [IS, IX, S, SIX, X],
  [IX, IX, SIX, SIX, X],
  [S, SIX, S, SIX, X],
  [SIX, SIX, SIX, SIX, X],
  [X, X, X, X, X]
]

/** The weakest mode that grants both. */
export const combine = (a: Mode, b: Mode): Mode => joins[a]![b]!

/** Whether `a` grants everything that `b` grants. */
export const covers = (a: Mode, b: Mode): boolean => combine(a, b) === a

/** One node of a request, with the mode that it wants there. */
export interface NodeMode<Node = string> {
  readonly node: Node
  readonly mode: Mode
}

/** A path as the chain of its nodes, from the root of the tree down to the node named. Never empty. */
export type Chain<Node = string> = ReadonlyArray<Node>

/**
 * The nodes of a request: targets in S or X, their ancestors in IS or IX, combined per node. In order of first mention,
 * ancestors before descendants. Cost: O(depth x roots).
 */
export const expand = <Node>(
  read: ReadonlyArray<Chain<Node>>,
  write: ReadonlyArray<Chain<Node>>
): ReadonlyArray<NodeMode<Node>> => {
  if (read.length + write.length === 1) {
    const single = read.length === 1 ? read[0]! : write[0]!
    const [above, at] = read.length === 1 ? [IS, S] : [IX, X]
    const last = single.length - 1
    return single.map((node, i) => ({ node, mode: i === last ? at : above }))
  }
  const wanted = new Map<Node, Mode>()
  const add = (chain: Chain<Node>, above: Mode, at: Mode): void => {
    const last = chain.length - 1
    for (let i = 0; i <= last; i++) {
      const node = chain[i]!
      const mode = i === last ? at : above
      const old = wanted.get(node)
      wanted.set(node, old === undefined ? mode : combine(old, mode))
    }
  }
  for (const chain of read) add(chain, IS, S)
  for (const chain of write) add(chain, IX, X)
  return Array.from(wanted, ([node, mode]) => ({ node, mode }))
}

/** Order of tickets: a number locally, an encoded versionstamp in a store. Compared by `<`. */
export type Stamp = number | string

/** The tickets of a lock tree, as far as the rules look at them. */
export interface Tickets<Node, St extends Stamp> {
  /** The greatest stamp below `before` among the tickets of `node` in `mode`. */
  readonly nearest: (node: Node, mode: Mode, before: St) => St | undefined
}

/** The latest earlier ticket that excludes a request, or `undefined`: then it is granted, and stays so. */
export const blocker = <Node, St extends Stamp>(
  tickets: Tickets<Node, St>,
  nodes: ReadonlyArray<NodeMode<Node>>,
  stamp: St
): St | undefined => {
  let latest: St | undefined
  for (const { mode, node } of nodes) {
    for (const other of opposed[mode]!) {
      const found = tickets.nearest(node, other, stamp)
      if (found !== undefined && (latest === undefined || found > latest)) latest = found
    }
  }
  return latest
}

/** The nodes on which `target` asks for more than `base` holds, with the combined mode. */
export const changed = <Node>(
  base: ReadonlyArray<NodeMode<Node>>,
  target: ReadonlyArray<NodeMode<Node>>
): ReadonlyArray<NodeMode<Node>> => {
  const held = new Map(base.map(({ mode, node }) => [node, mode]))
  const more: Array<NodeMode<Node>> = []
  for (const { mode, node } of target) {
    const old = held.get(node)
    const both = old === undefined ? mode : combine(old, mode)
    if (both !== old) more.push({ node, mode: both })
  }
  return more
}

/**
 * Whether another request holds up an upgrade, which puts `changed` in place at the *old* stamp `base`:
 * - one with an earlier stamp does while it is there at all, granted or not. It would not see the stronger ticket, whose
 *   stamp is later than its own, and could be granted beside it;
 * - one with a later stamp does only while it is granted: if it waits, it finds the stronger ticket before it.
 */
export const holdsUpUpgrade = <Node, St extends Stamp>(
  base: St,
  changed: ReadonlyArray<NodeMode<Node>>,
  other: { readonly stamp: St; readonly granted: boolean; readonly modeOf: (node: Node) => Mode | undefined }
): boolean => {
  if (other.stamp > base && !other.granted) return false
  return changed.some(({ mode, node }) => {
    const theirs = other.modeOf(node)
    return theirs !== undefined && !compatible(mode, theirs)
  })
}

/** A cycle of a graph through `start`, from it on; `undefined` when there is none. Cost: each node once. */
export const cycleThrough = <N>(start: N, next: (node: N) => Iterable<N>): ReadonlyArray<N> | undefined => {
  const seen = new Set<N>()
  const path: Array<N> = []
  const visit = (node: N): boolean => {
    path.push(node)
    for (const each of next(node)) {
      if (each === start) return true
      if (seen.has(each)) continue
      seen.add(each)
      if (visit(each)) return true
    }
    path.pop()
    return false
  }
  return visit(start) ? path : undefined
}
