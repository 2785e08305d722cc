/** Messages, outputs and views as text for people: scenarios, traces, logs. One line each, fields in a fixed order. Pure. */
import { decodeConfiguration } from "./Configurations.ts"
import type {
  Configuration,
  Entry,
  Message,
  Output,
  PersistWork,
  RaftEvent,
  RaftView,
  ReadReady,
  Reply
} from "./Types.ts"

const printable = (bytes: Uint8Array): string => {
  const shown = bytes.subarray(0, 24)
  const text = shown.every((byte) => byte >= 32 && byte < 127)
    ? JSON.stringify(String.fromCharCode(...shown))
    : `0x${[...shown].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`
  return bytes.length > 24 ? `${text}..(${bytes.length} B)` : text
}

export const renderConfiguration = ({ learners, learnersNext, outgoing, voters }: Configuration): string =>
  `(${voters.join(" ")})` +
  (outgoing.length > 0 ? `&(${outgoing.join(" ")})` : "") +
  (learners.length > 0 ? ` learners(${learners.join(" ")})` : "") +
  (learnersNext.length > 0 ? ` next(${learnersNext.join(" ")})` : "")

export const renderEntry = (entry: Entry): string => {
  const session = entry.session > 0 ? ` s${entry.session}#${entry.sequence}` : ""
  const data =
    entry.kind === "configuration"
      ? ` ${renderConfiguration(decodeConfiguration(entry.data))}`
      : entry.data.length > 0
        ? ` ${printable(entry.data)}`
        : ""
  const kind = entry.kind === "command" ? "" : ` ${entry.kind}`
  if (entry.kind === "damaged") return `${entry.index} damaged`
  return `${entry.index}/${entry.term}${kind}${session}${data}`
}

const renderEntries = (entries: ReadonlyArray<Entry>): string =>
  entries.length > 6
    ? `[${renderEntry(entries[0] as Entry)}, .. ${entries.length - 2} more .., ${renderEntry(entries[entries.length - 1] as Entry)}]`
    : `[${entries.map(renderEntry).join(", ")}]`

/** `a->b Append term=2 ...` */
export const renderMessage = (message: Message): string => {
  const head = `${message.from}->${message.to} ${message._tag} term=${message.term}`
  const body = renderBody(message)
  return body === "" ? head : `${head} ${body}`
}

const renderBody = (m: Message): string => {
  switch (m._tag) {
    case "PreVote":
      return `last=${m.lastIndex}/${m.lastTerm}`
    case "Vote":
      return `last=${m.lastIndex}/${m.lastTerm}${m.transfer ? " transfer" : ""}`
    case "PreVoteReply":
    case "VoteReply":
      return m.granted ? "granted" : "refused"
    case "Append":
      return `prev=${m.prevIndex}/${m.prevTerm} commit=${m.commit} ${renderEntries(m.entries)}`
    case "AppendReply":
      if (m.ok) return `ok index=${m.index}`
      if (m.wantsSnapshot) return `wants a snapshot of ${m.hintIndex} or later`
      return `refused prev=${m.index} hint=${m.hintIndex}/${m.hintTerm}${m.damaged ? " damaged" : ""}`
    case "Heartbeat":
      return `commit=${m.commit} match=${m.match} last=${m.lastIndex} round=${m.round}`
    case "HeartbeatReply":
      return `round=${m.round}`
    case "SnapshotPiece":
      return `snapshot=${m.meta.index}/${m.meta.term} ${m.offset}+${m.data.length} of ${m.meta.bytes}${m.done ? " done" : ""}`
    case "SnapshotReply":
      return m.installed ? `snapshot=${m.index} installed` : `snapshot=${m.index} wants ${m.offset}`
    case "TimeoutNow":
      return ""
    case "Forward":
      return `request=${m.requestId} ${m.proposal.kind} ${printable(m.proposal.data)}`
    case "ForwardReply":
      return `request=${m.requestId} ${m.refused ?? `at ${m.index}/${m.entryTerm}`}`
    case "ReadIndex":
      return `batch=${m.batch}`
    case "ReadIndexReply":
      return `batch=${m.batch} ${m.index === 0 ? "refused" : `index=${m.index}`}`
    case "EntriesWanted":
      return `${m.fromIndex}..${m.toIndex}`
    case "EntriesFound":
      return `commit=${m.commit} ${renderEntries(m.entries)}`
  }
}

