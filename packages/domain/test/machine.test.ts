/**
 * The machine against the model: the same histories give the same replies, cells, ranges, snapshots and changes.
 * Replay one by `WEFT_SEED=<seed> npx vitest run packages/domain/test/machine.test.ts`.
 */
import { strict as assert } from "node:assert"
import { describe, it } from "vitest"
import * as Apply from "../src/core/Apply.ts"
import type { Cell, CommitRecord, CommitRequest, Reply } from "../src/core/Commit.ts"
import type { Key } from "../src/core/Key.ts"
import { Machine } from "../src/core/Machine.ts"
import * as Reads from "../src/core/MachineReads.ts"
import * as Version from "../src/core/Version.ts"
import { HistoryMaker } from "../testing/backend/Histories.ts"
import { Model } from "../testing/backend/Model.ts"
import { showCell, showEntry } from "../testing/backend/values.ts"
import * as Prng from "../testing/Prng.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const given = process.env["WEFT_SEED"]
const histories = given === undefined ? (isFull ? 20_000 : 600) : 1
const everything = { start: "", end: "\xff\xff" }

/** The state of a version as it was when the version was new. */
type Kept = ReadonlyMap<Key, Cell>

/** How often each kind of reply came up: histories that never meet a rule would prove nothing about it. */
const tally = {
  committed: 0,
  chained: 0,
  keys: 0,
  ranges: 0,
  dependsOn: 0,
  again: 0,
  TooOld: 0,
  InvalidInput: 0,
  LimitExceeded: 0
}

const count = (batch: ReadonlyArray<CommitRequest>, replies: ReadonlyArray<Reply>): void => {
  replies.forEach((reply, i) => {
    const isChained = [...batch[i]!.reads, ...batch[i]!.ranges].some(({ after }) => after !== undefined)
    if (reply._tag === "Committed") tally[isChained ? "chained" : "committed"]++
    else if (reply._tag === "TooOld") tally.TooOld++
    else if (reply._tag === "Refused") tally[reply.reason]++
    else if (reply.dependsOn !== undefined) tally.dependsOn++
    else tally[reply.keys.length > 0 ? "keys" : reply.ranges.length > 0 ? "ranges" : "again"]++
  })
}

const run = (seed: number): void => {
  const draw = Prng.make(seed)
  const limits = {
    recentCommits: draw.pick([4, 16, 1000]),
    outcomesPerSession: draw.pick([4, 64]),
    deleteRangeKeys: draw.pick([2, 1000])
  }
  const begin = draw.pick([0, Version.make(3, 0), Version.make(1, Version.numberMax - 5)])
  const model = new Model(limits, begin)
  const machine = new Machine({ limits, version: begin })
  const maker = new HistoryMaker(model, draw, `m${seed}`)
  const heard: Array<CommitRecord> = []
  machine.watch((record) => heard.push(record))
  const open: Array<{ readonly version: Version.Version; readonly cells: Kept }> = []
  for (let i = 0; i < 40; i++) {
    if (draw.chance(0.3)) open.push({ version: machine.openSnapshot(), cells: new Map(model.cells) })
    const batch = maker.batch()
    const { delta, replies } = Apply.apply(partial(model, batch), batch)
    const expected = model.commit(batch)
    assert.deepEqual(replies, expected, "a view of what is needed says the same as one of everything")
    for (const [key, cell] of delta.cells) assert.deepEqual(showCell(cell), showCell(model.cell(key)))
    const actual = batch.length === 1 && draw.chance(0.5) ? [machine.commitOne(batch[0]!)] : machine.commit(batch)
    assert.deepEqual(actual, expected)
    count(batch, expected)
    compare(machine, model, draw)
    for (const snapshot of open) compareAt(machine, snapshot, draw)
    if (draw.chance(0.3) && open.length > 0) machine.closeSnapshot(open.splice(draw.below(open.length), 1)[0]!.version)
  }
  assert.deepEqual(heard, model.commits)
  while (open.length > 0) machine.closeSnapshot(open.pop()!.version)
  assert.equal(machine.cells.history.kept, 0, "states are kept though no snapshot is open")
  assert.equal(machine.cells.history.open, 0)
}

