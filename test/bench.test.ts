/** The bench's arithmetic: medians, ratios within a repetition, floors; and that every row can be loaded. */
import { assert, describe, it } from "@effect/vitest"
import { latencies, median, percentile, type Subject, type Workload } from "../bench/lib.ts"
import { collect, passes, table, type Repetition } from "../bench/report.ts"
import { rows } from "../bench/rows.ts"

const subject: Subject = { name: "s", run: () => Promise.resolve({ value: 0 }) }
const run = { seconds: 1, load: 0, cores: 2 }
const workload = (more: Partial<Workload>): Workload => ({ name: "w", unit: "perSecond", ours: subject, ...more })
const rep = (ours: number, peer: number): Repetition => ({ ours: { value: ours }, peer: { value: peer } })

describe("bench", () => {
  it("median of odd and even counts, percentiles in numeric order", () => {
    assert.strictEqual(median([10, 9, 100]), 10)
    assert.strictEqual(median([1, 2, 3, 100]), 2.5)
    assert.strictEqual(percentile([10, 9, 100], 0.5), 10)
    assert.strictEqual(latencies([0.001, 0.002, 0.003]).value, 2)
  })

  it("ratios are taken within a repetition, not of the medians", () => {
    const result = collect("r", workload({ peer: subject }), [rep(10, 1), rep(1, 1), rep(100, 100)], run)
    assert.deepStrictEqual(result.ratioPeer, { median: 1, min: 1, max: 10 })
    assert.deepStrictEqual(result.ours, { median: 10, min: 1, max: 100 })
    assert.isNull(result.ratioLimit)
  })

  it("a ratio above 1 means that ours is faster, for latencies too", () => {
    const result = collect("r", workload({ unit: "micros", peer: subject }), [rep(2, 10)], run)
    assert.strictEqual(result.ratioPeer?.median, 5)
  })

  it("a floor that is missed, by speed, by attempts or by a detail, fails the row", () => {
    const measured: Repetition = { ours: { value: 10, attempts: 1.5, details: { fairness: 0.4 } }, peer: { value: 10 } }
    const with_ = (more: Partial<Workload>) =>
      passes(collect("r", workload({ peer: subject, ...more }), [measured], run))
    assert.isTrue(with_({ targets: [{ of: "peer", floor: 1, aim: 2 }] }))
    assert.isFalse(with_({ targets: [{ of: "peer", floor: 1.1, aim: 2 }] }))
    assert.isFalse(with_({ targets: [{ of: "limit", floor: 0.1, aim: 2 }] }), "a limit that was not measured")
    assert.isTrue(with_({ bounds: [{ of: "attempts", max: 1.5 }] }))
    assert.isFalse(with_({ bounds: [{ of: "attempts", max: 1.2 }] }))
    assert.isFalse(with_({ bounds: [{ of: "fairness", min: 0.5 }] }))
    assert.isFalse(with_({ bounds: [{ of: "nothing", max: 1 }] }), "a figure that was not measured")
  })

  it("the table names what was missed", () => {
    const missed = workload({ peer: subject, targets: [{ of: "peer", floor: 2, aim: 3 }] })
    assert.match(table(collect("r", missed, [rep(1, 1)], run)), /MISSED +speed over the peer: 1\.00, floor 2, aim 3/)
  })

  for (const [id, entry] of Object.entries(rows)) {
    if (!("load" in entry)) continue
    it(`row ${id} loads, has a name of its own for each workload, and something to reach`, async () => {
      const { workloads } = await entry.load()
      assert.strictEqual(new Set(workloads.map(({ name }) => name)).size, workloads.length)
      assert.isTrue(workloads.some(({ bounds = [], targets = [] }) => bounds.length + targets.length > 0))
    })
  }
})
