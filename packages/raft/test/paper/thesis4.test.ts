/** Thesis (Ongaro 2014), chapter 4: cluster membership changes, by joint consensus alone (4.3). */
import { assert, describe, it } from "@effect/vitest"
import { decodeConfiguration, encodeConfiguration, normalConfiguration } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import { Raft } from "../../src/core/Raft.ts"
import { emptyRestored, RECOVER_UNKNOWN } from "../../src/core/Types.ts"
import { append, command, preVote, Server, vote } from "./kit.ts"

const change = (a: Server, voters: ReadonlyArray<string>, learners: ReadonlyArray<string> = [], force = true) =>
  a.step({ _tag: "ChangeMembership", requestId: 50, voters, learners, addresses: {}, force })

const configured = (index: number, term: number, voters: ReadonlyArray<string>, outgoing: ReadonlyArray<string> = []) =>
  makeEntry(index, term, "configuration", encodeConfiguration(normalConfiguration({ voters, outgoing })))

/** Leads a, b, c with more nodes as caught-up learners. */
const leadWith = (...learners: ReadonlyArray<string>): Server => {
  const a = new Server({ log: [1] }).leadCommitted("b", "c")
  change(a, ["a", "b", "c"], learners)
  for (const id of ["b", "c", ...learners]) a.ack(id, 3)
  a.take()
  a.replies.length = 0
  return a
}

const inForce = (a: Server) => {
  const { outgoing, voters } = a.raft.configuration.configuration
  return `${voters.join("")}${outgoing.length > 0 ? `&${outgoing.join("")}` : ""}`
}

describe("thesis 4.1: a configuration takes effect when it is appended", () => {
  it("at the leader, before it is committed", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["a", "b"])
    assert.strictEqual(inForce(a), "ab&abc")
    assert.isBelow(a.raft.commit, a.raft.configuration.index)
  })

  it("at a follower too", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1, [configured(2, 2, ["a", "b"], ["a", "b", "c"])]))
    assert.strictEqual(inForce(a), "ab&abc")
  })

  it("a server must fall back to the previous configuration when the entry is truncated", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1, [configured(2, 2, ["a"], ["a", "b", "c"]), configured(3, 2, ["a"])]))
    assert.strictEqual(inForce(a), "a")
    a.receive(append(3, 2, 2, [command(3, 3)], 0, "c"))
    assert.strictEqual(inForce(a), "a&abc")
    a.receive(append(4, 1, 1, [command(2, 4)], 0, "c"))
    assert.strictEqual(inForce(a), "abc")
  })

  it("servers process RequestVote of candidates outside of their configuration", () => {
    const a = new Server({ log: [1] })
    assert.deepInclude(a.receive(vote(2, 1, 1, "x"))[0], { to: "x", granted: true })
  })

  it("and AppendEntries of leaders outside of it", () => {
    const a = new Server({ log: [1] })
    assert.deepInclude(a.receive(append(2, 1, 1, [command(2, 2)], 0, "x"))[0], { ok: true, index: 2 })
  })

  it("no change before the leader has committed an entry of its term (the bug of 2015 in single-server changes)", () => {
    const a = new Server({ log: [1] }).lead("b")
    change(a, ["a", "b"])
    assert.deepInclude(a.replies[0], { _tag: "Refused", reason: "NotReady" })
  })

  it("no change while another is not finished", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["a", "b"])
    change(a, ["a", "c"])
    assert.deepInclude(a.replies[0], { reason: "ChangeInProgress" })
    a.ack("b", 3).ack("c", 3)
    assert.strictEqual(inForce(a), "ab")
    change(a, ["a", "c"])
    assert.deepInclude(a.replies[1], { reason: "ChangeInProgress" }, "the last step is not committed either")
  })
})

describe("thesis 4.2: availability", () => {
  it("4.2.1: a new voter that lacks the log is refused; as a learner it does not count in majorities", () => {
    const a = new Server({ log: [1], limits: { catchUpEntriesMax: 1 } }).leadCommitted("b", "c")
    change(a, ["a", "b", "c", "d"], [], false)
    assert.deepInclude(a.replies[0], { reason: "NotCaughtUp" })
    change(a, ["a", "b", "c"], ["d"])
    a.ack("d", 3)
    assert.strictEqual(a.raft.commit, 2, "a and the learner are no majority of three")
    a.ack("b", 3)
    assert.strictEqual(a.raft.commit, 3)
  })

  it("4.2.1: a learner never campaigns", () => {
    const a = new Server({ log: [1], voters: ["b", "c"], learners: ["a"] })
    a.tick(100)
    assert.strictEqual(a.raft.role, "follower")
    assert.deepStrictEqual(a.take(), [])
  })

  it("4.2.1: a node that once joined never begins a cluster of its own, nor does a member whose disk is used", () => {
    const bootstrap = normalConfiguration({ voters: ["a"] })
    const joining = { term: 0, vote: undefined, commit: 0, recoverTo: RECOVER_UNKNOWN }
    const a = new Raft({ id: "a", seed: 1, bootstrap }, { ...emptyRestored, hardState: joining })
    assert.deepStrictEqual([a.lastIndex, a.term, a.recoverTo], [0, 0, RECOVER_UNKNOWN])
    const fresh = new Raft({ id: "a", seed: 1, bootstrap }, emptyRestored)
    assert.deepStrictEqual([fresh.lastIndex, fresh.term, fresh.commit], [1, 1, 1])
    const used = new Raft(
      { id: "a", seed: 1, bootstrap },
      { ...emptyRestored, hardState: { ...joining, term: 3, recoverTo: 0 } }
    )
    assert.deepStrictEqual([used.lastIndex, used.term], [0, 3])
  })

  it("4.2.2: a leader that is removed leads until the new configuration is committed, not counting itself, then steps down", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["b", "c"])
    a.ack("b", 3)
    assert.strictEqual(a.raft.commit, 2, "joint: of b and c both are needed")
    a.ack("c", 3)
    assert.deepStrictEqual([inForce(a), a.raft.role], ["bc", "leader"])
    a.ack("b", 4)
    assert.deepStrictEqual([a.raft.commit, a.raft.role], [3, "leader"], "a does not count itself any more")
    a.ack("c", 4)
    assert.deepStrictEqual([a.raft.commit, a.raft.role], [4, "follower"])
  })

  it("4.2.3: a removed server cannot disturb: no vote and no new term within an election timeout of a leader", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1))
    assert.deepStrictEqual(a.receive(vote(9, 9, 9, "x")), [])
    assert.deepInclude(a.receive(preVote(9, 9, 9, "x"))[0], { granted: false })
    assert.strictEqual(a.raft.term, 2)
  })
})

