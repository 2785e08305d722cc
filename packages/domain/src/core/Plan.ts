/**
 * What the writes of one request come to: the value of each key they touch, or why they are refused. Pure. The part of
 * `Apply.ts` for requests whose checks hold.
 */
import type { Cell, Entry, Refused, Write } from "./Commit.ts"
import type { Key } from "./Key.ts"
import * as Limits from "./Limits.ts"
import { fromCounter, type Value } from "./Value.ts"
import * as Version from "./Version.ts"
import * as Writes from "./Writes.ts"

/** The store with the earlier requests of the batch. */
interface State {
  readonly version: Version.Version
  readonly cell: (key: Key) => Cell | undefined
  readonly entries: (start: Key, end: Key) => ReadonlyArray<Entry>
}

/** What each key would hold after the writes, or why they are refused. */
export const plan = (
  state: State,
  limits: Limits.Limits,
  writes: ReadonlyArray<Write>
): Map<Key, Value | undefined> | Refused => {
  const planned = new Map<Key, Value | undefined>()
  let appended: Set<Key> | undefined
  for (const write of writes) {
    switch (write._tag) {
      case "Set":
        planned.set(write.key, write.value)
        break
      case "Delete":
        planned.set(write.key, undefined)
        break
      case "DeleteRange": {
        const removed = planDeleteRange(state, planned, write.start, write.end)
        if (removed > limits.deleteRangeKeys) return Limits.exceeded("deleteRangeKeys", limits, removed, write.start)
        break
      }
      case "Add": {
        const sum = Writes.add(
          planned.has(write.key) ? planned.get(write.key) : state.cell(write.key)?.value,
          write.delta,
          write.key
        )
        if (typeof sum !== "number") return sum
        planned.set(write.key, fromCounter(sum))
        break
      }
      case "Append": {
        const key = Writes.appendKey(write, Version.next(state.version))
        appended ??= new Set()
        if (appended.has(key)) {
          return {
            _tag: "Refused",
            reason: "InvalidInput",
            key: write.prefix,
            message: `two appends of one request have the same key (prefix, index ${write.index} and suffix): one item would be lost; give them different indexes`
          }
        }
        appended.add(key)
        planned.set(key, write.value)
      }
    }
  }
  return planned
}

/** Plans the absence of all keys of a range, own earlier writes included; how many present keys that removes. */
const planDeleteRange = (state: State, planned: Map<Key, Value | undefined>, start: Key, end: Key): number => {
  let removed = 0
  for (const { key } of state.entries(start, end)) {
    if (!planned.has(key)) planned.set(key, undefined)
    else if (planned.get(key) === undefined) continue
    removed++
    planned.set(key, undefined)
  }
  for (const [key, value] of planned) {
    if (value === undefined || key < start || key >= end) continue
    removed++
    planned.set(key, undefined)
  }
  return removed
}
