/**
 * What the writes of a request meet and leave, by themselves. Pure. Parts of `Apply.ts` that need no store.
 */
import type { CommitRequest, Entry, KeyChange, RangeCheck, Refused, Write } from "./Commit.ts"
import { prefixEnd, type Key } from "./Key.ts"
import { stampBytes } from "./KeyCodec.ts"
import { toCounter, type Value } from "./Value.ts"
import type { Version } from "./Version.ts"

/** Whether a request that took effect at `version` leaves `key` present: by its last write that meets the key. */
export const leaves = (request: CommitRequest, version: Version, key: Key): boolean => {
  for (let i = request.writes.length - 1; i >= 0; i--) {
    const write = request.writes[i]!
    switch (write._tag) {
      case "Set":
      case "Add":
        if (write.key === key) return true
        break
      case "Delete":
        if (write.key === key) return false
        break
      case "DeleteRange":
        if (write.start <= key && key < write.end) return false
        break
      case "Append":
        if (appendKey(write, version) === key) return true
    }
  }
  return false
}

/** The key of an append that took effect at `version`. */
export const appendKey = (write: Extract<Write, { readonly _tag: "Append" }>, version: Version): Key =>
  write.prefix + stampBytes(version, write.index) + write.suffix

/** Whether a commit changed a key of [start, end). */
export const touches = (changes: ReadonlyArray<KeyChange>, start: Key, end: Key): boolean =>
  changes.some(({ key }) => start <= key && key < end)

/** Whether a request may write in [start, end), by its writes alone. */
export const writesIn = (request: CommitRequest, start: Key, end: Key): boolean =>
  request.writes.some((write) => {
    if (write._tag === "DeleteRange") return write.start < end && start < write.end && write.start < write.end
    if (write._tag !== "Append") return start <= write.key && write.key < end
    return write.prefix < end && start < prefixEnd(write.prefix)
  })

/** Whether a range holds exactly what was read of it. */
export const isSame = (actual: ReadonlyArray<Entry>, expected: RangeCheck["entries"]): boolean =>
  expected !== undefined &&
  actual.length === expected.length &&
  actual.every((entry, i) => entry.key === expected[i]!.key && entry.cell.version === expected[i]!.version)

/** The sum, or why a counter cannot take `delta`. */
export const add = (value: Value | undefined, delta: number, key: Key): number | Refused => {
  const number = value === undefined ? 0 : toCounter(value)
  if (number === undefined) {
    return {
      _tag: "Refused",
      reason: "InvalidInput",
      key,
      message: "an addition met a cell that holds no counter; nothing was written; read and set it instead"
    }
  }
  const sum = number + delta
  if (Number.isSafeInteger(sum)) return sum
  return {
    _tag: "Refused",
    reason: "InvalidInput",
    key,
    message: `${number} + ${delta} leaves the safe integers, where sums are exact; nothing was written`
  }
}
