/** Figure 2 of the Raft paper, second half: rules for servers, by role. */
import { assert, describe, it } from "@effect/vitest"
import { append, command, heartbeat, Server, vote } from "./kit.ts"

describe("figure 2: rules for all servers", () => {
  it("if commitIndex > lastApplied: entries are applied in log order, each once (5.3)", () => {
    const a = new Server({ log: [1, 2, 2, 2] })
    a.receive(append(2, 3, 2, [], 3))
    a.receive(append(2, 4, 2, [], 4))
    assert.deepStrictEqual(
      a.applied.map(({ index }) => index),
      [1, 2, 3, 4]
    )
  })

  it("a higher term in any RPC or response makes a follower in that term (5.1)", () => {
    for (const role of ["candidate", "leader"] as const) {
      const a = new Server({ log: [1] })
      a.lead("b")
      if (role === "candidate") a.receive(append(3, 1, 1))
      a.receive({ _tag: "VoteReply", from: "c", to: "a", term: 9, granted: false })
      assert.deepStrictEqual([a.raft.role, a.raft.term, a.raft.vote], ["follower", 9, undefined])
    }
  })

  it("a higher term clears the vote", () => {
    const a = new Server({ log: [1], term: 2, vote: "b" })
    assert.deepInclude(a.receive(vote(3, 1, 1, "c"))[0], { granted: true })
  })
})

describe("figure 2: followers", () => {
  it("respond to RPCs and start no election while a leader is heard (5.2)", () => {
    const a = new Server({ log: [1] })
    for (let i = 0; i < 30; i++) {
      a.receive(heartbeat(2))
      a.tick()
    }
    assert.strictEqual(a.raft.role, "follower")
  })

  it("an election timeout without leader or granted vote makes a candidate, after a pre-vote", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    a.tick(9)
    assert.strictEqual(a.raft.role, "follower", "never before electionTicks")
    a.tick(11)
    assert.strictEqual(a.raft.role, "preCandidate", "always within twice electionTicks")
  })

  it("granting a vote restarts the timeout", () => {
    const a = new Server({ log: [1] })
    a.tick(1)
    a.receive(vote(2, 1, 1))
    a.tick(9)
    assert.strictEqual(a.raft.role, "follower")
  })

  it("election timeouts are drawn from a range, anew each time (5.2)", () => {
    const drawn = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const a = new Server({ log: [1], seed })
      a.receive(heartbeat(2))
      let ticks = 0
      while (a.raft.role === "follower") {
        a.tick()
        ticks++
      }
      drawn.add(ticks)
    }
    assert.deepStrictEqual(
      [...drawn].sort((x, y) => x - y),
      [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    )
  })
})

describe("figure 2: candidates", () => {
  it("on conversion: increment the term, vote for self, ask all other servers", () => {
    const a = new Server({ log: [1, 3] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 4, granted: true })
    assert.deepStrictEqual([a.raft.term, a.raft.vote, a.raft.role], [4, "a", "candidate"])
    a.tick(0)
    const asked = new Server({ log: [1, 3] })
    asked.step({ _tag: "Campaign" })
    const sent = asked.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 4, granted: true })
    assert.deepStrictEqual(
      sent.map((message) =>
        message._tag === "Vote" ? [message.to, message.lastIndex, message.lastTerm] : message._tag
      ),
      [
        ["b", 2, 3],
        ["c", 2, 3]
      ]
    )
  })

  it("votes from a majority: become leader; less is not enough (5.2)", () => {
    const a = new Server({ log: [1], voters: ["a", "b", "c", "d", "e"] })
    a.step({ _tag: "Campaign" })
    for (const from of ["b", "c"]) a.receive({ _tag: "PreVoteReply", from, to: "a", term: 2, granted: true })
    const reply = (from: string, granted: boolean) => a.receive({ _tag: "VoteReply", from, to: "a", term: 2, granted })
    reply("b", true)
    reply("b", true)
    assert.strictEqual(a.raft.role, "candidate", "one voter counts once")
    reply("c", false)
    reply("d", true)
    assert.strictEqual(a.raft.role, "leader")
  })

  it("a vote of a stranger counts for nothing", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    a.receive({ _tag: "VoteReply", from: "x", to: "a", term: 2, granted: true })
    assert.strictEqual(a.raft.role, "candidate")
  })

  it("AppendEntries of a new leader of the term: become follower (5.2)", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    a.receive(append(2, 1, 1, [], 0, "c"))
    assert.deepStrictEqual([a.raft.role, a.raft.term, a.raft.leader, a.raft.vote], ["follower", 2, "c", "a"])
  })

  it("an older leader is refused and changes nothing", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    a.receive(append(1, 1, 1, [], 0, "c"))
    assert.strictEqual(a.raft.role, "candidate")
  })

  it("election timeout: start a new election", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    a.tick(20)
    assert.strictEqual(a.raft.role, "preCandidate")
    assert.isAbove(a.takeOf("PreVote").length, 0)
  })

  it("a majority of refusals ends the campaign", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    for (const from of ["b", "c"]) a.receive({ _tag: "VoteReply", from, to: "a", term: 2, granted: false })
    assert.deepStrictEqual([a.raft.role, a.raft.term], ["follower", 2])
  })
})

