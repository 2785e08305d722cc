/** Thesis (Ongaro 2014), chapter 3 beyond figure 2, and chapters 9.6 and 10.2 where they belong to elections and replication. */
import { assert, describe, it } from "@effect/vitest"
import { append, command, heartbeat, preVote, Server, vote } from "./kit.ts"

describe("thesis 3.6: safety", () => {
  it("Log Matching: the leader's message fits only behind an entry of the same index and term", () => {
    const a = new Server({ log: [1, 2, 3] })
    a.receive(append(4, 3, 3, [command(4, 4)]))
    assert.deepStrictEqual(a.terms, [1, 2, 3, 4])
    const b = new Server({ log: [1, 2, 2] })
    b.receive(append(4, 3, 3, [command(4, 4)]))
    assert.deepStrictEqual(b.terms, [1, 2, 2])
  })

  it("State Machine Safety: a committed entry is never truncated; a message that asks for it ends the node", () => {
    const a = new Server({ log: [1, 2, 2], commit: 3 })
    assert.throws(() => a.receive(append(5, 1, 1, [command(2, 5)])), /committed entry is never truncated/)
  })

  it("terms never fall along a log", () => {
    const a = new Server({ log: [1, 5] })
    assert.throws(() => a.receive(append(6, 2, 5, [command(3, 4)])), /terms never fall/)
  })
})

describe("thesis 3.8: persisted state and restarts", () => {
  it("the commit index may start from anything known to be committed", () => {
    const a = new Server({ log: [1, 2, 2], commit: 2 })
    assert.deepStrictEqual(
      a.applied.map(({ index }) => index),
      [1, 2]
    )
  })

  it("an acknowledgement of an older term is not given after the term has changed", () => {
    const a = new Server({ log: [1] })
    a.disk = "hold"
    a.receive(append(2, 1, 1, [command(2, 2)]))
    a.receive(append(3, 1, 1, [], 0, "c"))
    a.persistAll()
    assert.deepStrictEqual(
      a.take().map(({ term, to }) => [to, term]),
      [["c", 3]]
    )
  })
})

describe("thesis 3.10: leadership transfer", () => {
  const transfer = (a: Server, to: string) => a.step({ _tag: "Transfer", requestId: 99, to })

  it("1. the prior leader stops accepting new requests", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    transfer(a, "b")
    a.propose("x", 5)
    assert.deepInclude(a.replies[a.replies.length - 1], { _tag: "Refused", reason: "Transferring", requestId: 5 })
  })

  it("2. it updates the target's log first, 3. then sends TimeoutNow", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.propose()
    a.take()
    transfer(a, "b")
    assert.strictEqual(a.takeOf("TimeoutNow").length, 0)
    a.ack("c", 3)
    assert.strictEqual(a.takeOf("TimeoutNow").length, 0)
    a.ack("b", 3)
    assert.deepInclude(a.takeOf("TimeoutNow")[0], { to: "b" })
  })

  it("the target campaigns at once, without waiting or asking", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    const sent = a.receive({ _tag: "TimeoutNow", from: "b", to: "a", term: 2 })
    assert.deepStrictEqual(
      sent.map(({ _tag, term }) => `${_tag} ${term}`),
      ["Vote 3", "Vote 3"]
    )
  })

  it("voters accept it past their promise to the old leader, and only it (4.2.3)", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    assert.deepStrictEqual(a.receive(vote(3, 1, 1, "c")), [], "no answer, no new term")
    assert.strictEqual(a.raft.term, 2)
    assert.deepInclude(a.receive(vote(3, 1, 1, "c", true))[0], { _tag: "VoteReply", granted: true, term: 3 })
  })

  it("a TimeoutNow of another term is ignored", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    a.receive({ _tag: "TimeoutNow", from: "b", to: "a", term: 1 })
    assert.strictEqual(a.raft.role, "follower")
  })

  it("given up after about an election timeout: the leader resumes", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    transfer(a, "b")
    for (let i = 0; i < 10; i++) a.tick().heartbeatReply("b", 0).heartbeatReply("c", 0)
    assert.deepInclude(a.replies[a.replies.length - 1], { _tag: "TransferTimedOut", requestId: 99 })
    a.propose("x", 5)
    assert.isAbove(a.takeOf("Append").length, 0)
  })
})

