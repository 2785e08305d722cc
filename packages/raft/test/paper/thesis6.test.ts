/** Thesis (Ongaro 2014), chapter 6: client interaction. Sessions are shown on `Replica`, the rest on `Raft`. */
import { assert, describe, it } from "@effect/vitest"
import { encodeNumber } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import { Replica, VersionUnsupported } from "../../src/core/Replica.ts"
import type { Entry, StateMachine } from "../../src/core/Types.ts"
import { append, command, heartbeat, Server } from "./kit.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytes = (word: string) => new TextEncoder().encode(word)

class Words implements StateMachine {
  words: Array<string> = []
  apply(data: Uint8Array): Uint8Array {
    if (text(data) === "fail") throw new Error("refused")
    this.words.push(text(data))
    return bytes(`${this.words.length}`)
  }
  snapshot(): Uint8Array {
    return bytes(this.words.join(" "))
  }
  restore(state: Uint8Array): void {
    this.words = text(state)
      .split(" ")
      .filter((word) => word !== "")
  }
}

const make = (options: ConstructorParameters<typeof Replica>[1] = {}) => {
  const machine = new Words()
  const replica = new Replica(machine, options)
  const entry = (kind: Entry["kind"], fields: Partial<Entry> = {}) =>
    replica.apply({ ...makeEntry(replica.applied + 1, 1, kind), ...fields })
  const run = (word: string, session = 0, sequence = 0, resolved = 0) =>
    entry("command", { data: bytes(word), session, sequence, resolved })
  return { machine, replica, entry, run }
}

describe("thesis 6.2: routing requests to the leader", () => {
  it("a follower passes a command on; a server without leader refuses, and says so", () => {
    const a = new Server({ log: [1] })
    a.propose("x", 1)
    assert.deepInclude(a.replies[0], { _tag: "Refused", reason: "NotLeader" })
    a.receive(heartbeat(2))
    a.propose("x", 2)
    assert.deepInclude(a.takeOf("Forward")[0], { to: "b", requestId: 2 })
  })

  it("a leader steps down if an election timeout passes without a successful round to a majority", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    a.tick(9)
    assert.strictEqual(a.raft.role, "leader")
    a.tick(1)
    assert.strictEqual(a.raft.role, "follower")
    const b = new Server({ log: [1] }).leadCommitted("b")
    for (let i = 0; i < 50; i++) b.tick().heartbeatReply("c", 0)
    assert.strictEqual(b.raft.role, "leader")
  })
})

