/** Lazy matching gives each take what the sequential rule gives it: 200,000 random orders with `WEFT_SCALE=full`. */
import { assert, it } from "vitest"
import { compare } from "../testing/LazyMatching.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 20261128)
const orders = isFull ? 200_000 : 5_000
const replay = `WEFT_SEED=${seed}${isFull ? " WEFT_SCALE=full" : ""} npx vitest run packages/tuplespace/test/lazyMatching.test.ts`

it(`lazy matching is the sequential rule (replay: ${replay})`, () => {
  const compared = compare(seed, orders)
  assert.isUndefined(compared.difference)
  assert.isAbove(compared.pairs, orders)
  console.log(`lazy matching: ${compared.orders} orders, ${compared.pairs} takes served, 0 differences`)
}, 600_000)
