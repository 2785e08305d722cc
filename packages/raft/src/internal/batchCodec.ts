/**
 * Bytes of a batch: consecutive entries that are written as one row. Pure.
 *
 * Layout (little endian), format 1:
 *   u8 format | u8 zero | u16 zero | u32 count | f64 first index | count x u32 record length | u32 CRC of all before
 *   then `count` records: u32 CRC (seeded by the index) | u8 kind | u8 flags | u48 term | [f64 session, sequence, resolved] | data
 * Flag 1: the three session fields are there; without it they are 0.
 *
 * The directory has a checksum of its own, so a damaged record is found without losing its neighbours; a record's checksum
 * includes its index, so a record in the wrong place is damage too.
 */
import type { Entry, EntryKind, Index } from "../core/Types.ts"
import { crc32 } from "./crc32.ts"

export const batchFormat = 1

/** Kinds by their number on the disk: append only, never renumber. Number 0 is never written. */
const kinds: ReadonlyArray<EntryKind> = [
  "damaged",
  "command",
  "part",
  "noop",
  "configuration",
  "version",
  "openSession",
  "closeSession",
  "expireSessions"
]
const kindNumbers = new Map(kinds.map((kind, number) => [kind, number]))

const fixedHeader = 16
const recordHeader = 12
const sessionFields = 24

const seedOf = (index: Index): number => (index ^ Math.imul(Math.floor(index / 4294967296), 0x9e3779b1)) >>> 0

const recordLength = ({ data, resolved, sequence, session }: Entry): number =>
  recordHeader + (session === 0 && sequence === 0 && resolved === 0 ? 0 : sessionFields) + data.length

/** Encodes a non-empty run of consecutive entries. The bytes own their buffer, so they can be moved to a worker. */
export const encodeBatch = (entries: ReadonlyArray<Entry>, from = 0, to = entries.length): Uint8Array<ArrayBuffer> => {
  const count = to - from
  let length = fixedHeader + 4 * count + 4
  for (let at = from; at < to; at++) length += recordLength(entries[at]!)
  const bytes = Buffer.allocUnsafeSlow(length)
  bytes.writeUInt32LE(batchFormat, 0)
  bytes.writeUInt32LE(count, 4)
  bytes.writeDoubleLE(entries[from]!.index, 8)
  let record = fixedHeader + 4 * count + 4
  for (let at = from; at < to; at++) {
    const size = recordLength(entries[at]!)
    bytes.writeUInt32LE(size, fixedHeader + 4 * (at - from))
    writeRecord(bytes, record, entries[at]!, size)
    record += size
  }
  const directory = fixedHeader + 4 * count
  bytes.writeUInt32LE(crc32(bytes, 0, directory), directory)
  return bytes
}

const writeRecord = (bytes: Buffer, at: number, entry: Entry, size: number): void => {
  const sessions = size - recordHeader !== entry.data.length
  bytes[at + 4] = kindNumbers.get(entry.kind)!
  bytes[at + 5] = sessions ? 1 : 0
  bytes.writeUIntLE(entry.term, at + 6, 6)
  if (sessions) {
    bytes.writeDoubleLE(entry.session, at + 12)
    bytes.writeDoubleLE(entry.sequence, at + 20)
    bytes.writeDoubleLE(entry.resolved, at + 28)
  }
  bytes.set(entry.data, at + size - entry.data.length)
  bytes.writeUInt32LE(crc32(bytes, at + 4, at + size, seedOf(entry.index)), at)
}

export interface DecodedBatch {
  readonly first: Index
  /** How many entries the batch was written with. */
  readonly count: number
  /** Place `i` is entry `first + i`, or `undefined` where the record is damaged. Data are views of the given bytes. */
  readonly entries: ReadonlyArray<Entry | undefined>
}

/** Decodes a batch; `undefined` if its directory is damaged, or it is not the batch that begins with `first`. */
export const decodeBatch = (bytes: Uint8Array, first: Index): DecodedBatch | undefined => {
  if (bytes.length < fixedHeader + 4) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = buffer.readUInt32LE(4)
  const directory = fixedHeader + 4 * count
  if (buffer.readUInt32LE(0) !== batchFormat || directory + 4 > bytes.length) return undefined
  if (crc32(bytes, 0, directory) !== buffer.readUInt32LE(directory) || buffer.readDoubleLE(8) !== first)
    return undefined
  const entries: Array<Entry | undefined> = []
  let record = directory + 4
  for (let at = 0; at < count; at++) {
    const size = buffer.readUInt32LE(fixedHeader + 4 * at)
    entries.push(readRecord(buffer, record, size, first + at))
    record += size
  }
  return { first, count, entries }
}

const readRecord = (bytes: Buffer, at: number, size: number, index: Index): Entry | undefined => {
  if (at + size > bytes.length || crc32(bytes, at + 4, at + size, seedOf(index)) !== bytes.readUInt32LE(at))
    return undefined
  const kind = kinds[bytes[at + 4]!]
  if (kind === undefined) return undefined
  const sessions = bytes[at + 5] === 1
  const data = at + recordHeader + (sessions ? sessionFields : 0)
  return {
    index,
    term: bytes.readUIntLE(at + 6, 6),
    kind,
    session: sessions ? bytes.readDoubleLE(at + 12) : 0,
    sequence: sessions ? bytes.readDoubleLE(at + 20) : 0,
    resolved: sessions ? bytes.readDoubleLE(at + 28) : 0,
    data: new Uint8Array(bytes.buffer, bytes.byteOffset + data, at + size - data)
  }
}
