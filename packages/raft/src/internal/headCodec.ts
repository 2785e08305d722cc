/**
 * The head of a log: everything beside entries and snapshot bytes, rewritten with every write. Pure.
 * Bytes: JSON text, then its CRC-32 (u32, little endian). JSON because it is read by people when something went wrong.
 */
import type { DamagedRange, HardState, Index, Term } from "../core/Types.ts"
import { crc32 } from "./crc32.ts"

/** Truncations that the head remembers one by one; older ones are merged (more would count as lost, never less). */
const truncationsMax = 16

export interface Head {
  /** Random name of this log, to tell its mark from another log's. */
  readonly log: string
  /** Number of the write, rising by 1. */
  readonly seq: number
  readonly hardState: HardState
  readonly first: Index
  readonly last: Index
  readonly tail: { readonly index: Index; readonly term: Term } | null
  /** Row of the node's own snapshot and the index that it covers; 0 for none. */
  readonly snapshot: { readonly row: number; readonly index: Index }
  readonly damaged: ReadonlyArray<DamagedRange>
  /** Latest truncations, oldest first: what was cut from where by which write. */
  readonly truncations: ReadonlyArray<{ readonly seq: number; readonly from: Index }>
}

/** What the bytes describe. Part of the checksum: a page in the wrong place is damage, whatever it holds. */
export type Kind = "head" | "headCopy" | "snapshot" | "snapshotCopy" | "mark"

const seeds: Record<Kind, number> = { head: 1, headCopy: 2, snapshot: 3, snapshotCopy: 4, mark: 5 }

export const encodeChecked = (kind: Kind, value: unknown): Uint8Array => {
  const text = Buffer.from(JSON.stringify(value))
  const bytes = Buffer.alloc(text.length + 4)
  text.copy(bytes)
  bytes.writeUInt32LE(crc32(text, 0, text.length, seeds[kind]), text.length)
  return bytes
}

/** The value, or `undefined` if the bytes are not what `encodeChecked` wrote. The type is the caller's claim. */
export const decodeChecked = <A>(kind: Kind, bytes: Uint8Array | undefined): A | undefined => {
  if (bytes === undefined || bytes.length < 4) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = bytes.length - 4
  if (crc32(bytes, 0, length, seeds[kind]) !== buffer.readUInt32LE(length)) return undefined
  return JSON.parse(buffer.toString("utf8", 0, length))
}

/** A head, with what JSON leaves out put back. */
export const decodeHead = (kind: Kind, bytes: Uint8Array | undefined): Head | undefined => {
  const head = decodeChecked<Head>(kind, bytes)
  return head && { ...head, hardState: { ...head.hardState, vote: head.hardState.vote } }
}

/** Adds a truncation; beyond the limit the two oldest become one that cuts at least as much. */
export const withTruncation = (truncations: Head["truncations"], seq: number, from: Index): Head["truncations"] => {
  const next = [...truncations, { seq, from }]
  if (next.length <= truncationsMax) return next
  const [a, b, ...rest] = next
  return [{ seq: b!.seq, from: Math.min(a!.from, b!.from) }, ...rest]
}

/**
 * What is lost between the head that was recovered and the newer one of the mark: the log ends where the mark says, and
 * everything from the returned index up to there is unreadable.
 */
export const lostFrom = (recovered: Head, mark: Head): Index => {
  const cuts = mark.truncations.flatMap(({ from, seq }) => (seq > recovered.seq ? [from] : []))
  return Math.max(recovered.first, Math.min(recovered.last + 1, ...cuts))
}
