/** Thesis (Ongaro 2014), chapter 5: log compaction, with figure 13 of the paper (InstallSnapshot). */
import { assert, describe, it } from "@effect/vitest"
import { normalConfiguration } from "../../src/core/Configurations.ts"
import type { SnapshotMeta, SnapshotPiece } from "../../src/core/Types.ts"
import { append, command, Server, vote } from "./kit.ts"

const configuration = normalConfiguration({ voters: ["a", "b", "d"] })

const meta = (index: number, term: number, bytes = 4): SnapshotMeta => ({
  index,
  term,
  configuration,
  configurationIndex: 1,
  bytes
})

const piece = (of: SnapshotMeta, offset: number, length: number, term = 3): SnapshotPiece => ({
  _tag: "SnapshotPiece",
  from: "b",
  to: "a",
  term,
  meta: of,
  offset,
  data: new Uint8Array(length),
  done: offset + length === of.bytes,
  stamp: 0
})

const compacting = { snapshotEntries: 3, keepEntries: 0 }

describe("thesis 5.1: snapshots of memory-based state machines", () => {
  it("each server compacts on its own, only what is applied (and durable) is covered", () => {
    const a = new Server({ log: [1, 1, 1, 1, 1], commit: 2, limits: compacting })
    assert.strictEqual(a.raft.snapshotIndex, 0)
    const output: Array<number> = []
    a.raft.step({ _tag: "Receive", message: append(1, 4, 1, [], 4) })
    while (a.raft.hasWork()) output.push(a.raft.ready().snapshotWanted)
    assert.deepStrictEqual(
      output.filter((index) => index > 0),
      [4]
    )
    a.step({ _tag: "SnapshotMade", index: 4, bytes: 10 })
    assert.deepStrictEqual([a.raft.snapshotIndex, a.raft.firstIndex, a.raft.lastIndex], [4, 5, 5])
    assert.deepInclude(a.works[a.works.length - 1], { compactTo: 4 })
  })

  it("it keeps the last included index and term for the consistency check of the next append", () => {
    const a = new Server({ restored: { snapshot: meta(4, 2), entries: [] }, term: 2, log: [2] })
    assert.deepInclude(a.receive(append(3, 4, 2, [command(5, 3)]))[0], { ok: true, index: 5 })
    assert.deepInclude(a.receive(append(3, 6, 3))[0], { ok: false, hintIndex: 5 })
  })

  it("and the configuration as of that index", () => {
    const a = new Server({ restored: { snapshot: meta(4, 2), entries: [] }, term: 2, log: [2] })
    assert.deepStrictEqual(a.raft.configuration.configuration.voters, ["a", "b", "d"])
  })

  it("and the up-to-date check of votes", () => {
    const a = new Server({ restored: { snapshot: meta(4, 2), entries: [] }, term: 2, log: [2] })
    assert.deepInclude(a.receive(vote(3, 3, 2))[0], { granted: false })
    assert.deepInclude(a.receive(vote(3, 4, 2))[0], { granted: true })
  })

  it("an append that reaches below the snapshot is answered as a match up to it", () => {
    const a = new Server({ restored: { snapshot: meta(4, 2), entries: [] }, term: 2, log: [2] })
    assert.deepInclude(a.receive(append(3, 1, 1, [command(2, 1), command(3, 2)]))[0], { ok: true, index: 4 })
    assert.deepInclude(a.receive(append(3, 2, 1, [command(3, 2), command(4, 2), command(5, 3)]))[0], {
      ok: true,
      index: 5
    })
    assert.strictEqual(a.raft.lastIndex, 5)
  })
})

