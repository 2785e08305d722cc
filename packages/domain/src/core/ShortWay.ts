/**
 * The short way of common requests through the machine: the rules of `Apply.ts` on its live state, without a pending
 * copy. Pure (changes the machine). Whoever changes a rule there changes it here; the comparison of both on random
 * histories (`test/machine.test.ts`) fails otherwise.
 *
 * Short is a request whose writes are of different keys, without deleted ranges and without ranges on top of its batch.
 */
import type { Append, CommitRequest, Cell, Conflict, KeyChange, RangeCheck, Refused, Reply, Write } from "./Commit.ts"
import * as Apply from "./Apply.ts"
import type { Slot } from "./History.ts"
import type { Key } from "./Key.ts"
import { stampLength } from "./KeyCodec.ts"
import * as Limits from "./Limits.ts"
import type { Machine } from "./Machine.ts"
import { fromCounter, type Value } from "./Value.ts"
import * as Version from "./Version.ts"
import * as Writes from "./Writes.ts"

/** Writes up to which each is compared with all others. */
const pairsMax = 16

/** Whether a request may take the short way. */
export const isShort = ({ ranges, writes }: CommitRequest): boolean => {
  for (let i = 0; i < ranges.length; i++) if (ranges[i]!.after !== undefined) return false
  if (writes.length > pairsMax) return isShortBulk(writes)
  for (let i = 0; i < writes.length; i++) {
    const write = writes[i]!
    if (write._tag === "DeleteRange") return false
    for (let j = 0; j < i; j++) if (mayMeet(writes[j]!, write)) return false
  }
  return true
}

/** Many writes are short when they are of different keys and none is an append. */
const isShortBulk = (writes: ReadonlyArray<Write>): boolean => {
  const keys = new Set<Key>()
  for (const write of writes) {
    if (write._tag === "Append" || write._tag === "DeleteRange") return false
    keys.add(write.key)
  }
  return keys.size === writes.length
}

/** Whether two writes may be of the same key. The stamp of an append is not known yet. */
const mayMeet = (a: Write, b: Write): boolean => {
  if (a._tag === "DeleteRange" || b._tag === "DeleteRange") return true
  if (a._tag !== "Append") return b._tag === "Append" ? mayBe(a.key, b) : a.key === b.key
  if (b._tag !== "Append") return mayBe(b.key, a)
  if (a.prefix.length !== b.prefix.length)
    return a.prefix.length + a.suffix.length === b.prefix.length + b.suffix.length
  return a.index === b.index && a.prefix === b.prefix && a.suffix === b.suffix
}

const mayBe = (key: Key, { prefix, suffix }: Append): boolean =>
  key.length === prefix.length + stampLength + suffix.length && key.startsWith(prefix) && key.endsWith(suffix)

/** Takes one short request; `replies` are those of the requests before it in its batch. */
export const commit = (
  machine: Machine,
  request: CommitRequest,
  batch: ReadonlyArray<CommitRequest>,
  replies: ReadonlyArray<Reply>
): Reply => {
  const malformed = Limits.check(machine.limits, request, replies.length)
  if (malformed !== undefined) return malformed
  const { base, id } = request
  const isOfThisLife = base <= machine.version && isSameEpoch(base, machine.version)
  let isKnown = false
  if (id !== undefined) {
    const session = machine.outcomes.session(id.session)
    if (session !== undefined) {
      const mark = session.mark(id.sequence)
      if (mark > 0) return { _tag: "Committed", version: mark - 1 }
      if (mark < 0) return { _tag: "Conflict", keys: [], ranges: [], version: machine.version }
      if (id.sequence < session.floor) return Apply.tooOld(machine.horizon, machine.version)
      isKnown = true
    }
  }
  if (!isOfThisLife && request.seal !== true) return Apply.tooOld(machine.horizon, machine.version)
  if (!isKnown && id !== undefined && base < machine.horizon) return Apply.tooOld(machine.horizon, machine.version)
  if (request.seal === true)
    return reject(machine, request, { _tag: "Conflict", keys: [], ranges: [], version: machine.version })
  const { ranges, reads } = request
  for (let i = 0; i < reads.length; i++) {
    const read = reads[i]!
    const cell = machine.cells.slot(read.key)?.cell
    if (read.after !== undefined || (cell === undefined ? 0 : cell.version) !== read.version)
      return validate(machine, request, batch, replies) ?? write(machine, request)
  }
  for (let i = 0; i < ranges.length; i++)
    if (!holds(machine, ranges[i]!)) return validate(machine, request, batch, replies)!
  return write(machine, request)
}

const isSameEpoch = (a: Version.Version, b: Version.Version): boolean =>
  (a <= Version.numberMax && b <= Version.numberMax) || Version.epochOf(a) === Version.epochOf(b)

const reject = (machine: Machine, { id, resolvedBelow }: CommitRequest, reply: Conflict | Refused): Reply => {
  if (id !== undefined) machine.outcomes.record(id.session, id.sequence, resolvedBelow, false, machine.version, false)
  return reply
}

