/** What becomes of a take that ends: the whole table. */
import { assert, it } from "@effect/vitest"
import { isDeadLetter, settle, type Settlement, type TakeEnd, type TakeWill } from "../src/core/TupleRules.ts"

const rows: ReadonlyArray<readonly [TakeEnd, waits: Settlement, has: Settlement]> = [
  ["received", "nothing", "consume"],
  ["done", "nothing", "consume"],
  ["cancelled", "leave", "putBack"],
  ["released", "leave", "return"],
  ["died", "leave", "return"]
]

for (const [end, waits, has] of rows) {
  it(`${end}: a ticket ${waits}, a tuple ${has}, nothing twice`, () => {
    const wills: ReadonlyArray<readonly [TakeWill, Settlement]> = [
      ["ticket", waits],
      ["restore", has],
      [undefined, "nothing"]
    ]
    for (const [will, want] of wills) assert.strictEqual(settle(will, end), want)
  })
}

it("a tuple may come back as often as the space says, and not once more", () => {
  assert.deepStrictEqual(
    [1, 2, 3].map((returns) => isDeadLetter(returns, 2)),
    [false, false, true]
  )
})
