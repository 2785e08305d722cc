/**
 * One node of the protocol: inputs in, work out. See `Surface.ts` for what callers may rely on, `Output.ts` for the order
 * of work, docs/RAFT.md for the protocol as built.
 *
 * A mutable object over one `State`; the rules stand in the modules beside it. Pure: no I/O, clock, randomness, logger.
 */
import { compactLog, snapshotDue, snapshotFailed, snapshotMade, wantSnapshot } from "./Compaction.ts"
import { countOwnLog } from "./Commit.ts"
import { closeHeld, dropHeld, hasPersistWork, persisted, takePersistWork } from "./Disk.ts"
import { campaign, leaderHeard, countOwnVote } from "./Election.ts"
import { closeAck } from "./Follower.ts"
import { invariant } from "./invariant.ts"
import { leaseStands } from "./Lease.ts"
import { entryBytes, TERM_UNKNOWN } from "./Log.ts"
import { changeMembership } from "./Membership.ts"
import { closeReads, failReads, read, readsWaiting, serveReads } from "./ReadIndex.ts"
import { receive } from "./Receive.ts"
import { damageFound } from "./Repair.ts"
import { replicateAll } from "./Replication.ts"
import { failRequests, propose, settleRequests } from "./Requests.ts"
import { restore } from "./Restore.ts"
import { installFailed, snapshotInstalled } from "./SnapshotReceive.ts"
import { pieceRead } from "./SnapshotSend.ts"
import { isActive, waitingRequests, type State } from "./State.ts"
import { tick } from "./Timers.ts"
import { stepAside, transferLeadership } from "./Transfer.ts"
import type {
  ConfigurationAt,
  Entry,
  Index,
  Input,
  NodeId,
  Output,
  RaftCore,
  RaftOptions,
  RaftView,
  Restored,
  Role,
  Term
} from "./Types.ts"

export class Raft implements RaftCore {
  private readonly state: State

  constructor(options: RaftOptions, restored: Restored) {
    this.state = restore(options, restored)
  }

  step(input: Input): void {
    const s = this.state
    switch (input._tag) {
      case "Receive":
        return receive(s, input.message)
      case "Propose":
        return propose(s, input.requestId, input.proposal)
      case "Persisted":
        persisted(s, input.write)
        countOwnVote(s)
        return countOwnLog(s)
      case "Clock":
        return setClock(s, input.now)
      case "Tick":
        setClock(s, input.now)
        return s.failed ? undefined : tick(s)
      case "Read":
        return read(s, input)
      default:
        return stepRare(s, input)
    }
  }

  hasWork(): boolean {
    const s = this.state
    return (
      !s.messages.isEmpty ||
      s.ack !== undefined ||
      (s.replicate && s.role === "leader") ||
      (hasPersistWork(s) && !s.failed) ||
      hasCommitted(s) ||
      !s.newForHard.isEmpty ||
      !s.newForLog.isEmpty ||
      !s.replies.isEmpty ||
      !s.reads.isEmpty ||
      !s.events.isEmpty ||
      s.batchNew.length > 0 ||
      (s.newReads.length > 0 && s.role === "leader" && s.commit >= s.termStart) ||
      !s.pieces.isEmpty ||
      s.install !== undefined ||
      !s.pieceReads.isEmpty ||
      snapshotDue(s) ||
      (s.readsAt.length > 0 && s.readsAt.some((one) => one.index <= s.applied))
    )
  }

  ready(): Output {
    const s = this.state
    if (s.role === "leader") {
      closeReads(s)
      if (s.replicate) replicateAll(s)
    } else closeReads(s)
    const persist = s.failed ? undefined : takePersistWork(s)
    closeHeld(s)
    closeAck(s)
    const committed = handOut(s)
    serveReads(s)
    const snapshotWanted = wantSnapshot(s)
    const { install } = s
    s.install = undefined
    return {
      messages: s.messages.take(),
      persist,
      committed,
      replies: s.replies.take(),
      reads: s.reads.take(),
      pieces: s.pieces.take(),
      install,
      snapshotWanted,
      pieceReads: s.pieceReads.take(),
      events: s.events.take()
    }
  }

  get id(): NodeId {
    return this.state.id
  }
  get term(): Term {
    return this.state.term
  }
  get role(): Role {
    return this.state.role
  }
  get leader(): NodeId | undefined {
    return this.state.leader
  }
  get vote(): NodeId | undefined {
    return this.state.vote
  }
  get commit(): Index {
    return this.state.commit
  }
  get applied(): Index {
    return this.state.applied
  }
  get lastIndex(): Index {
    return this.state.log.lastIndex
  }
  get durableIndex(): Index {
    return this.state.durable
  }
  get firstIndex(): Index {
    return this.state.log.base + 1
  }
  get recoverTo(): Index {
    return this.state.recoverTo
  }
  get snapshotIndex(): Index {
    return this.state.snapshot?.index ?? 0
  }
  get configuration(): ConfigurationAt {
    return this.state.configurations.inForce
  }
  get leaseStands(): boolean {
    return leaseStands(this.state)
  }

