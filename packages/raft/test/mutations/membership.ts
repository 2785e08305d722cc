/** Bugs of membership changes. */
import { type Mutation, one } from "./Mutation.ts"

const membership = "src/core/Membership.ts"
const configurations = "src/core/Configurations.ts"

export const memberships: ReadonlyArray<Mutation> = [
  {
    id: "joint-by-new-majority",
    description: "a joint configuration decides by the new voters alone",
    source: "thesis 4.3; RAFT.md 1.11",
    edits: [
      {
        file: configurations,
        find: "isJoint(configuration) ? [configuration.voters, configuration.outgoing] : [configuration.voters]",
        replace: "[configuration.voters]"
      }
    ]
  },
  {
    id: "joint-by-old-majority",
    description: "a joint configuration decides by the outgoing voters alone",
    source: "thesis 4.3",
    edits: [
      {
        file: configurations,
        find: "isJoint(configuration) ? [configuration.voters, configuration.outgoing] : [configuration.voters]",
        replace: "isJoint(configuration) ? [configuration.outgoing] : [configuration.voters]"
      }
    ]
  },
  one(
    "joint-left-early",
    "the new configuration is appended before the joint one is committed",
    "thesis 4.3; RAFT.md 1.11",
    membership,
    "  const index = adopt(s, next)\n  if (isJoint(next)) s.change = { requestId: input.requestId, index }",
    "  const index = isJoint(next) ? (adopt(s, next), adopt(s, leaveJoint(next))) : adopt(s, next)\n  if (index < 0) return"
  ),
  one(
    "no-joint-step",
    "voters are exchanged in one step, whatever the sets",
    "thesis 4.1, figure 4.2",
    membership,
    "votersStay ? target : enterJoint(current, input)",
    "target"
  ),
  one(
    "learner-counts",
    "learners count in the quorum of the new voters",
    "RAFT.md 1.11; etcd-io/raft learners",
    configurations,
    "isJoint(configuration) ? [configuration.voters, configuration.outgoing] : [configuration.voters]",
    "isJoint(configuration)\n    ? [configuration.voters, configuration.outgoing]\n    : [[...configuration.voters, ...configuration.learners]]"
  ),
  one(
    "leader-outside-counts-itself",
    "a leader that is leaving counts itself in the new majority",
    "thesis 4.2.2",
    "src/core/Role.ts",
    "half.map((id) => s.progress.get(id) as Progress))",
    "[...new Set([...half, s.id])].map((id) => s.progress.get(id) as Progress))"
  ),
  one(
    "configuration-not-undone",
    "a truncated configuration stays in force",
    "RAFT.md 1.8; PySyncObj 133: members from an old dump",
    "src/core/Follower.ts",
    "  if (s.configurations.truncateFrom(from)) configurationChanged(s)\n",
    ""
  ),
  one(
    "change-before-term-commit",
    "a new leader takes a change before it has committed an entry of its term",
    "the bug in single-server changes (Ongaro, raft-dev 2015); RAFT.md 1.7",
    membership,
    `  if (s.commit < s.termStart) return "NotReady"\n`,
    ""
  ),
  {
    id: "two-changes-at-once",
    description: "a change begins while another one is not committed",
    source: "thesis 4.1",
    edits: [
      {
        file: membership,
        find: `  if (isJoint(configuration) || index > s.commit) return "ChangeInProgress"`,
        replace: `  if (isJoint(configuration) || index < 0) return "ChangeInProgress"`
      }
    ]
  },
  one(
    "snapshot-without-members",
    "an installed snapshot does not bring its configuration",
    "thesis 5.1; PySyncObj 133",
    "src/core/SnapshotReceive.ts",
    "  s.configurations.install({ index: meta.configurationIndex, configuration: meta.configuration }, index, keepLog)\n",
    ""
  ),
  one(
    "snapshot-with-newest-members",
    "a snapshot is described by the newest configuration instead of the one at its index",
    "thesis 5.1",
    "src/core/Compaction.ts",
    "  const at = s.configurations.at(index)\n",
    "  const at = s.configurations.inForce\n"
  )
]
