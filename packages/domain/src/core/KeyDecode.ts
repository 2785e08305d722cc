/**
 * Reads encoded keys back: parts, tuples, and text for people. Pure. Strict: what `KeyCodec` would not have written is
 * `KeyError` (`BadBytes`), so a damaged key is never taken for another one.
 */
import { type Key, KeyError, type Part, Stamp, tupleDepthMax } from "./Key.ts"
import { typeBytes } from "./KeyCodec.ts"

/** One part and where the next one begins. */
export interface Decoded {
  readonly part: Part
  readonly next: number
}

const cell = new DataView(new ArrayBuffer(8))

/** Decodes a whole key. Throws `KeyError` (`BadBytes`). */
export const decode = (key: Key): ReadonlyArray<Part> => decodeFrom(key, 0)

/** Decodes all parts from `offset` to the end of the key. */
export const decodeFrom = (key: Key, offset: number): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  while (offset < key.length) {
    const { part, next } = decodePart(key, offset)
    parts.push(part)
    offset = next
  }
  return parts
}

/** Decodes the part that begins at `offset`. Throws `KeyError` (`BadBytes`). */
export const decodePart = (key: Key, offset: number, depth = 0): Decoded => {
  switch (key.charCodeAt(offset)) {
    case typeBytes.null:
      return { part: null, next: offset + 1 }
    case typeBytes.false:
      return { part: false, next: offset + 1 }
    case typeBytes.true:
      return { part: true, next: offset + 1 }
    case typeBytes.number:
      return { part: decodeNumber(key, offset + 1), next: offset + 9 }
    case typeBytes.bigint:
      return decodeBigint(key, offset + 1)
    case typeBytes.string:
      return decodeString(key, offset + 1)
    case typeBytes.bytes:
      return decodeBytes(key, offset + 1)
    case typeBytes.stamp:
      return { part: decodeStamp(key, offset + 1), next: offset + 11 }
    case typeBytes.tuple:
      return decodeTuple(key, offset + 1, depth)
    default:
      throw bad(key, offset, "no part begins here")
  }
}

const bad = (key: Key, offset: number, what: string): KeyError =>
  new KeyError("BadBytes", `byte ${offset} of key ${hex(key)}: ${what}. The key is damaged or of another format`)

/** The bytes of a key as lower case hexadecimal digits. */
export const hex = (key: Key): string => {
  let out = ""
  for (let i = 0; i < key.length; i++) out += key.charCodeAt(i).toString(16).padStart(2, "0")
  return out
}

const need = (key: Key, offset: number, bytes: number): void => {
  if (offset + bytes > key.length) throw bad(key, key.length, "it ends within a part")
}

const uint32 = (key: Key, at: number): number =>
  key.charCodeAt(at) * 0x1000000 +
  (key.charCodeAt(at + 1) << 16) +
  (key.charCodeAt(at + 2) << 8) +
  key.charCodeAt(at + 3)

const decodeNumber = (key: Key, at: number): number => {
  need(key, at, 8)
  const high = uint32(key, at)
  const low = uint32(key, at + 4)
  const positive = high >= 0x80000000
  cell.setUint32(0, positive ? high ^ 0x80000000 : ~high)
  cell.setUint32(4, positive ? low : ~low)
  const n = cell.getFloat64(0)
  if (n !== n || Object.is(n, -0)) throw bad(key, at, "NaN and -0 are never written")
  return n
}

const decodeStamp = (key: Key, at: number): Stamp => {
  need(key, at, 10)
  if (uint32(key, at) > 0x1fffff) throw bad(key, at, "a stamp's version is beyond the safe integers")
  return new Stamp(
    uint32(key, at) * 0x100000000 + uint32(key, at + 4),
    (key.charCodeAt(at + 8) << 8) | key.charCodeAt(at + 9)
  )
}

const decodeBigint = (key: Key, at: number): Decoded => {
  need(key, at, 1)
  const head = key.charCodeAt(at)
  const negative = head < 0x80
  const length = negative ? 0x80 - head : head - 0x80
  need(key, at + 1, length)
  let n = 0n
  for (let i = 1; i <= length; i++) {
    const byte = key.charCodeAt(at + i)
    n = (n << 8n) | BigInt(negative ? 255 - byte : byte)
  }
  if (length > 0 && n >> BigInt(8 * (length - 1)) === 0n) throw bad(key, at, "a bigint has a leading zero byte")
  return { part: negative ? -n : n, next: at + 1 + length }
}

/** The body of a string or of bytes that begins at `at`, unescaped, and where its 00 is. */
const decodeBody = (key: Key, at: number): { readonly body: string; readonly end: number } => {
  const end = key.indexOf("\0", at)
  if (end === -1) throw bad(key, key.length, "it ends within a part")
  const raw = key.slice(at, end)
  if (!raw.includes("\x01")) return { body: raw, end }
  let body = ""
  for (let i = 0; i < raw.length; i++) {
    if (raw.charCodeAt(i) !== 1) {
      body += raw[i]!
      continue
    }
    const escaped = raw.charCodeAt(++i)
    if (escaped !== 1 && escaped !== 2) throw bad(key, at + i, "an escape is followed by neither 01 nor 02")
    body += escaped === 1 ? "\0" : "\x01"
  }
  return { body, end }
}

const decodeString = (key: Key, at: number): Decoded => {
  const { body, end } = decodeBody(key, at)
  for (let i = 0; i < body.length; i++) {
    if (body.charCodeAt(i) > 0x7f) return { part: decodeUtf8(key, at, body), next: end + 1 }
  }
  return { part: body, next: end + 1 }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const decodeUtf8 = (key: Key, at: number, body: string): string => {
  const bytes = new Uint8Array(body.length)
  for (let i = 0; i < body.length; i++) bytes[i] = body.charCodeAt(i)
  try {
    return utf8.decode(bytes)
  } catch {
    throw bad(key, at, "a string is no UTF-8")
  }
}

const decodeBytes = (key: Key, at: number): Decoded => {
  const { body, end } = decodeBody(key, at)
  const bytes = new Uint8Array(body.length)
  for (let i = 0; i < body.length; i++) bytes[i] = body.charCodeAt(i)
  return { part: bytes, next: end + 1 }
}

const decodeTuple = (key: Key, at: number, depth: number): Decoded => {
  if (depth >= tupleDepthMax) throw bad(key, at, `tuples are nested deeper than ${tupleDepthMax}`)
  const parts: Array<Part> = []
  let offset = at
  while (key.charCodeAt(offset) !== typeBytes.end) {
    const { part, next } = decodePart(key, offset, depth + 1)
    parts.push(part)
    offset = next
  }
  return { part: parts, next: offset + 1 }
}

/** A key for people: its parts, or its hexadecimal digits when it is no tuple; long ones are cut. */
export const format = (key: Key): string => {
  let text: string
  try {
    text = "(" + decode(key).map(formatPart).join(", ") + ")"
  } catch {
    text = "0x" + hex(key)
  }
  return text.length <= 200 ? text : text.slice(0, 199) + "…"
}

/** One part for people. */
export const formatPart = (part: Part): string => {
  if (typeof part === "string") return JSON.stringify(part)
  if (typeof part === "bigint") return `${part}n`
  if (part instanceof Uint8Array) return "0x" + [...part].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  if (part instanceof Stamp) return `@${part.version}.${part.index}`
  if (Array.isArray(part)) return "(" + part.map(formatPart).join(", ") + ")"
  return String(part)
}
