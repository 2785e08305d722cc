/**
 * THE meaning of a commit. Pure: a view of a store and a batch in, replies and a delta out.
 *
 * Stores run it (in memory, file, Ceph, Raft) or repeat it on the same vectors (Redis). A request is judged on the store
 * with all earlier requests of its batch applied, in this order, and the first that holds is its reply:
 * 1. `Refused` by `Limits.check`: from the request alone; the id is not remembered;
 * 2. an id that is known: `Committed` at its version, or `Conflict` without keys when it was rejected;
 * 3. `TooOld`: the sequence is below its session's floor; or the session is unknown and `base` below the horizon; or
 *    `base` is of another epoch or ahead of the store (not for a `seal`, which cannot take effect);
 * 4. `seal`: the id is rejected from now on;
 * 5. `Conflict`: every read and range that does not hold, and the first request it stood on that did not take effect;
 * 6. `Refused` by the cells: an `Add` to no counter or out of the safe integers, a `DeleteRange` of too many keys, two
 *    appends of one key; the id is rejected;
 * 7. `Committed`: at the next version, or, when no cell changes, at the present one.
 *
 * Invariants: replies match the batch one to one; the version rises by one per request that changes a cell; a request
 * whose reply is not `Committed` changes no cell.
 */
import type {
  CommitId,
  CommitRecord,
  CommitRequest,
  Cell,
  Conflict,
  Entry,
  KeyChange,
  RangeCheck,
  ReadCheck,
  Refused,
  Reply,
  TooOld,
  Write
} from "./Commit.ts"
import type { Key } from "./Key.ts"
import * as Limits from "./Limits.ts"
import type { Value } from "./Value.ts"
import * as Version from "./Version.ts"
import { plan } from "./Plan.ts"
import * as Writes from "./Writes.ts"

/** Number of these rules. A new kind of write raises it; stores refuse what their own number does not know. */
export const rules = 1

/** What a session's memory says of a sequence: committed at a version, rejected, or nothing. */
export type Known = { readonly committed: boolean; readonly version: Version.Version }

/** Memory of one session. Sequences below `floor` are forgotten and refused. */
export interface SessionView {
  readonly floor: number
  readonly known: (sequence: number) => Known | undefined
}

/** A store before the batch, as far as `needs(batch)` asks. */
export interface View {
  readonly version: Version.Version
  /** Oldest base of a request whose session is not known any more. */
  readonly horizon: Version.Version
  readonly limits: Limits.Limits
  readonly cell: (key: Key) => Cell | undefined
  /** All entries of [start, end) in key order. */
  readonly entries: (start: Key, end: Key) => ReadonlyArray<Entry>
  /** Whether a commit after `since` changed a key of [start, end); `undefined` when commits that far back are forgotten. */
  readonly changed: (start: Key, end: Key, since: Version.Version) => boolean | undefined
  readonly session: (session: string) => SessionView | undefined
}

/** An outcome to remember, in order. It lifts the floor of its session to `resolvedBelow`. */
export interface OutcomeRecord {
  readonly id: CommitId
  readonly resolvedBelow: number
  readonly committed: boolean
  /** Whether `version` is its own: it changed cells. */
  readonly tookNumber: boolean
  readonly version: Version.Version
}

/** What a batch does to a store. */
export interface Delta {
  /** The store's version afterwards. */
  readonly version: Version.Version
  /** Requests that changed cells, in order. */
  readonly commits: ReadonlyArray<CommitRecord>
  readonly outcomes: ReadonlyArray<OutcomeRecord>
  /** Last cell of every key that changed; `undefined` is absence. */
  readonly cells: ReadonlyMap<Key, Cell | undefined>
}

/** What `apply` looks at: a store whose view is partial loads these first. */
export interface Needs {
  readonly keys: ReadonlyArray<Key>
  /** Ranges whose entries are looked at: deleted ones, and checked ones where the commits since are forgotten. */
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
  readonly sessions: ReadonlyArray<string>
}

/**
 * Keys, ranges and sessions that `apply(view, batch)` may look at. Cost: O(batch). Keys of appends are not among them: their
 * stamps are new, so a partial view answers that they are absent.
 */
export const needs = (batch: ReadonlyArray<CommitRequest>): Needs => {
  const keys = new Set<Key>()
  const ranges: Array<{ readonly start: Key; readonly end: Key }> = []
  const sessions = new Set<string>()
  for (const request of batch) {
    if (request.id !== undefined) sessions.add(request.id.session)
    for (const read of request.reads) keys.add(read.key)
    for (const { end, start } of request.ranges) ranges.push({ start, end })
    for (const write of request.writes) {
      if (write._tag === "DeleteRange") ranges.push({ start: write.start, end: write.end })
      else if (write._tag !== "Append") keys.add(write.key)
    }
  }
  return { keys: [...keys], ranges, sessions: [...sessions] }
}

