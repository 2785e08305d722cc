/** Messages and events as a person reads them in a trace. Pure. */
import type { Configuration, Message, RaftEvent } from "../../src/core/Types.ts"

const renderConfiguration = ({ learners, learnersNext, outgoing, voters }: Configuration): string => {
  const parts = [`voters ${voters}`]
  if (outgoing.length > 0) parts.push(`outgoing ${outgoing}`)
  if (learners.length > 0) parts.push(`learners ${learners}`)
  if (learnersNext.length > 0) parts.push(`learners next ${learnersNext}`)
  return parts.join(", ")
}

const fields = (message: Message): string => {
  switch (message._tag) {
    case "PreVote":
    case "Vote":
      return `last ${message.lastIndex}.${message.lastTerm}`
    case "PreVoteReply":
    case "VoteReply":
      return message.granted ? "granted" : "refused"
    case "Append": {
      const { commit, entries, prevIndex, prevTerm } = message
      const last = entries.at(-1)
      const range = last === undefined ? "none" : `${prevIndex + 1}..${last.index}.${last.term}`
      return `prev ${prevIndex}.${prevTerm}, entries ${range}, commit ${commit}`
    }
    case "AppendReply":
      return message.ok
        ? `ok ${message.index}`
        : `refused ${message.index}, hint ${message.hintIndex}.${message.hintTerm}${message.damaged ? ", damaged" : ""}${message.wantsSnapshot ? ", wants a snapshot" : ""}`
    case "Heartbeat":
      return `commit ${message.commit}, match ${message.match}, last ${message.lastIndex}, round ${message.round}`
    case "HeartbeatReply":
      return `round ${message.round}`
    case "SnapshotPiece":
      return `snapshot ${message.meta.index}.${message.meta.term}, ${message.offset}+${message.data.length} of ${message.meta.bytes}`
    case "SnapshotReply":
      return `snapshot ${message.index}, next ${message.offset}${message.installed ? ", installed" : ""}`
    case "TimeoutNow":
      return ""
    case "Forward":
      return `request ${message.requestId}, ${message.proposal.kind} ${message.proposal.session}/${message.proposal.sequence}`
    case "ForwardReply":
      return `request ${message.requestId}: ${message.refused ?? `${message.index}.${message.entryTerm}`}`
    case "ReadIndex":
      return `batch ${message.batch}`
    case "ReadIndexReply":
      return `batch ${message.batch}: ${message.index}`
    case "EntriesWanted":
      return `${message.fromIndex}..${message.toIndex}`
    case "EntriesFound":
      return `${message.entries.map(({ index }) => index)}, commit ${message.commit}`
  }
}

export const renderMessage = (message: Message): string =>
  `${message.to} ${message._tag} of term ${message.term}: ${fields(message)}`

export const renderEvent = (event: RaftEvent): string => {
  switch (event._tag) {
    case "RoleChanged":
      return `** is ${event.role} in term ${event.term}, leader ${String(event.leader)}`
    case "ConfigurationChanged":
      return `** configuration at ${event.index}: ${renderConfiguration(event.configuration)}${event.removed ? " (removed)" : ""}`
    default: {
      const { _tag, ...rest } = event
      return `** ${_tag} ${JSON.stringify(rest)}`
    }
  }
}
