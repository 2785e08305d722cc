/**
 * From a history to a graph of who must precede whom. Pure.
 *
 * Lists recover the order of all their writes (any read shows it), so a history of lists is serializable exactly when its
 * graph has no cycle. Registers recover it where a transaction read what it replaced, and by real time; writes that nobody
 * read before or after stay unordered, so for registers a cycle is a proof and its absence is not quite one.
 */
import type { History, Op, Transaction } from "../History.ts"
import { formatOp } from "../History.ts"
import { Graph, rt, rw, wr, ww } from "./Graph.ts"

/** Anomalies that need no cycle. */
export type LocalKind = "G1a" | "G1b" | "Internal" | "Garbage" | "Duplicate" | "IncompatibleOrder"

export interface Local {
  readonly kind: LocalKind
  readonly transactions: ReadonlyArray<number>
  readonly message: string
}

export interface Inferred {
  /** Nodes below `history.length` are transactions; those above are points in time. */
  readonly graph: Graph
  readonly locals: ReadonlyArray<Local>
  readonly keys: ReadonlyArray<string>
}

/** What one transaction did to one object, seen from outside. */
interface Access {
  readonly transaction: number
  /** What it saw before its own writes; `undefined` when it did not look. */
  read: ReadonlyArray<number> | undefined
  /** Everything it saw of a list, its own appends included. */
  seen: ReadonlyArray<number>
  readonly writes: Array<number>
}

interface Subject {
  readonly list: boolean
  readonly name: string
  readonly writers: Map<number, number>
  readonly accesses: Array<Access>
}

/** Infers the graph. Throws `RangeError` when a value was written twice or a key is used as list and register: a wrong test. */
export const infer = (history: History): Inferred => {
  const locals: Array<Local> = []
  const subjects = indexWriters(history)
  const effective = effectiveTransactions(history, subjects)
  history.forEach((t, i) => {
    if (effective[i] === 1) collectAccesses(t, i, subjects, locals)
  })
  const graph = new Graph(history.length)
  const keys = [...subjects.keys()]
  keys.forEach((name, number) => {
    const subject = subjects.get(name)!
    checkReads(history, subject, locals)
    if (subject.list) listEdges(graph, subject, number, effective, locals)
    else registerEdges(history, graph, subject, number, effective)
  })
  realTimeEdges(history, graph, effective)
  graph.freeze()
  return { graph, locals, keys }
}

const isList = (op: Op): boolean => op.f === "append" || op.f === "list"

const indexWriters = (history: History): Map<string, Subject> => {
  const subjects = new Map<string, Subject>()
  history.forEach((t, i) => {
    for (const op of t.ops) {
      let subject = subjects.get(op.key)
      if (subject === undefined) {
        subject = { list: isList(op), name: op.key, writers: new Map(), accesses: [] }
        subjects.set(op.key, subject)
      }
      if (subject.list !== isList(op)) throw new RangeError(`key "${op.key}" is used as a list and as a register`)
      if (op.f !== "append" && op.f !== "write") continue
      if (subject.writers.has(op.value)) throw new RangeError(`value ${op.value} was written twice to "${op.key}"`)
      subject.writers.set(op.value, i)
    }
  })
  return subjects
}

const valuesRead = (op: Op): ReadonlyArray<number> =>
  op.f === "list" ? op.value : op.f === "read" && op.value !== null ? [op.value] : []

/** Those that took effect: acknowledged ones, and unknown ones that an effective one saw. */
const effectiveTransactions = (history: History, subjects: ReadonlyMap<string, Subject>): Uint8Array => {
  const effective = new Uint8Array(history.length)
  const queue: Array<number> = []
  history.forEach((t, i) => {
    if (t.status !== "ok") return
    effective[i] = 1
    queue.push(i)
  })
  for (let q = 0; q < queue.length; q++) {
    for (const op of history[queue[q]!]!.ops) {
      for (const value of valuesRead(op)) {
        const writer = subjects.get(op.key)!.writers.get(value)
        if (writer === undefined || effective[writer] === 1 || history[writer]!.status !== "unknown") continue
        effective[writer] = 1
        queue.push(writer)
      }
    }
  }
  return effective
}

const same = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])

