/** Bugs between node and disk, and of the repair of damaged disks. */
import { type Mutation, one } from "./Mutation.ts"

const repair = "src/core/Repair.ts"
const driverDisk = "src/driver/Disk.ts"

export const storageAndRepair: ReadonlyArray<Mutation> = [
  {
    id: "persisted-too-early",
    description: "the driver reports a write as durable when it has only been handed over",
    source: "NATS 2.12.1 (Jepsen 2025): a reply before fsync",
    edits: [
      {
        file: driverDisk,
        find: "    const { compactTo, entries, hardState, truncateFrom, write } = work\n",
        replace:
          "    const { compactTo, entries, hardState, truncateFrom, write } = work\n    this.listener.persisted(write)\n"
      }
    ]
  },
  one(
    "failed-sync-ignored",
    "a failed sync is taken for a success",
    "fsyncgate (PostgreSQL 2018)",
    driverDisk,
    "      if (Result.isFailure(result)) this.fail(result.failure)\n      else this.listener.persisted(write)",
    "      this.listener.persisted(write)"
  ),
  {
    id: "damage-cut-off",
    description: "a log is cut at its first unreadable entry",
    source: "CTRL/PAR (Alagappan et al., FAST 2018): LogCabin, ZooKeeper lose committed entries",
    edits: [
      {
        file: "src/core/Restore.ts",
        find: "  fillLog(s, restored)\n",
        replace:
          "  const lost = restored.damaged[0]?.from ?? Infinity\n" +
          "  fillLog(s, { ...restored, entries: restored.entries.filter(({ index }) => index < lost), damaged: [], tail: undefined })\n" +
          "  if (lost !== Infinity) s.dirtyFrom = Math.max(lost, s.log.lastIndex + 1)\n"
      }
    ]
  },
  one(
    "damaged-node-campaigns",
    "a node with unreadable entries becomes a candidate",
    "CTRL/PAR: a faulty node must not lead",
    "src/core/Role.ts",
    "  mayBeNeeded(s) && canVote(s) && s.holes.length === 0 && !s.needsSnapshot",
    "  mayBeNeeded(s) && canVote(s)"
  ),
  one(
    "damaged-tail-votes",
    "a node that does not know the term of its last entry grants votes",
    "CTRL/PAR",
    "src/core/Role.ts",
    " && s.log.lastTerm >= 0",
    ""
  ),
  one(
    "damage-acknowledged",
    "a node acknowledges appends beyond an unreadable entry",
    "CTRL/PAR",
    "src/core/Follower.ts",
    "  if (hole !== undefined && message.prevIndex >= hole.from) return refuseForDamage(s, message, hole)\n",
    ""
  ),
  one(
    "hole-is-durable",
    "what is filled in the place of a lost entry counts as durable before it is written",
    "CTRL/PAR; found here by simulation, seed 2428",
    "src/core/Restore.ts",
    "(s.holes[0]?.origin ?? s.log.lastIndex + 1) - 1",
    "s.log.lastIndex"
  ),
  one(
    "repair-takes-uncommitted",
    "an unreadable entry is replaced by a peer's that nobody has committed",
    "CTRL/PAR: only committed entries are safe to take",
    repair,
    " || entry.index > message.commit) continue\n",
    ") continue\n"
  ),
  one(
    "repair-unconfirmed",
    "a mended entry counts before anything proves that it is the one that stood there",
    "CTRL/PAR",
    repair,
    "if (hole.from > hole.to && (hole.to >= s.log.lastIndex || hole.to < s.commit)) finish(s, hole)",
    "if (hole.from > hole.to) finish(s, hole)"
  ),
  {
    id: "hole-past-idle-leader",
    description: "a hole that reaches past the log of a leader with nothing to append stays open for ever",
    source: "found here by simulation, seed 41 of 5 damaged nodes",
    edits: [
      {
        file: repair,
        find: "if (hole.from > s.commit && missingTermMax(s, hole) < s.log.termAt(hole.from - 1)) cutLog(s, hole.from)",
        replace: "if (hole.from <= s.commit && missingTermMax(s, hole) < 0) cutLog(s, hole.from)"
      },
      // Where the hole cannot be cut its leader fills it; in most courses each of the two alone is enough.
      {
        file: "src/core/Replication.ts",
        find: "  if (message.hintIndex === lastIndex && message.hintTerm === lastTerm && s.transfer === undefined) appendNoop(s)\n",
        replace: ""
      }
    ]
  },
  one(
    "hole-cut-in-own-term",
    "a lost tail is cut off though it can be of the leader's own term, acknowledged to it and then lost",
    "CTRL/PAR: what was acknowledged is asked for, never truncated",
    repair,
    "missingTermMax(s, hole) < s.log.termAt(hole.from - 1)",
    "missingTermMax(s, hole) <= s.log.termAt(hole.from - 1)"
  ),
  one(
    "old-disk-unnoticed",
    "a follower whose disk went back in time is not asked to recover",
    "PEERS D3: old backup restored",
    "src/core/Follower.ts",
    "    else if (lacksMatch(s, message)) lostLog(s, message)\n",
    "    else if (message.match < 0) lostLog(s, message)\n"
  ),
  one(
    "old-tail-taken-for-match",
    "an old disk whose log is long enough is taken for what was acknowledged, whatever stands in it",
    "PEERS D3: old backup restored; found here by simulation, seed 1038 of 4 nodes",
    "src/core/Follower.ts",
    "  return matchTerm > 0 && own >= 0 && own !== matchTerm\n",
    "  return matchTerm < 0 && own < 0\n"
  ),
  one(
    "damaged-snapshot-kept",
    "a node without its snapshot goes on as if its state were empty",
    "Redis-Raft (Jepsen 2020): failover with a snapshot alone",
    "src/core/Restore.ts",
    "  s.needsSnapshot = restored.snapshotDamaged\n  s.applied = restored.snapshotDamaged ? 0 : base\n",
    "  s.applied = base\n"
  ),
  one(
    "older-snapshot-asked",
    "a node without its snapshot asks for one that its disk refuses, because it is older than the lost one",
    "found here by simulation, seed 41633",
    "src/core/Follower.ts",
    "Math.max(s.log.base, s.snapshot?.index ?? 0)",
    "s.log.base"
  ),
  one(
    "new-voter-cannot-vote",
    "a node that casts no votes yet is made a voter",
    "found here by simulation, seeds 348 and 589",
    "src/core/Membership.ts",
    `  for (const id of voters) if (castsNoVotes(s, configuration, id)) return "NotCaughtUp"\n`,
    ""
  )
]
