/**
 * What a stored value carries beside itself: a deadline (flag 80 in the codec byte; the last 8 bytes, milliseconds since
 * 1970 as a float64, big endian) and how often it was delivered (flag 40; the 4 bytes before those). Pure: no clock decides
 * here; who asks brings the time.
 *
 * A value that carries anything never remembers its decoded form; so one that does carries nothing, and a read of it need
 * not touch its bytes (a cache miss among many values).
 */
import { Value } from "./Value.ts"

const timedFlag = 0x80
const deliveredFlag = 0x40
const timedBytes = 8
const deliveredBytes = 4

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Whether some bytes carry anything beside the value. */
export const isEnveloped = (bytes: Uint8Array): boolean => (bytes[0]! & (timedFlag | deliveredFlag)) !== 0

/** The deadline of a value in milliseconds since 1970, `undefined` when it lives for ever. */
export const deadlineOf = (value: Value): number | undefined => {
  if (value.codec !== undefined) return undefined
  const { bytes } = value
  return (bytes[0]! & timedFlag) === 0 ? undefined : viewOf(bytes).getFloat64(bytes.length - timedBytes)
}

/** Whether its time is over at `nowMillis`. */
export const isExpired = (value: Value, nowMillis: number): boolean => {
  const deadline = deadlineOf(value)
  return deadline !== undefined && deadline <= nowMillis
}

/** How often a value was delivered; 0 where nothing is said. */
export const deliveriesOf = (value: Value): number => {
  if (value.codec !== undefined) return 0
  const { bytes } = value
  if ((bytes[0]! & deliveredFlag) === 0) return 0
  const end = bytes.length - ((bytes[0]! & timedFlag) === 0 ? 0 : timedBytes)
  return viewOf(bytes).getUint32(end - deliveredBytes)
}

/** The bytes alone, as the codec wrote them. */
export const stripped = (bytes: Uint8Array): Uint8Array => {
  const first = bytes[0]!
  const extra = (first & timedFlag ? timedBytes : 0) + (first & deliveredFlag ? deliveredBytes : 0)
  // A copy whatever the bytes are: `slice` of Node's Buffer would share them, and the next line change the stored value.
  const out = new Uint8Array(bytes.subarray(0, bytes.length - extra))
  out[0] = first & ~(timedFlag | deliveredFlag)
  return out
}

const enveloped = (value: Value, deliveries: number, deadline: number | undefined): Value => {
  const body = stripped(value.bytes)
  const delivered = deliveries === 0 ? 0 : deliveredBytes
  const bytes = new Uint8Array(body.length + delivered + (deadline === undefined ? 0 : timedBytes))
  bytes.set(body)
  if (delivered > 0) {
    bytes[0]! |= deliveredFlag
    viewOf(bytes).setUint32(body.length, deliveries)
  }
  if (deadline !== undefined) {
    bytes[0]! |= timedFlag
    viewOf(bytes).setFloat64(body.length + delivered, deadline)
  }
  return new Value(bytes)
}

/** The value with a deadline. A deadline it had is replaced. */
export const withDeadline = (value: Value, deadlineMillis: number): Value =>
  enveloped(value, deliveriesOf(value), deadlineMillis)

/** The value with a count of deliveries, its deadline kept. */
export const withDeliveries = (value: Value, deliveries: number): Value =>
  enveloped(value, deliveries, deadlineOf(value))