const collectAccesses = (t: Transaction, i: number, subjects: ReadonlyMap<string, Subject>, locals: Array<Local>) => {
  const own = new Map<string, Access & { known: ReadonlyArray<number> | undefined }>()
  const internal = (op: Op, expected: string) =>
    locals.push({
      kind: "Internal",
      transactions: [i],
      message: `${t.process} ran "${formatOp(op)}" where its own earlier operations say ${expected}`
    })
  for (const op of t.ops) {
    let access = own.get(op.key)
    if (access === undefined) {
      access = { transaction: i, read: undefined, seen: [], writes: [], known: undefined }
      own.set(op.key, access)
      subjects.get(op.key)!.accesses.push(access)
    }
    if (op.f === "append") {
      access.writes.push(op.value)
      if (access.known !== undefined) access.known = [...access.known, op.value]
    } else if (op.f === "write") {
      access.writes.push(op.value)
      access.known = [op.value]
    } else {
      const value = valuesRead(op)
      if (access.known !== undefined) {
        if (!same(access.known, value)) internal(op, `[${access.known.join(" ")}]`)
      } else if (access.writes.length > 0) {
        const tail = value.slice(value.length - access.writes.length)
        if (!same(tail, access.writes)) internal(op, `that it ends with [${access.writes.join(" ")}]`)
        access.read = value.slice(0, Math.max(0, value.length - access.writes.length))
      } else {
        access.read = value
      }
      access.known = value
      access.seen = value
    }
  }
}

/** Values from nowhere, of failed transactions, from the middle of one, and doubled ones. */
const checkReads = (history: History, subject: Subject, locals: Array<Local>) => {
  const last = new Map<number, number>()
  for (const access of subject.accesses) {
    if (access.writes.length > 0) last.set(access.transaction, access.writes[access.writes.length - 1]!)
  }
  for (const { transaction, read } of subject.accesses) {
    if (read === undefined) continue
    const who = history[transaction]!.process
    const report = (kind: LocalKind, other: number | undefined, what: string) =>
      locals.push({
        kind,
        transactions: other === undefined ? [transaction] : [transaction, other],
        message: `${who} read ${what} of "${subject.name}"`
      })
    if (subject.list && new Set(read).size !== read.length) report("Duplicate", undefined, `[${read.join(" ")}]`)
    for (const value of read) {
      const writer = subject.writers.get(value)
      if (writer === undefined) report("Garbage", undefined, `${value}, which nobody wrote,`)
      else if (writer === transaction) report("Internal", undefined, `its own ${value} before it wrote it`)
      else if (history[writer]!.status === "failed") report("G1a", writer, `${value} of a failed transaction`)
    }
    const end = read[read.length - 1]
    const writer = end === undefined ? undefined : subject.writers.get(end)
    if (writer === undefined || writer === transaction) continue
    const final = last.get(writer)
    if (final !== undefined && final !== end) report("G1b", writer, `${end}, not the last write of its transaction,`)
  }
}

const listEdges = (graph: Graph, s: Subject, number: number, effective: Uint8Array, locals: Array<Local>) => {
  let order: ReadonlyArray<number> = []
  for (const { seen } of s.accesses) if (seen.length > order.length) order = seen
  const writerOf = (value: number): number | undefined => {
    const writer = s.writers.get(value)
    return writer !== undefined && effective[writer] === 1 ? writer : undefined
  }
  const position = new Map(order.map((value, i) => [value, i]))
  for (let i = 1; i < order.length; i++) {
    const before = writerOf(order[i - 1]!)
    const after = writerOf(order[i]!)
    if (before !== undefined && after !== undefined) graph.addEdge(before, after, ww, number)
  }
  const end = order.length === 0 ? undefined : writerOf(order[order.length - 1]!)
  const unseen = new Set<number>()
  for (const { transaction, writes } of s.accesses) {
    if (writes.some((value) => !position.has(value))) unseen.add(transaction)
    const places = writes.map((value) => position.get(value) ?? Number.POSITIVE_INFINITY)
    if (places.some((place, i) => i > 0 && place < places[i - 1]!)) {
      const message = `the appends [${writes.join(" ")}] to "${s.name}" stand in another order in [${order.join(" ")}]`
      locals.push({ kind: "IncompatibleOrder", transactions: [transaction], message })
    }
  }
  if (end !== undefined) for (const writer of unseen) graph.addEdge(end, writer, ww, number)
  for (const { transaction, read, seen } of s.accesses) {
    if (seen.some((value, i) => value !== order[i])) {
      const message = `"${s.name}" was read as [${seen.join(" ")}] and as [${order.join(" ")}]: neither is a prefix`
      locals.push({ kind: "IncompatibleOrder", transactions: [transaction], message })
    }
    if (read === undefined) continue
    const writer = read.length === 0 ? undefined : writerOf(read[read.length - 1]!)
    if (writer !== undefined) graph.addEdge(writer, transaction, wr, number)
    if (read.length < order.length) {
      const next = writerOf(order[read.length]!)
      if (next !== undefined) graph.addEdge(transaction, next, rw, number)
    } else for (const next of unseen) graph.addEdge(transaction, next, rw, number)
  }
}

