/** Repair of damaged logs, beyond the paper (after CTRL/PAR, FAST'18), case by case. */
import { assert, describe, it } from "@effect/vitest"
import { encodeConfiguration, normalConfiguration } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import type { DamagedRange, Entry, Message } from "../../src/core/Types.ts"
import { log, without } from "./damage.ts"
import { append, command, heartbeat, Server, vote } from "./kit.ts"

const damaged = (terms: ReadonlyArray<number>, ranges: ReadonlyArray<DamagedRange>, commit = 1) =>
  new Server({ log: [terms[terms.length - 1] as number], restored: without(log(...terms), ranges, commit) })

const kinds = (a: Server) =>
  a.raft.entries(a.raft.firstIndex, a.raft.lastIndex).map(({ kind, term }) => (kind === "damaged" ? 0 : term))

describe("damage, with a leader", () => {
  it("an append behind the first hole is refused, whatever else matches; the hint is the entry before", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 3, to: 3 }])
    assert.deepInclude(a.receive(append(2, 5, 2))[0], { ok: false, damaged: true, hintIndex: 2, hintTerm: 2 })
    assert.deepStrictEqual(kinds(a), [1, 2, 0, 2, 2])
  })

  it("a heartbeat is answered by the damage too: the leader may have nothing to append", () => {
    const a = damaged([1, 2, 2], [{ from: 2, to: 2 }])
    assert.deepInclude(a.receive(heartbeat(2, { match: 3, lastIndex: 3 }))[0], {
      _tag: "AppendReply",
      damaged: true,
      hintIndex: 1
    })
  })

  it("an append that covers the hole and the entry after it mends: nothing is truncated, only the hole is written", () => {
    const a = damaged([1, 2, 2, 2], [{ from: 2, to: 2 }])
    const [, ...entries] = log(1, 2, 2, 2)
    assert.deepInclude(a.receive(append(2, 1, 1, entries))[0], { ok: true, index: 4 })
    assert.deepStrictEqual(
      a.works[a.works.length - 1]?.entries.map(({ index }) => index),
      [2]
    )
    assert.strictEqual(a.works[a.works.length - 1]?.truncateFrom, 0)
    assert.isTrue(a.events.some(({ _tag }) => _tag === "DamageRepaired"))
  })

  it("entry by entry: nothing is acknowledged or written before an append reaches past the hole", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    const entries = log(1, 2, 2, 2, 2)
    const works = a.works.length
    const [first] = a.receive(append(2, 1, 1, [entries[1] as Entry]))
    assert.deepInclude(first, { ok: false, damaged: true, index: 1, hintIndex: 2 })
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 3, to: 3 }])
    a.receive(append(2, 2, 2, [entries[2] as Entry]))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 4, to: 3 }], "filled, not confirmed")
    a.wait(10).step({ _tag: "Campaign" })
    assert.strictEqual(a.raft.role, "follower", "no candidate with a log that may be joined of two")
    assert.deepStrictEqual(
      a.works.slice(works).flatMap((work) => work.entries),
      [],
      "a crash here finds the hole again"
    )
    assert.deepInclude(a.receive(append(2, 3, 2, [entries[3] as Entry]))[0], { ok: true, index: 4 })
    assert.deepStrictEqual(a.raft.snapshot().damaged, [])
    assert.deepStrictEqual(
      a.works.slice(works).flatMap((work) => work.entries.map(({ index }) => index)),
      [2, 3]
    )
    a.wait(10).step({ _tag: "Campaign" })
    assert.strictEqual(a.raft.role, "preCandidate")
  })

  it("a conflict behind the hole cuts off what follows", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 2 }])
    a.receive(append(5, 1, 1, [command(2, 2), command(3, 5)]))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 2, 5], []])
  })

  it("an entry of a later term in the hole cuts off what follows at once: terms never fall along a log", () => {
    const a = damaged([1, 2, 2, 2], [{ from: 2, to: 2 }])
    a.receive(append(5, 1, 1, [command(2, 5)]))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 5], []])
  })

  it("a conflict before the hole cuts the hole off with the rest", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 4, to: 4 }])
    a.receive(append(5, 1, 1, [command(2, 5)]))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 5], []])
  })

  it("a conflict between two holes leaves the first", () => {
    const a = damaged(
      [1, 2, 2, 2, 2, 2],
      [
        { from: 2, to: 2 },
        { from: 5, to: 5 }
      ]
    )
    a.receive(append(5, 1, 1, [command(2, 2), command(3, 2), command(4, 5)]))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 2, 2, 5], []])
  })

  it("two holes, the second one still open: the first is closed, the second is told", () => {
    const a = damaged(
      [1, 2, 2, 2, 2, 2],
      [
        { from: 2, to: 2 },
        { from: 5, to: 5 }
      ]
    )
    const [answer] = a.receive(append(2, 1, 1, [command(2, 2), command(3, 2)]))
    assert.deepInclude(answer, { damaged: true, index: 4, hintIndex: 4 })
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 5, to: 5 }])
    assert.deepInclude(a.receive(append(2, 6, 2))[0], { damaged: true, hintIndex: 4 })
  })

  it("nothing beyond a hole is applied, though it is committed", () => {
    const a = damaged([1, 2, 2, 2], [{ from: 3, to: 3 }], 4)
    assert.deepStrictEqual(
      a.applied.map(({ index }) => index),
      [1, 2]
    )
    a.receive(append(2, 2, 2, [command(3, 2), command(4, 2)], 4))
    assert.deepStrictEqual(
      a.applied.map(({ index }) => index),
      [1, 2, 3, 4]
    )
  })

  it("a configuration that was lost is in force again when it is back", () => {
    const entries = log(1, 2, 2).map((entry) =>
      entry.index === 2
        ? makeEntry(2, 2, "configuration", encodeConfiguration(normalConfiguration({ voters: ["a", "x"] })))
        : entry
    )
    const a = new Server({ log: [2], restored: without(entries, [{ from: 2, to: 2 }]) })
    assert.deepStrictEqual(a.raft.configuration.configuration.voters, ["a", "b", "c"])
    a.receive(append(2, 1, 1, entries.slice(1)))
    assert.deepStrictEqual(a.raft.configuration.configuration.voters, ["a", "x"])
  })
})

