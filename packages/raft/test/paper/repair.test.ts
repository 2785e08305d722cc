/**
 * Repair of damaged logs, beyond the paper (after CTRL/PAR, FAST'18): directed cases, and random histories in which damaged
 * nodes must end with exactly the entries that stood there, from a leader and from each other.
 * `SEED=n npx vitest run packages/raft/test/paper/repair.test.ts` replays.
 */
import { assert, describe, it } from "@effect/vitest"
import { encodeConfiguration, normalConfiguration } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import { Raft } from "../../src/core/Raft.ts"
import { draw, makeRandom } from "../../src/core/Random.ts"
import {
  emptyRestored,
  type DamagedRange,
  type Entry,
  type Limits,
  type Message,
  type Restored
} from "../../src/core/Types.ts"
import { append, command, heartbeat, Server } from "./kit.ts"

const seed = Number(process.env["SEED"] ?? 7)

const configuration = encodeConfiguration(normalConfiguration({ voters: ["a", "b", "c"] }))

const without = (entries: ReadonlyArray<Entry>, ranges: ReadonlyArray<DamagedRange>, commit = 1): Restored => {
  const last = entries[entries.length - 1] as Entry
  return {
    ...emptyRestored,
    hardState: { term: last.term, vote: undefined, commit, recoverTo: 0 },
    entries: entries.filter(({ index }) => !ranges.some(({ from, to }) => from <= index && index <= to)),
    damaged: ranges,
    tail: { index: last.index, term: last.term }
  }
}

const log = (...terms: ReadonlyArray<number>): ReadonlyArray<Entry> =>
  terms.map((term, i) =>
    i === 0 ? makeEntry(1, term, "configuration", configuration) : command(i + 1, term, `${i + 1}/${term}`)
  )

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

  it("entry by entry: what is filled is acknowledged, what follows is not trusted before an append reaches it", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    const entries = log(1, 2, 2, 2, 2)
    assert.deepInclude(a.receive(append(2, 1, 1, [entries[1] as Entry]))[0], { ok: true, index: 2 })
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 3, to: 3 }])
    a.receive(append(2, 2, 2, [entries[2] as Entry]))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [{ from: 4, to: 3 }], "filled, not confirmed")
    a.wait(10).step({ _tag: "Campaign" })
    assert.strictEqual(a.raft.role, "follower", "no candidate with a log that may be joined of two")
    a.receive(append(2, 3, 2, [entries[3] as Entry]))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [])
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

  it("two holes, the second one still open: acknowledged up to before it", () => {
    const a = damaged(
      [1, 2, 2, 2, 2, 2],
      [
        { from: 2, to: 2 },
        { from: 5, to: 5 }
      ]
    )
    assert.deepInclude(a.receive(append(2, 1, 1, [command(2, 2), command(3, 2)]))[0], { ok: true, index: 3 })
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

  it("asks every member, up to the intact entry after the hole, once an election timeout", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    a.tick(12)
    assert.deepStrictEqual(
      a.takeOf("EntriesWanted").map(({ fromIndex, to, toIndex }) => [to, fromIndex, toIndex]),
      [
        ["b", 2, 4],
        ["c", 2, 4],
        ["b", 2, 4],
        ["c", 2, 4]
      ].slice(0, 4)
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
    assert.deepInclude(a.takeOf("EntriesWanted")[0], { fromIndex: 2, toIndex: 4 })
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
    assert.deepStrictEqual(
      a.raft.snapshot().damaged,
      [{ from: 4, to: 3 }],
      "filled; what follows may be of another branch"
    )
    a.tick(12)
    assert.deepInclude(a.takeOf("EntriesWanted")[0], { fromIndex: 4, toIndex: 4 })
    a.receive(found([command(4, 2)], 3))
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
    assert.deepStrictEqual(wanted(bytes, 1, 4), [4])
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

  it("a snapshot that ends inside of the hole leaves the rest of it", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 4 }])
    assert.isTrue(install(a, 3, 2))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[0, 2], [{ from: 4, to: 4 }]])
  })

  it("a snapshot that ends with the hole: what follows is to be confirmed", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 3 }])
    assert.isTrue(install(a, 3, 2))
    assert.deepStrictEqual([kinds(a), a.raft.snapshot().damaged], [[2, 2], [{ from: 4, to: 3 }]])
    a.receive(append(3, 3, 2, [command(4, 2)]))
    assert.deepStrictEqual(a.raft.snapshot().damaged, [])
  })

  it("a snapshot that contradicts the log replaces it with its holes", () => {
    const a = damaged([1, 2, 2, 2, 2], [{ from: 2, to: 2 }])
    assert.isFalse(install(a, 4, 3))
    assert.deepStrictEqual([a.raft.lastIndex, a.raft.snapshot().damaged], [4, []])
  })
})