describe("figure 13: InstallSnapshot, sender", () => {
  it("a leader that has discarded the next entry for a follower sends its snapshot", () => {
    const a = new Server({ log: [1, 1, 1, 1], commit: 4, limits: { ...compacting, snapshotPieceBytes: 4 } })
    a.step({ _tag: "SnapshotMade", index: 4, bytes: 10 })
    a.lead("b")
    a.raft.step({
      _tag: "Receive",
      message: {
        _tag: "AppendReply",
        from: "c",
        to: "a",
        term: 2,
        ok: false,
        index: 4,
        hintIndex: 1,
        hintTerm: 1,
        damaged: false,
        wantsSnapshot: false,
        stamp: 0,
        supports: 0,
        recovering: false
      }
    })
    const [wanted] = a.raft.ready().pieceReads
    assert.deepInclude(wanted, { to: "c", offset: 0, length: 4 })
    a.step({ _tag: "PieceRead", to: "c", index: 4, offset: 0, data: new Uint8Array(4) })
    assert.deepInclude(a.takeOf("SnapshotPiece")[0], { to: "c", offset: 0, done: false })
    a.propose()
    assert.deepStrictEqual(
      a.takeOf("Append").map(({ to }) => to),
      [],
      "no appends to c meanwhile; b has one out"
    )
    a.step({
      _tag: "Receive",
      message: { _tag: "SnapshotReply", from: "c", to: "a", term: 2, index: 4, offset: 10, installed: true, stamp: 0 }
    })
    assert.deepInclude(a.takeOf("Append")[0], { to: "c", prevIndex: 4 })
  })

  it("a snapshot that is gone when its piece is read: the transfer starts again with the newest", () => {
    const a = new Server({ log: [1, 1, 1, 1], commit: 4, limits: compacting })
    a.step({ _tag: "SnapshotMade", index: 4, bytes: 10 })
    a.lead("b").refuse("c", 4, 1, 1)
    a.step({ _tag: "PieceRead", to: "c", index: 4, offset: 0, data: undefined })
    assert.deepInclude(
      a.raft.snapshot().peers.find(({ id }) => id === "c"),
      { state: "snapshot" }
    )
  })
})

describe("figure 13: InstallSnapshot, receiver", () => {
  const server = () => new Server({ log: [1, 2, 2, 2], commit: 2 })
  const drain = (a: Server) => {
    const outputs = []
    while (a.raft.hasWork()) {
      const output = a.raft.ready()
      if (output.persist !== undefined) a.raft.step({ _tag: "Persisted", write: output.persist.write })
      outputs.push(output)
    }
    return outputs
  }
  const give = (a: Server, message: SnapshotPiece) => {
    a.raft.step({ _tag: "Receive", message })
    return drain(a)
  }

  it("1. reply at once if term < currentTerm", () => {
    const a = server()
    assert.deepInclude(a.receive(piece(meta(9, 2), 0, 4, 1))[0], { term: 2 })
    assert.strictEqual(a.raft.lastIndex, 4)
  })

  it("2. create a new snapshot at offset 0, 3. write data at the offset, 4. wait for more until done", () => {
    const a = server()
    const [first] = give(a, piece(meta(9, 3), 0, 2))
    assert.deepInclude(first?.pieces[0], { offset: 0 })
    assert.strictEqual(first?.install, undefined)
    const outputs = give(a, piece(meta(9, 3), 2, 2))
    assert.deepInclude(outputs[0]?.pieces[0], { offset: 2 })
    assert.deepInclude(outputs[0]?.install, { keepLog: false })
  })

  it("a piece out of order is not taken; the answer says what is wanted", () => {
    const a = server()
    give(a, piece(meta(9, 3), 0, 1))
    const outputs = give(a, piece(meta(9, 3), 2, 2))
    assert.deepStrictEqual(
      outputs.flatMap(({ pieces }) => pieces),
      []
    )
    const reply = outputs.flatMap(({ messages }) => messages)[0]
    assert.deepInclude(reply, { _tag: "SnapshotReply", offset: 1, installed: false })
  })

  it("6. an existing entry of the same index and term: keep the entries that follow", () => {
    const a = server()
    const outputs = give(a, piece(meta(3, 2), 0, 4))
    assert.deepInclude(outputs[0]?.install, { keepLog: true })
    a.step({ _tag: "SnapshotInstalled", index: 3 })
    assert.deepStrictEqual([a.raft.firstIndex, a.raft.lastIndex, a.raft.commit], [4, 4, 3])
  })

  it("7. else discard the entire log, 8. load the configuration of the snapshot", () => {
    const a = server()
    give(a, piece(meta(3, 3), 0, 4))
    a.step({ _tag: "SnapshotInstalled", index: 3 })
    assert.deepStrictEqual([a.raft.firstIndex, a.raft.lastIndex, a.raft.applied], [4, 3, 3])
    assert.deepStrictEqual(a.raft.configuration.configuration.voters, ["a", "b", "d"])
  })

  it("the answer waits until the snapshot is installed", () => {
    const a = server()
    const before = give(a, piece(meta(9, 3), 0, 4)).flatMap(({ messages }) => messages)
    assert.deepStrictEqual(before, [])
    a.step({ _tag: "SnapshotInstalled", index: 9 })
    assert.deepInclude(a.take()[0], { _tag: "SnapshotReply", index: 9, installed: true })
  })

  it("until then it appends nothing and votes for nobody", () => {
    const a = server()
    give(a, piece(meta(9, 3), 0, 4))
    assert.deepStrictEqual(a.receive(append(3, 4, 2, [command(5, 3)])), [])
    a.wait(10)
    assert.deepInclude(a.receive(vote(4, 99, 3, "c"))[0], { granted: false })
    a.step({ _tag: "Campaign" })
    assert.strictEqual(a.raft.role, "follower")
  })

  it("an old snapshot (at or below the commit index) is not installed, and answered as there", () => {
    const a = server()
    const outputs = give(a, piece(meta(2, 2), 0, 4))
    assert.deepStrictEqual(
      outputs.flatMap(({ pieces }) => pieces),
      []
    )
    assert.deepInclude(outputs.flatMap(({ messages }) => messages)[0], {
      _tag: "SnapshotReply",
      index: 2,
      installed: true
    })
  })

  it("bytes that do not add up: nothing changes, the next piece starts again", () => {
    const a = server()
    give(a, piece(meta(9, 3), 0, 4))
    a.step({ _tag: "InstallFailed", index: 9 })
    assert.strictEqual(a.raft.lastIndex, 4)
    const outputs = give(a, piece(meta(9, 3), 2, 2))
    assert.deepInclude(outputs.flatMap(({ messages }) => messages)[0], { offset: 0, installed: false })
  })
})

