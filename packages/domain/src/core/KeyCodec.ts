/**
 * The codec of keys: tuples of parts to latin1 strings whose byte order is the order of the tuples. Pure. The format is
 * frozen for ever (docs/KEYS.md, `test/keys.vectors.json`).
 *
 * Each part is a type byte and a body that ends by itself: strings and bytes end with 00 (within them 00 is written 01 01
 * and 01 is written 01 02), tuples within tuples end with 00 too, all else has a known length. So no part is a prefix of
 * another one, and as every type byte is above 00, a shorter tuple sorts before its extensions.
 */
import { bigintBytesMax, type Key, keyBytesMax, KeyError, type Part, Stamp, tupleDepthMax } from "./Key.ts"

/** Type bytes, in the order of parts of different types. The gaps are for types to come. */
export const typeBytes = {
  end: 0x00,
  null: 0x02,
  false: 0x08,
  true: 0x09,
  number: 0x10,
  bigint: 0x18,
  string: 0x20,
  bytes: 0x28,
  stamp: 0x30,
  tuple: 0x38
} as const

const NULL = "\x02"
const FALSE = "\x08"
const TRUE = "\x09"
const NUMBER = "\x10"
const BIGINT = "\x18"
const STRING = "\x20"
const BYTES = "\x28"
const STAMP = "\x30"
const TUPLE = "\x38"

/** Bytes of an encoded stamp, its type byte included. */
export const stampLength = 11

const chr = String.fromCharCode
const cell = new DataView(new ArrayBuffer(8))

/** Encodes one part. Throws `KeyError` for what is no part. */
export const encodePart = (part: Part, depth = 0): Key => {
  switch (typeof part) {
    case "string":
      return encodeString(part)
    case "number":
      return encodeNumber(part)
    case "boolean":
      return part ? TRUE : FALSE
    case "bigint":
      return encodeBigint(part)
    default:
      return encodeObject(part, depth)
  }
}

/** Encodes a tuple. Throws `KeyError` for a bad part or more than `keyBytesMax` bytes. */
export const encode = (parts: ReadonlyArray<Part>): Key => {
  let key = ""
  for (let i = 0; i < parts.length; i++) key += encodePart(parts[i]!)
  return checkLength(key)
}

/** `key` itself; throws `KeyError` when it is longer than `keyBytesMax`. */
export const checkLength = (key: Key): Key => {
  if (key.length <= keyBytesMax) return key
  throw new KeyError("TooLong", `the key takes ${key.length} bytes, at most ${keyBytesMax} may be used: shorten it`, {
    name: "keyBytes",
    max: keyBytesMax,
    actual: key.length
  })
}

/** The beginning shared by all tuples whose nested tuple begins with `parts`: a tuple without its end byte. */
export const encodeTuplePrefix = (parts: ReadonlyArray<Part>): Key => {
  let key = TUPLE
  for (const part of parts) key += encodePart(part, 1)
  return key
}

const encodeString = (s: string): Key => {
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i)
    if (c <= 1 || c > 0x7f) return encodeUtf8(s, i)
  }
  return STRING + s + "\0"
}

/** UTF-8 by hand, as latin1; 00 and 01 are escaped. Byte order is the order of code points, not of UTF-16 units. */
const encodeUtf8 = (s: string, from: number): Key => {
  let out = STRING + s.slice(0, from)
  for (let i = from; i < s.length; i++) {
    const c = s.charCodeAt(i)
    if (c <= 1) out += c === 0 ? "\x01\x01" : "\x01\x02"
    else if (c < 0x80) out += s[i]!
    else if (c < 0x800) out += chr(0xc0 | (c >> 6), 0x80 | (c & 63))
    else if (c < 0xd800 || c > 0xdfff) out += chr(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63))
    else {
      const point = s.codePointAt(i)!
      if (point < 0x10000) {
        throw new KeyError(
          "BadPart",
          `the string ${JSON.stringify(s)} has a lone surrogate at ${i}: it is no Unicode text`
        )
      }
      out += chr(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63))
      i++
    }
  }
  return out + "\0"
}

