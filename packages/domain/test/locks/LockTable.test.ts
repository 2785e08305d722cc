/** The local lock tree against the rules it is made of, by tables and by random programs. */
import { assert, describe, it } from "@effect/vitest"
import { LockTable } from "../../src/core/LockTable.ts"
import type { Request } from "../../src/core/LockTable.ts"
import * as Rules from "../../src/core/LockRules.ts"

const chain = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/").filter((p) => p !== "")
  return ["/", ...parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`)]
}
const nodes = (read: ReadonlyArray<string>, write: ReadonlyArray<string>) =>
  Rules.expand(read.map(chain), write.map(chain))

const ask = (table: LockTable, read: ReadonlyArray<string>, write: ReadonlyArray<string>): Request => {
  const got = table.request(nodes(read, write), { owner: undefined, granted: () => {} })
  assert.notProperty(got, "cycle")
  return got as Request
}

/** mulberry32: the same numbers from the same seed everywhere. */
const prng = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

describe("LockRules", () => {
  it("compatibility is symmetric, and combining never grants less", () => {
    for (const a of Rules.modes) {
      for (const b of Rules.modes) {
        assert.strictEqual(Rules.compatible(a, b), Rules.compatible(b, a))
        const both = Rules.combine(a, b)
        for (const c of Rules.modes) {
          if (Rules.compatible(both, c)) assert.isTrue(Rules.compatible(a, c) && Rules.compatible(b, c))
        }
      }
    }
  })

  it("a request that reads /a and writes /a/b holds SIX on /a", () => {
    const wanted = nodes(["/a"], ["/a/b"]).map(({ mode, node }) => `${node} ${Rules.modeNames[mode]}`)
    assert.deepStrictEqual(wanted, ["/ IX", "/a SIX", "/a/b X"])
  })
})

describe("LockTable", () => {
  it("read /a with write /a/b keeps a reader of /a out, and another writer below (bad case 13)", () => {
    const table = new LockTable()
    const first = ask(table, ["/a"], ["/a/b"])
    assert.strictEqual(first.state, "granted")
    assert.strictEqual(ask(table, ["/a"], []).state, "waiting")
    assert.strictEqual(ask(table, ["/a"], ["/a/c"]).state, "waiting")
    assert.strictEqual(ask(table, ["/c"], []).state, "granted")
  })

  it("a cancelled queued writer lets the readers behind it in at once (bad case 14)", () => {
    const table = new LockTable()
    ask(table, ["/a"], [])
    const writer = ask(table, [], ["/a"])
    const reader = ask(table, ["/a"], [])
    assert.strictEqual(reader.state, "waiting")
    table.release(writer)
    assert.strictEqual(reader.state, "granted")
  })

  it("of 64 writers in line one wakes per release", () => {
    const table = new LockTable()
    const all = Array.from({ length: 64 }, () => ask(table, [], ["/a/b"]))
    for (const request of all) table.release(request)
    assert.isAtMost(table.wakeUps, 63)
  })

  it("re-entry behind a waiting writer is a cycle, not a wait for ever (bad case 15)", () => {
    const table = new LockTable()
    const held = ask(table, ["/a"], [])
    const writer = ask(table, [], ["/a"])
    const again = table.request(nodes(["/a"], []), { owner: undefined, holding: [held], granted: () => {} })
    assert.property(again, "cycle")
    table.release(held)
    assert.strictEqual(writer.state, "granted")
  })

  it("an upgrade waits for the readers beside it and passes writers that wait", () => {
    const table = new LockTable()
    const a = ask(table, ["/a"], [])
    const b = ask(table, ["/a"], [])
    const writer = ask(table, [], ["/a"])
    let up = false
    assert.isUndefined(table.upgrade(a, nodes([], ["/a"]), { granted: () => (up = true) }))
    assert.isFalse(up)
    assert.strictEqual(ask(table, ["/a"], []).state, "waiting")
    table.release(b)
    assert.isTrue(up)
    assert.strictEqual(writer.state, "waiting")
    table.release(a)
    assert.strictEqual(writer.state, "granted")
  })

  it("the second upgrader of a node is told of the cycle", () => {
    const table = new LockTable()
    const a = ask(table, ["/a"], [])
    const b = ask(table, ["/a"], [])
    assert.isUndefined(table.upgrade(a, nodes([], ["/a"]), { granted: () => {} }))
    assert.isDefined(table.upgrade(b, nodes([], ["/a"]), { granted: () => {} }))
    table.release(b)
    assert.strictEqual(a.state, "granted")
  })

  it("an upgrade does not overtake an earlier request that waits elsewhere", () => {
    const table = new LockTable()
    const holder = ask(table, [], ["/b"])
    const earlier = ask(table, ["/a", "/b"], [])
    const upgrader = ask(table, ["/a"], [])
    let up = false
    table.upgrade(upgrader, nodes([], ["/a"]), { granted: () => (up = true) })
    table.release(holder)
    assert.strictEqual(earlier.state, "granted")
    assert.isFalse(up)
    table.release(earlier)
    assert.isTrue(up)
  })

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`random programs: holders are compatible, nobody free waits, all end (seed ${seed})`, () => {
      const random = prng(seed)
      const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(random() * list.length)]!
      const paths = ["/", "/a", "/a/b", "/a/c", "/a/b/d", "/e"]
      const table = new LockTable()
      const live: Array<Request> = []
      let upgrades = 0
      const check = (): void => {
        for (const node of table.occupied()) {
          const at = table.requestsAt(node).filter(({ request }) => live.includes(request))
          const held = at.filter(({ request }) => request.state === "granted" || request.state === "upgrading")
          for (const one of held) {
            for (const two of held) {
              if (one.request === two.request) continue
              assert.isTrue(Rules.compatible(one.mode, two.mode), `${node}: two holders exclude each other`)
            }
          }
        }
        const tickets: Rules.Tickets<string, number> = {
          nearest: (node, mode, before) =>
            table
              .requestsAt(node)
              .filter((t) => t.mode === mode && t.request.stamp < before)
              .at(-1)?.request.stamp
        }
        for (const request of live) {
          if (request.state !== "waiting") continue
          const { nodes: wanted } = request
          assert.isDefined(Rules.blocker(tickets, wanted, request.stamp), "a request waits that nothing blocks")
        }
      }
      for (let step = 0; step < 400; step++) {
        const roll = random()
        if (roll < 0.5 || live.length === 0) {
          const read = random() < 0.6 ? [pick(paths)] : []
          const write = read.length === 0 || random() < 0.3 ? [pick(paths)] : []
          live.push(ask(table, read, write))
        } else if (roll < 0.62) {
          const request = pick(live)
          if (request.state === "granted") {
            const cycle = table.upgrade(request, nodes([], [pick(paths)]), { granted: () => upgrades++ })
            if (cycle !== undefined) assert.strictEqual(request.state, "granted")
          }
        } else {
          const request = pick(live)
          live.splice(live.indexOf(request), 1)
          table.release(request)
        }
        check()
      }
      while (live.length > 0) {
        const request = live.find((r) => r.state === "granted")
        assert.isDefined(request, "everyone waits: a deadlock")
        live.splice(live.indexOf(request!), 1)
        table.release(request!)
        check()
      }
      assert.deepStrictEqual(table.occupied(), [])
      assert.isAbove(upgrades, 0)
    })
  }
})