describe("thesis 4.3: joint consensus", () => {
  it("log entries are replicated to all servers in both configurations", () => {
    const a = leadWith("d")
    change(a, ["a", "d"])
    a.take()
    a.propose()
    assert.deepStrictEqual(
      a
        .takeOf("Append")
        .filter(({ entries }) => entries.length > 0)
        .map(({ to }) => to)
        .sort(),
      ["b", "c", "d"]
    )
  })

  it("any server from either configuration may serve as leader: a voter of the old set alone campaigns", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1, [configured(2, 2, ["b", "c", "d"], ["a", "b", "c"])]))
    a.wait(10).step({ _tag: "Campaign" })
    assert.strictEqual(a.raft.role, "preCandidate")
  })

  it("agreement requires separate majorities from both: for commitment", () => {
    const rows: ReadonlyArray<readonly [acks: ReadonlyArray<string>, commits: boolean]> = [
      [["d", "e"], false],
      [["b", "c"], false],
      [["b", "d"], true],
      [["c", "d"], true]
    ]
    for (const [acks, commits] of rows) {
      const a = leadWith("d", "e")
      change(a, ["a", "d", "e"])
      for (const id of acks) a.ack(id, 4)
      assert.strictEqual(a.raft.commit >= 4, commits, acks.join())
    }
  })

  it("agreement requires separate majorities from both: for elections", () => {
    const rows: ReadonlyArray<readonly [votes: ReadonlyArray<string>, wins: boolean]> = [
      [["d", "e"], false],
      [["b", "c"], false],
      [["b", "d"], true]
    ]
    for (const [votes, wins] of rows) {
      const a = new Server({ log: [1] })
      a.receive(append(2, 1, 1, [configured(2, 2, ["a", "d", "e"], ["a", "b", "c"])]))
      a.wait(10).step({ _tag: "Campaign" })
      for (const from of votes) a.receive({ _tag: "PreVoteReply", from, to: "a", term: 3, granted: true })
      assert.strictEqual(a.raft.role, wins ? "candidate" : "preCandidate", votes.join())
      if (!wins) continue
      for (const from of votes) a.receive({ _tag: "VoteReply", from, to: "a", term: 3, granted: true })
      assert.strictEqual(a.raft.role, "leader", votes.join())
    }
  })

  it("agreement requires separate majorities from both: for reads and for keeping the lead", () => {
    const a = leadWith("d", "e")
    change(a, ["a", "d", "e"])
    a.step({ _tag: "Read", requestId: 7, mode: "readIndex" })
    a.heartbeatReply("d", 1).heartbeatReply("e", 1)
    assert.deepStrictEqual(a.reads, [])
    a.heartbeatReply("b", 1)
    assert.deepStrictEqual(
      a.reads.map(({ requestId }) => requestId),
      [7]
    )
    for (let i = 0; i < 12; i++) a.tick().heartbeatReply("d", 1).heartbeatReply("e", 1)
    assert.strictEqual(a.raft.role, "follower", "no majority of the old set was heard")
  })

  it("once the joint entry is committed the leader appends the new configuration; its commitment ends the change", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["a", "b"])
    a.ack("b", 3)
    const last = a.raft.entry(4)
    assert.deepInclude(decodeConfiguration(last?.data as Uint8Array), { voters: ["a", "b"], outgoing: [] })
    assert.deepStrictEqual(a.replies, [])
    a.ack("b", 4)
    assert.deepStrictEqual(a.replies, [{ _tag: "Committed", requestId: 50, index: 4, term: 2 }])
  })

  it("a new leader that finds a joint configuration finishes it, after its first entry is committed", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1, [configured(2, 2, ["a", "b"], ["a", "b", "c"])]))
    a.wait(10).leadCommitted("b")
    assert.deepStrictEqual([inForce(a), a.raft.configuration.index], ["ab", 4])
  })

  it("arbitrary changes: the whole cluster is replaced in one", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["a", "b", "c"], ["d", "e", "f"])
    a.ack("b", 3)
    for (const id of ["d", "e", "f"]) a.ack(id, 3)
    change(a, ["d", "e", "f"])
    for (const id of ["b", "d", "e"]) a.ack(id, 4)
    assert.strictEqual(inForce(a), "def")
    for (const id of ["d", "e"]) a.ack(id, 5)
    assert.deepStrictEqual([a.raft.commit, a.raft.role], [5, "follower"])
  })

  it("learners alone need no joint step: the voters decide alike before and after", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    change(a, ["a", "b", "c"], ["d"])
    assert.strictEqual(inForce(a), "abc")
    a.ack("b", 3)
    assert.deepStrictEqual(a.replies, [{ _tag: "Committed", requestId: 50, index: 3, term: 2 }])
  })
})