/** Logs of three nodes as a history of leaders leaves them: they satisfy Log Matching, and differ at their ends. */
const history = (roll: (n: number) => number): ReadonlyArray<ReadonlyArray<Entry>> => {
  const logs: Array<Array<Entry>> = [0, 1, 2].map(() => [...log(1)])
  for (let term = 2; term < 8; term++) {
    const leader = logs[roll(3)] as Array<Entry>
    for (let count = roll(5); count >= 0; count--)
      leader.push(command(leader.length + 1, term, `${term}.${leader.length}`))
    for (const other of logs) {
      if (other === leader || roll(3) === 0) continue
      const upTo = 1 + roll(leader.length)
      const conflict = leader.slice(0, upTo).findIndex((entry, i) => other[i]?.term !== entry.term)
      if (conflict < 0) continue
      other.splice(conflict, Infinity, ...leader.slice(conflict, upTo))
    }
  }
  return logs
}

const randomHoles = (roll: (n: number) => number, length: number): ReadonlyArray<DamagedRange> => {
  const lost = Array.from({ length: length - 1 }, (_, i) => i + 2).filter(() => roll(4) === 0)
  return lost.map((index) => ({ from: index, to: index }))
}

interface Node {
  readonly raft: Raft
  readonly id: string
}

/** Runs nodes against each other until they are silent, with loss; returns after `turns` at most. */
const pump = (nodes: ReadonlyArray<Node>, roll: (n: number) => number, loss: number, check: () => void): void => {
  const queue: Array<Message> = []
  const turn = (node: Node): void => {
    while (node.raft.hasWork()) {
      const output = node.raft.ready()
      for (const message of output.messages) if (loss === 0 || roll(loss) > 0) queue.push(message)
      if (output.persist !== undefined) node.raft.step({ _tag: "Persisted", write: output.persist.write })
    }
    check()
  }
  for (const node of nodes) turn(node)
  for (let count = 0; count < 2000 && queue.length > 0; count++) {
    const [message] = queue.splice(loss === 0 ? 0 : roll(queue.length), 1)
    const node = nodes.find(({ id }) => id === message?.to)
    if (node === undefined || message === undefined) continue
    node.raft.step({ _tag: "Receive", message })
    turn(node)
  }
}

const limits: Partial<Limits> = { appendEntriesMax: 2, windowMessages: 2 }

