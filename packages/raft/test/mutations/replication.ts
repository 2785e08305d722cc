/** Bugs of replication, durability, commitment and requests. */
import { type Mutation, one } from "./Mutation.ts"

const follower = "src/core/Follower.ts"
const disk = "src/core/Disk.ts"
const requests = "src/core/Requests.ts"

export const replication: ReadonlyArray<Mutation> = [
  one(
    "commit-of-older-term",
    "an entry of an earlier term is committed by counting replicas",
    "paper 5.4.2, figure 8",
    "src/core/Commit.ts",
    "if (index <= s.commit || s.log.termAt(index) !== s.term) return false",
    "if (index <= s.commit) return false"
  ),
  one(
    "leader-counts-unsynced",
    "the leader counts itself by what it has written, not by what is durable",
    "thesis 10.2.1; etcd 14370 lost a write of one node on a crash",
    "src/core/Commit.ts",
    "  s.self.match = s.durable\n",
    "  s.self.match = s.log.lastIndex\n"
  ),
  one(
    "acknowledged-too-early",
    "a follower acknowledges entries before they are durable",
    "paper, figure 2; NATS 2.12.1, nats-server 7567",
    follower,
    `  holdNow(s, {\n    _tag: "AppendReply",`,
    `  s.messages.push({\n    _tag: "AppendReply",`
  ),
  one(
    "acknowledged-too-far",
    "a follower acknowledges its whole log instead of what the append has matched",
    "paper 5.3; RAFT.md pitfalls",
    follower,
    "  if (open === undefined) acknowledge(s, message, last)\n",
    "  if (open === undefined) acknowledge(s, message, log.lastIndex)\n"
  ),
  one(
    "committed-too-far",
    "a follower takes the leader's commit index for entries that it has not matched",
    "paper, figure 2, AppendEntries 5",
    follower,
    "commitTo(s, Math.min(message.commit, last))",
    "commitTo(s, Math.min(message.commit, log.lastIndex))"
  ),
  {
    id: "heartbeat-commits-too-far",
    description: "a heartbeat carries the commit index beyond what the follower has matched",
    source: "etcd-io/raft bcastHeartbeat: min(match, committed)",
    edits: [
      {
        file: "src/core/Replication.ts",
        find: "      commit: matchTerm === 0 ? 0 : Math.min(s.commit, peer.match),",
        replace: "      commit: s.commit,"
      },
      {
        file: follower,
        find: "commitTo(s, Math.min(message.commit, message.match))",
        replace: "commitTo(s, Math.min(message.commit, s.log.lastIndex))"
      }
    ]
  },
  one(
    "truncated-without-conflict",
    "an append cuts off what follows it, also where nothing conflicts",
    "paper, figure 2, AppendEntries 3; a reordered append takes back what was acknowledged",
    follower,
    "      if (own.term === entry.term) continue\n",
    "      if (own.term === entry.term && entry !== entries[entries.length - 1]) continue\n"
  ),
  one(
    "conflict-kept",
    "an entry of another term stays where the leader's should be",
    "paper, figure 2, AppendEntries 3",
    follower,
    "      if (own.term === entry.term) continue\n",
    "      if (own.term >= 0) continue\n"
  ),
  one(
    "previous-entry-unchecked",
    "an append is taken whatever stands before it",
    "paper 5.3, the consistency check",
    follower,
    "log.termAt(message.prevIndex) !== message.prevTerm) {",
    "message.prevIndex > log.lastIndex) {"
  ),
  one(
    "cut-tail-counts",
    "a write that ends late counts for a tail that was cut and written again meanwhile",
    "RAFT.md 1.1 (ABA)",
    disk,
    "  for (const write of s.writes) write.lastIndex = Math.min(write.lastIndex, from - 1)\n",
    ""
  ),
  one(
    "cut-durable-counts",
    "what was durable before a truncation still counts after it",
    "RAFT.md 1.1; thesis 3.8",
    disk,
    "  s.durable = Math.min(s.durable, from - 1)\n",
    ""
  ),
  one(
    "truncation-not-stored",
    "a truncation happens in memory alone",
    "PySyncObj 197: metadata and journal disagree after a restart",
    disk,
    "const truncateFrom = s.dirtyFrom <= s.handed ? s.dirtyFrom : 0",
    "const truncateFrom = 0"
  ),
  {
    id: "answer-by-index-alone",
    description: "a waiting request is answered by whatever was committed at its index",
    source: "RAFT.md 1.4; Redis-Raft (Jepsen 2020), aborted reads",
    edits: [
      {
        file: requests,
        find: `committedTerm === term ? "Committed" : "Superseded"`,
        replace: `committedTerm >= 0 ? "Committed" : "Superseded"`
      },
      {
        file: "src/driver/Results.ts",
        find: " || this.terms[index & this.mask] !== term",
        replace: ""
      }
    ]
  },
  one(
    "answer-to-earlier-life",
    "a reply to a request of the node's earlier life answers one of this life",
    "RAFT.md 1.4",
    requests,
    "if (message.life !== s.life || !s.forwards.delete(message.requestId)) return",
    "if (!s.forwards.delete(message.requestId)) return"
  ),
  one(
    "unknown-told-as-superseded",
    "a request that a snapshot jumped over is told to have taken no effect",
    "FoundationDB commit_unknown_result; promise 3",
    requests,
    `s.replies.push({ _tag: "Unknown", requestId: request.requestId })`,
    `s.replies.push({ _tag: "Superseded", requestId: request.requestId, index, term: 0 })`
  ),
  one(
    "timed-out-forward-refused",
    "a forwarded proposal without an answer in time is told to be refused",
    "FoundationDB commit_unknown_result",
    requests,
    `    s.forwards.delete(requestId)\n    s.replies.push({ _tag: "Unknown", requestId })`,
    `    s.forwards.delete(requestId)\n    refuse(s, requestId, "Busy")`
  ),
  one(
    "hung-leader-stays",
    "a leader whose disk hangs goes on leading",
    "hashicorp/raft 503, 612, 666; RAFT.md 1.9",
    "src/core/Timers.ts",
    `  if (hung && s.role === "leader") stepAside(s)\n`,
    `  if (hung && s.role === "leader") return\n`
  )
]
