/** Bugs of snapshots, sessions, versions and parts. */
import { type Mutation, one } from "./Mutation.ts"

const receive = "src/core/SnapshotReceive.ts"
const replica = "src/core/Replica.ts"

export const snapshotsAndSessions: ReadonlyArray<Mutation> = [
  one(
    "install-keeps-other-log",
    "a log that contradicts an installed snapshot is kept after it",
    "paper, figure 13, step 7; etcd 13766",
    receive,
    "meta.index <= s.log.lastIndex && term === meta.term && !inHole",
    "meta.index <= s.log.lastIndex && term >= 0 && !inHole"
  ),
  one(
    "install-drops-good-log",
    "an installed snapshot deletes acknowledged entries that follow it",
    "paper, figure 13, step 6",
    receive,
    "meta.index <= s.log.lastIndex && term === meta.term && !inHole",
    "meta.index < 0 && term === meta.term && !inHole"
  ),
  one(
    "old-snapshot-installed",
    "a late snapshot takes the state back",
    "etcd 17780: compaction lowers the revision after a crash",
    receive,
    "return meta.index <= s.commit && (hole",
    "return meta.index < 0 && (hole"
  ),
  one(
    "pieces-out-of-order",
    "a piece of a snapshot is taken wherever it begins",
    "Redis-Raft (Jepsen 2020), snapshot transfer",
    receive,
    "  if (message.offset !== incoming.offset) {",
    "  if (message.offset < 0) {"
  ),
  one(
    "acts-while-installing",
    "a node acknowledges entries while a snapshot is replacing its log",
    "paper, section 7",
    "src/core/Follower.ts",
    "  if (s.installing !== undefined) return\n  if (s.needsSnapshot) return refuseForSnapshot",
    "  if (s.needsSnapshot) return refuseForSnapshot"
  ),
  one(
    "duplicate-executed",
    "a command of a session that stands twice in the log is executed twice",
    "thesis 6.3",
    replica,
    "    if (known !== undefined) return this.answer(known, true)\n",
    ""
  ),
  one(
    "late-duplicate-executed",
    "a copy that comes after the client confirmed its reply is executed again",
    "thesis 6.3",
    replica,
    `    if (entry.sequence < session.resolved) return { _tag: "Forgotten" }\n`,
    ""
  ),
  one(
    "sessions-not-in-snapshot",
    "a restored snapshot has no sessions",
    "thesis 6.3: the table is part of the state",
    replica,
    "    this.table = table\n",
    "    this.table = new Map()\n"
  ),
  one(
    "results-not-in-snapshot",
    "a restored snapshot has sessions without their results",
    "thesis 6.3",
    replica,
    "      writer.uint(session.results.size)\n      for (const [sequence, kept] of session.results) {",
    "      writer.uint(0)\n      for (const [sequence, kept] of new Map<number, Kept>()) {"
  ),
  one(
    "session-order-lost",
    "a restored snapshot forgets in which order sessions were used, so another one expires",
    "thesis 6.3: expiry must be deterministic",
    replica,
    "    for (const session of this.table.values()) {\n      writer.uint(session.id)",
    "    for (const session of [...this.table.values()].sort((a, b) => a.id - b.id)) {\n      writer.uint(session.id)"
  ),
  one(
    "snapshot-inside-parts",
    "a snapshot in the middle of a long command forgets the parts that it has seen",
    "own design: entries are chunked",
    replica,
    "this.parts[0] === undefined ? this.appliedIndex : this.parts[0].index - 1",
    "this.appliedIndex"
  ),
  {
    id: "parts-of-deposed-leader",
    description: "parts that a deposed leader left are put before another command",
    source: "own design: entries are chunked",
    edits: [
      {
        file: replica,
        find: "parts[0]?.term === entry.term ? parts : []",
        replace: "parts"
      },
      // The first entry of every term is a noop, which ends a run as well: each of the two alone is enough.
      {
        file: replica,
        find: "    if (parts.length > 0) this.parts = []\n",
        replace: `    if (parts.length > 0 && entry.kind === "command") this.parts = []\n`
      }
    ]
  },
  one(
    "version-not-in-snapshot",
    "a restored snapshot forgets the code version in force",
    "rolling upgrades: hashicorp/raft-compat, Effect 6798",
    replica,
    "    this.codeVersion = version\n",
    "    this.codeVersion = 0\n"
  )
]