describe("thesis 6.3: linearizable semantics by sessions", () => {
  it("a session's id is the index of the entry that opened it", () => {
    const { entry } = make()
    assert.deepStrictEqual(entry("openSession"), { _tag: "SessionOpened", session: 1 })
  })

  it("a command with a serial number that was executed: its kept response, without executing again", () => {
    const { entry, machine, run } = make()
    entry("openSession")
    const first = run("x", 1, 1)
    assert.deepInclude(first, { _tag: "Result", repeated: false })
    assert.deepStrictEqual(run("x", 1, 1), { _tag: "Result", data: bytes("1"), repeated: true })
    assert.deepStrictEqual(machine.words, ["x"])
  })

  it("several requests of a session at once, kept by their numbers, until the client has told the lowest it waits for", () => {
    const { entry, machine, run } = make()
    entry("openSession")
    run("b", 1, 2)
    run("a", 1, 1)
    assert.deepInclude(run("b", 1, 2), { repeated: true })
    run("c", 1, 3, 3)
    assert.deepStrictEqual(run("a", 1, 1), { _tag: "Forgotten" })
    assert.deepStrictEqual(machine.words, ["b", "a", "c"])
  })

  it("expiry is agreed by the log: by count, the least recently used first", () => {
    const { entry, run, replica } = make({ limits: { sessionsMax: 2 } })
    entry("openSession")
    entry("openSession")
    run("x", 1, 1)
    entry("openSession")
    assert.strictEqual(replica.sessions, 2)
    assert.deepStrictEqual(run("y", 2, 1), { _tag: "SessionUnknown", session: 2 })
    assert.deepInclude(run("y", 1, 2), { _tag: "Result" })
  })

  it("expiry is agreed by the log: by an entry that names an age", () => {
    const { entry, run } = make()
    entry("openSession")
    entry("openSession")
    run("x", 2, 1)
    assert.deepStrictEqual(entry("expireSessions", { data: encodeNumber(3) }), { _tag: "SessionsExpired", count: 1 })
    assert.deepInclude(run("y", 2, 2), { _tag: "Result" })
    assert.deepInclude(run("z", 1, 1), { _tag: "SessionUnknown" })
  })

  it("a client without a session is an error, never a new session: its command could have been executed before", () => {
    const { machine, run } = make()
    assert.deepStrictEqual(run("x", 77, 1), { _tag: "SessionUnknown", session: 77 })
    assert.deepStrictEqual(machine.words, [])
  })

  it("the session table is part of the snapshot", () => {
    const one = make()
    one.entry("openSession")
    one.run("x", 1, 1)
    one.run("fail", 1, 2)
    const { bytes: state, index } = one.replica.snapshot()
    const other = make()
    other.replica.restore(index, state)
    assert.deepStrictEqual(other.replica.snapshot(), one.replica.snapshot())
    assert.deepInclude(other.run("x", 1, 1), { _tag: "Result", repeated: true })
    assert.deepInclude(other.run("fail", 1, 2), { _tag: "Failed", repeated: true })
    assert.deepStrictEqual(other.machine.words, ["x"])
  })

  it("beyond the thesis: a command that fails is its caller's answer, kept like any other", () => {
    const { entry, run } = make()
    entry("openSession")
    assert.deepStrictEqual(run("fail", 1, 1), { _tag: "Failed", message: "refused", repeated: false })
    assert.deepStrictEqual(run("fail", 1, 1), { _tag: "Failed", message: "refused", repeated: true })
    assert.deepInclude(run("x", 1, 2), { _tag: "Result" })
  })

  it("beyond the thesis: parts stand for one command, and a run that was cut is dropped", () => {
    const { entry, machine, replica } = make()
    entry("part", { data: bytes("lo"), term: 1 })
    entry("noop", { term: 2 })
    entry("part", { data: bytes("ab"), term: 2 })
    assert.strictEqual(replica.snapshot().index, 2, "a snapshot inside a run stands before it")
    entry("part", { data: bytes("cd"), term: 2 })
    entry("command", { data: bytes("e"), term: 2 })
    assert.deepStrictEqual(machine.words, ["abcde"])
  })

  it("beyond the thesis: a version that this node lacks ends it before the entry is applied", () => {
    const { entry, replica } = make({ supports: 1 })
    assert.deepStrictEqual(entry("version", { data: encodeNumber(1) }), { _tag: "VersionSwitched", version: 1 })
    assert.throws(() => entry("version", { data: encodeNumber(2) }), VersionUnsupported)
    assert.strictEqual(replica.applied, 1)
  })
})

describe("thesis 6.4: read-only queries", () => {
  const read = (a: Server, requestId = 7, mode: "readIndex" | "lease" = "readIndex") =>
    a.step({ _tag: "Read", requestId, mode })

  it("1. a leader that has not committed an entry of its term waits until it has", () => {
    const a = new Server({ log: [1] }).lead("b")
    read(a)
    assert.strictEqual(a.takeOf("Heartbeat").length, 0)
    a.ack("b", 2)
    assert.strictEqual(a.takeOf("Heartbeat").length, 2)
    a.heartbeatReply("b", 1)
    assert.deepStrictEqual(a.reads, [{ requestId: 7, index: 2 }])
  })

  it("2., 3. it saves its commit index and exchanges a round of heartbeats with a majority", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    read(a)
    assert.deepStrictEqual(a.reads, [])
    a.heartbeatReply("b", 0)
    assert.deepStrictEqual(a.reads, [], "an answer to an older round says nothing")
    a.heartbeatReply("b", 1)
    assert.deepStrictEqual(a.reads, [{ requestId: 7, index: 2 }])
  })

  it("a round serves all reads that came before it", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    a.raft.step({ _tag: "Read", requestId: 1, mode: "readIndex" })
    a.raft.step({ _tag: "Read", requestId: 2, mode: "readIndex" })
    read(a, 3)
    assert.strictEqual(a.takeOf("Heartbeat").length, 2)
    a.heartbeatReply("b", 1)
    assert.deepStrictEqual(
      a.reads.map(({ requestId }) => requestId),
      [1, 2, 3]
    )
  })

  it("a read that comes after the round has begun needs the next one", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    read(a, 1)
    read(a, 2)
    a.heartbeatReply("b", 1)
    assert.deepStrictEqual(
      a.reads.map(({ requestId }) => requestId),
      [1]
    )
    a.heartbeatReply("b", 2)
    assert.deepStrictEqual(
      a.reads.map(({ requestId }) => requestId),
      [1, 2]
    )
  })

  it("a deposed leader refuses its waiting reads", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    read(a)
    a.receive(append(9, 1, 1, [], 0, "c"))
    assert.deepStrictEqual(a.reads, [{ requestId: 7, index: undefined }])
  })

  it("a follower asks the leader for the index and waits until it has applied that far", () => {
    const a = new Server({ log: [1] })
    a.receive(append(2, 1, 1, [command(2, 2)]))
    read(a)
    assert.deepInclude(a.takeOf("ReadIndex")[0], { to: "b", batch: 1 })
    a.receive({ _tag: "ReadIndexReply", from: "b", to: "a", term: 2, batch: 1, life: 7, index: 2 })
    assert.deepStrictEqual(a.reads, [])
    a.receive(append(2, 2, 2, [], 2))
    assert.deepStrictEqual(a.reads, [{ requestId: 7, index: 2 }])
  })

  it("a reply to an earlier life of the node is not taken for this one's", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    read(a)
    a.receive({ _tag: "ReadIndexReply", from: "b", to: "a", term: 2, batch: 1, life: 8, index: 1 })
    assert.deepStrictEqual(a.reads, [])
  })

  it("a single voter needs no round", () => {
    const a = new Server({ log: [1], voters: ["a"] })
    a.tick(20)
    read(a)
    assert.deepStrictEqual(a.reads, [{ requestId: 7, index: 2 }])
  })
})