describe("thesis 5.1.3: when to snapshot", () => {
  it("by count and by bytes of what was applied since the last one", () => {
    const wanted = (limits: object, size: number) => {
      const a = new Server({ log: [1], limits }).leadCommitted("b", "c")
      let asked = 0
      for (let i = 0; i < 6 && asked === 0; i++) {
        const data = new Uint8Array(size)
        a.raft.step({
          _tag: "Propose",
          requestId: i,
          proposal: { kind: "command", session: 0, sequence: 0, resolved: 0, data }
        })
        a.raft.step({ _tag: "Persisted", write: a.raft.ready().persist?.write ?? 0 })
        a.raft.step({
          _tag: "Receive",
          message: {
            _tag: "AppendReply",
            from: "b",
            to: "a",
            term: 2,
            ok: true,
            index: a.raft.lastIndex,
            hintIndex: 0,
            hintTerm: 0,
            damaged: false,
            wantsSnapshot: false,
            stamp: 0,
            supports: 0,
            recovering: false
          }
        })
        asked = a.raft.ready().snapshotWanted
      }
      return asked
    }
    assert.strictEqual(wanted({ snapshotEntries: 4 }, 1), 4)
    assert.strictEqual(wanted({ snapshotEntries: 1000, snapshotBytes: 2000 }, 1000), 4)
    assert.strictEqual(wanted({ snapshotEntries: 1000 }, 1), 0)
  })

  it("entries that a live follower still needs stay, within keepEntries", () => {
    const first = (keepEntries: number) => {
      const a = new Server({ log: [1, 1, 1, 1, 1], commit: 1, limits: { snapshotEntries: 3, keepEntries } }).lead("b")
      a.ack("b", 6).ack("c", 2)
      a.step({ _tag: "SnapshotMade", index: 6, bytes: 1 })
      return a.raft.firstIndex
    }
    assert.strictEqual(first(100), 3)
    assert.strictEqual(first(2), 5)
    assert.strictEqual(first(0), 7)
  })
})
