/**
 * Figure 2 of the Raft paper (Ongaro and Ousterhout, 2014), a test per rule, with the properties of figure 3 that a single
 * server can show. Names are the paper's sentences, shortened; the section stands in brackets.
 */
import { assert, describe, it } from "@effect/vitest"
import { append, command, preVote, Server, vote } from "./kit.ts"

describe("figure 2: persistent state, updated on stable storage before responding to RPCs", () => {
  it("votedFor is durable before the vote is sent (5.2)", () => {
    const a = new Server({ log: [1] })
    a.disk = "hold"
    assert.deepStrictEqual(a.receive(vote(2, 1, 1)), [])
    assert.deepInclude(a.works[0]?.hardState, { term: 2, vote: "b" })
    a.persistAll()
    assert.deepInclude(a.take()[0], { _tag: "VoteReply", to: "b", term: 2, granted: true })
  })

  it("currentTerm is durable before a refusal tells it", () => {
    const a = new Server({ log: [1, 4] })
    a.disk = "hold"
    assert.deepStrictEqual(a.receive(vote(5, 1, 1)), [])
    a.persistAll()
    assert.deepInclude(a.take()[0], { _tag: "VoteReply", term: 5, granted: false })
  })

  it("log entries are durable before they are acknowledged", () => {
    const a = new Server({ log: [1] })
    a.disk = "hold"
    assert.deepStrictEqual(a.receive(append(2, 1, 1, [command(2, 2)])), [])
    a.persistAll()
    assert.deepInclude(a.take()[0], { _tag: "AppendReply", ok: true, index: 2 })
  })

  it("a candidate's own vote is durable before it asks others", () => {
    const a = new Server({ log: [1] })
    a.disk = "hold"
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    assert.strictEqual(a.raft.role, "candidate")
    assert.strictEqual(a.takeOf("Vote").length, 0)
    a.persistAll()
    assert.strictEqual(a.takeOf("Vote").length, 2)
  })

  it("a restarted server has its term, vote and log", () => {
    const { raft } = new Server({ log: [1, 2, 2], term: 7, vote: "c" })
    assert.deepStrictEqual([raft.term, raft.vote, raft.lastIndex, raft.role], [7, "c", 3, "follower"])
  })
})

describe("figure 2: RequestVote, receiver", () => {
  it("1. reply false if term < currentTerm (5.1)", () => {
    const a = new Server({ log: [1], term: 5 })
    assert.deepInclude(a.receive(vote(4, 9, 9))[0], { _tag: "VoteReply", term: 5, granted: false })
  })

  it("2. grant the vote if votedFor is null and the candidate's log is at least as up to date (5.2, 5.4)", () => {
    const a = new Server({ log: [1, 1] })
    assert.deepInclude(a.receive(vote(2, 2, 1))[0], { granted: true, term: 2 })
    assert.strictEqual(a.raft.vote, "b")
  })

  it("2. a server votes for at most one candidate in a term, first come first served (5.2)", () => {
    const a = new Server({ log: [1] })
    a.receive(vote(2, 1, 1, "b"))
    assert.deepInclude(a.receive(vote(2, 5, 1, "c"))[0], { granted: false })
    assert.deepInclude(a.receive(vote(2, 1, 1, "b"))[0], { granted: true })
  })

  it("2. not after a restart either", () => {
    const a = new Server({ log: [1], term: 2, vote: "b" })
    assert.deepInclude(a.receive(vote(2, 5, 2, "c"))[0], { granted: false })
    assert.deepInclude(a.receive(vote(2, 5, 2, "b"))[0], { granted: true })
  })

  it("up to date: the log with the later last term wins, then the longer one (5.4.1)", () => {
    const rows: ReadonlyArray<readonly [lastIndex: number, lastTerm: number, granted: boolean]> = [
      [3, 3, true],
      [2, 4, true],
      [1, 4, true],
      [4, 3, true],
      [2, 3, false],
      [9, 2, false]
    ]
    for (const [lastIndex, lastTerm, granted] of rows) {
      const a = new Server({ log: [1, 2, 3] })
      assert.deepInclude(a.receive(vote(9, lastIndex, lastTerm))[0], { granted }, `${lastIndex}/${lastTerm}`)
      const b = new Server({ log: [1, 2, 3] })
      assert.deepInclude(
        b.receive(preVote(9, lastIndex, lastTerm))[0],
        { granted },
        `pre-vote ${lastIndex}/${lastTerm}`
      )
    }
  })
})

