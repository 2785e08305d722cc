/**
 * The parts of the machine against plain JavaScript, and its bounds. Replay a random one by
 * `WEFT_SEED=<seed> npx vitest run packages/domain/test/machineParts.test.ts`.
 */
import { strict as assert } from "node:assert"
import { describe, it } from "vitest"
import type { CommitRequest, Write } from "../src/core/Commit.ts"
import * as Limits from "../src/core/Limits.ts"
import { Machine } from "../src/core/Machine.ts"
import * as Reads from "../src/core/MachineReads.ts"
import { OrderedKeys } from "../src/core/OrderedKeys.ts"
import { Outcomes } from "../src/core/Outcomes.ts"
import * as Version from "../src/core/Version.ts"
import { text } from "../testing/backend/values.ts"
import * as Prng from "../testing/Prng.ts"

const random = (name: string, run: (draw: Prng.Prng) => void): void => {
  it(name, () => {
    const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    try {
      run(Prng.make(seed))
    } catch (error) {
      throw new Error(`replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/machineParts.test.ts`, {
        cause: error
      })
    }
  })
}

/** Commits writes as one request each. */
const writer = (machine: Machine) => {
  let sequence = 0
  return (...writes: ReadonlyArray<Write>): number => {
    const request: CommitRequest = {
      id: { session: "s", sequence },
      resolvedBelow: sequence,
      base: machine.version,
      atMillis: 0,
      reads: [],
      ranges: [],
      writes
    }
    sequence++
    const reply = machine.commitOne(request)
    assert.equal(reply._tag, "Committed", JSON.stringify(reply))
    return reply.version
  }
}

const set = (key: string, value = "v"): Write => ({ _tag: "Set", key, value: text(value) })
const del = (key: string): Write => ({ _tag: "Delete", key })

describe("OrderedKeys", () => {
  random("is a sorted array, through 20,000 insertions and removals in rising, falling and random order", (draw) => {
    const ordered = new OrderedKeys<string>()
    const model = new Set<string>()
    const key = (i: number): string => `${i}`.padStart(6, "0")
    const span = 5000
    const compare = (): void => {
      const sorted = [...model].sort()
      assert.equal(ordered.size, model.size)
      for (let k = 0; k < 20; k++) {
        const [start, end] = [key(draw.below(span)), key(draw.below(span))]
        const limit = draw.pick([1, 3, 1000, Infinity])
        const collect = (isReverse: boolean): ReadonlyArray<string> => {
          const found: Array<string> = []
          const visit = (value: string): boolean => found.push(value) < limit
          if (isReverse) ordered.forEachReverse(start, end, visit)
          else ordered.forEach(start, end, visit)
          return found
        }
        const within = sorted.filter((one) => start <= one && one < end)
        assert.deepEqual(collect(false), within.slice(0, limit))
        assert.deepEqual(collect(true), within.toReversed().slice(0, limit))
        assert.strictEqual(ordered.first(start, end), within[0])
      }
      const all: Array<string> = []
      ordered.forEach("", "\xff", (value) => all.push(value) > 0)
      assert.deepEqual(all, sorted)
    }
    const change = (i: number, isInsert: boolean): void => {
      const one = key(i)
      if (isInsert === model.has(one)) return
      if (isInsert) ordered.insert(one, one)
      else assert.equal(ordered.remove(one), true)
      if (isInsert) model.add(one)
      else model.delete(one)
    }
    for (let i = 0; i < span; i += 2) change(i, true)
    compare()
    for (let i = span - 1; i >= 0; i -= 2) change(i, true)
    compare()
    for (let round = 0; round < 4; round++) {
      for (let k = 0; k < 5000; k++) change(draw.below(span), draw.chance(0.4 + 0.2 * (round % 2)))
      compare()
    }
    for (let i = 0; i < span; i++) change(i, false)
    assert.equal(ordered.size, 0)
    assert.equal(ordered.remove("x"), false)
    compare()
  })

  random(
    "is a sorted array of 150,000 keys, whose blocks grew on the way and are larger than few keys would have",
    (draw) => {
      const ordered = new OrderedKeys<string>()
      const key = (i: number): string => `${i}`.padStart(6, "0")
      const count = 150_000
      const order = draw.shuffle(Array.from({ length: count }, (_, i) => key(i)))
      const all = (): ReadonlyArray<string> => {
        const found: Array<string> = []
        ordered.forEach("", "\xff", (value) => found.push(value) > 0)
        return found
      }
      for (const one of order) ordered.insert(one, one)
      assert.deepEqual(all(), order.toSorted())
      // Few are left, in blocks of the time when there were many; those are split, filled and emptied.
      for (const one of order.slice(400)) assert.equal(ordered.remove(one), true)
      for (const one of order.slice(400, 4000)) ordered.insert(one, one)
      assert.deepEqual(all(), order.slice(0, 4000).sort())
      assert.equal(ordered.size, 4000)
    }
  )
})