/** The float64, sign bit flipped; all bits flipped when negative. */
const encodeNumber = (n: number): Key => {
  if (n !== n) throw new KeyError("BadPart", "NaN may not be part of a key: it is not equal to itself")
  cell.setFloat64(0, n === 0 ? 0 : n)
  let high = cell.getUint32(0)
  let low = cell.getUint32(4)
  if (high >>> 31 === 1) {
    high = ~high
    low = ~low
  } else high ^= 0x80000000
  return NUMBER + bytesOf32(high) + bytesOf32(low)
}

const bytesOf32 = (n: number): string => chr((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255)

/** A byte of 80 + length (80 - length when negative), then the magnitude (complemented when negative), big endian. */
const encodeBigint = (n: bigint): Key => {
  if (n === 0n) return BIGINT + "\x80"
  const negative = n < 0n
  let hex = (negative ? -n : n).toString(16)
  if (hex.length % 2 === 1) hex = "0" + hex
  const length = hex.length / 2
  if (length > bigintBytesMax) {
    throw new KeyError("TooLong", `a bigint part takes ${length} bytes, at most ${bigintBytesMax} may be used`, {
      name: "bigintBytes",
      max: bigintBytesMax,
      actual: length
    })
  }
  let out = BIGINT + chr(negative ? 0x80 - length : 0x80 + length)
  for (let i = 0; i < hex.length; i += 2) {
    const byte = Number.parseInt(hex.slice(i, i + 2), 16)
    out += chr(negative ? 255 - byte : byte)
  }
  return out
}

const encodeObject = (part: object | null | undefined, depth: number): Key => {
  if (part === null) return NULL
  if (Array.isArray(part)) {
    if (depth >= tupleDepthMax) {
      throw new KeyError("TooLong", `tuples are nested deeper than ${tupleDepthMax}`, {
        name: "tupleDepth",
        max: tupleDepthMax,
        actual: depth + 1
      })
    }
    let out = TUPLE
    for (let i = 0; i < part.length; i++) out += encodePart(part[i] as Part, depth + 1)
    return out + "\0"
  }
  if (part instanceof Uint8Array) {
    let out = BYTES
    for (let i = 0; i < part.length; i++) out += part[i]! <= 1 ? chr(1, part[i]! + 1) : chr(part[i]!)
    return out + "\0"
  }
  if (part instanceof Stamp) return stampBytes(part.version, part.index)
  const what =
    part === undefined ? "undefined" : `a value of type ${typeof part} (${Object.prototype.toString.call(part)})`
  throw new KeyError(
    "BadPart",
    `${what} may not be part of a key: use strings, numbers, bigints, booleans, null, bytes`
  )
}

/** The encoded stamp part (type byte first) of (version, index). Throws `KeyError` when either is out of range. */
export const stampBytes = (version: number, index: number): Key => {
  if (!(Number.isSafeInteger(version) && version >= 0)) {
    throw new KeyError("BadPart", `${version} is no version: a stamp needs a safe integer of at least 0`)
  }
  return STAMP + bytesOf32(Math.floor(version / 0x100000000)) + bytesOf32(version % 0x100000000) + indexBytes(index)
}

/** Stands for the stamp of an append whose commit is not made yet: orders after all stored ones, then by index. */
export const placeholderStamp = (index: number): Key => STAMP + "\xff\xff\xff\xff\xff\xff\xff\xff" + indexBytes(index)

/** Whether the stamp that begins at `offset` of `key` is a placeholder. */
export const isPlaceholder = (key: Key, offset: number): boolean =>
  key.charCodeAt(offset) === typeBytes.stamp && key.charCodeAt(offset + 1) === 0xff

const indexBytes = (index: number): string => {
  if (Number.isInteger(index) && index >= 0 && index <= 0xffff) return chr(index >> 8, index & 255)
  throw new KeyError("BadPart", `the index of a stamp must be an integer of 0 to 65535, not ${index}`)
}
