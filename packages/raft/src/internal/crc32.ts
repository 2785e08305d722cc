/** CRC-32 (IEEE 802.3) of bytes. Pure. Node's own is faster for long inputs and slower for short ones (call overhead). */
import { crc32 as nativeCrc32 } from "node:zlib"

/** Below this length the table is faster than the native call; measured on Node 24. */
const shortBytes = 96

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 of `bytes[from, to)`, going on from `seed` (an unsigned 32-bit number). */
export const crc32 = (bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number => {
  if (to - from > shortBytes) return nativeCrc32(bytes.subarray(from, to), seed)
  let value = ~seed
  for (let at = from; at < to; at++) value = (value >>> 8) ^ table[(value ^ bytes[at]!) & 0xff]!
  return ~value >>> 0
}

/** Checksum of a snapshot piece: bound to its place, so that pieces that changed places are damage. */
export const pieceCrc32 = (bytes: Uint8Array, index: number, offset: number): number =>
  crc32(bytes, 0, bytes.length, (Math.imul(index, 0x9e3779b1) ^ offset) >>> 0)