  get contactAt(): number {
    return this.state.contactAt
  }

  entries(from: Index, to: Index): ReadonlyArray<Entry> {
    return this.state.log.range(from, to)
  }

  entry(index: Index): Entry | undefined {
    return this.state.log.get(index)
  }

  termOf(index: Index): Term | undefined {
    const term = this.state.log.termAt(index)
    return term === TERM_UNKNOWN ? undefined : term
  }

  snapshot(): RaftView {
    const s = this.state
    return {
      id: s.id,
      role: s.role,
      term: s.term,
      vote: s.vote,
      leader: s.leader,
      commit: s.commit,
      applied: s.applied,
      firstIndex: s.log.base + 1,
      lastIndex: s.log.lastIndex,
      lastTerm: s.log.lastTerm,
      durableIndex: s.durable,
      recoverTo: s.recoverTo,
      snapshot: s.snapshot,
      damaged: s.holes.map(({ from, to }) => ({ from, to })),
      configuration: s.configurations.inForce,
      configurations: [...s.configurations.all],
      installing: s.installing?.meta.index ?? 0,
      diskHung: s.diskHung,
      failed: s.failed,
      peers: s.peers.map((peer) => ({
        id: peer.id,
        state: peer.state,
        match: peer.match,
        next: peer.next,
        inflightMessages: peer.inflightMessages,
        inflightBytes: peer.inflightBytes,
        active: isActive(s, peer)
      })),
      requestsWaiting: waitingRequests(s),
      readsWaiting: readsWaiting(s),
      transferTo: s.transfer?.to,
      logBytes: s.log.bytes
    }
  }
}

const stepRare = (s: State, input: Input): void => {
  switch (input._tag) {
    case "Transfer":
      return transferLeadership(s, input)
    case "ChangeMembership":
      return changeMembership(s, input)
    case "Campaign":
      // Its own vote would break the promise that the lease of a leader it has just heard rests on (thesis 6.4.1).
      return s.role === "leader" || (s.leaseTicks > 0 && leaderHeard(s)) ? undefined : campaign(s)
    case "SnapshotMade":
      return snapshotMade(s, input.index, input.bytes)
    case "SnapshotFailed":
      return snapshotFailed(s)
    case "SnapshotInstalled":
      return snapshotInstalled(s, input.index)
    case "InstallFailed":
      return installFailed(s, input.index)
    case "PieceRead":
      return pieceRead(s, input)
    case "Compact":
      s.compactAsked = true
      return compactLog(s)
    case "DamageFound":
      return damageFound(s, input.from, input.to)
    case "DiskFailed":
      return diskFailed(s, input.reason)
    case "Unreachable":
      return unreachable(s, input.peer)
  }
}

const setClock = (s: State, now: number): void => {
  invariant(now >= s.now, "the clock never falls", () => `${s.now} -> ${now}`)
  s.now = now
}

/** After a failed write or sync nothing that this disk says can be believed: the node hands over and is silent. */
const diskFailed = (s: State, reason: string): void => {
  if (s.role === "leader") stepAside(s)
  failReads(s)
  failRequests(s)
  s.failed = true
  dropHeld(s)
  s.events.push({ _tag: "DiskFailed", reason })
}

/** What was on the way to the peer may be lost: find out where the logs meet before sending ahead again. */
const unreachable = (s: State, id: NodeId): void => {
  const peer = s.progress.get(id)
  if (peer !== undefined && peer !== s.self && peer.state === "replicate") peer.becomeProbe(peer.match + 1)
}

const hasCommitted = (s: State): boolean =>
  s.applied < s.commit && !s.needsSnapshot && s.installing === undefined && s.log.get(s.applied + 1)?.kind !== "damaged"

/** Hands out committed entries, a bounded number a turn, and the answers that go with them. */
const handOut = (s: State): ReadonlyArray<Entry> => {
  if (!hasCommitted(s)) return nothing
  const { log } = s
  const { applyBytesMax, applyEntriesMax } = s.limits
  const from = s.applied + 1
  const most = Math.min(s.commit, s.applied + applyEntriesMax)
  let bytes = 0
  while (s.applied < most) {
    const entry = log.at(s.applied + 1)
    if (entry.kind === "damaged") break
    const size = entryBytes(entry)
    if (bytes > 0 && bytes + size > applyBytesMax) break
    bytes += size
    s.applied = entry.index
    if (s.requests.length > 0) settleRequests(s, entry.index, entry.term)
  }
  s.bytesSinceSnapshot += bytes
  return log.range(from, s.applied)
}

const nothing: ReadonlyArray<Entry> = []
