/** The log of what was done under locks: one entry per commit, appended by it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DMap from "../../src/DMap.ts"
import { prefixEnd } from "../../src/core/Key.ts"
import { encode } from "../../src/core/KeyCodec.ts"
import { decodePart } from "../../src/core/KeyDecode.ts"
import type { NodeMode } from "../../src/core/LockRules.ts"
import { Value } from "../../src/core/Value.ts"
import { codecBytes, decodeString, encodeString } from "../../src/core/ValueCodec.ts"
import type { HeldLock } from "../../src/internal/HeldLock.ts"
import * as Operation from "../../src/internal/Operation.ts"
import * as Lock from "../../src/LockModel.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"

/** How a request came to what it holds at an entry. */
export type Phase = "granted" | "upgraded" | "downgraded"

export interface Logged {
  /** Names the request. */
  readonly id: string
  /** Place in line: compared as a string. */
  readonly stamp: string
  readonly nodes: ReadonlyArray<NodeMode>
  readonly token: number
  readonly phase: Phase
  /** The token before, when it was greater: a stale write. */
  readonly stale?: number
}

export interface Entry extends Logged {
  /** Version of the commit. */
  readonly version: number
}

const prefix = encode(["lock chaos", "log"])

/** The token of the last writer, by path: what a lock guards. */
const guarded = DMap.make("lock chaos", { key: Schema.String, value: Schema.Number })

const append = (entry: Logged) =>
  Operation.make(Store, "chaos.log", (tx) => {
    const value = new Value(encodeString(JSON.stringify(entry), 0, codecBytes.json))
    tx.append(prefix, tx.nextIndex(), "", value)
  })

/** One commit under the innermost lock of the flow: writes its token to what it guards, and an entry of the log. */
export const touch = (
  id: string,
  phase: Phase,
  written: ReadonlyArray<string>
): Effect.Effect<void, StoreError, Store> =>
  Effect.withFiber((fiber) => {
    // A transaction under a lock of a store stands in a flow that holds it.
    const held = fiber.context.mapUnsafe.get(Lock.Holding.key) as ReadonlyArray<HeldLock<Store>>
    const { nodes, stamp, token } = held.at(-1)!
    return Tx.transact(
      Effect.gen(function* () {
        let stale: number | undefined
        for (const path of written) {
          const before = yield* guarded.set(path, token)
          if (before._tag === "Some" && before.value > token) stale = before.value
        }
        const entry = { id, stamp, nodes, token, phase }
        yield* append(stale === undefined ? entry : { ...entry, stale })
      })
    )
  })

const pageEntries = 5_000

/** The whole log in the order of its commits. */
export const entries: Effect.Effect<ReadonlyArray<Entry>, StoreError, Store> = Effect.gen(function* () {
  const found: Array<Entry> = []
  for (let start = prefix; ;) {
    const page = yield* Operation.make(Store, "chaos.read", (tx) =>
      tx.range({ start, end: prefixEnd(prefix), limit: pageEntries })
    )
    for (const { key, value } of page) {
      const { version } = decodePart(key, prefix.length).part as { readonly version: number }
      found.push({ ...(JSON.parse(decodeString(value.bytes, codecBytes.json)) as Logged), version })
    }
    if (page.length < pageEntries) return found
    start = `${page.at(-1)!.key}\u0000`
  }
})
