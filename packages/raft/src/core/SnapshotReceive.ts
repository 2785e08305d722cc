/**
 * Receiving a log snapshot (figure 13). Pieces go to the driver in order; when the last one is there the driver installs the
 * snapshot in one durable step, and until it has said so this node appends nothing, votes for nobody and does not campaign.
 */
import { holdForHard } from "./Disk.ts"
import { newestSnapshot } from "./Follower.ts"
import { invariant } from "./invariant.ts"
import { configurationChanged } from "./Membership.ts"
import { endsInHole, firstHole, giveUpLog, installedHoles } from "./Repair.ts"
import { forgetRequests } from "./Requests.ts"
import type { State } from "./State.ts"
import type { Index, NodeId, SnapshotMeta, SnapshotPiece } from "./Types.ts"

const reply = (s: State, to: NodeId, index: Index, offset: number, installed: boolean, stamp: number): void => {
  holdForHard(s, { _tag: "SnapshotReply", from: s.id, to, term: s.term, index, offset, installed, stamp })
}

/** This node gains nothing from the snapshot: it has, readable, all that stands in it. */
const isOld = (s: State, meta: SnapshotMeta): boolean => {
  if (s.needsSnapshot) return meta.index < newestSnapshot(s)
  const hole = firstHole(s)
  return meta.index <= s.commit && (hole === undefined || hole.origin > meta.index)
}

export const receiveSnapshotPiece = (s: State, message: SnapshotPiece): void => {
  if (s.installing !== undefined) return
  const { meta } = message
  if (isOld(s, meta)) {
    s.incoming = undefined
    return reply(s, message.from, meta.index, 0, !s.needsSnapshot, message.stamp)
  }
  const same = s.incoming?.meta.index === meta.index && s.incoming.meta.term === meta.term
  if (!same || message.offset === 0) s.incoming = { meta, offset: 0 }
  const incoming = s.incoming as { meta: SnapshotMeta; offset: number }
  if (message.offset !== incoming.offset) {
    return reply(s, message.from, meta.index, incoming.offset, false, message.stamp)
  }
  s.pieces.push({ meta, offset: message.offset, data: message.data })
  incoming.offset += message.data.length
  if (!message.done) return reply(s, message.from, meta.index, incoming.offset, false, message.stamp)
  const term = s.log.termAt(meta.index)
  const inHole = endsInHole(s, meta.index)
  const keepLog = meta.index <= s.log.lastIndex && term === meta.term && !inHole
  if (inHole) giveUpLog(s)
  s.incoming = undefined
  s.installing = { meta, keepLog, from: message.from, stamp: message.stamp }
  s.install = { meta, keepLog }
}

const installingOf = ({ installing }: State, index: Index): NonNullable<State["installing"]> => {
  invariant(
    installing !== undefined && installing.meta.index === index,
    "only an install that was asked for is reported",
    () => `${index}`
  )
  return installing
}

/** The snapshot is this node's own now, on the disk and in its state machine. */
export const snapshotInstalled = (s: State, index: Index): void => {
  const installing = installingOf(s, index)
  const { keepLog, meta } = installing
  s.installing = undefined
  if (keepLog) {
    s.log.compactTo(index)
    s.log.baseTerm = meta.term
    if (s.log.lastIndex === index) s.log.lastTerm = meta.term
    s.durable = Math.max(s.durable, index)
  } else {
    s.log.reset(index, meta.term)
    s.durable = index
    s.dirtyFrom = Infinity
    for (const write of s.writes) write.lastIndex = index
  }
  s.handed = Math.max(keepLog ? s.handed : 0, index)
  installedHoles(s, index, keepLog)
  s.needsSnapshot = false
  s.configurations.install({ index: meta.configurationIndex, configuration: meta.configuration }, index, keepLog)
  configurationChanged(s)
  s.snapshot = meta
  s.bytesSinceSnapshot = 0
  s.keptBytes = 0
  // A log that was given up for its damage may have been committed beyond the snapshot: those entries are no longer here,
  // and come back from the leader before this node votes again (`recoverTo`).
  s.commit = keepLog ? Math.max(s.commit, index) : index
  s.applied = index
  s.matched = Math.max(s.matched, index)
  s.snapshotAsked = 0
  forgetRequests(s, index)
  reply(s, installing.from, index, meta.bytes, true, installing.stamp)
}

/** The bytes did not add up: nothing has changed; the sender's next piece starts the transfer again. */
export const installFailed = (s: State, index: Index): void => {
  installingOf(s, index)
  s.installing = undefined
}
