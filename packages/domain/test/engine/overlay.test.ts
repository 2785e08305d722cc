/**
 * The overlay of writes on their way, beside a list of the same: what the newest local request makes of a key, whatever
 * is added, resolved and withdrawn in which order; and that keys nobody writes any more do not stay for ever. Replay with
 * `WEFT_SEED=<seed> npx vitest run packages/domain/test/engine/overlay.test.ts`.
 */
import { expect, it } from "vitest"
import { Journal } from "../../src/core/Journal.ts"
import { Overlay, Pending } from "../../src/internal/Pending.ts"
import * as Prng from "../../testing/Prng.ts"
import { text } from "./support.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/domain/test/engine/overlay.test.ts`

it("shows of every key what the newest request on its way makes of it, and keeps few that nobody writes", () => {
  const random = Prng.make(seed)
  const overlay = new Overlay()
  const open: Array<Pending> = []
  const keyOf = (n: number) => `k${String(n).padStart(6, "0")}`
  let keys = 0
  let heldMost = 0
  for (let position = 0; position < 20_000; position++) {
    const journal = new Journal()
    for (let i = random.between(1, 3); i > 0; i--) {
      // Keys that come back, and ever new ones.
      const key = keyOf(random.chance(0.5) ? random.below(8) : ++keys + 8)
      journal.markRead(journal.entry(key))
      const kind = random.unit()
      if (kind < 0.2) journal.delete(key)
      else if (kind < 0.4) journal.add(key, 1)
      else journal.set(key, text(`${position}`))
    }
    const pending = new Pending(position, 0, journal, journal.writes(), 0)
    overlay.add(pending)
    open.push(pending)
    while (open.length > 0 && random.chance(open.length > 16 ? 0.9 : 0.4)) {
      const [resolved] = open.splice(random.chance(0.8) ? 0 : random.below(open.length), 1)
      resolved!.resolve(
        random.chance(0.5)
          ? { _tag: "Committed", version: position }
          : { _tag: "Stale", stale: { keys: [], ranges: [], local: true } }
      )
      overlay.remove(resolved!)
      // Else the newest of a key that is never calm would hold all that were before it.
      expect(resolved!.reads, replay).toEqual([])
    }
    heldMost = Math.max(heldMost, overlay.held)
    for (const key of [keyOf(random.below(8)), keyOf(keys + 8 - random.below(20))]) {
      const newest = open.findLast(({ writes }) => writes.some((write) => "key" in write && write.key === key))
      expect(overlay.get(key)?.pending, `${replay} (${position}, ${key})`).toBe(newest)
      expect(overlay.newestIn(key, `${key}\0`), `${replay} (${position}, ${key})`).toBe(newest)
    }
  }
  expect(keys, replay).toBeGreaterThan(10_000)
  expect(heldMost, replay).toBeLessThan(1_000)
  for (const pending of open.splice(0)) {
    pending.resolve({ _tag: "Committed", version: 1 })
    overlay.remove(pending)
  }
  expect(overlay.size, replay).toBe(0)
})
