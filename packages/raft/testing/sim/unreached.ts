/** Branches of the protocol core that the simulation is not expected to reach, each with why, and what reaches it instead. */
export interface Unreached {
  readonly file: string
  /** Part of the source line. */
  readonly text: string
  readonly arm?: string
  readonly reason: string
}

const hostile = "refuses bytes that no node sends; test/paper/core.test.ts cuts and flips them"
const defect = "a broken promise of the core itself"
const transport = "for callers of their own (logs, transports), not used by the simulation; test/paper/core.test.ts"

export const unreachedReasons: ReadonlyArray<Unreached> = [
  { file: "Bytes.ts", text: "", reason: hostile },
  { file: "EntryCodec.ts", text: "MalformedBytes", reason: hostile },
  { file: "EntryCodec.ts", text: "export const", arm: "function", reason: transport },
  {
    file: "EntryCodec.ts",
    text: `kind === "part"`,
    reason: "these kinds carry no session fields; entries go by another path in messages"
  },
  { file: "Codec.ts", text: "MalformedBytes", reason: hostile },
  { file: "invariant.ts", text: "", reason: defect },
  { file: "Replica.ts", text: "String(cause)", reason: "a state machine that throws something else than an Error" },
  {
    file: "Requests.ts",
    text: "s.failed",
    reason: "the driver ends with its disk and proposes nothing after it; scenario disk_failed"
  },
  {
    file: "Compaction.ts",
    text: "s.snapshot?.index ?? 0",
    reason: "the driver reports one snapshot at a time, newer than the last"
  },
  {
    file: "Replication.ts",
    text: "appendNoop(s)",
    reason:
      "a tail lost with its terms twice, the second time in the leader's own term; scenario damage_past_leader_same_term"
  },
  {
    file: "Follower.ts",
    text: "s.snapshot?.index ?? 0",
    reason: "asked where a snapshot or its place in the log is known; the other side is the first life of a node"
  },
  {
    file: "Repair.ts",
    text: "hole.to === bottom - 1",
    reason: "an answer that would cross the end of an own hole whose entry is back in memory; test/paper/repair.test.ts"
  },
  {
    file: "Replication.ts",
    text: "message.index > s.log.lastIndex",
    reason: "an acknowledgement of this term for more than the leader has: only after its own disk went back"
  },
  { file: "Render.ts", text: "", reason: "text for people; scenarios print all of it" }
]
