/**
 * A value as the store holds it: bytes, and beside them the decoded form where it may be shared. Pure.
 *
 * The first byte of `bytes` names the codec, the next two the number of the schema (big endian); see `ValueCodec.ts`.
 * Encoding happens once, at set (that validates). A decoded form is kept only when sharing it is safe: it is a
 * primitive or deeply frozen, so no caller can change stored state through it.
 */

/** One stored value. Immutable but for the memo of its decoded form. */
export class Value {
  /** Codec byte, schema number (2 bytes, big endian), then the codec's own bytes. Never mutated after construction. */
  readonly bytes: Uint8Array
  /** The codec object that made `decoded`; `undefined` while nothing is memoised. Compare by identity before use. */
  codec: object | undefined
  /** The decoded form, valid only for `codec`; primitive or deeply frozen. */
  decoded: unknown

  constructor(bytes: Uint8Array, codec?: object, decoded?: unknown) {
    this.bytes = bytes
    this.codec = codec
    this.decoded = decoded
  }
}

/** Codec byte of commutative numbers: the only cells that `Add` may meet. */
export const counterCodec = 0x01

/**
 * A commutative number: codec byte 1, schema number 0, then a float64, big endian. Only safe integers are stored, so that
 * additions commute exactly.
 */
export const fromCounter = (n: number): Value => {
  // One view for all: making one costs more than the rest.
  scratchView.setFloat64(0, n)
  const bytes = new Uint8Array(11)
  bytes[0] = counterCodec
  for (let i = 0; i < 8; i++) bytes[i + 3] = scratch[i]!
  return new Value(bytes, counterTag, n)
}

const scratch = new Uint8Array(8)
const scratchView = new DataView(scratch.buffer)

/** Identity under which counters memoise their number. */
export const counterTag: object = Object.freeze({ codec: "counter" })

/** The number of a counter cell, or `undefined` when the bytes are no counter. */
export const toCounter = (value: Value): number | undefined => {
  if (value.codec === counterTag) return value.decoded as number
  const { bytes } = value
  if (bytes.length !== 11 || bytes[0] !== counterCodec) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(3)
}
