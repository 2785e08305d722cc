/**
 * Named bounds of a store and the check of a request against them, before anything is looked at or written. Pure.
 *
 * What a request may be at all is decided here from the request alone, so every store and every replica refuses the same
 * ones, and a refusal here leaves no trace: the id is not remembered.
 */
import type { CommitRequest, Refused, Write } from "./Commit.ts"
import type { Key } from "./Key.ts"
import { stampLength } from "./KeyCodec.ts"

/** Every limit has a unit and a typed error (`StoreError` reason `LimitExceeded`) beyond it. */
export interface Limits {
  readonly keyBytes: number
  readonly valueBytes: number
  /** Sum of key and value bytes of one request's reads, ranges and writes. */
  readonly requestBytes: number
  readonly requestWrites: number
  readonly batchRequests: number
  /** Keys one `DeleteRange` may remove. */
  readonly deleteRangeKeys: number
  /** Sequences of one session whose outcomes are kept: a window that ends at the highest one seen. */
  readonly outcomesPerSession: number
  /** Sessions whose outcomes are kept. */
  readonly sessions: number
  /** Commits kept for `changes`, range validation, reads at older versions and `changed`. */
  readonly recentCommits: number
}

/** Bounds of a store that were not said otherwise. */
export const defaults: Limits = {
  keyBytes: 4096,
  valueBytes: 16 * 1024 * 1024,
  requestBytes: 64 * 1024 * 1024,
  requestWrites: 100_000,
  batchRequests: 4096,
  deleteRangeKeys: 100_000,
  outcomesPerSession: 4096,
  sessions: 10_000,
  recentCommits: 16_384
}

/** `given` over the defaults. Throws `RangeError` unless each is a safe integer of at least 1. */
export const make = (given: Partial<Limits> = {}): Limits => {
  const limits = { ...defaults, ...given }
  for (const [name, limit] of Object.entries(limits)) {
    if (!(Number.isSafeInteger(limit) && limit >= 1))
      throw new RangeError(`limit ${name} must be a whole number of at least 1, not ${limit}`)
  }
  return limits
}

/** Greatest `index` of an append. */
export const appendIndexMax = 0xffff

const refused = (reason: Refused["reason"], message: string, key?: Key): Refused =>
  key === undefined ? { _tag: "Refused", reason, message } : { _tag: "Refused", reason, message, key }

const invalid = (message: string, key?: Key): Refused => refused("InvalidInput", message, key)

/** The refusal of a request that is beyond `limit`. */
export const exceeded = (limit: keyof Limits, limits: Limits, actual: number, key?: Key): Refused =>
  refused(
    "LimitExceeded",
    `${limit} is ${limits[limit]} here and this request has ${actual}; nothing was written; split it or raise the limit`,
    key
  )

/**
 * Why this request can never be taken, from the request alone; `undefined` when it may be tried. `index` is its place in
 * the batch. Cost: O(reads + ranges + writes).
 */
export const check = (limits: Limits, request: CommitRequest, index: number): Refused | undefined => {
  const { id, reads, ranges, writes } = request
  if (writes.length > limits.requestWrites) return exceeded("requestWrites", limits, writes.length)
  let bytes = 0
  for (let i = 0; i < writes.length; i++) {
    const size = sizeOf(limits, writes[i]!)
    if (typeof size !== "number") return size
    bytes += size
  }
  for (let i = 0; i < reads.length; i++) {
    const { after, key } = reads[i]!
    if (key.length > limits.keyBytes) return exceeded("keyBytes", limits, key.length, key)
    if (after !== undefined && !isEarlier(after, index))
      return invalid(`a read stands on request ${after}, which is not before request ${index} of its batch`, key)
    bytes += key.length
  }
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i]!
    if (range.after !== undefined && !isEarlier(range.after, index))
      return invalid(
        `a range stands on request ${range.after}, which is not before request ${index} of its batch`,
        range.start
      )
    bytes += range.start.length + range.end.length
  }
  if (bytes > limits.requestBytes) return exceeded("requestBytes", limits, bytes)
  if (id === undefined) {
    if (writes.length > 0 || request.seal === true)
      return invalid("a request that writes or seals needs an id, so that it can take effect once at most")
  } else if (!(Number.isSafeInteger(id.sequence) && id.sequence >= 0 && id.session.length > 0)) {
    return invalid(`"${id.session}" ${id.sequence} is no id: a session's name and a sequence of at least 0 are needed`)
  } else if (id.sequence < request.resolvedBelow) {
    return invalid(`sequence ${id.sequence} is said to be resolved already (below ${request.resolvedBelow})`)
  }
  return undefined
}

const isEarlier = (after: number, index: number): boolean => Number.isInteger(after) && after >= 0 && after < index

/** Key and value bytes of one write, or why it is refused. */
const sizeOf = (limits: Limits, write: Write): number | Refused => {
  switch (write._tag) {
    case "Set":
      return sizeOfCell(limits, write.key, write.key.length, write.value.size)
    case "Add":
      if (!Number.isSafeInteger(write.delta))
        return invalid(`${write.delta} cannot be added: only safe integers add up exactly`, write.key)
      return sizeOfCell(limits, write.key, write.key.length, 11)
    case "Delete":
      return sizeOfCell(limits, write.key, write.key.length, 0)
    case "DeleteRange":
      return write.start.length + write.end.length
    case "Append":
      if (!(Number.isInteger(write.index) && write.index >= 0 && write.index <= appendIndexMax)) {
        return invalid(
          `the index of an append must be an integer of 0 to ${appendIndexMax}, not ${write.index}`,
          write.prefix
        )
      }
      return sizeOfCell(limits, write.prefix, write.prefix.length + stampLength + write.suffix.length, write.value.size)
    default:
      return invalid(
        `"${(write as { readonly _tag: string })._tag}" is a kind of write unknown to this store's rules; upgrade the store`
      )
  }
}

const sizeOfCell = (limits: Limits, key: Key, keyBytes: number, valueBytes: number): number | Refused => {
  if (keyBytes > limits.keyBytes) return exceeded("keyBytes", limits, keyBytes, key)
  if (valueBytes > limits.valueBytes) return exceeded("valueBytes", limits, valueBytes, key)
  return keyBytes + valueBytes
}
