/** CRC-32 of what a row of either table says. Pure. */
import { crc32 } from "node:zlib"
import type { Version } from "@weft/domain/core/Version"

const versionBytes = Buffer.alloc(8)
export const cellSum = (key: Buffer, version: Version, value: Uint8Array): number => {
  versionBytes.writeDoubleBE(version)
  return crc32(value, crc32(versionBytes, crc32(key)))
}
/** Rows of format 1 said nothing of a fold: each was folded at once. */
export const rowSum = (seq: number, version: Version, folded: number | null, body: Uint8Array): number => {
  versionBytes.writeDoubleBE(version)
  let sum = crc32(versionBytes, crc32(body))
  versionBytes.writeDoubleBE(seq)
  sum = crc32(versionBytes, sum)
  if (folded === null) return sum
  versionBytes.writeDoubleBE(folded)
  return crc32(versionBytes, sum)
}
