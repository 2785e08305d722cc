/**
 * A directed graph with kinds of edges, its strongly connected components (Tarjan, iterative, linear) and shortest cycles
 * under a condition. Deterministic; knows nothing of transactions.
 */

/** Kinds of edges, as bits. */
export const ww = 1
export const wr = 2
export const rw = 4
export const rt = 8

export interface Edge {
  readonly from: number
  readonly to: number
  readonly kind: number
  /** What the edge is about; -1 for none. */
  readonly subject: number
}

/** Append edges, then `freeze` once and ask. */
export class Graph {
  readonly #from: Array<number> = []
  readonly #to: Array<number> = []
  readonly #kind: Array<number> = []
  readonly #subject: Array<number> = []
  #nodes: number
  #head: Int32Array = new Int32Array(0)
  #edges: Int32Array = new Int32Array(0)

  constructor(nodes: number) {
    this.#nodes = nodes
  }

  addNode(): number {
    return this.#nodes++
  }

  /** Loops are left out: no transaction precedes itself. */
  addEdge(from: number, to: number, kind: number, subject: number): void {
    if (from === to) return
    this.#from.push(from)
    this.#to.push(to)
    this.#kind.push(kind)
    this.#subject.push(subject)
  }

  get nodes(): number {
    return this.#nodes
  }

  get edges(): number {
    return this.#from.length
  }

  edge(e: number): Edge {
    return { from: this.#from[e]!, to: this.#to[e]!, kind: this.#kind[e]!, subject: this.#subject[e]! }
  }

  /** Sorts the edges by source. */
  freeze(): void {
    const head = new Int32Array(this.#nodes + 1)
    for (const from of this.#from) head[from + 1]!++
    for (let i = 0; i < this.#nodes; i++) head[i + 1]! += head[i]!
    const next = head.slice()
    const edges = new Int32Array(this.#from.length)
    for (let e = 0; e < this.#from.length; e++) edges[next[this.#from[e]!]!++] = e
    this.#head = head
    this.#edges = edges
  }

  /** Edges that leave a node. */
  out(node: number): Int32Array {
    return this.#edges.subarray(this.#head[node]!, this.#head[node + 1]!)
  }

  /** Components of more than one node, over all edges. */
  components(): ReadonlyArray<ReadonlyArray<number>> {
    const n = this.#nodes
    const order = new Int32Array(n).fill(-1)
    const low = new Int32Array(n)
    const cursor = this.#head.slice(0, n)
    const onStack = new Uint8Array(n)
    const stack: Array<number> = []
    const path: Array<number> = []
    const found: Array<ReadonlyArray<number>> = []
    let count = 0
    const enter = (node: number) => {
      order[node] = low[node] = count++
      onStack[node] = 1
      stack.push(node)
      path.push(node)
    }
    for (let root = 0; root < n; root++) {
      if (order[root] !== -1) continue
      enter(root)
      while (path.length > 0) {
        const node = path[path.length - 1]!
        if (cursor[node]! < this.#head[node + 1]!) {
          const to = this.#to[this.#edges[cursor[node]!++]!]!
          if (order[to] === -1) enter(to)
          else if (onStack[to] === 1) low[node] = Math.min(low[node]!, order[to]!)
          continue
        }
        path.pop()
        const parent = path[path.length - 1]
        if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!)
        if (low[node] !== order[node]) continue
        const start = stack.lastIndexOf(node)
        const component = stack.splice(start)
        for (const member of component) onStack[member] = 0
        if (component.length > 1) found.push(component)
      }
    }
    return found
  }

  /**
   * The shortest path of edges from one node to another over edges of `mask` between `members`, or `undefined`. At most
   * `budget.visits` nodes are visited over all calls with that budget.
   */
  path(options: {
    readonly from: number
    readonly to: number
    readonly mask: number
    readonly members: ReadonlySet<number>
    readonly budget: Budget
  }): ReadonlyArray<number> | undefined {
    const { from, to, mask, members, budget } = options
    const via = new Map<number, number>()
    const queue = [from]
    for (let i = 0; i < queue.length && budget.visits > 0; i++) {
      budget.visits--
      for (const e of this.out(queue[i]!)) {
        if ((this.#kind[e]! & mask) === 0) continue
        const next = this.#to[e]!
        if (!members.has(next) || via.has(next)) continue
        via.set(next, e)
        if (next === to) return this.#trace(via, from, to)
        if (next !== from) queue.push(next)
      }
    }
    return undefined
  }

  #trace(via: ReadonlyMap<number, number>, from: number, to: number): ReadonlyArray<number> {
    const path: Array<number> = []
    let node = to
    do {
      const e = via.get(node)!
      path.push(e)
      node = this.#from[e]!
    } while (node !== from)
    return path.reverse()
  }
}

/** Bound on the work of a search: how many nodes may still be visited. */
export interface Budget {
  visits: number
}
