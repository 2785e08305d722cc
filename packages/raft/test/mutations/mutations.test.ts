/**
 * The list of known bugs fits the source, and the invariants can fail: some bugs are put into the running classes and the
 * simulation must stop at each within a few seeds. The whole list runs by `npm run mutations:raft`.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Raft } from "../../src/core/Raft.ts"
import { Replica } from "../../src/core/Replica.ts"
import { Disk } from "../../src/driver/Disk.ts"
import { Results } from "../../src/driver/Results.ts"
import { simulate } from "../../testing/sim/Simulation.ts"
import { aims } from "./aims.ts"
import { mutations } from "./all.ts"

const root = new URL("../../", import.meta.url)

describe("known bugs", () => {
  it("each stands at exactly one place of the source, and changes it", () => {
    for (const { edits, id } of mutations) {
      // One after the other, as the script puts them in.
      const texts = new Map<string, string>()
      for (const { file, find, replace } of edits) {
        const text = texts.get(file) ?? readFileSync(new URL(file, root), "utf8")
        const count = text.split(find).length - 1
        assert.strictEqual(count, 1, `${id}: ${file} holds ${count} times: ${find}`)
        assert.notStrictEqual(find, replace, id)
        texts.set(
          file,
          text.replace(find, () => replace)
        )
      }
    }
  })

  it("have names of their own, and aims belong to them", () => {
    const ids = mutations.map(({ id }) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const id of Object.keys(aims)) assert.include(ids, id)
  })
})

/** Runs seeds with a method replaced until one fails; gives the broken rule. */
const caught = <T extends object>(
  owner: T,
  name: string,
  make: (original: (...args: Array<unknown>) => unknown) => unknown
): string => {
  const before = Object.getOwnPropertyDescriptor(owner, name)
  assert.isDefined(before)
  Object.defineProperty(owner, name, { ...before, value: make(before?.value) })
  try {
    for (let seed = 1; seed <= 25; seed++) {
      const { failure } = simulate(seed, { safetyMicros: 6_000_000 })
      if (failure !== undefined) return failure.rule
    }
    return "nothing was noticed in 25 seeds"
  } finally {
    Object.defineProperty(owner, name, before as PropertyDescriptor)
  }
}

describe("the invariants can fail", () => {
  it("a driver that reports writes before they are durable", () => {
    const rule = caught(
      Disk.prototype,
      "write",
      (original) =>
        function (this: Disk, ...args: Array<unknown>) {
          original.apply(this, args)
          Reflect.get(this, "listener").persisted((args[0] as { readonly write: number }).write)
        }
    )
    assert.match(rule, /durable/)
  })

  it("a replica that executes a repeated command again", () => {
    const rule = caught(
      Replica.prototype,
      "command",
      (original) =>
        function (this: Replica, ...args: Array<unknown>) {
          const table: Map<number, { readonly results: Map<number, unknown> }> = Reflect.get(this, "table")
          for (const { results } of table.values()) results.clear()
          return original.apply(this, args)
        }
    )
    assert.match(rule, /executed once|linearizable/)
  })

  it("a driver that answers by the place in the log alone", () => {
    const rule = caught(
      Results.prototype,
      "get",
      () =>
        function (this: Results, index: number) {
          return Reflect.get(this, "kept")[index & Reflect.get(this, "mask")]
        }
    )
    // Alone it does no harm: the core already answers Superseded. Both together are in the list above.
    assert.match(rule, /nothing was noticed/)
  })

  it("a core that forgets what the disk told", () => {
    const rule = caught(
      Raft.prototype,
      "step",
      (original) =>
        function (this: Raft, ...args: Array<unknown>) {
          const input = args[0] as { readonly _tag: string }
          if (input._tag !== "Persisted" || this.lastIndex % 7 !== 0) original.apply(this, args)
        }
    )
    assert.match(rule, /leader|decided/)
  })
})