describe("damage, without a leader", () => {
  const found = (entries: ReadonlyArray<Entry>, commit = 1): Message => ({
    _tag: "EntriesFound",
    from: "b",
    to: "a",
    term: 2,
    entries,
    commit
  })

  it("asks every member, from the entry before the hole to the one after it, once an election timeout", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    a.tick(9)
    assert.deepStrictEqual(
      a.takeOf("EntriesWanted").map(({ fromIndex, to, toIndex }) => [to, fromIndex, toIndex]),
      [
        ["b", 1, 4],
        ["c", 1, 4]
      ]
    )
  })

  it("a run that ends in our own entry is equal to what was lost (Log Matching)", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    a.receive(found(log(1, 2, 2, 2).slice(1)))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 2, 2, 2, 2], []])
  })

  it("the end of a long hole first, then the rest", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 4 }])
    a.receive(found(log(1, 2, 2, 2, 2).slice(3)))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 0, 0, 2, 2], [{ from: 2, to: 3 }]])
    a.tick(12)
    assert.deepInclude(a.takeOf("EntriesWanted")[0], { fromIndex: 1, toIndex: 4 })
    a.receive(found(log(1, 2, 2, 2).slice(1)))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [])
  })

  it("a run that ends in another entry says nothing, unless it is committed", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    const other = [command(2, 1), command(3, 1), command(4, 1)]
    a.receive(found(other))
    assert.deepStrictEqual(kinds(a), [1, 0, 0, 2, 2])
    a.receive(found([command(2, 2), command(3, 2), command(4, 3)], 2))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 2, 0, 2, 2], [{ from: 3, to: 3 }]])
    a.receive(found([command(3, 2), command(4, 3)], 3))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 3, to: 3 }], "on what do these stand?")
    a.receive(found([command(2, 2), command(3, 2), command(4, 3)], 3))
    assert.deepStrictEqual(
      a.raft.snapshot().damaged,
      [{ from: 4, to: 3 }],
      "filled; what follows may be of another branch"
    )
    a.tick(12)
    assert.deepInclude(a.takeOf("EntriesWanted")[0], { fromIndex: 3, toIndex: 4 })
    a.receive(found([command(4, 2)], 3))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 4, to: 3 }])
    a.receive(found([command(3, 1), command(4, 2)], 3))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 4, to: 3 }], "not of one log with what was filled")
    a.receive(found([command(3, 2), command(4, 2)], 3))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [])
  })

  it("a lost tail whose term is known", () => {
    const a = damaged([1, 2, 2, 2], [{ from: 3, to: 4 }])
    a.receive(found([command(3, 2), command(4, 3)]))
    assert.deepStrictEqual(kinds(a), [1, 2, 0, 0], "another tail")
    a.receive(found([command(3, 2), command(4, 2)]))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[1, 2, 2, 2], []])
  })

  it("answers what it has, the end of the range first, within the limits of an append, and never what is damaged", () => {
    const wanted = (a: Server, fromIndex: number, toIndex: number) => {
      const [answer] = a.receive({ _tag: "EntriesWanted", from: "b", to: "a", term: 9, fromIndex, toIndex })
      return answer?._tag === "EntriesFound" ? answer.entries.map(({ index }) => index) : undefined
    }
    const a = new Server({ log: [1, 2, 2, 2, 2], limits: { appendEntriesMax: 2 } })
    assert.deepStrictEqual(wanted(a, 1, 4), [3, 4])
    assert.deepStrictEqual(wanted(a, 5, 9), [5])
    assert.deepStrictEqual(wanted(a, 7, 9), [])
    const bytes = new Server({ log: [1, 2, 2, 2, 2], limits: { appendBytesMax: 60 } })
    assert.deepStrictEqual(wanted(bytes, 1, 4), [3, 4], "two entries always fit")
    const holed = damaged(
      [1, 2, 2, 2, 2],
      [
        { from: 3, to: 3 },
        { from: 5, to: 5 }
      ]
    )
    assert.deepStrictEqual(wanted(holed, 1, 5), [4])
    assert.strictEqual(holed.raft.term, 2, "a question changes no term")
  })

  it("says so once when nobody can help, and goes on asking", () => {
    const a = damaged([1, 2, 2, 2], [{ from: 2, to: 2 }])
    a.tick(80)
    assert.strictEqual(a.events.filter(({ _tag }) => _tag === "DamageOnMajority").length, 1)
    a.take()
    a.tick(10)
    assert.isAbove(a.takeOf("EntriesWanted").length, 0)
  })
})

