/** The checker itself, on worlds whose faults are known. */
import { assert, describe, it } from "vitest"
import { check, type Model, render } from "../testing/ModelChecker.ts"
import { after, canonical, land, ModelStore, run } from "../testing/ModelStore.ts"
import { Value } from "../src/core/Value.ts"
import { encodeString } from "../src/core/ValueCodec.ts"
import { retry } from "../src/internal/TxView.ts"

/** Two who each read a counter and write it back by one more, with or without looking again before they write. */
interface Counting {
  readonly count: number
  readonly read: ReadonlyArray<number | "done" | undefined>
}

const counting = (isAtomic: boolean): Model<Counting> => ({
  name: "counting",
  initial: { count: 0, read: [undefined, undefined] },
  steps: ({ count, read }) =>
    read.flatMap((mine, i) => {
      if (mine === "done") return []
      if (isAtomic) return [{ name: `${i} counts`, to: { count: count + 1, read: read.with(i, "done") } }]
      if (mine === undefined) return [{ name: `${i} reads`, to: { count, read: read.with(i, count) } }]
      return [{ name: `${i} writes`, to: { count: mine + 1, read: read.with(i, "done") } }]
    }),
  key: (state) => JSON.stringify(state),
  wrong: () => undefined,
  ended: ({ count }) => (count === 2 ? undefined : `two counted to ${count}`)
})

describe("ModelChecker", () => {
  it("sees every state once", () => {
    const { complete, depth, ends, states, violation } = check(counting(true))
    assert.deepStrictEqual(
      { complete, depth, ends, states, violation },
      { complete: true, depth: 3, ends: 1, states: 4, violation: undefined }
    )
  })

  it("gives the shortest way to what is wrong", () => {
    const { complete, violation } = check(counting(false))
    assert.isFalse(complete)
    assert.strictEqual(violation!.what, "two counted to 1")
    assert.strictEqual(violation!.trace.length, 4)
    assert.include(render("counting", violation!), "  1. 0 reads\n")
  })

  it("takes a state for an end from which only what need not come leads on", () => {
    const stuck: Model<string> = {
      name: "stuck",
      initial: "waits",
      steps: (state) => (state === "waits" ? [{ name: "is cancelled", to: "gone", isOptional: true }] : []),
      key: (state) => state,
      wrong: () => undefined,
      ended: (state) => (state === "waits" ? "waits for ever" : undefined)
    }
    assert.deepStrictEqual(check(stuck).violation, { what: "waits for ever", trace: [] })
  })

  it("says when it gave up, and takes a wrong start for wrong", () => {
    assert.isFalse(check(counting(true), { statesMax: 2 }).complete)
    assert.deepStrictEqual(check({ ...counting(true), wrong: () => "no" }).violation, { what: "no", trace: [] })
  })

  it("takes states that differ in the numbers of versions alone for one", () => {
    assert.strictEqual(canonical(["a", 5, 9, 5]), canonical(["a", 1, 2, 1]))
    assert.notStrictEqual(canonical(["a", 5, 9]), canonical(["a", 9, 5]))
  })
})

describe("ModelStore", () => {
  const value = new Value(encodeString("v", 0))

  it("lands what was sent unless its read set changed, and lets who waits know", () => {
    const store = new ModelStore()
    const first = run(store, (tx) => tx.get("k") ?? tx.set("k", value))
    const second = run(store, (tx) => tx.range({ start: "a", end: "z" }).length === 0 && tx.set("l", value))
    const waiting = run(store, (tx) => {
      if (tx.get("k") === undefined) throw retry
    })
    assert.isTrue(waiting.isWaiting)
    const landed = land(store, { request: first.request, isStale: false })!
    assert.strictEqual(landed.store.cell("k")!.version, 1)
    const stale = after({ request: second.request, isStale: false }, landed.changes)
    assert.isTrue(stale.isStale)
    assert.isUndefined(land(landed.store, stale))
    assert.throws(() => land(landed.store, { request: second.request, isStale: false }), "Conflict")
    assert.isTrue(after({ request: waiting.request, isStale: false }, landed.changes).isStale)
  })
})