/** Judges a batch. Changes nothing: the delta says what to store. Cost: O(batch), ranges by their entries. */
export const apply = (
  view: View,
  batch: ReadonlyArray<CommitRequest>
): { readonly replies: ReadonlyArray<Reply>; readonly delta: Delta } => {
  const state = new Pending(view)
  const tooMany = batch.length > view.limits.batchRequests
  for (const request of batch) {
    const reply = tooMany ? Limits.exceeded("batchRequests", view.limits, batch.length) : one(state, batch, request)
    if (reply._tag !== "Committed") state.ineffective.push(state.replies.length)
    state.replies.push(reply)
  }
  const { cells, commits, outcomes, replies, version } = state
  return { replies, delta: { version, commits, outcomes, cells } }
}

/** A batch under way: the store with the requests so far. */
class Pending {
  readonly view: View
  version: Version.Version
  readonly replies: Array<Reply> = []
  readonly commits: Array<CommitRecord> = []
  /** Index of the request that made `commits[i]`. */
  readonly makers: Array<number> = []
  /** Indexes of requests that did not take effect, rising. */
  readonly ineffective: Array<number> = []
  readonly outcomes: Array<OutcomeRecord> = []
  readonly cells = new Map<Key, Cell | undefined>()
  private readonly sessions = new Map<string, Session>()
  /** The session of the last request, most often that of the next. */
  private session: Session | undefined = undefined

  constructor(view: View) {
    this.view = view
    this.version = view.version
  }

  cell(key: Key): Cell | undefined {
    const own = this.cells.get(key)
    return own !== undefined || this.cells.has(key) ? own : this.view.cell(key)
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    if (!(start < end)) return []
    const stored = this.view.entries(start, end)
    if (this.cells.size === 0) return stored
    const merged = new Map(stored.map((entry) => [entry.key, entry.cell]))
    for (const [key, cell] of this.cells) {
      if (key < start || key >= end) continue
      if (cell === undefined) merged.delete(key)
      else merged.set(key, cell)
    }
    return [...merged].map(([key, cell]) => ({ key, cell })).sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** As `View.changed`, on the store with the requests so far. */
  changed(start: Key, end: Key, since: Version.Version): boolean | undefined {
    if (since > this.version) return undefined
    const before = since >= this.view.version ? false : this.view.changed(start, end, since)
    if (before !== false) return before
    for (let i = this.commits.length - 1; i >= 0 && this.commits[i]!.version > since; i--) {
      if (Writes.touches(this.commits[i]!.changes, start, end)) return true
    }
    return false
  }

  sessionOf({ session: name }: CommitId): Session {
    let { session } = this
    if (session?.name === name) return session
    session = this.sessions.get(name)
    if (session === undefined) this.sessions.set(name, (session = new Session(name, this.view.session(name))))
    this.session = session
    return session
  }

  remember(request: CommitRequest, committed: boolean, tookNumber: boolean): void {
    const { version } = this
    const { id, resolvedBelow } = request
    if (id === undefined) return
    this.outcomes.push({ id, resolvedBelow, committed, tookNumber, version })
    const floor = Math.max(resolvedBelow, id.sequence - this.view.limits.outcomesPerSession + 1)
    this.sessionOf(id).remember(id.sequence, floor, { committed, version })
  }
}

/** A session with what the requests so far came to. */
class Session {
  readonly name: string
  /** Sequences below are forgotten; `undefined` while the session is not known. */
  floor: number | undefined
  private readonly stored: SessionView | undefined
  private readonly own = new Map<number, Known>()
  /** Highest sequence of `own`: most requests come in their order and are beyond it. */
  private top = -1

  constructor(name: string, stored: SessionView | undefined) {
    this.name = name
    this.stored = stored
    this.floor = stored?.floor
  }

  known(sequence: number): Known | undefined {
    if (this.floor === undefined || sequence < this.floor) return undefined
    return (sequence > this.top ? undefined : this.own.get(sequence)) ?? this.stored?.known(sequence)
  }

