/**
 * The bytes of a value: one codec byte, two bytes of schema number (big endian), then the codec's own bytes. Pure. Golden:
 * `test/values.golden.json` fails when an encoding changes.
 *
 * | codec | body |
 * |---|---|
 * | 1 counter | float64, big endian (`Value.ts`); schema number 0 |
 * | 2 number | float64, big endian (-0 and NaN are kept) |
 * | 3 string | UTF-8 (lone surrogates are refused, not replaced) |
 * | 4 boolean | 00 or 01 |
 * | 5 bigint | sign byte (00 or 01 for negative), magnitude, big endian, no leading zero byte |
 * | 6 binary | SchemaBinary, default mode |
 * | 7 JSON text | UTF-8: Weft's own records |
 */

/** Codec bytes. 1 is `Value.counterCodec`. */
export const codecBytes = { number: 2, string: 3, boolean: 4, bigint: 5, binary: 6, json: 7 } as const

/** Bytes before the codec's own: codec byte and schema number. */
export const headerBytes = 3

/** Greatest schema number of a collection. */
export const schemaNumberMax = 0xffff

/** The number of the schema that some bytes were written under. */
export const schemaNumberOf = (bytes: Uint8Array): number => (bytes[1]! << 8) | bytes[2]!

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)
const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const header = (bytes: Uint8Array, codec: number, schema: number): Uint8Array => {
  bytes[0] = codec
  bytes[1] = schema >> 8
  bytes[2] = schema & 255
  return bytes
}

/** The header of a text's bytes, written at `at`; its own bytes follow (`Value.ascii`). */
export const writeTextHeader = (bytes: Uint8Array, at: number, schema: number): void => {
  bytes[at] = codecBytes.string
  bytes[at + 1] = schema >> 8
  bytes[at + 2] = schema & 255
}

/** A header before a body that is copied, so that no arena is shared or held. */
export const withHeader = (codec: number, schema: number, body: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headerBytes + body.length)
  // For short bodies the call of `set` costs more than the bytes.
  if (body.length > 128) bytes.set(body, headerBytes)
  else for (let i = 0; i < body.length; i++) bytes[headerBytes + i] = body[i]!
  return header(bytes, codec, schema)
}

export const encodeNumber = (n: number, schema: number): Uint8Array => {
  const bytes = header(new Uint8Array(headerBytes + 8), codecBytes.number, schema)
  scratch.setFloat64(0, n)
  for (let i = 0; i < 8; i++) bytes[headerBytes + i] = scratchBytes[i]!
  return bytes
}

const beyondAscii = /[\u0080-\uffff]/

/** Whether a text has one byte a character. A third of the time of a loop over its characters. */
export const isAscii = (s: string): boolean => !beyondAscii.test(s)

/** Throws `RangeError` for a lone surrogate: it is no text, and replacing it would change the value. */
export const encodeString = (s: string, schema: number, codec: number = codecBytes.string): Uint8Array => {
  if (!isAscii(s)) return encodeText(s, schema, codec)
  const bytes = header(new Uint8Array(headerBytes + s.length), codec, schema)
  for (let i = 0; i < s.length; i++) bytes[headerBytes + i] = s.charCodeAt(i)
  return bytes
}

const encodeText = (s: string, schema: number, codec: number): Uint8Array => {
  if (!s.isWellFormed()) throw new RangeError("the string has a lone surrogate: it is no Unicode text")
  return withHeader(codec, schema, utf8Encoder.encode(s))
}

export const encodeBoolean = (b: boolean, schema: number): Uint8Array => {
  const bytes = header(new Uint8Array(headerBytes + 1), codecBytes.boolean, schema)
  bytes[headerBytes] = b ? 1 : 0
  return bytes
}

export const encodeBigint = (n: bigint, schema: number): Uint8Array => {
  let hex = (n < 0n ? -n : n).toString(16)
  if (hex.length % 2 === 1) hex = "0" + hex
  const length = n === 0n ? 0 : hex.length / 2
  const bytes = header(new Uint8Array(headerBytes + 1 + length), codecBytes.bigint, schema)
  bytes[headerBytes] = n < 0n ? 1 : 0
  for (let i = 0; i < length; i++) bytes[headerBytes + 1 + i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

const expectCodec = (bytes: Uint8Array, codec: number, body: number | undefined): void => {
  if (bytes[0] !== codec) throw new RangeError(`codec byte ${bytes[0]} where ${codec} was expected`)
  if (body !== undefined && bytes.length !== headerBytes + body) {
    throw new RangeError(`${bytes.length - headerBytes} bytes where ${body} were expected`)
  }
}

/** Throws `RangeError`, as all decoders here, when the bytes are not of this codec. */
export const decodeNumber = (bytes: Uint8Array): number => {
  expectCodec(bytes, codecBytes.number, 8)
  for (let i = 0; i < 8; i++) scratchBytes[i] = bytes[headerBytes + i]!
  return scratch.getFloat64(0)
}

export const decodeString = (bytes: Uint8Array, codec: number = codecBytes.string): string => {
  expectCodec(bytes, codec, undefined)
  try {
    return utf8Decoder.decode(bytes.subarray(headerBytes))
  } catch {
    throw new RangeError("the bytes are no UTF-8")
  }
}

export const decodeBoolean = (bytes: Uint8Array): boolean => {
  expectCodec(bytes, codecBytes.boolean, 1)
  const b = bytes[headerBytes]!
  if (b > 1) throw new RangeError(`${b} is no boolean`)
  return b === 1
}

export const decodeBigint = (bytes: Uint8Array): bigint => {
  expectCodec(bytes, codecBytes.bigint, undefined)
  const sign = bytes[headerBytes]
  if (sign !== 0 && sign !== 1) throw new RangeError(`${sign} is no sign of a bigint`)
  if (bytes[headerBytes + 1] === 0) throw new RangeError("a bigint has a leading zero byte")
  let n = 0n
  for (let i = headerBytes + 1; i < bytes.length; i++) n = (n << 8n) | BigInt(bytes[i]!)
  if (sign === 1 && n === 0n) throw new RangeError("minus zero is no bigint")
  return sign === 1 ? -n : n
}