describe("thesis 9.6: pre-vote", () => {
  it("a server raises its term only after a majority would vote for it", () => {
    const a = new Server({ log: [1], voters: ["a", "b", "c", "d", "e"] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    assert.deepStrictEqual([a.raft.term, a.raft.role], [1, "preCandidate"])
    a.receive({ _tag: "PreVoteReply", from: "c", to: "a", term: 2, granted: true })
    assert.deepStrictEqual([a.raft.term, a.raft.role], [2, "candidate"])
  })

  it("it changes nothing at the servers asked: neither term nor vote nor timeout", () => {
    const a = new Server({ log: [1] })
    a.tick(5)
    const works = a.works.length
    assert.deepInclude(a.receive(preVote(2, 1, 1))[0], { _tag: "PreVoteReply", term: 2, granted: true })
    assert.deepStrictEqual([a.raft.term, a.raft.vote, a.works.length], [1, undefined, works])
    assert.deepInclude(a.receive(preVote(2, 1, 1, "c"))[0], { granted: true }, "not a vote: given to both")
  })

  it("refused while a leader is heard, by followers and by the leader", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    assert.deepInclude(a.receive(preVote(3, 9, 2, "c"))[0], { granted: false })
    a.wait(10)
    assert.deepInclude(a.receive(preVote(3, 9, 2, "c"))[0], { granted: true })
    const leader = new Server({ log: [1] }).lead("b")
    assert.deepInclude(leader.receive(preVote(9, 9, 9, "c"))[0], { granted: false })
  })

  it("a refusal with a higher term is news, and makes a follower", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 6, granted: false })
    assert.deepStrictEqual([a.raft.term, a.raft.role], [6, "follower"])
  })

  it("a grant for an older question does not count", () => {
    const a = new Server({ log: [1], term: 4 })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 4, granted: true })
    assert.strictEqual(a.raft.role, "preCandidate")
  })
})

describe("thesis 10.2.1: writing to the leader's disk in parallel", () => {
  it("appends leave before the leader's own disk is done", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.disk = "hold"
    a.propose()
    assert.strictEqual(a.takeOf("Append").length, 2)
  })

  it("the leader may commit an entry before it is durable at itself", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.disk = "hold"
    a.propose()
    a.ack("b", 3)
    assert.strictEqual(a.raft.commit, 2, "one of three has it")
    a.ack("c", 3)
    assert.strictEqual(a.raft.commit, 3)
  })

  it("its own entry counts when it is durable", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.disk = "hold"
    a.propose()
    a.ack("b", 3)
    a.persistAll()
    assert.strictEqual(a.raft.commit, 3)
  })
})

describe("thesis 10.2.2: batching and pipelining", () => {
  it("the next append leaves before the answer to the last one", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.propose().propose()
    assert.deepStrictEqual(
      a.takeOf("Append").map(({ prevIndex, to }) => [to, prevIndex]),
      [
        ["b", 2],
        ["c", 2],
        ["b", 3],
        ["c", 3]
      ]
    )
  })

  it("a lost append is noticed by the refusal of the next one, and the leader goes back", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.propose().propose()
    a.take()
    a.refuse("b", 3, 2, 2)
    assert.deepStrictEqual(
      a.takeOf("Append").map(({ entries, prevIndex }) => [prevIndex, entries.length]),
      [[2, 2]]
    )
  })

  it("probing sends one append at a time", () => {
    const a = new Server({ log: [1] }).lead("b")
    a.propose().propose().propose()
    assert.strictEqual(a.takeOf("Append").length, 0, "the first append of the term is still out")
  })
})
