/**
 * Where coordination lives in a store. Pure.
 *
 * | cell | key | value |
 * |---|---|---|
 * | place in line of a lock with modes | `(null, "modes", kind, name, stamp)` | session, mode, weight, granted, what the flow holds |
 * | its record | `(null, "session", null, sid, "modes", stamp)` | a will of the session: its place goes |
 * | downs of a latch | `(null, "latch", name)` | counter |
 * | arrival at a barrier | `(null, "barrier", name, 0, stamp)` | session, parties |
 * | its record | `(null, "session", null, sid, "barrier", stamp)` | a will of the session: the arrival goes |
 * | passed | `(null, "barrier", name, 1, stamp)` | generation and index, until who arrived has read it |
 * | generation | `(null, "barrier", name, 2)` | counter |
 * | term of an election | `(null, "election", name)` | number, leader, token, the record of the lock that the leader holds |
 */
import type { Key } from "./Key.ts"
import { encode, encodePart } from "./KeyCodec.ts"
import { willPrefix } from "./SessionCells.ts"
import { Value } from "./Value.ts"
import { codecBytes, decodeString, encodeString } from "./ValueCodec.ts"

/** Places of a lock with modes; the stamp follows. */
export const modesPrefix = (kind: string, name: string): Key => encode([null, "modes", kind, name])
export const modesRecordPrefix = (sid: string): Key => willPrefix(sid) + encodePart("modes")

export interface PlaceValue {
  readonly sid: string
  readonly mode: string
  readonly weight: number
  readonly granted: boolean
  readonly owner: string
  readonly holding: ReadonlyArray<Key>
  /** Of the lock: all in one line must mean the same. */
  readonly definition: string
}

export const latchKey = (name: string): Key => encode([null, "latch", name])

export const barrierPrefix = (name: string): Key => encode([null, "barrier", name])
export const arrivalPrefix = (barrier: Key): Key => barrier + encodePart(0)
export const passedPrefix = (barrier: Key): Key => barrier + encodePart(1)
export const generationKey = (barrier: Key): Key => barrier + encodePart(2)
export const barrierRecordPrefix = (sid: string): Key => willPrefix(sid) + encodePart("barrier")

export interface ArrivalValue {
  readonly sid: string
  readonly parties: number
}

export interface PassedValue {
  readonly generation: number
  readonly index: number
}

export const termKey = (name: string): Key => encode([null, "election", name])

export interface TermValue {
  readonly number: number
  readonly leader: string
  readonly token: number
  /** When this cell is gone, so is the term. */
  readonly record: Key
}

export const toValue = (value: PlaceValue | ArrivalValue | PassedValue | TermValue): Value =>
  new Value(encodeString(JSON.stringify(value), 0, codecBytes.json))

/** Throws `SyntaxError` or `RangeError` for bytes that are not one of these. The caller knows which by the key. */
export const fromValue = <A>(value: Value): A => JSON.parse(decodeString(value.bytes, codecBytes.json)) as A
