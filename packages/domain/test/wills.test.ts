/** The text of a will is the same whichever way it was made: files hold those of all versions. */
import { assert, describe, it } from "vitest"
import { encode, stampBytes } from "../src/core/KeyCodec.ts"
import { type Unlock, type Will, willOf, willValue } from "../src/core/SessionCells.ts"
import { Value } from "../src/core/Value.ts"
import { codecBytes, encodeString } from "../src/core/ValueCodec.ts"

const unlock = (part: string | number, more: Partial<Unlock> = {}): Unlock => ({
  kind: "unlock",
  tree: encode([null, "lock", "desk"]),
  nodes: [
    { node: encode([]), mode: 1 },
    { node: encode([part]), mode: 4 }
  ],
  holding: [],
  owner: 'somebody "else"',
  nonce: "17",
  ...more
})

const wills: Readonly<Record<string, Will>> = {
  "a lock": unlock("a"),
  "a lock while holding": unlock("a", { holding: [stampBytes(7, 0), stampBytes(2 ** 40, 3)] }),
  "an upgrade": unlock("a", { holding: [stampBytes(7, 0)], upgrades: stampBytes(7, 0) }),
  "a lock of a number and of other letters": unlock(-1.5, { owner: "Zoë ∆" }),
  "a ticket": { kind: "ticket", prefix: encode(["x", 3]), nonce: "0" }
}

describe("wills", () => {
  for (const [name, will] of Object.entries(wills)) {
    it(`${name}: bytes and size are those of its JSON, and it is read again`, () => {
      const value = willValue(will)
      const bytes = encodeString(JSON.stringify(will), 0, codecBytes.json)
      assert.strictEqual(value.size, bytes.length)
      assert.deepStrictEqual(value.bytes, bytes)
      assert.isUndefined(value.ascii)
      assert.deepStrictEqual(willOf(value), will)
      assert.deepStrictEqual(willOf(new Value(bytes)), will)
    })
  }
})
