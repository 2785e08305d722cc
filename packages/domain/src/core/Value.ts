/**
 * A value as the store holds it: bytes, and beside them the decoded form where it may be shared. Pure.
 *
 * The first byte of `bytes` names the codec, the next two the number of the schema (big endian); see `ValueCodec.ts`.
 * Encoding happens once, at set (that validates). A decoded form is kept only when sharing it is safe: it is a
 * primitive or deeply frozen, so no caller can change stored state through it.
 *
 * Every number has bytes, and as many as any other; every text of ASCII has one a character. So those bytes are made when
 * somebody asks for them, which a store in memory never does and a log need not (`ascii`). A byte array costs 232 bytes of
 * heap for the 11 of a number, and beyond 64 bytes some 300 ns to make, as it lies outside of the heap.
 */
import { encodeNumber, encodeString, headerBytes } from "./ValueCodec.ts"

/** One stored value. Immutable but for the memo of its decoded form. */
export class Value {
  private encoded: Uint8Array | undefined
  /** Schema number of a number or text whose bytes are not made yet. */
  private readonly schema: number
  /** The codec object that made `decoded`; `undefined` while nothing is memoised. Compare by identity before use. */
  codec: object | undefined
  /** The decoded form, valid only for `codec`; primitive or deeply frozen. */
  decoded: unknown

  constructor(bytes: Uint8Array, codec?: object, decoded?: unknown)
  /** Of a number, or of a text all of ASCII, by its codec: the bytes follow when they are asked for. */
  constructor(bytes: undefined, codec: object, decoded: number | string, schema: number)
  constructor(bytes: Uint8Array | undefined, codec?: object, decoded?: unknown, schema = 0) {
    this.encoded = bytes
    this.codec = codec
    this.decoded = decoded
    this.schema = schema
  }

  /** Codec byte, schema number (2 bytes, big endian), then the codec's own bytes. Always the same. */
  get bytes(): Uint8Array {
    return this.encoded ?? this.encode()
  }

  /** How many bytes it has, without making them. */
  get size(): number {
    if (this.encoded !== undefined) return this.encoded.length
    return typeof this.decoded === "string" ? headerBytes + this.decoded.length : numberBytes
  }

  /**
   * A text whose bytes are not made yet: they are the header (`writeTextHeader`) and one byte for each of its
   * characters. Who writes it elsewhere need not make them. `undefined`: ask for `bytes`.
   */
  get ascii(): { readonly text: string; readonly schema: number } | undefined {
    if (this.encoded !== undefined || typeof this.decoded !== "string") return undefined
    return { text: this.decoded, schema: this.schema }
  }

  private encode(): Uint8Array {
    const { codec, decoded, schema } = this
    if (typeof decoded === "string") return (this.encoded = encodeString(decoded, schema))
    const number = decoded as number
    return (this.encoded = codec === counterTag ? counterBytes(number) : encodeNumber(number, schema))
  }
}

/** Codec byte of commutative numbers: the only cells that `Add` may meet. */
export const counterCodec = 0x01

/** Bytes of every number and counter: the header and a float64. */
const numberBytes = 11

/**
 * A commutative number: codec byte 1, schema number 0, then a float64, big endian. Only safe integers are stored, so that
 * additions commute exactly.
 */
export const fromCounter = (n: number): Value => new Value(undefined, counterTag, n, 0)

const counterBytes = (n: number): Uint8Array => {
  // One view for all: making one costs more than the rest.
  scratchView.setFloat64(0, n)
  const bytes = new Uint8Array(numberBytes)
  bytes[0] = counterCodec
  for (let i = 0; i < 8; i++) bytes[i + 3] = scratch[i]!
  return bytes
}

const scratch = new Uint8Array(8)
const scratchView = new DataView(scratch.buffer)

/** Identity under which counters memoise their number. */
export const counterTag: object = Object.freeze({ codec: "counter" })

/** The number of a counter cell, or `undefined` when the bytes are no counter. */
export const toCounter = (value: Value): number | undefined => {
  if (value.codec === counterTag) return value.decoded as number
  const { bytes } = value
  if (bytes.length !== numberBytes || bytes[0] !== counterCodec) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(3)
}
