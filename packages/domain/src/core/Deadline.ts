/**
 * Values with a time to live: the codec byte carries a flag (80), and the deadline, milliseconds since 1970 as a float64,
 * big endian, follows the codec's own bytes. Pure: no clock decides here; who asks brings the time.
 */
import { Value } from "./Value.ts"

const flag = 0x80
const trailer = 8

/** Whether some bytes carry a deadline. */
export const isTimed = (bytes: Uint8Array): boolean => (bytes[0]! & flag) !== 0

/** The deadline of a value in milliseconds since 1970, `undefined` when it lives for ever. */
export const deadlineOf = (value: Value): number | undefined => {
  const { bytes } = value
  if ((bytes[0]! & flag) === 0) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(bytes.length - trailer)
}

/** Whether its time is over at `nowMillis`. */
export const isExpired = (value: Value, nowMillis: number): boolean => {
  const deadline = deadlineOf(value)
  return deadline !== undefined && deadline <= nowMillis
}

/** The value with a deadline, its decoded form kept. A deadline it had is replaced. */
export const withDeadline = (value: Value, deadlineMillis: number): Value => {
  const body = isTimed(value.bytes) ? value.bytes.length - trailer : value.bytes.length
  const bytes = new Uint8Array(body + trailer)
  bytes.set(value.bytes.subarray(0, body))
  bytes[0]! |= flag
  new DataView(bytes.buffer).setFloat64(body, deadlineMillis)
  return new Value(bytes, value.codec, value.decoded)
}

/** The bytes without a deadline, as the codec wrote them. */
export const untimed = (bytes: Uint8Array): Uint8Array => {
  const out = bytes.slice(0, bytes.length - trailer)
  out[0]! &= ~flag
  return out
}
