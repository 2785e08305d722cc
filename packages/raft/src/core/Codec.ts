/**
 * Bytes of entries and messages, for logs and wires. Framing, checksums and the protocol's version range are the
 * transport's and the storage's. Stable: a field or a kind is only ever added at the end, under a new number. Pure.
 */
import { Reader, Writer } from "./Bytes.ts"
import { pick, readEntries, readMeta, readProposal, writeEntries, writeMeta, writeProposal } from "./EntryCodec.ts"
import type { Message, RefusedReason } from "./Types.ts"

export { decodeEntry, decodeSnapshotMeta, encodeEntry, encodeSnapshotMeta } from "./EntryCodec.ts"

/** Position = number in the bytes. */
const TAGS: ReadonlyArray<Message["_tag"]> = [
  "PreVote",
  "PreVoteReply",
  "Vote",
  "VoteReply",
  "Append",
  "AppendReply",
  "Heartbeat",
  "HeartbeatReply",
  "SnapshotPiece",
  "SnapshotReply",
  "TimeoutNow",
  "Forward",
  "ForwardReply",
  "ReadIndex",
  "ReadIndexReply",
  "EntriesWanted",
  "EntriesFound"
]

const REASONS: ReadonlyArray<RefusedReason> = [
  "NotLeader",
  "Busy",
  "TooLarge",
  "Transferring",
  "NotReady",
  "ChangeInProgress",
  "BadConfiguration",
  "NotCaughtUp",
  "NoQuorum",
  "BadTarget",
  "VersionUnsupported",
  "Failed"
]

/** The length of a message's fixed fields is below this; `Append` adds its entries. */
const MESSAGE_SIZE_HINT = 128

export const encodeMessage = (message: Message): Uint8Array => {
  const writer = new Writer(MESSAGE_SIZE_HINT)
  writer.byte(TAGS.indexOf(message._tag))
  writer.text(message.from)
  writer.text(message.to)
  writer.uint(message.term)
  writeBody(writer, message)
  return writer.done()
}

const writeHeartbeat = (
  writer: Writer,
  { commit, lastIndex, match, matchTerm, round, stamp }: Extract<Message, { readonly _tag: "Heartbeat" }>
): void => {
  for (const value of [commit, match, matchTerm, lastIndex, round]) writer.uint(value)
  writer.float(stamp)
}

const writeBody = (writer: Writer, message: Message): void => {
  switch (message._tag) {
    case "PreVote":
      writer.uint(message.lastIndex)
      return writer.uint(message.lastTerm)
    case "Vote":
      writer.uint(message.lastIndex)
      writer.uint(message.lastTerm)
      return writer.bool(message.transfer)
    case "PreVoteReply":
    case "VoteReply":
      return writer.bool(message.granted)
    case "Append":
      writer.uint(message.prevIndex)
      writer.uint(message.prevTerm)
      writer.uint(message.commit)
      writer.float(message.stamp)
      return writeEntries(writer, message.entries)
    case "AppendReply":
      writer.bool(message.ok)
      writer.uint(message.index)
      writer.uint(message.hintIndex)
      writer.float(message.hintTerm)
      writer.bool(message.damaged)
      writer.bool(message.wantsSnapshot)
      writer.float(message.stamp)
      writer.uint(message.supports)
      return writer.bool(message.recovering)
    case "Heartbeat":
      return writeHeartbeat(writer, message)
    case "HeartbeatReply":
      writer.uint(message.round)
      writer.float(message.stamp)
      writer.uint(message.supports)
      return writer.bool(message.recovering)
    case "SnapshotPiece":
      writeMeta(writer, message.meta)
      writer.uint(message.offset)
      writer.blob(message.data)
      writer.bool(message.done)
      return writer.float(message.stamp)
    case "SnapshotReply":
      writer.uint(message.index)
      writer.uint(message.offset)
      writer.bool(message.installed)
      return writer.float(message.stamp)
    case "TimeoutNow":
      return
    case "Forward":
      writer.uint(message.requestId)
      writer.uint(message.life)
      return writeProposal(writer, message.proposal)
    case "ForwardReply":
      for (const value of [message.requestId, message.life, message.index, message.entryTerm]) writer.uint(value)
      return writer.uint(message.refused === undefined ? 0 : REASONS.indexOf(message.refused) + 1)
    case "ReadIndex":
      writer.uint(message.batch)
      return writer.uint(message.life)
    case "ReadIndexReply":
      for (const value of [message.batch, message.life, message.index]) writer.uint(value)
      return
    case "EntriesWanted":
      writer.uint(message.fromIndex)
      return writer.uint(message.toIndex)
    case "EntriesFound":
      writer.uint(message.commit)
      return writeEntries(writer, message.entries)
  }
}