describe(`damage at random (seed ${seed})`, () => {
  const dice = (run: number) => {
    const random = makeRandom(seed * 1000 + run)
    return (n: number): number => Math.floor(draw(random) * n)
  }

  it("a leader mends its followers: afterwards their logs are its own, and nothing that matched was ever cut", () => {
    let mended = 0
    for (let run = 0; run < 150; run++) {
      const roll = dice(run)
      const logs = history(roll)
      const up = (x: ReadonlyArray<Entry>, y: ReadonlyArray<Entry>) =>
        (x[x.length - 1] as Entry).term - (y[y.length - 1] as Entry).term || x.length - y.length
      const best = [...logs].sort(up)[2] as ReadonlyArray<Entry>
      const others = logs.filter((one) => one !== best)
      const raft = (id: string, restored: Restored) => new Raft({ id, seed: run, limits }, restored)
      const nodes: ReadonlyArray<Node> = [
        { id: "a", raft: raft("a", without(best, [])) },
        {
          id: "b",
          raft: raft("b", without(others[0] as ReadonlyArray<Entry>, randomHoles(roll, (others[0] ?? []).length)))
        },
        {
          id: "c",
          raft: raft("c", without(others[1] as ReadonlyArray<Entry>, randomHoles(roll, (others[1] ?? []).length)))
        }
      ]
      mended += nodes.reduce((sum, node) => sum + node.raft.snapshot().damaged.length, 0)
      const leader = (nodes[0] as Node).raft
      const same = () => {
        for (const { raft: one } of nodes) {
          for (let index = 2; index <= one.commit; index++) {
            const entry = one.entry(index)
            if (entry?.kind !== "damaged")
              assert.deepStrictEqual(entry, leader.entry(index), `run ${run} entry ${index}`)
          }
        }
      }
      let now = 0
      const tick = (count: number) => {
        for (; count > 0; count--) {
          now++
          for (const node of nodes) node.raft.step({ _tag: "Tick", now })
          pump(nodes, roll, count > 6 ? 4 : 0, leader.role === "leader" ? same : () => {})
        }
      }
      for (const node of nodes) node.raft.step({ _tag: "Clock", now: (now = 10) })
      leader.step({ _tag: "Campaign" })
      pump(nodes, roll, 0, () => {})
      assert.strictEqual(leader.role, "leader", `run ${run}`)
      tick(20)
      assert.strictEqual(leader.role, "leader", `run ${run}`)
      const whole = leader.entries(1, leader.lastIndex)
      for (const node of nodes) {
        assert.deepStrictEqual(node.raft.snapshot().damaged, [], `run ${run} ${node.id}`)
        assert.deepStrictEqual(node.raft.entries(1, node.raft.lastIndex), whole, `run ${run} ${node.id}`)
      }
    }
    assert.isAbove(mended, 200)
  })

  it("without a leader damaged nodes mend each other, and only with what stood there", () => {
    let mended = 0
    let open = 0
    for (let run = 0; run < 150; run++) {
      const roll = dice(run + 5000)
      const logs = history(roll)
      const originals = new Map(["a", "b", "c"].map((id, i) => [id, logs[i] as ReadonlyArray<Entry>]))
      const nodes: ReadonlyArray<Node> = ["a", "b", "c"].map((id) => {
        const original = originals.get(id) as ReadonlyArray<Entry>
        const ranges = randomHoles(roll, original.length)
        const all = ranges.length > 0 ? ranges : [{ from: 2, to: 2 }].filter(() => original.length > 1)
        return { id, raft: new Raft({ id, seed: run, limits }, without(original, all)) }
      })
      const before = nodes.reduce((sum, { raft }) => sum + raft.snapshot().damaged.length, 0)
      for (let now = 10; now < 60; now += 10) {
        for (const { raft } of nodes) raft.step({ _tag: "Tick", now })
        if (nodes.some(({ raft }) => raft.role !== "follower")) break
        pump(nodes, roll, 0, () => {})
      }
      for (const { id, raft } of nodes) {
        for (const entry of raft.entries(1, raft.lastIndex)) {
          if (entry.kind === "damaged") continue
          assert.deepStrictEqual(entry, originals.get(id)?.[entry.index - 1], `run ${run}: ${id} entry ${entry.index}`)
        }
      }
      const after = nodes.reduce((sum, { raft }) => sum + raft.snapshot().damaged.length, 0)
      mended += before - after
      open += after
    }
    assert.isAbove(mended, 100, `${open} stayed open`)
  })
})
