/** Bytes of log entries, snapshot descriptions and proposals; see `Codec.ts`. Pure. */
import { MalformedBytes, Reader, Writer } from "./Bytes.ts"
import { decodeConfiguration, encodeConfiguration } from "./Configurations.ts"
import type { Configuration, Entry, EntryKind, Proposal, SnapshotMeta } from "./Types.ts"

/** Position = number in the bytes. */
const KINDS: ReadonlyArray<EntryKind> = [
  "command",
  "part",
  "noop",
  "configuration",
  "version",
  "openSession",
  "closeSession",
  "expireSessions"
]

export const pick = <T>(list: ReadonlyArray<T>, number: number, what: string): T => {
  const item = list[number]
  if (item === undefined) throw new MalformedBytes(`${what} of number ${number}`, 0)
  return item
}

export const writeEntry = (writer: Writer, entry: Entry): void => {
  writer.byte(KINDS.indexOf(entry.kind))
  writer.uint(entry.index)
  writer.uint(entry.term)
  writer.uint(entry.session)
  writer.uint(entry.sequence)
  writer.uint(entry.resolved)
  writer.blob(entry.data)
}

export const readEntry = (reader: Reader): Entry => {
  const kind = pick(KINDS, reader.byte(), "an entry kind")
  const index = reader.uint()
  const term = reader.uint()
  const session = reader.uint()
  const sequence = reader.uint()
  const resolved = reader.uint()
  return { index, term, kind, session, sequence, resolved, data: reader.blob() }
}

export const encodeEntry = (entry: Entry): Uint8Array => {
  const writer = new Writer(entry.data.length + 48)
  writeEntry(writer, entry)
  return writer.done()
}

/** The entry shares the memory of `bytes`. Throws `MalformedBytes`. */
export const decodeEntry = (bytes: Uint8Array): Entry => {
  const reader = new Reader(bytes)
  const entry = readEntry(reader)
  reader.end()
  return entry
}

export const writeEntries = (writer: Writer, entries: ReadonlyArray<Entry>): void => {
  writer.uint(entries.length)
  for (const entry of entries) writeEntry(writer, entry)
}

export const readEntries = (reader: Reader): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  for (let count = reader.uint(); count > 0; count--) entries.push(readEntry(reader))
  return entries
}

export const writeMeta = (writer: Writer, meta: SnapshotMeta): void => {
  writer.uint(meta.index)
  writer.uint(meta.term)
  writer.blob(encodeConfiguration(meta.configuration))
  writer.uint(meta.configurationIndex)
  writer.uint(meta.bytes)
}

const readConfiguration = (bytes: Uint8Array): Configuration => {
  try {
    return decodeConfiguration(bytes)
  } catch {
    throw new MalformedBytes("a configuration", 0)
  }
}

export const readMeta = (reader: Reader): SnapshotMeta => {
  const index = reader.uint()
  const term = reader.uint()
  const configuration = readConfiguration(reader.blob())
  const configurationIndex = reader.uint()
  return { index, term, configuration, configurationIndex, bytes: reader.uint() }
}

export const encodeSnapshotMeta = (meta: SnapshotMeta): Uint8Array => {
  const writer = new Writer(256)
  writeMeta(writer, meta)
  return writer.done()
}

export const decodeSnapshotMeta = (bytes: Uint8Array): SnapshotMeta => {
  const reader = new Reader(bytes)
  const meta = readMeta(reader)
  reader.end()
  return meta
}

export const writeProposal = (writer: Writer, proposal: Proposal): void => {
  writer.byte(KINDS.indexOf(proposal.kind))
  writer.uint(proposal.session)
  writer.uint(proposal.sequence)
  writer.uint(proposal.resolved)
  writer.blob(proposal.data)
}

export const readProposal = (reader: Reader): Proposal => {
  const kind = pick(KINDS, reader.byte(), "a proposal kind")
  if (kind === "part" || kind === "noop" || kind === "configuration" || kind === "damaged") {
    throw new MalformedBytes(`a proposal of kind ${kind}`, 0)
  }
  const session = reader.uint()
  const sequence = reader.uint()
  return { kind, session, sequence, resolved: reader.uint(), data: reader.blob() }
}