/** Entries and pieces share the memory of `bytes`. Throws `MalformedBytes`. */
export const decodeMessage = (bytes: Uint8Array): Message => {
  const reader = new Reader(bytes)
  const tag = pick(TAGS, reader.byte(), "a message")
  const from = reader.text()
  const to = reader.text()
  const term = reader.uint()
  const message = readBody(reader, tag, { from, to, term })
  reader.end()
  return message
}

interface Head {
  readonly from: string
  readonly to: string
  readonly term: number
}

type Replication = "Append" | "AppendReply" | "Heartbeat" | "HeartbeatReply" | "SnapshotPiece" | "SnapshotReply"

const readBody = (reader: Reader, _tag: Message["_tag"], head: Head): Message => {
  switch (_tag) {
    case "PreVote":
      return { _tag, ...head, lastIndex: reader.uint(), lastTerm: reader.uint() }
    case "Vote":
      return { _tag, ...head, lastIndex: reader.uint(), lastTerm: reader.uint(), transfer: reader.bool() }
    case "PreVoteReply":
    case "VoteReply":
      return { _tag, ...head, granted: reader.bool() }
    case "TimeoutNow":
      return { _tag, ...head }
    case "Forward":
      return { _tag, ...head, requestId: reader.uint(), life: reader.uint(), proposal: readProposal(reader) }
    case "ForwardReply": {
      const requestId = reader.uint()
      const life = reader.uint()
      const index = reader.uint()
      const entryTerm = reader.uint()
      const reason = reader.uint()
      const refused = reason === 0 ? undefined : pick(REASONS, reason - 1, "a reason")
      return { _tag, ...head, requestId, life, index, entryTerm, refused }
    }
    case "ReadIndex":
      return { _tag, ...head, batch: reader.uint(), life: reader.uint() }
    case "ReadIndexReply":
      return { _tag, ...head, batch: reader.uint(), life: reader.uint(), index: reader.uint() }
    case "EntriesWanted":
      return { _tag, ...head, fromIndex: reader.uint(), toIndex: reader.uint() }
    case "EntriesFound": {
      const commit = reader.uint()
      return { _tag, ...head, entries: readEntries(reader), commit }
    }
    default:
      return readReplication(reader, _tag, head)
  }
}

/** Messages between a leader and its followers. */
const readReplication = (reader: Reader, _tag: Replication, head: Head): Message => {
  switch (_tag) {
    case "Append": {
      const prevIndex = reader.uint()
      const prevTerm = reader.uint()
      const commit = reader.uint()
      const stamp = reader.float()
      return { _tag, ...head, prevIndex, prevTerm, entries: readEntries(reader), commit, stamp }
    }
    case "AppendReply":
      return {
        _tag,
        ...head,
        ok: reader.bool(),
        index: reader.uint(),
        hintIndex: reader.uint(),
        hintTerm: reader.float(),
        damaged: reader.bool(),
        wantsSnapshot: reader.bool(),
        stamp: reader.float(),
        supports: reader.uint(),
        recovering: reader.bool()
      }
    case "Heartbeat": {
      const commit = reader.uint()
      const match = reader.uint()
      const matchTerm = reader.uint()
      const lastIndex = reader.uint()
      return { _tag, ...head, commit, match, matchTerm, lastIndex, round: reader.uint(), stamp: reader.float() }
    }
    case "HeartbeatReply":
      return {
        _tag,
        ...head,
        round: reader.uint(),
        stamp: reader.float(),
        supports: reader.uint(),
        recovering: reader.bool()
      }
    case "SnapshotPiece": {
      const meta = readMeta(reader)
      const offset = reader.uint()
      const data = reader.blob()
      return { _tag, ...head, meta, offset, data, done: reader.bool(), stamp: reader.float() }
    }
    case "SnapshotReply": {
      const index = reader.uint()
      const offset = reader.uint()
      return { _tag, ...head, index, offset, installed: reader.bool(), stamp: reader.float() }
    }
  }
}