describe("figure 2: leaders", () => {
  it("upon election: an AppendEntries to each server at once; repeat in idle periods (5.2)", () => {
    const a = new Server({ log: [1] })
    a.step({ _tag: "Campaign" })
    a.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
    const sent = a.receive({ _tag: "VoteReply", from: "b", to: "a", term: 2, granted: true })
    assert.deepStrictEqual(
      sent.map(({ _tag, to }) => `${_tag} ${to}`),
      ["Append b", "Append c"]
    )
    a.tick()
    assert.deepStrictEqual(
      a.take().map(({ _tag, to }) => `${_tag} ${to}`),
      ["Heartbeat b", "Heartbeat c"]
    )
  })

  it("a command is appended and answered after it is applied (5.3)", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    a.propose("x", 77)
    assert.deepStrictEqual(a.replies, [])
    a.ack("b", a.raft.lastIndex)
    assert.deepStrictEqual(a.replies, [{ _tag: "Committed", requestId: 77, index: 3, term: 2 }])
    assert.strictEqual(a.applied[a.applied.length - 1]?.index, 3)
  })

  it("last log index >= nextIndex for a follower: send entries from nextIndex", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.propose()
    const sent = a.takeOf("Append")
    assert.deepStrictEqual(
      sent.map(({ entries, prevIndex, to }) => [to, prevIndex, entries.length]),
      [
        ["b", 2, 1],
        ["c", 2, 1]
      ]
    )
  })

  it("success: update nextIndex and matchIndex; they never fall by a late answer", () => {
    const a = new Server({ log: [1] }).leadCommitted("b", "c")
    a.propose().propose()
    a.ack("b", 4).ack("b", 3)
    assert.deepInclude(
      a.raft.snapshot().peers.find(({ id }) => id === "b"),
      { match: 4, next: 5 }
    )
  })

  it("failure because of log inconsistency: step nextIndex back and retry (5.3)", () => {
    const a = new Server({ log: [1, 2, 2, 5, 5, 5] }).lead("b")
    a.take()
    a.refuse("c", 6, 5, 4)
    const [retry] = a.takeOf("Append")
    assert.deepInclude(
      retry,
      { to: "c", prevIndex: 3, prevTerm: 2 },
      "past all entries of terms that the follower lacks"
    )
    assert.deepStrictEqual(
      retry?.entries.map(({ index }) => index),
      [4, 5, 6, 7]
    )
  })

  it("an entry of the current term on a majority is committed (5.3)", () => {
    const a = new Server({ log: [1], voters: ["a", "b", "c", "d", "e"] }).leadCommitted("b", "c")
    a.propose()
    a.ack("b", 3)
    assert.strictEqual(a.raft.commit, 2)
    a.ack("d", 3)
    assert.strictEqual(a.raft.commit, 3)
  })

  it("an entry of an older term is not, whatever its count; one of the own term commits it too (5.4.2, figure 8)", () => {
    const a = new Server({ log: [1, 2, 2] }).lead("b")
    a.ack("b", 3).ack("c", 3)
    assert.strictEqual(a.raft.commit, 1)
    a.ack("b", 4)
    assert.strictEqual(a.raft.commit, 4)
  })

  it("a leader never overwrites or deletes entries in its own log (figure 3, leader append-only)", () => {
    const a = new Server({ log: [1, 2, 2] }).lead("b")
    a.receive(append(2, 1, 1, [command(2, 1)], 0, "c"))
    a.refuse("b", 3, 1, 1)
    assert.deepStrictEqual(a.terms, [1, 2, 2, 3])
  })

  it("a second leader of the term is a broken promise, and the node ends (figure 3, election safety)", () => {
    const a = new Server({ log: [1] }).lead("b")
    assert.throws(() => a.receive(append(a.raft.term, 1, 1, [], 0, "c")), /one leader a term/)
  })
})