const compare = (machine: Machine, model: Model, draw: Prng.Prng): void => {
  assert.equal(machine.version, model.version)
  assert.equal(machine.size, model.cells.size)
  const entries = model.entries(everything.start, everything.end).map(showEntry)
  assert.deepEqual(machine.range(everything).map(showEntry), entries)
  assert.deepEqual(
    machine.range({ ...everything, reverse: true, limit: 3 }).map(showEntry),
    entries.toReversed().slice(0, 3)
  )
  for (const [key, cell] of model.cells) assert.deepEqual(showCell(machine.cell(key)), showCell(cell))
  const since = Math.max(0, model.version - draw.below(10))
  assert.equal(machine.remembers(since), since >= model.floor)
  if (since < model.floor) return
  const feed = Reads.feed(machine, { from: since, values: true }, since, true)
  const kept = model.commits.filter(({ version }) => version > since)
  assert.deepEqual(feed.elements, kept)
  const cells = new Map<Key, Cell | undefined>(model.cells)
  for (const { changes } of kept.toReversed()) for (const { before, key } of changes) cells.set(key, before)
  const keys = [...cells.keys()]
  const read = Reads.read(machine, {
    keys,
    ranges: [everything, { ...everything, reverse: true, limit: 2 }],
    at: since
  })
  assert.equal(read.version, since)
  assert.deepEqual(
    read.cells.map(showCell),
    keys.map((key) => showCell(cells.get(key)))
  )
  const older = keys.filter((key) => cells.get(key) !== undefined).sort()
  assert.deepEqual(
    read.ranges[0]!.map(({ key }) => key),
    older
  )
  assert.deepEqual(
    read.ranges[1]!.map(({ key }) => key),
    older.toReversed().slice(0, 2)
  )
}

const compareAt = (
  machine: Machine,
  { cells, version }: { readonly version: Version.Version; readonly cells: Kept },
  draw: Prng.Prng
): void => {
  for (const key of new Set([...cells.keys(), "a", "n"])) assert.deepEqual(machine.cellAt(key, version), cells.get(key))
  const keys = [...cells.keys()].sort()
  const [start, end] = [draw.pick(["", "a", "b", "n"]), draw.pick(["b\0", "c", "q", "\xff\xff"])]
  const limit = draw.pick([1, 2, 100])
  const within = keys.filter((key) => start <= key && key < end)
  assert.deepEqual(
    machine.rangeAt({ start, end, limit }, version).map(({ key }) => key),
    within.slice(0, limit)
  )
  assert.deepEqual(
    machine.rangeAt({ start, end, limit, reverse: true }, version).map(({ key }) => key),
    within.toReversed().slice(0, limit)
  )
}

/** A view that knows what `needs` named and dies when it is asked for more. */
const partial = (model: Model, batch: ReadonlyArray<CommitRequest>): Apply.View => {
  const { keys, ranges, sessions } = Apply.needs(batch)
  const isAppended = (key: Key): boolean =>
    batch.some(({ writes }) =>
      writes.some((write) => write._tag === "Append" && key.startsWith(write.prefix) && key.endsWith(write.suffix))
    )
  const isNamed = (start: Key, end: Key): boolean => ranges.some((range) => range.start === start && range.end === end)
  return {
    version: model.version,
    horizon: model.horizon,
    limits: model.limits,
    cell: (key) => {
      if (keys.includes(key) || ranges.some(({ end, start }) => start <= key && key < end)) return model.cell(key)
      assert.ok(isAppended(key), `${JSON.stringify(key)} was not named by needs`)
      return undefined
    },
    entries: (start, end) => {
      assert.ok(isNamed(start, end), `[${start}, ${end}) was not named by needs`)
      return model.entries(start, end)
    },
    changed: (start, end, since) => {
      assert.ok(isNamed(start, end), `[${start}, ${end}) was not named by needs`)
      return model.changed(start, end, since)
    },
    session: (name) => {
      assert.ok(sessions.includes(name), `the session ${name} was not named by needs`)
      return model.session(name)
    }
  }
}

describe("Machine", () => {
  it(`is apply and install, by ${histories} random histories`, () => {
    const first = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
    for (let seed = first; seed < first + histories; seed++) {
      try {
        run(seed)
      } catch (error) {
        throw new Error(`replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/machine.test.ts`, {
          cause: error
        })
      }
    }
    if (given !== undefined) return
    for (const [kind, times] of Object.entries(tally))
      assert.ok(times >= histories / 10, `${kind} came up ${times} times only`)
  })
})