describe("damage found while the node runs", () => {
  const scrub = (from: number, to: number) => ({ _tag: "DamageFound", from, to }) as const
  /** Runs of indexes of each write since `works`, with where it truncates. */
  const written = (a: Server, works: number) =>
    a.works.slice(works).map(({ entries, truncateFrom }) => [truncateFrom, ...entries.map(({ index }) => index)])

  it("is written again from memory, each write one run of indexes, in whatever order it was found", () => {
    const a = new Server({ log: [1, 2, 2, 2, 2] })
    const works = a.works.length
    a.step(scrub(4, 4), scrub(2, 3), scrub(3, 3))
    assert.deepStrictEqual(written(a, works), [[0, 2, 3, 4]])
  })

  it("two places that do not touch: all from the first on, in one atomic step", () => {
    const a = new Server({ log: [1, 2, 2, 2, 2] })
    const works = a.works.length
    a.step(scrub(5, 5), scrub(2, 2))
    assert.deepStrictEqual(written(a, works), [[2, 2, 3, 4, 5]])
  })

  it("on both sides of a hole that is still open: a write for each side, and the hole stays as it is", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 3, to: 3 }])
    const works = a.works.length
    a.step(scrub(4, 5), scrub(2, 2))
    assert.deepStrictEqual(written(a, works), [
      [0, 2],
      [0, 4, 5]
    ])
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 3, to: 3 }])
  })
})

describe("damage and snapshots", () => {
  const meta = (index: number, term: number) => ({
    index,
    term,
    configuration: normalConfiguration({ voters: ["a", "b", "c"] }),
    configurationIndex: 1,
    bytes: 1
  })
  const install = (a: Server, index: number, term: number) => {
    a.raft.step({
      _tag: "Receive",
      message: {
        _tag: "SnapshotPiece",
        from: "b",
        to: "a",
        term: 3,
        meta: meta(index, term),
        offset: 0,
        data: new Uint8Array(1),
        done: true,
        stamp: 0
      }
    })
    let keepLog: boolean | undefined
    while (a.raft.hasWork()) {
      const output = a.raft.ready()
      keepLog = output.install?.keepLog ?? keepLog
      if (output.persist !== undefined) a.raft.step({ _tag: "Persisted", write: output.persist.write })
    }
    a.step({ _tag: "SnapshotInstalled", index })
    return keepLog
  }

  it("a snapshot that covers the hole mends it, and the log after it stays", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    assert.isTrue(install(a, 4, 2))
    assert.deepStrictEqual([a.raft.firstIndex, kinds(a), a.raft.snapshot().damaged], [5, [2], []])
  })

  it("a snapshot that ends inside of the hole: nothing says that the rest belongs to it, and no vote before a leader's log is here", () => {
    for (const index of [2, 3]) {
      const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
      assert.isFalse(install(a, index, 2))
      assert.deepStrictEqual([a.raft.lastIndex, a.raft.snapshot().damaged, a.raft.recoverTo], [index, [], 5])
      a.wait(10)
      assert.deepInclude(a.receive(vote(4, 9, 3, "c"))[0], { granted: false })
      a.receive(append(5, index, 2, log(1, 2, 2, 2, 2).slice(index)))
      assert.strictEqual(a.raft.recoverTo, 0)
    }
  })

  it("a leader that goes on after such a snapshot may have a shorter log: its end is enough", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    install(a, 3, 2)
    a.receive(heartbeat(3, { lastIndex: 4 }))
    a.receive(append(3, 3, 2, [command(4, 3)]))
    assert.strictEqual(a.raft.recoverTo, 0)
  })

  it("an answer to a damaged node never crosses the end of a hole of the answerer: its two sides may be of two logs", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    const entries = log(1, 2, 2, 2, 2)
    a.receive(append(2, 1, 1, entries.slice(1, 3)))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 4, to: 3 }])
    const [answer] = a.receive({ _tag: "EntriesWanted", from: "b", to: "a", term: 2, fromIndex: 1, toIndex: 5 })
    assert.deepStrictEqual(answer?._tag === "EntriesFound" ? answer.entries.map(({ index }) => index) : [], [4, 5])
  })

  it("a snapshot that contradicts the log replaces it with its holes", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 2 }])
    assert.isFalse(install(a, 4, 3))
    assert.deepStrictEqual([a.raft.lastIndex, a.raft.snapshot().damaged], [4, []])
  })
})