describe("figure 2: AppendEntries, receiver", () => {
  it("1. reply false if term < currentTerm (5.1): the answer tells the term, the log is untouched", () => {
    const a = new Server({ log: [1], term: 5 })
    assert.deepInclude(a.receive(append(4, 1, 1, [command(2, 4)]))[0], { _tag: "HeartbeatReply", term: 5 })
    assert.deepStrictEqual(a.terms, [1])
    assert.strictEqual(a.raft.leader, undefined)
  })

  it("2. reply false if the log has no entry at prevLogIndex with prevLogTerm (5.3)", () => {
    const a = new Server({ log: [1, 2] })
    assert.deepInclude(a.receive(append(3, 3, 2, [command(4, 3)]))[0], { ok: false, hintIndex: 2, hintTerm: 2 })
    assert.deepInclude(a.receive(append(3, 2, 3, [command(3, 3)]))[0], { ok: false, index: 2 })
    assert.deepStrictEqual(a.terms, [1, 2])
  })

  it("3. an entry that conflicts (same index, other term) is deleted with all that follow it (5.3)", () => {
    const a = new Server({ log: [1, 2, 2, 2] })
    a.receive(append(3, 1, 1, [command(2, 3)]))
    assert.deepStrictEqual(a.terms, [1, 3])
    assert.strictEqual(a.works[a.works.length - 1]?.truncateFrom, 2)
  })

  it("3. and only then: entries beyond a matching message stay", () => {
    const a = new Server({ log: [1, 2, 2, 2] })
    a.receive(append(2, 1, 1, [command(2, 2)]))
    assert.deepStrictEqual(a.terms, [1, 2, 2, 2])
  })

  it("4. append any new entries not already in the log", () => {
    const a = new Server({ log: [1, 2] })
    assert.deepInclude(a.receive(append(2, 1, 1, [command(2, 2), command(3, 2)]))[0], { ok: true, index: 3 })
    assert.deepStrictEqual(a.terms, [1, 2, 2])
    assert.deepStrictEqual(
      a.works[a.works.length - 1]?.entries.map(({ index }) => index),
      [3]
    )
  })

  it("4. the same message twice changes nothing (5.5: RPCs are idempotent)", () => {
    const a = new Server({ log: [1] })
    const message = append(2, 1, 1, [command(2, 2)])
    a.receive(message)
    const works = a.works.length
    assert.deepInclude(a.receive(message)[0], { ok: true, index: 2 })
    assert.strictEqual(a.works.length, works)
  })

  it("5. commitIndex = min(leaderCommit, index of last new entry)", () => {
    const a = new Server({ log: [1, 2, 2, 2] })
    a.receive(append(3, 2, 2, [], 4))
    assert.strictEqual(a.raft.commit, 2, "entries that the message does not cover may conflict")
    a.receive(append(3, 3, 2, [], 9))
    assert.strictEqual(a.raft.commit, 3)
  })

  it("figure 7: a new leader makes each of the six logs its own", () => {
    const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
    const logs: ReadonlyArray<ReadonlyArray<number>> = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    ]
    const entries = leader.map((term, i) => command(i + 1, term))
    for (const log of logs) {
      const a = new Server({ log })
      // The leader steps back by the hint until the logs meet, then sends everything after, with its entry of term 8.
      let prev = leader.length
      let [reply] = a.receive(append(8, prev, leader[prev - 1] as number))
      for (let tries = 0; reply?._tag === "AppendReply" && !reply.ok; tries++) {
        assert.isBelow(tries, 5)
        prev = reply.hintIndex
        while (prev > 0 && (leader[prev - 1] as number) > reply.hintTerm) prev--
        ;[reply] = a.receive(append(8, prev, leader[prev - 1] as number))
      }
      a.receive(append(8, prev, leader[prev - 1] as number, [...entries.slice(prev), command(11, 8)], 11))
      assert.deepStrictEqual(a.terms, [...leader, 8], log.join())
      assert.strictEqual(a.raft.commit, 11)
    }
  })
})
