/**
 * Reads of a machine that go over its recent commits: as of an older version, and the change stream. Pure (a machine in,
 * plain data out).
 */
import type {
  Cell,
  Change,
  ChangesRequest,
  CommitRecord,
  Entry,
  KeyChange,
  Range,
  ReadReply,
  ReadRequest
} from "./Commit.ts"
import type { Key } from "./Key.ts"
import type { Machine } from "./Machine.ts"
import * as Version from "./Version.ts"

/** Commits that a read at an older version undoes at most; beyond it the read is answered at the newest version. */
export const undoCommitsMax = 1024

/** Changed keys that a reply names at most; beyond it they are `unknown`. */
export const changedKeysMax = 10_000

/** Cells and ranges at one version. Cost: O(keys + entries), and the commits undone for an older version. */
export const read = (machine: Machine, request: ReadRequest): ReadReply => {
  const { at, keys, ranges } = request
  const { version } = machine
  if (at === undefined || at === version) {
    return { version, cells: keys.map((key) => machine.cell(key)), ranges: ranges.map((range) => machine.range(range)) }
  }
  if (machine.holds(at)) {
    return {
      version: at,
      cells: keys.map((key) => machine.cellAt(key, at)),
      ranges: ranges.map((range) => machine.rangeAt(range, at))
    }
  }
  const since = machine.remembers(at)
  if (since && version - at <= undoCommitsMax) {
    const older = undo(machine, at)
    return {
      version: at,
      cells: keys.map((key) => (older.has(key) ? older.get(key) : machine.cell(key))),
      ranges: ranges.map((range) => rangeOver(machine, older, range))
    }
  }
  return { ...read(machine, { keys, ranges }), changed: since ? changedKeys(machine, at) : "unknown" }
}

/** Cells as they were at `at`, of the keys changed since. */
const undo = (machine: Machine, at: Version.Version): ReadonlyMap<Key, Cell | undefined> => {
  const older = new Map<Key, Cell | undefined>()
  for (let version = machine.version; version > at; version--) {
    for (const { before, key } of machine.changesOf(version)) older.set(key, before)
  }
  return older
}

const rangeOver = (machine: Machine, older: ReadonlyMap<Key, Cell | undefined>, range: Range): ReadonlyArray<Entry> => {
  const { end, limit, reverse, start } = range
  const max = limit ?? Infinity
  const merged: Array<Entry> = []
  // Each key that changed hides one present entry at most.
  for (const entry of machine.range({ ...range, limit: max + older.size }))
    if (!older.has(entry.key)) merged.push(entry)
  for (const [key, cell] of older) if (cell !== undefined && start <= key && key < end) merged.push({ key, cell })
  merged.sort((a, b) => (a.key < b.key === (reverse !== true) ? -1 : 1))
  return merged.length > max ? merged.slice(0, max) : merged
}

const changedKeys = (machine: Machine, since: Version.Version): ReadonlyArray<Key> | "unknown" => {
  const keys = new Set<Key>()
  for (let version = since + 1; version <= machine.version; version++) {
    for (const { key } of machine.changesOf(version)) keys.add(key)
    if (keys.size > changedKeysMax) return "unknown"
  }
  return [...keys].sort()
}

/** Commits looked at for one step of a change stream. */
export const feedCommitsMax = 256

/** Elements of a change stream after `from` and the version to resume at; no elements when there is nothing new. */
export interface Feed {
  readonly elements: ReadonlyArray<Change>
  readonly resume: Version.Version
}

/**
 * The next part of a change stream: at most `feedCommitsMax` commits, a `Progress` when the last of them did not match, or
 * a `Gap` when commits after `from` are not kept. `started`: whether the stream has been within reach before.
 */
export const feed = (machine: Machine, request: ChangesRequest, from: Version.Version, started: boolean): Feed => {
  const to = machine.version
  if (from === to) return { elements: [], resume: from }
  if (!machine.remembers(from)) {
    const isOtherLife = from > to || Version.epochOf(from) !== Version.epochOf(to)
    return {
      elements: [{ _tag: "Gap", from, to, reason: isOtherLife ? "epoch" : started ? "overrun" : "trimmed" }],
      resume: to
    }
  }
  const resume = Math.min(to, from + feedCommitsMax)
  const elements: Array<Change> = []
  let matched = from
  for (let version = from + 1; version <= resume; version++) {
    const record = select(machine.record(version), request)
    if (record === undefined) continue
    elements.push(record)
    matched = version
  }
  if (matched !== resume) elements.push({ _tag: "Progress", version: resume })
  return { elements, resume }
}

/** What a subscriber asked to see of a commit; `undefined` when no key of it matches. */
export const select = (record: CommitRecord, { ranges, values }: ChangesRequest): CommitRecord | undefined => {
  let { changes } = record
  if (ranges !== undefined && ranges.length > 0) {
    changes = changes.filter(({ key }) => ranges.some(({ end, start }) => start <= key && key < end))
    if (changes.length === 0) return undefined
  }
  if (!values) changes = changes.map(({ key }): KeyChange => ({ key }))
  return changes === record.changes ? record : { ...record, changes }
}