describe("Outcomes", () => {
  random("remember a window per session and the most recent sessions, and never more", (draw) => {
    for (const window of [1, 5, 20, 64]) rememberWindow(draw, window)
  })

  const rememberWindow = (draw: Prng.Prng, window: number): void => {
    const outcomes = new Outcomes({ outcomesPerSession: window, sessions: 4 })
    const model = new Map<string, { floor: number; top: number; readonly known: Map<number, number> }>()
    const horizons = new Map<string, number>()
    let order: Array<string> = []
    let horizon = 0
    for (let version = 1; version < 2000; version++) {
      // A few sessions live long enough for their windows to come round.
      const name = `s${draw.below(draw.chance(0.95) ? 3 : 7)}`
      const session = model.get(name) ?? { floor: 0, top: 0, known: new Map<number, number>() }
      const sequence = Math.max(session.floor, session.top - draw.below(5)) + draw.below(3)
      const resolved = draw.chance(0.3) ? Math.max(0, sequence - draw.below(4)) : 0
      const isCommitted = draw.chance(0.7)
      outcomes.record(name, sequence, resolved, isCommitted, version, isCommitted)
      outcomes.trim()
      session.floor = Math.max(session.floor, resolved, sequence - window + 1)
      session.top = Math.max(session.top, sequence + 1)
      session.known.set(sequence, isCommitted ? version + 1 : -(version + 1))
      model.set(name, session)
      horizons.set(name, Math.max(horizons.get(name) ?? 0, isCommitted ? version : version + 1))
      order = [...order.filter((one) => one !== name), name]
      if (order.length > 4) {
        const gone = order.shift()!
        horizon = Math.max(horizon, horizons.get(gone)!)
        model.delete(gone)
        horizons.delete(gone)
      }
      assert.equal(outcomes.size, model.size)
      assert.equal(outcomes.horizon, horizon)
      for (const [one, { floor, known, top }] of model) {
        const actual = outcomes.session(one)!
        assert.equal(actual.floor, floor)
        for (let s = Math.max(0, floor - 3); s < top + 3; s++) {
          assert.equal(actual.mark(s), s < floor ? 0 : (known.get(s) ?? 0), `${one} ${s}`)
        }
      }
    }
  }

  it("a sequence far ahead costs its own session alone", () => {
    const outcomes = new Outcomes({ outcomesPerSession: 64, sessions: 4 })
    outcomes.record("a", 0, 0, true, 1, true)
    outcomes.record("b", 0, 0, true, 2, true)
    outcomes.record("a", 2 ** 50, 0, true, 3, true)
    assert.equal(outcomes.session("a")!.mark(0), 0)
    assert.equal(outcomes.session("a")!.floor, 2 ** 50 - 63)
    assert.equal(outcomes.session("a")!.mark(2 ** 50), 4)
    assert.equal(outcomes.session("b")!.mark(0), 3)
  })
})

