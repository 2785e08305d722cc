/** The rules of a space in memory, without fibers: who is told, who is passed over, what expires. */
import { assert, it } from "@effect/vitest"
import { SpaceTable, type Waiter } from "../src/core/SpaceTable.ts"
import { any, compile, where } from "../src/core/Template.ts"

type Pair = readonly [string, number]
const predicates = {
  isEven: (n: number) => n % 2 === 0,
  throws: (): boolean => {
    throw new Error("no idea")
  }
}
const template = (...places: ReadonlyArray<unknown>) => compile(places, predicates)

const waiting = (table: SpaceTable<Pair>, takes: boolean, ...places: ReadonlyArray<unknown>) => {
  const told = { delivered: [] as Array<Pair>, failed: 0 }
  const waiter: Waiter<Pair> = table.wait({
    template: template(...places),
    takes,
    shown: [],
    deliver: ({ tuple }) => void told.delivered.push(tuple),
    fail: () => void told.failed++
  })
  return Object.assign(told, { waiter })
}

it("64 takers of one template: each tuple is told to one, the first in line, and to nobody else", () => {
  const table = new SpaceTable<Pair>()
  const takers = Array.from({ length: 64 }, () => waiting(table, true, "a", any))
  for (let n = 0; n < 64; n++) {
    assert.isFalse(table.out(["a", n]))
    assert.strictEqual(
      takers.reduce((sum, { delivered }) => sum + delivered.length, 0),
      n + 1
    )
    assert.deepStrictEqual(takers[n]!.delivered, [["a", n]])
  }
  assert.deepStrictEqual([table.size, table.waiting], [0, 0])
})

it("a waiter whose predicate throws is told once, and the others are served", () => {
  const table = new SpaceTable<Pair>()
  const bad = waiting(table, true, "a", where("throws"))
  const good = waiting(table, true, "a", where("isEven"))
  assert.isTrue(table.out(["a", 1]))
  assert.isFalse(table.out(["a", 2]))
  assert.deepStrictEqual([bad.failed, bad.delivered, good.delivered], [1, [], [["a", 2]]])
})

it("one that left the line is passed over, in whatever index it stood", () => {
  const table = new SpaceTable<Pair>()
  const first = waiting(table, true, "a", any)
  const second = waiting(table, true, any, 1)
  table.cancel(first.waiter)
  table.out(["a", 1])
  assert.deepStrictEqual([first.delivered, second.delivered], [[], [["a", 1]]])
})

it("a tuple given back keeps its age; expired ones are not found and are counted when swept", () => {
  const table = new SpaceTable<Pair>()
  table.out(["a", 1])
  table.out(["a", 2], 100)
  table.out(["a", 3])
  const first = table.find(template("a", any), 0)!
  table.remove(first)
  table.giveBack(first)
  assert.deepStrictEqual(
    table.findAll(template("a", any), 50).map(({ tuple }) => tuple[1]),
    [1, 2, 3]
  )
  assert.strictEqual(table.expire(100), 1)
  assert.deepStrictEqual(
    table.findAll(template("a", any), 100).map(({ tuple }) => tuple[1]),
    [1, 3]
  )
  assert.strictEqual(table.size, 2)
})