export const renderPersist = (work: PersistWork): string => {
  const parts = [`write ${work.write}:`]
  const { hardState } = work
  if (hardState !== undefined) {
    parts.push(`term=${hardState.term} vote=${hardState.vote ?? "-"} commit=${hardState.commit}`)
    if (hardState.recoverTo > 0) {
      parts.push(`recoverTo=${hardState.recoverTo === Number.MAX_SAFE_INTEGER ? "?" : hardState.recoverTo}`)
    }
  }
  if (work.truncateFrom > 0) parts.push(`truncate from ${work.truncateFrom}`)
  if (work.entries.length > 0) parts.push(`append ${renderEntries(work.entries)}`)
  if (work.compactTo > 0) parts.push(`compact to ${work.compactTo}`)
  return parts.join(" ")
}

export const renderReply = (reply: Reply): string => {
  switch (reply._tag) {
    case "Committed":
    case "Superseded":
      return `request ${reply.requestId} ${reply._tag} ${reply.index}/${reply.term}`
    case "Refused":
      return `request ${reply.requestId} Refused ${reply.reason} leader=${reply.leader ?? "-"}`
    case "Transferred":
      return `request ${reply.requestId} Transferred to ${reply.leader}`
    default:
      return `request ${reply.requestId} ${reply._tag}`
  }
}

export const renderRead = ({ index, requestId }: ReadReady): string =>
  index === undefined ? `read ${requestId} refused` : `read ${requestId} ready at ${index}`

export const renderEvent = (event: RaftEvent): string => {
  switch (event._tag) {
    case "RoleChanged":
      return `${event.role} term=${event.term} leader=${event.leader ?? "-"}`
    case "ConfigurationChanged":
      return `configuration ${event.index}: ${renderConfiguration(event.configuration)}${event.removed ? " removed" : ""}`
    case "QuorumLost":
      return `lost its quorum in term ${event.term}`
    case "DiskHung":
      return event.hung ? "disk hangs" : "disk answers again"
    case "DiskFailed":
      return `disk failed: ${event.reason}`
    case "DamageFound":
      return `damage in ${event.from}..${event.to}`
    case "DamageRepaired":
      return "damage repaired"
    case "DamageOnMajority":
      return `no peer has ${event.from}..${event.to}: a majority is damaged or away, nothing is given up`
    case "LogLost":
      return `log lost: no votes before ${event.recoverTo}`
    case "Recovered":
      return "recovered"
  }
}

/** Everything in an output, a line each, in the order of work. */
export const renderOutput = (output: Output): ReadonlyArray<string> => [
  ...output.events.map((event) => renderEvent(event)),
  ...output.messages.map((message) => `send ${renderMessage(message)}`),
  ...(output.persist === undefined ? [] : [renderPersist(output.persist)]),
  ...output.pieces.map(({ data, meta, offset }) => `piece of snapshot ${meta.index}: ${offset}+${data.length}`),
  ...(output.install === undefined
    ? []
    : [`install snapshot ${output.install.meta.index}${output.install.keepLog ? ", keep the log after it" : ""}`]),
  ...output.committed.map((entry) => `apply ${renderEntry(entry)}`),
  ...output.replies.map(renderReply),
  ...output.reads.map(renderRead),
  ...(output.snapshotWanted > 0 ? [`snapshot wanted of ${output.snapshotWanted}`] : []),
  ...output.pieceReads.map(({ meta, offset, to }) => `read snapshot ${meta.index} at ${offset} for ${to}`)
]

/** One line of where a node stands, and one for each peer of a leader. */
export const renderView = (view: RaftView): ReadonlyArray<string> => [
  `${view.id} ${view.role} term=${view.term} vote=${view.vote ?? "-"} leader=${view.leader ?? "-"} ` +
    `log=${view.firstIndex}..${view.lastIndex}/${view.lastTerm} durable=${view.durableIndex} commit=${view.commit} ` +
    `applied=${view.applied}` +
    (view.snapshot === undefined ? "" : ` snapshot=${view.snapshot.index}/${view.snapshot.term}`) +
    (view.damaged.length === 0 ? "" : ` damaged=${view.damaged.map(({ from, to }) => `${from}..${to}`).join(",")}`) +
    (view.recoverTo === 0 ? "" : ` recoverTo=${view.recoverTo === Number.MAX_SAFE_INTEGER ? "?" : view.recoverTo}`) +
    (view.diskHung ? " hung" : "") +
    (view.failed ? " failed" : "") +
    ` config=${renderConfiguration(view.configuration.configuration)}`,
  ...view.peers.map(
    (peer) =>
      `  ${peer.id} ${peer.state} match=${peer.match} next=${peer.next} inflight=${peer.inflightMessages}` +
      (peer.active ? "" : " silent")
  )
]
