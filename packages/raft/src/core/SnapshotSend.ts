/**
 * Sending a log snapshot to a peer that needs compacted entries (paper, section 7): piece by piece, one in flight. The
 * driver reads the bytes; an answer may come late or never.
 */
import { advanceCommit } from "./Commit.ts"
import type { Progress, SnapshotTransfer } from "./Progress.ts"
import type { State } from "./State.ts"
import type { PieceRead, SnapshotReply } from "./Types.ts"

/** Begins a transfer of the newest snapshot; if none reaches far enough, asks for one and tries again later. */
export const sendSnapshot = (s: State, peer: Progress): void => {
  const meta = s.snapshot
  if (meta === undefined || meta.index < peer.snapshotAtLeast || meta.index < s.log.base) {
    s.compactAsked = true
    return
  }
  peer.becomeSnapshot(meta, s.now)
  askPiece(s, peer.id, peer.transfer as SnapshotTransfer)
}

const askPiece = (s: State, to: string, transfer: SnapshotTransfer): void => {
  const { meta, offset } = transfer
  transfer.reading = true
  transfer.at = s.now
  const length = Math.max(0, Math.min(s.limits.snapshotPieceBytes, meta.bytes - offset))
  s.pieceReads.push({ to, meta, offset, length })
}

/** The driver has read a piece, or that snapshot is gone. */
export const pieceRead = (s: State, input: PieceRead): void => {
  const peer = s.progress.get(input.to)
  const transfer = peer?.transfer
  if (peer === undefined || transfer === undefined || !transfer.reading) return
  if (transfer.meta.index !== input.index || transfer.offset !== input.offset) return
  transfer.reading = false
  transfer.at = s.now
  if (input.data === undefined) {
    peer.becomeProbe(peer.match + 1)
    s.replicate = true
    return
  }
  const { meta, offset } = transfer
  s.messages.push({
    _tag: "SnapshotPiece",
    from: s.id,
    to: peer.id,
    term: s.term,
    meta,
    offset,
    data: input.data,
    done: offset + input.data.length >= meta.bytes,
    stamp: s.now
  })
}

export const receiveSnapshotReply = (s: State, message: SnapshotReply): void => {
  const peer = s.progress.get(message.from)
  if (peer === undefined) return
  peer.heardAt = s.now
  peer.stamp = Math.max(peer.stamp, message.stamp)
  const transfer = peer.transfer
  if (transfer === undefined || transfer.meta.index !== message.index) return
  s.replicate = true
  if (message.installed) {
    peer.snapshotAtLeast = 0
    const news = peer.acknowledge(message.index)
    peer.becomeProbe(peer.match + 1)
    if (news) advanceCommit(s)
  } else if (message.offset !== transfer.offset && !transfer.reading) {
    transfer.offset = message.offset
    askPiece(s, peer.id, transfer)
  }
}

/** Sends pieces again whose answer is late. */
export const retryPieces = (s: State): void => {
  for (const peer of s.peers) {
    const { transfer } = peer
    if (transfer === undefined || transfer.reading || s.now - transfer.at < s.limits.snapshotRetryTicks) continue
    askPiece(s, peer.id, transfer)
  }
}
