import { assert, describe, it } from "@effect/vitest"
import { Prng } from "@weft/domain/testing/Prng"
import { Gaps, gapsMax } from "../src/internal/file/Gaps.ts"

const key = (n: number): string => n.toString(36).padStart(3, "0")

describe("Gaps", () => {
  it("knows what lies in the stretches that it was told of, whole or over several, and nothing else", () => {
    const seed = Math.floor(Math.random() * 1e9)
    const prng = new Prng(seed)
    const draw = (max: number) => Math.floor(prng.unit() * max)
    for (let round = 0; round < 200; round++) {
      const gaps = new Gaps()
      const isEmpty = new Uint8Array(200)
      for (let step = 0; step < 40; step++) {
        const start = draw(200)
        const end = Math.min(200, start + draw(25))
        gaps.add(key(start), key(end))
        isEmpty.fill(1, start, end)
        for (let look = 0; look < 20; look++) {
          const from = draw(200)
          const to = Math.min(200, from + 1 + draw(30))
          const told = gaps.covers(key(from), key(to))
          assert.strictEqual(
            told,
            isEmpty.subarray(from, to).every(Boolean),
            `seed ${seed}, round ${round}: ${from} to ${to}`
          )
          assert.strictEqual(gaps.has(key(from)), isEmpty[from] === 1, `seed ${seed}, round ${round}: ${from}`)
        }
      }
      gaps.clear()
      assert.isFalse(gaps.has(key(draw(200))))
    }
  })

  it("is bounded", () => {
    const gaps = new Gaps()
    for (let i = 0; i < gapsMax * 3; i++) gaps.add(key(3 * i), key(3 * i + 1))
    assert.isAtMost(gaps.size, gapsMax)
    assert.isTrue(gaps.has(key(3 * (gapsMax * 3 - 1))))
  })
})
