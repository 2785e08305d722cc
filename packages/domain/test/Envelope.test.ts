/** What a value carries beside itself. */
import { assert, it } from "@effect/vitest"
import * as Envelope from "../src/core/Envelope.ts"
import { Value } from "../src/core/Value.ts"
import { encodeString } from "../src/core/ValueCodec.ts"

const plain = new Value(encodeString("work", 1))

it("a deadline and a count of deliveries are added, replaced and taken off", () => {
  const timed = Envelope.withDeadline(plain, 17)
  const both = Envelope.withDeliveries(timed, 2)
  assert.deepStrictEqual([Envelope.deadlineOf(both), Envelope.deliveriesOf(both)], [17, 2])
  const again = Envelope.withDeliveries(Envelope.withDeadline(both, 18), 3)
  assert.deepStrictEqual([Envelope.deadlineOf(again), Envelope.deliveriesOf(again)], [18, 3])
  assert.deepStrictEqual([...Envelope.stripped(again.bytes)], [...plain.bytes])
  assert.deepStrictEqual([Envelope.isExpired(again, 17), Envelope.isExpired(again, 18)], [false, true])
})

it("no value is changed by being looked into, also one whose bytes are a Buffer in a larger one", () => {
  const { bytes } = Envelope.withDeliveries(Envelope.withDeadline(plain, 17), 2)
  const pool = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4])])
  const value = new Value(pool.subarray(3, 3 + bytes.length))
  const before = [...pool]
  assert.deepStrictEqual([...Envelope.stripped(value.bytes)], [...plain.bytes])
  assert.strictEqual(Envelope.deliveriesOf(Envelope.withDeliveries(value, 3)), 3)
  assert.deepStrictEqual([...pool], before)
})
