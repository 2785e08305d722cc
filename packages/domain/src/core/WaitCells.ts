/**
 * How many requests may wait in a line, over all processes of a store. Pure.
 *
 * | cell | key | value |
 * |---|---|---|
 * | allowance | `(null, "waiters", line, sid)` | a count: so many requests of the session may wait; none when it is not there |
 * | its record | `(null, "session", null, sid, "waiters", line)` | a will of the session: the allowance goes |
 *
 * The allowances of a line together are never above its limit. They grow by blocks, so that one commit lets many wait.
 */
import type { Key } from "./Key.ts"
import { encode, encodePart } from "./KeyCodec.ts"

/** Blocks that a limit is handed out in: up to so many processes can wait in a line, whatever each of them needs. */
export const blocksMax = 256

/** Requests in a block. */
export const blockOf = (max: number): number => Math.max(1, Math.floor(max / blocksMax))

/** All allowances of a store begin so. */
export const root = encode([null, "waiters"])

/** All allowances of a line begin so. `line` names it, whatever kind of lock it is of. */
export const linePrefix = (line: Key): Key => root + encodePart(line)

export const allowanceKey = (line: Key, sid: string): Key => linePrefix(line) + encodePart(sid)

/** Place of the will. It comes after those of locks, so that what the dead left in line goes before their allowance. */
export const willPlace = (line: Key): Key => encodePart("waiters") + encodePart(line)

/** What an allowance that needs more comes to where `taken` of `max` are taken over all: itself where nothing is left. */
export const grown = (own: number, taken: number, max: number): number =>
  own + Math.max(0, Math.min(blockOf(max), max - taken))

/** What is kept of an allowance of which no more than `used` were needed of late: whole blocks. */
export const trimmed = (own: number, used: number, max: number): number => {
  const block = blockOf(max)
  return Math.min(own, Math.ceil(used / block) * block)
}