/** What does not hold, remembered as rejected; `undefined` when everything does after all. */
const validate = (
  machine: Machine,
  request: CommitRequest,
  batch: ReadonlyArray<CommitRequest>,
  replies: ReadonlyArray<Reply>
): Reply | undefined => {
  const keys: Array<Conflict["keys"][number]> = []
  const ranges: Array<Conflict["ranges"][number]> = []
  let dependsOn: number | undefined
  for (const { after, key, version } of request.reads) {
    let expected = version
    if (after !== undefined) {
      const reply = replies[after]!
      if (reply._tag !== "Committed") {
        dependsOn = Math.min(dependsOn ?? Infinity, after)
        continue
      }
      expected = Writes.leaves(batch[after]!, reply.version, key) ? reply.version : Version.none
    }
    const actual = machine.cell(key)?.version ?? Version.none
    if (actual !== expected) keys.push({ key, expected, actual })
  }
  for (const range of request.ranges) {
    if (!holds(machine, range)) ranges.push({ start: range.start, end: range.end, expected: range.version })
  }
  if (keys.length === 0 && ranges.length === 0 && dependsOn === undefined) return undefined
  const conflict: Conflict = { _tag: "Conflict", keys, ranges, version: machine.version }
  return reject(machine, request, dependsOn === undefined ? conflict : { ...conflict, dependsOn })
}

const holds = (machine: Machine, { end, entries, start, version }: RangeCheck): boolean => {
  if (version === machine.version) return true
  const changed = machine.changed(start, end, version)
  return changed === undefined ? Writes.isSame(machine.entries(start, end), entries) : !changed
}

/** Takes the writes of a request whose checks hold. */
const write = (machine: Machine, request: CommitRequest): Reply => {
  const { writes } = request
  if (writes.length === 1) return writeOne(machine, request, writes[0]!)
  const version = Version.next(machine.version)
  // As long as they will be: an array that grows has room for 17.
  const changes: Array<KeyChange> = new Array(writes.length)
  const slots: Array<Slot | undefined> = new Array(writes.length)
  let count = 0
  for (let i = 0; i < writes.length; i++) {
    const write = writes[i]!
    const target = targetOf(write, version)
    const slot = machine.cells.slot(target)
    const before = slot?.cell
    // What is kept of a commit shares its keys with the cells.
    const key = slot === undefined ? target : slot.key
    const value = valueOf(write, before, key)
    if (value !== undefined && "_tag" in value) return reject(machine, request, value)
    if (value === undefined && before === undefined) continue
    const change = { key, before, after: value === undefined ? undefined : { value, version } }
    slots[count] = slot
    changes[count++] = change
  }
  if (count === 0) return effectFree(machine, request)
  if (count < writes.length) changes.length = count
  machine.version = version
  for (let i = 0; i < count; i++) {
    const { after, key } = changes[i]!
    machine.cells.put(key, slots[i], after, version)
  }
  sort(changes)
  machine.recent.push(request.id!, request.atMillis, changes)
  return committed(machine, request, version)
}

/** Sorts changes of different keys, which mostly are in order or few. */
const sort = (changes: Array<KeyChange>): void => {
  if (changes.length > pairsMax) return void changes.sort((a, b) => (a.key < b.key ? -1 : 1))
  for (let from = 1; from < changes.length; from++) {
    const change = changes[from]!
    let i = from
    for (; i > 0 && change.key < changes[i - 1]!.key; i--) changes[i] = changes[i - 1]!
    changes[i] = change
  }
}

const writeOne = (machine: Machine, request: CommitRequest, write: Write): Reply => {
  const version = Version.next(machine.version)
  const target = targetOf(write, version)
  const slot: Slot | undefined = machine.cells.slot(target)
  const key = slot === undefined ? target : slot.key
  const before = slot === undefined ? undefined : slot.cell
  const value = valueOf(write, before, key)
  if (value !== undefined && "_tag" in value) return reject(machine, request, value)
  if (value === undefined && before === undefined) return effectFree(machine, request)
  const after: Cell | undefined = value === undefined ? undefined : { value, version }
  machine.version = version
  machine.cells.put(key, slot, after, version)
  machine.recent.pushOne(request.id!, request.atMillis, key, before, after)
  return committed(machine, request, version)
}

const committed = (machine: Machine, { id, resolvedBelow }: CommitRequest, version: Version.Version): Reply => {
  machine.outcomes.record(id!.session, id!.sequence, resolvedBelow, true, version, true)
  return { _tag: "Committed", version }
}

const effectFree = (machine: Machine, { id, resolvedBelow }: CommitRequest): Reply => {
  if (id !== undefined) machine.outcomes.record(id.session, id.sequence, resolvedBelow, true, machine.version, false)
  return { _tag: "Committed", version: machine.version }
}

const targetOf = (write: Write, version: Version.Version): Key => {
  if (write._tag === "Append") return Writes.appendKey(write, version)
  // A deleted range is never short.
  return write._tag === "DeleteRange" ? write.start : write.key
}

/** What the key holds after the write, or why it is refused. */
const valueOf = (write: Write, before: Cell | undefined, key: Key): Value | Refused | undefined => {
  switch (write._tag) {
    case "Set":
    case "Append":
      return write.value
    case "Add": {
      const sum = Writes.add(before === undefined ? undefined : before.value, write.delta, key)
      return typeof sum === "number" ? fromCounter(sum) : sum
    }
    default:
      return undefined
  }
}