describe("thesis 6.4.1: reads by lease", () => {
  const leased = () => new Server({ log: [1], leaseDriftBound: 0.25 }).leadCommitted("b")
  const read = (a: Server) => a.step({ _tag: "Read", requestId: 7, mode: "lease" })

  it("the lease runs from the sending of what a majority has answered, over the election timeout less drift and a tick", () => {
    // 10 / 1.25 - 1 = 7 ticks.
    const a = leased()
    assert.isTrue(a.raft.leaseStands)
    a.wait(6.9)
    assert.isTrue(a.raft.leaseStands)
    a.wait(0.1)
    assert.isFalse(a.raft.leaseStands)
  })

  it("a late answer renews it only from when its question was sent", () => {
    const a = leased()
    a.wait(9)
    a.heartbeatReply("b", 0, 16)
    assert.isTrue(a.raft.leaseStands)
    a.wait(4)
    assert.isFalse(a.raft.leaseStands, "sent at 16, 23 is the end")
  })

  it("with a standing lease a read takes no message, without one it takes a round", () => {
    const a = leased()
    read(a)
    assert.deepStrictEqual([a.reads.length, a.takeOf("Heartbeat").length], [1, 0])
    a.wait(8)
    read(a)
    assert.deepStrictEqual([a.reads.length, a.takeOf("Heartbeat").length], [1, 2])
  })

  it("no lease without a named bound on drift, and none before an entry of the term is committed", () => {
    const a = new Server({ log: [1] }).leadCommitted("b")
    assert.isFalse(a.raft.leaseStands)
    const b = new Server({ log: [1], leaseDriftBound: 0.25 }).lead("b")
    assert.isFalse(b.raft.leaseStands)
  })

  it("a transfer ends it for the rest of the term", () => {
    const a = leased()
    a.step({ _tag: "Transfer", requestId: 1, to: "b" })
    assert.isFalse(a.raft.leaseStands)
    for (let i = 0; i < 12; i++) a.tick().heartbeatReply("b", 0).heartbeatReply("c", 0)
    assert.strictEqual(a.raft.role, "leader")
    assert.isFalse(a.raft.leaseStands)
  })

  it("what it rests on: a server refuses votes for an election timeout after it heard a leader, and after a restart", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    a.wait(9.9)
    assert.deepStrictEqual(
      a.receive({ _tag: "Vote", from: "c", to: "a", term: 3, lastIndex: 9, lastTerm: 2, transfer: false }),
      []
    )
    a.wait(0.1)
    assert.deepInclude(
      a.receive({ _tag: "Vote", from: "c", to: "a", term: 3, lastIndex: 9, lastTerm: 2, transfer: false })[0],
      { granted: true }
    )
  })
})

describe("forwarded requests", () => {
  const proposal = { kind: "command", session: 0, sequence: 0, resolved: 0, data: bytes("x") } as const
  const answer = (life: number) =>
    ({
      _tag: "ForwardReply",
      from: "b",
      to: "a",
      term: 2,
      requestId: 5,
      life,
      index: 1,
      entryTerm: 1,
      refused: undefined
    }) as const

  it("a reply to a request of the node's earlier life is not taken for one of this life, whose numbers begin anew", () => {
    const a = new Server({ log: [1] })
    a.receive(heartbeat(2))
    a.step({ _tag: "Propose", requestId: 5, proposal })
    const [forward] = a.takeOf("Forward")
    assert.isDefined(forward)
    a.receive(answer(forward.life + 1))
    assert.deepStrictEqual(a.replies, [])
    a.receive(answer(forward.life))
    assert.deepStrictEqual(a.replies, [{ _tag: "Committed", requestId: 5, index: 1, term: 1 }])
  })
})