  remember(sequence: number, floor: number, known: Known): void {
    this.floor = Math.max(this.floor ?? 0, floor)
    this.own.set(sequence, known)
    if (sequence > this.top) this.top = sequence
  }
}

const one = (state: Pending, batch: ReadonlyArray<CommitRequest>, request: CommitRequest): Reply => {
  const { view } = state
  const index = state.replies.length
  const malformed = Limits.check(view.limits, request, index)
  if (malformed !== undefined) return malformed
  const known = request.id === undefined ? undefined : state.sessionOf(request.id).known(request.id.sequence)
  if (known !== undefined)
    return known.committed ? { _tag: "Committed", version: known.version } : rejected(state.version)
  if (isTooOld(state, request)) return tooOld(view.horizon, state.version)
  if (request.seal === true) {
    state.remember(request, false, false)
    return rejected(state.version)
  }
  const conflict = validate(state, batch, request)
  if (conflict !== undefined) {
    state.remember(request, false, false)
    return conflict
  }
  const changes = changesOf(state, request.writes)
  if (!Array.isArray(changes)) {
    state.remember(request, false, false)
    return changes
  }
  return take(state, request, index, changes)
}

const rejected = (version: Version.Version): Conflict => ({ _tag: "Conflict", keys: [], ranges: [], version })

const isTooOld = (state: Pending, { base, id, seal }: CommitRequest): boolean => {
  const isOfThisLife = base <= state.version && Version.epochOf(base) === Version.epochOf(state.version)
  if (!isOfThisLife && seal !== true) return true
  if (id === undefined) return false
  const { floor } = state.sessionOf(id)
  return floor === undefined ? base < state.view.horizon : id.sequence < floor
}

/** The refusal of a request that could be a late double. */
export const tooOld = (horizon: Version.Version, version: Version.Version): TooOld => ({
  _tag: "TooOld",
  horizon: Math.max(horizon, Version.make(Version.epochOf(version), 0)),
  version
})

/** Every check of the request that does not hold, or `undefined`. */
const validate = (
  state: Pending,
  batch: ReadonlyArray<CommitRequest>,
  request: CommitRequest
): Conflict | undefined => {
  const keys: Array<Conflict["keys"][number]> = []
  const ranges: Array<Conflict["ranges"][number]> = []
  let dependsOn: number | undefined
  for (const read of request.reads) {
    const expected = expectedOf(state, batch, read)
    if (expected === undefined) {
      dependsOn = Math.min(dependsOn ?? Infinity, read.after!)
      continue
    }
    const actual = state.cell(read.key)?.version ?? Version.none
    if (actual !== expected) keys.push({ key: read.key, expected, actual })
  }
  for (const range of request.ranges) {
    const verdict = range.after === undefined ? holds(state, range) : holdsAfter(state, batch, range, range.after)
    if (verdict === true) continue
    if (typeof verdict === "number") dependsOn = Math.min(dependsOn ?? Infinity, verdict)
    else ranges.push({ start: range.start, end: range.end, expected: range.version })
  }
  if (keys.length === 0 && ranges.length === 0 && dependsOn === undefined) return undefined
  const conflict: Conflict = { _tag: "Conflict", keys, ranges, version: state.version }
  return dependsOn === undefined ? conflict : { ...conflict, dependsOn }
}

/** The version a read stands on; `undefined` when the request it stands on did not take effect. */
const expectedOf = (
  state: Pending,
  batch: ReadonlyArray<CommitRequest>,
  read: ReadCheck
): Version.Version | undefined => {
  if (read.after === undefined) return read.version
  const reply = state.replies[read.after]!
  if (reply._tag !== "Committed") return undefined
  return Writes.leaves(batch[read.after]!, reply.version, read.key) ? reply.version : Version.none
}

/** Whether a range is as it was read, on the store with all earlier requests of the batch. */
const holds = (state: Pending, range: RangeCheck): boolean => {
  const changed = state.changed(range.start, range.end, range.version)
  return changed === undefined ? Writes.isSame(state.entries(range.start, range.end), range.entries) : !changed
}

/** `true`, `false`, or the index of a request that the range stood on and that did not take effect. */
const holdsAfter = (
  state: Pending,
  batch: ReadonlyArray<CommitRequest>,
  range: RangeCheck,
  after: number
): boolean | number => {
  const { end, start, version } = range
  const { view } = state
  const before =
    version > view.version ? undefined : version === view.version ? false : view.changed(start, end, version)
  if (before ?? !Writes.isSame(start < end ? view.entries(start, end) : [], range.entries)) return false
  for (const k of state.ineffective) {
    if (k <= after && Writes.writesIn(batch[k]!, start, end)) return k
  }
  for (let i = state.commits.length - 1; i >= 0 && state.makers[i]! > after; i--) {
    if (Writes.touches(state.commits[i]!.changes, start, end)) return false
  }
  return true
}

/** What the writes of a request change, in key order, or why they are refused. */
const changesOf = (state: Pending, writes: ReadonlyArray<Write>): Array<KeyChange> | Refused => {
  const changes: Array<KeyChange> = []
  const [only] = writes
  if (writes.length === 1 && (only!._tag === "Set" || only!._tag === "Delete")) {
    // Most requests: nothing can meet anything.
    addChange(state, changes, only!.key, only!._tag === "Set" ? only!.value : undefined)
    return changes
  }
  const planned = plan(state, state.view.limits, writes)
  if (!(planned instanceof Map)) return planned
  for (const [key, value] of planned) addChange(state, changes, key, value)
  return changes.sort((a, b) => (a.key < b.key ? -1 : 1))
}

const addChange = (state: Pending, changes: Array<KeyChange>, key: Key, value: Value | undefined): void => {
  const before = state.cell(key)
  if (before === undefined && value === undefined) return
  changes.push({
    key,
    before,
    after: value === undefined ? undefined : { value, version: Version.next(state.version) }
  })
}

/** Takes a validated request into the pending state. */
const take = (state: Pending, request: CommitRequest, index: number, changes: ReadonlyArray<KeyChange>): Reply => {
  if (changes.length === 0) {
    state.remember(request, true, false)
    return { _tag: "Committed", version: state.version }
  }
  const version = Version.next(state.version)
  for (const { after, key } of changes) state.cells.set(key, after)
  state.version = version
  state.commits.push({ _tag: "Commit", version, id: request.id!, atMillis: request.atMillis, changes })
  state.makers.push(index)
  state.remember(request, true, true)
  return { _tag: "Committed", version }
}