/** The unwritten register is version -1 here; any other version is the index of the transaction that wrote it last. */
const unwritten = -1

const registerEdges = (history: History, graph: Graph, s: Subject, number: number, effective: Uint8Array) => {
  const writers = s.accesses.filter((a) => a.writes.length > 0).map((a) => a.transaction)
  const after = new Map<number, Set<number>>()
  const ordered = new Set<number>()
  const follow = (before: number, next: number) => {
    let set = after.get(before)
    if (set === undefined) after.set(before, (set = new Set()))
    set.add(next)
    if (before !== unwritten) ordered.add(next)
  }
  const versionRead = (access: Access): number | undefined => {
    if (access.read === undefined) return undefined
    if (access.read.length === 0) return unwritten
    const writer = s.writers.get(access.read[0]!)
    return writer !== undefined && effective[writer] === 1 ? writer : undefined
  }
  for (const access of s.accesses) {
    const version = versionRead(access)
    if (version !== undefined && access.writes.length > 0 && version !== access.transaction) {
      follow(version, access.transaction)
    }
  }
  for (const [before, next] of realTimeNeighbours(history, writers)) follow(before, next)
  for (const writer of writers) if (!ordered.has(writer)) follow(unwritten, writer)
  for (const [before, set] of after) {
    if (before === unwritten) continue
    for (const next of set) graph.addEdge(before, next, ww, number)
  }
  for (const access of s.accesses) {
    const version = versionRead(access)
    if (version === undefined) continue
    if (version !== unwritten) graph.addEdge(version, access.transaction, wr, number)
    for (const next of after.get(version) ?? []) graph.addEdge(access.transaction, next, rw, number)
  }
}

/** Pairs (a, b) with a's end before b's start and none of the same set between them: transitively, all of real time. */
const realTimeNeighbours = (history: History, members: ReadonlyArray<number>): Array<readonly [number, number]> => {
  const starts = [...members].sort((a, b) => history[a]!.start - history[b]!.start)
  const ends = members.filter((i) => history[i]!.status === "ok").sort((a, b) => history[a]!.end - history[b]!.end)
  const soonest = new Float64Array(starts.length + 1).fill(Number.POSITIVE_INFINITY)
  for (let i = starts.length - 1; i >= 0; i--) {
    const t = history[starts[i]!]!
    soonest[i] = Math.min(soonest[i + 1]!, t.status === "ok" ? t.end : Number.POSITIVE_INFINITY)
  }
  const pairs: Array<readonly [number, number]> = []
  let first = 0
  for (const a of ends) {
    while (first < starts.length && history[starts[first]!]!.start <= history[a]!.end) first++
    for (let i = first; i < starts.length && history[starts[i]!]!.start <= soonest[first]!; i++) {
      pairs.push([a, starts[i]!])
    }
  }
  return pairs
}

/** One node per end, chained in time; whoever starts later hangs below the last end before it. Linear. */
const realTimeEdges = (history: History, graph: Graph, effective: Uint8Array) => {
  const all = history.map((_, i) => i).filter((i) => effective[i] === 1)
  const starts = [...all].sort((a, b) => history[a]!.start - history[b]!.start)
  const ends = all.filter((i) => history[i]!.status === "ok").sort((a, b) => history[a]!.end - history[b]!.end)
  let point = -1
  let e = 0
  for (const i of starts) {
    for (; e < ends.length && history[ends[e]!]!.end < history[i]!.start; e++) {
      const next = graph.addNode()
      if (point !== -1) graph.addEdge(point, next, rt, -1)
      graph.addEdge(ends[e]!, next, rt, -1)
      point = next
    }
    if (point !== -1) graph.addEdge(point, i, rt, -1)
  }
}
