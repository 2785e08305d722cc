/**
 * What a handle asks of the engine, and what it hears: plain data that crosses threads. Entries are encoded by the caller,
 * so that their checksums cover the crossing and the buffers can be moved instead of copied.
 */
import type { DamagedRange, Entry, HardState, Index, Install, PersistWork, SnapshotMeta, Term } from "../core/Types.ts"
import {
  AlreadyOpen,
  Closed,
  type EntriesRead,
  FormatNewer,
  HardStateDamaged,
  IoFailed,
  type LogStorageReason,
  NotALog,
  type PieceRequest,
  PiecesMismatch,
  Refused,
  type Stage
} from "../LogStorage.ts"
import { encodeBatch } from "./batchCodec.ts"
import { pieceCrc32 } from "./crc32.ts"

/** Longest batch in bytes; one entry always fits. Small enough that rewriting one at a truncation costs little. */
export const batchBytesMax = 256 * 1024

export interface EncodedBatch {
  readonly first: Index
  readonly last: Index
  readonly lastTerm: Term
  readonly body: Uint8Array<ArrayBuffer>
}

export interface EncodedWork {
  readonly hardState: HardState | undefined
  readonly truncateFrom: Index
  readonly batches: ReadonlyArray<EncodedBatch>
  readonly compactTo: Index
}

export type Command =
  | { readonly op: "persist"; readonly works: ReadonlyArray<EncodedWork> }
  | {
      readonly op: "storePiece"
      readonly stage: Stage
      readonly meta: SnapshotMeta
      readonly offset: number
      readonly data: Uint8Array<ArrayBuffer>
      readonly crc: number
    }
  | { readonly op: "install"; readonly install: Install }
  | { readonly op: "adopt"; readonly meta: SnapshotMeta }
  | { readonly op: "readPiece"; readonly request: PieceRequest }
  | { readonly op: "readEntries"; readonly range: DamagedRange }
  | { readonly op: "close" }

export type Value = undefined | Uint8Array | EntriesRead

/** A reason as plain data: classes do not cross threads. */
export interface PlainReason {
  readonly _tag: LogStorageReason["_tag"]
  readonly fields: Readonly<Record<string, unknown>>
}

export type Reply = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: PlainReason }

/** Runs of entries as batches of bounded length. */
export const encodeEntries = (entries: ReadonlyArray<Entry>): ReadonlyArray<EncodedBatch> => {
  const batches: Array<EncodedBatch> = []
  let from = 0
  let bytes = 0
  for (let at = 0; at <= entries.length; at++) {
    const entry = entries[at]
    const hole = at > from && entry !== undefined && entry.index !== entries[at - 1]!.index + 1
    const full = entry !== undefined && at > from && bytes + entry.data.length > batchBytesMax
    if (at > from && (entry === undefined || hole || full)) {
      const last = entries[at - 1]!
      const body = encodeBatch(entries, from, at)
      batches.push({ first: entries[from]!.index, last: last.index, lastTerm: last.term, body })
      from = at
      bytes = 0
    }
    bytes += (entry?.data.length ?? 0) + 16
  }
  return batches
}

export const encodeWork = ({ compactTo, entries, hardState, truncateFrom }: PersistWork): EncodedWork => ({
  hardState,
  truncateFrom,
  compactTo,
  batches: encodeEntries(entries)
})

/** The piece with a copy of its bytes (the caller may reuse them) and their checksum. */
export const encodePiece = (
  stage: Stage,
  piece: { readonly meta: SnapshotMeta; readonly offset: number; readonly data: Uint8Array }
): Command & { readonly op: "storePiece" } => {
  const data = Uint8Array.from(piece.data)
  return {
    op: "storePiece",
    stage,
    meta: piece.meta,
    offset: piece.offset,
    data,
    crc: pieceCrc32(data, piece.meta.index, piece.offset)
  }
}

/** Buffers that may be moved to the worker with the command. */
export const buffersOf = (command: Command): Array<ArrayBuffer> => {
  if (command.op === "storePiece") return [command.data.buffer]
  return command.op === "persist" ? command.works.flatMap(({ batches }) => batches.map(({ body }) => body.buffer)) : []
}

export const toPlain = (reason: LogStorageReason): PlainReason => ({ _tag: reason._tag, fields: { ...reason } })

/** Only what the engine itself says crosses back; refusals are decided before. */
export const fromPlain = ({ _tag, fields }: PlainReason): LogStorageReason => {
  const detail = String(fields["detail"] ?? "")
  switch (_tag) {
    case "AlreadyOpen":
      return new AlreadyOpen({})
    case "Closed":
      return new Closed({})
    case "FormatNewer":
      return new FormatNewer({ found: Number(fields["found"]), supported: Number(fields["supported"]) })
    case "HardStateDamaged":
      return new HardStateDamaged({ detail })
    case "NotALog":
      return new NotALog({ detail })
    case "PiecesMismatch":
      return new PiecesMismatch({ index: Number(fields["index"]), detail })
    case "Refused":
      return new Refused({ rule: String(fields["rule"]), detail })
    case "IoFailed":
      return new IoFailed({ kind: fields["kind"] as IoFailed["kind"], detail })
    default:
      return new IoFailed({ kind: "write", detail: `${_tag} ${detail}` })
  }
}