describe("Machine", () => {
  it("keeps older states for open snapshots only, and cuts the oldest snapshot beyond historyStates", () => {
    const machine = new Machine({ historyStates: 10 })
    const write = writer(machine)
    write(set("a"))
    for (let i = 0; i < 50; i++) write(set("a"))
    assert.equal(machine.cells.history.kept, 0, "without a snapshot nothing is kept")
    const first = machine.openSnapshot()
    for (let i = 0; i < 50; i++) write(set("a"))
    assert.equal(
      machine.cells.history.kept,
      1,
      "one snapshot needs one older state of a key, however often it is written"
    )
    write(set("b"))
    const second = machine.openSnapshot()
    for (let i = 0; i < 9; i++) write(set(`k${i}`))
    assert.equal(machine.holds(first), true)
    for (let i = 0; i < 12; i++) write(set(`k${i}`, "2"))
    assert.equal(machine.cells.history.kept <= 11, true, `${machine.cells.history.kept} states are kept`)
    const third = machine.openSnapshot()
    for (let i = 0; i < 12; i++) write(set(`k${i}`, "3"))
    assert.equal(machine.holds(first), false, "the oldest snapshot was cut")
    assert.throws(() => machine.cellAt("a", first), RangeError)
    machine.closeSnapshot(first)
    machine.closeSnapshot(second)
    machine.closeSnapshot(third)
    assert.equal(machine.cells.history.kept, 0)
    assert.equal(machine.cells.history.open, 0)
  })

  it("does not grow with keys that come and go", () => {
    const machine = new Machine({ limits: { recentCommits: 10 } })
    const write = writer(machine)
    const at = machine.openSnapshot()
    for (let i = 0; i < 20_000; i++) {
      if (i === 5000) machine.closeSnapshot(at)
      write(set(`k${i}`))
      write(del(`k${i}`))
    }
    assert.equal(machine.size, 0)
    assert.ok(machine.cells.held < 5000, `${machine.cells.held} slots are held for no key`)
    machine.openSnapshot()
    for (let i = 0; i < 5000; i++) {
      write(set("hot"))
      write(del("hot"))
    }
    assert.ok(machine.cells.held < 5000)
  })

  it("bounds what it remembers by bytes, too, and tells a commit before it forgets it", () => {
    const machine = new Machine({ recentBytes: 10_000, historyBytes: 10_000 })
    const write = writer(machine)
    const heard: Array<number> = []
    machine.watch(({ changes, version }) => heard.push(changes.length === 1 ? version : -1))
    const versions: Array<number> = []
    const at = machine.openSnapshot()
    for (let i = 0; i < 100; i++) {
      versions.push(write(set(`k${i % 3}`, "x".repeat(i % 10 === 9 ? 20_000 : 400))))
      assert.ok(machine.recent.bytes <= 10_000, `${machine.recent.bytes} bytes are kept`)
      if (i % 10 === 8) assert.ok(machine.remembers(machine.version - 5), "small commits are kept")
      if (i % 10 === 9) assert.ok(!machine.remembers(machine.version - 1), "one beyond the bound is not")
    }
    assert.deepEqual(heard, versions)
    machine.closeSnapshot(at)
    write(set("k0"))
    for (let i = 0; i < 50; i++) {
      const held = machine.openSnapshot()
      write(set("k0", "x".repeat(3000)))
      assert.ok(machine.holds(held))
    }
    const oldest = machine.version - 50
    assert.equal(machine.holds(oldest), false, "the oldest snapshot was cut")
    assert.ok(machine.cells.history.kept <= 4, `${machine.cells.history.kept} states are kept`)
  })

  it("remembers exactly recentCommits commits", () => {
    const machine = new Machine({ limits: { recentCommits: 300, batchRequests: 10 } })
    const write = writer(machine)
    for (let i = 1; i <= 2000; i++) {
      write(set(`k${i % 7}`), ...(i % 3 === 0 ? [set("m")] : []))
      const floor = Math.max(0, i - 300)
      assert.equal(machine.remembers(floor), true)
      if (floor > 0) assert.equal(machine.remembers(floor - 1), false)
      const record = machine.record(floor + 1)
      assert.equal(record.version, floor + 1)
      assert.equal(record.changes[0]!.key, `k${(floor + 1) % 7}`)
    }
  })

  random("knows whether a range changed, near and far, by writes and by deletions", (draw) => {
    const machine = new Machine({ limits: { recentCommits: 2000 } })
    const write = writer(machine)
    const log: Array<string> = []
    const key = (): string => `k${`${draw.below(300)}`.padStart(3, "0")}`
    for (let i = 0; i < 3000; i++) {
      const one = key()
      const isThere = machine.cell(one) !== undefined
      write(isThere && draw.chance(0.3) ? del(one) : set(one))
      log.push(one)
      if (i % 5 > 0) continue
      const since = machine.version - draw.pick([0, 1, 5, 40, 100, 1000, 1999])
      if (since < 0) continue
      const start = key()
      const end = draw.chance(0.7) ? `${start}\0` : key()
      const expected = log.slice(since).some((changed) => start <= changed && changed < end)
      assert.equal(
        machine.changed(start, end, since),
        expected,
        `[${start}, ${end}) since ${since} at ${machine.version}`
      )
    }
  })

  it("goes on in a new epoch with its cells, and hears nothing of the old one", () => {
    const machine = new Machine()
    const write = writer(machine)
    const heard: Array<number> = []
    machine.watch(({ version }) => heard.push(version))
    const old = write(set("a"))
    const at = machine.openSnapshot()
    machine.raiseEpoch()
    assert.equal(machine.version, Version.make(1, 0))
    assert.equal(machine.holds(at), false)
    assert.equal(machine.remembers(old), false)
    assert.deepEqual(Reads.feed(machine, { from: old, values: true }, old, true).elements, [
      { _tag: "Gap", from: old, to: Version.make(1, 0), reason: "epoch" }
    ])
    const next = write(set("b"))
    assert.equal(next, Version.make(1, 1))
    assert.deepEqual(heard, [old, next])
    assert.throws(() => machine.raiseEpoch(Version.make(1, 5)), RangeError)
  })

  it("a read that would undo too much is answered at the newest version and names what changed", () => {
    const machine = new Machine({ limits: { recentCommits: 3000 } })
    const write = writer(machine)
    for (let i = 0; i < 2500; i++) write(set(`k${i % 3}`))
    const near = Reads.read(machine, { keys: ["k0"], ranges: [], at: machine.version - Reads.undoCommitsMax })
    assert.equal(near.version, machine.version - Reads.undoCommitsMax)
    const far = Reads.read(machine, { keys: ["k0"], ranges: [], at: machine.version - Reads.undoCommitsMax - 1 })
    assert.equal(far.version, machine.version)
    assert.deepEqual(far.changed, ["k0", "k1", "k2"])
  })

  it("a follower that falls behind what is kept meets a gap of its own kind", () => {
    const machine = new Machine({ limits: { recentCommits: 5 } })
    const write = writer(machine)
    for (let i = 0; i < 10; i++) write(set("a"))
    const reasons = [false, true].map((started) => {
      const [gap] = Reads.feed(machine, { from: 2, values: true }, 2, started).elements
      return gap!._tag === "Gap" && gap!.reason
    })
    assert.deepEqual(reasons, ["trimmed", "overrun"])
  })
})

describe("Limits", () => {
  it("are whole numbers of at least 1, by name", () => {
    for (const bad of [0, -1, 0.5, NaN, Infinity]) {
      assert.throws(() => Limits.make({ sessions: bad }), /limit sessions must be a whole number of at least 1/)
    }
    assert.equal(Limits.make({ sessions: 7 }).sessions, 7)
  })
})
