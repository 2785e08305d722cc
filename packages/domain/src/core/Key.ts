/**
 * Keys in memory: latin1 strings, one character a byte, whose order is the order of the tuples they encode. Pure.
 *
 * Laws (docs/KEYS.md, tested with vectors and properties): byte order is tuple order; no encoded tuple of another
 * content is a prefix of an encoded part, so a collection owns every key that begins with its own prefix; encoding and
 * decoding are inverse on normal values (`-0` is `0`, `NaN` and lone surrogates are refused).
 */

/** An encoded tuple; compares, hashes and prints as a plain string (docs/KEYS.md). */
export type Key = string

/** Greatest length of an encoded key in bytes, that of its collection's prefix included. */
export const keyBytesMax = 4096

/** Greatest depth of tuples within tuples. */
export const tupleDepthMax = 16

/** Greatest magnitude of a bigint part in bytes (1008 bits). */
export const bigintBytesMax = 126

/** The place of one commit's append in the order of a namespace: the version of the commit and an index within it. */
export class Stamp {
  /** Packed version (`core/Version.ts`). */
  readonly version: number
  /** 0 to 65,535, the same for all keys of one ticket. */
  readonly index: number

  constructor(version: number, index: number) {
    this.version = version
    this.index = index
  }
}

/** What a key may hold. Arrays are tuples within the tuple. */
export type Part = string | number | bigint | boolean | null | Uint8Array | Stamp | ReadonlyArray<Part>

/**
 * A value that cannot be a key, or bytes that are no key. Thrown by the pure functions; the collections turn it into
 * `StoreError` (`InvalidInput`, `LimitExceeded` or `Corrupt`).
 */
export class KeyError extends Error {
  readonly reason: "BadPart" | "TooLong" | "BadBytes"
  /** For `TooLong`: the limit that was passed and by how much. */
  readonly limit: { readonly name: string; readonly max: number; readonly actual: number } | undefined

  constructor(
    reason: "BadPart" | "TooLong" | "BadBytes",
    message: string,
    limit?: { readonly name: string; readonly max: number; readonly actual: number }
  ) {
    super(message)
    this.name = "KeyError"
    this.reason = reason
    this.limit = limit
  }
}

/** First key after all keys that begin with `prefix`. No key begins with 0xff, so `prefixEnd("")` ends everything. */
export const prefixEnd = (prefix: Key): Key => {
  let last = prefix.length - 1
  while (last >= 0 && prefix.charCodeAt(last) === 0xff) last--
  return last < 0 ? "\xff" : prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1)
}

/** The smallest key above `key`. */
export const successor = (key: Key): Key => key + "\0"

/** The bytes of a key, for a disk or a wire. */
export const toBytes = (key: Key): Uint8Array => {
  const bytes = new Uint8Array(key.length)
  for (let i = 0; i < key.length; i++) bytes[i] = key.charCodeAt(i)
  return bytes
}

/** The key of some bytes. */
export const fromBytes = (bytes: Uint8Array): Key => {
  let key = ""
  for (let i = 0; i < bytes.length; i += 1024) {
    key += String.fromCharCode.apply(null, bytes.subarray(i, i + 1024) as unknown as Array<number>) // array-like suffices
  }
  return key
}
