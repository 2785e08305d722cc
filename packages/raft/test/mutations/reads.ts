/** Bugs of linearizable reads and leases. */
import { type Mutation, one } from "./Mutation.ts"

const reads = "src/core/ReadIndex.ts"
const lease = "src/core/Lease.ts"

export const readsAndLeases: ReadonlyArray<Mutation> = [
  one(
    "read-without-round",
    "a leader answers reads without proving that it still leads",
    "thesis 6.4; etcd STM reads 11963, Redis-Raft stale reads (Jepsen 2020)",
    reads,
    `if (input.mode === "lease" && leaseStands(s)) awaitApplied`,
    `if (s.commit >= s.termStart) awaitApplied`
  ),
  one(
    "read-before-term-commit",
    "a new leader answers reads before it has committed an entry of its term",
    "thesis 6.4, step 1",
    reads,
    `if (s.role === "leader" && s.newReads.length > 0 && s.commit >= s.termStart) {`,
    `if (s.role === "leader" && s.newReads.length > 0) {`
  ),
  one(
    "read-before-apply",
    "a read is answered before its index is applied",
    "thesis 6.4, step 4",
    reads,
    "    if (one.index <= s.applied) s.reads.push",
    "    if (one.index >= 0) s.reads.push"
  ),
  one(
    "read-joins-old-round",
    "reads are proven by answers to an earlier round",
    "thesis 6.4, step 3",
    reads,
    "    s.round++\n",
    "    s.round = Math.max(s.round, 1)\n"
  ),
  one(
    "read-forgets-outgoing",
    "a read round is decided by the new voters alone while the configuration is joint",
    "RAFT.md 1.11; thesis 4.3",
    reads,
    "reachedByQuorum(s.halves, (peer: Progress) => peer.round)",
    "reachedByQuorum(s.halves.slice(0, 1), (peer: Progress) => peer.round)"
  ),
  one(
    "read-of-earlier-life",
    "an answer to a read batch of an earlier life serves one of this life",
    "RAFT.md 1.4, for reads",
    reads,
    "  if (message.life !== s.life) return\n",
    ""
  ),
  one(
    "lease-ignores-drift",
    "a lease lasts as long as the others' promise by a perfect clock",
    "thesis 6.4.1; LeaseGuard",
    "src/core/State.ts",
    "Math.max(0, this.limits.electionTicks / (1 + options.leaseDriftBound) - 1)",
    "this.limits.electionTicks + 1"
  ),
  {
    id: "lease-from-receipt",
    description: "a lease is counted from the arrival of answers, not from the sending of what they answer",
    source: "thesis 6.4.1; PEERS: lease revoked and kept (etcd 15247)",
    edits: [
      {
        file: "src/core/Replication.ts",
        find: "  peer.stamp = Math.max(peer.stamp, message.stamp)",
        replace: "  peer.stamp = s.now"
      }
    ]
  },
  one(
    "lease-survives-transfer",
    "a lease stands although leadership is being handed over",
    "thesis 6.4.1 with 3.10; etcd-io/raft: no lease reads during a transfer",
    lease,
    "|| s.leaseBroken ||",
    "||"
  ),
  one(
    "lease-before-term-commit",
    "a new leader reads by lease before it has committed an entry of its term",
    "thesis 6.4",
    lease,
    " || s.commit < s.termStart) return false",
    ") return false"
  ),
  one(
    "lease-forgets-outgoing",
    "a lease rests on the new voters alone while the configuration is joint",
    "RAFT.md 1.11",
    lease,
    "reachedByQuorum(s.halves, (",
    "reachedByQuorum(s.halves.slice(0, 1), ("
  ),
  one(
    "lease-after-pause",
    "the driver does not read the clock at the start of a turn, so a stopped process wakes up within its lease",
    "Kleppmann on Redlock; etcd 11457",
    "src/Driver.ts",
    `    this.raft.step({ _tag: "Clock", now })\n`,
    ""
  )
]
