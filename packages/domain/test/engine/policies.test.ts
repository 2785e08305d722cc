/** What becomes of a transaction that loses: policies, limits in time, stores that fail. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as RetryPolicy from "../../src/RetryPolicy.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import { later, raw, text } from "./support.ts"

/** Whoever else commits: another engine's write, as far as the tested one can tell. */
const foreign = (backend: Backend["Service"], key: string, n: number) =>
  Effect.gen(function* () {
    const { version } = yield* backend.read({ keys: [], ranges: [] })
    yield* backend.commit([
      {
        id: { session: "somebody else", sequence: ++sequence },
        resolvedBelow: 0,
        base: version,
        atMillis: 0,
        reads: [],
        ranges: [],
        writes: [{ _tag: "Set", key, value: text(String(n)) }]
      }
    ])
  })
let sequence = 0

describe("retry policies", () => {
  /** A store that another engine writes to before each of our commits, so that we always lose. */
  const losing = (sync: boolean) => {
    const inner = MemoryBackend.make()
    const backend = sync ? inner : later(inner)
    const body = Effect.gen(function* () {
      const n = yield* raw.get("k")
      yield* Effect.orDie(foreign(inner, "k", n + 10))
      yield* raw.set("k", n + 1)
      return (yield* Tx.attempt).number
    })
    return { body, layer: Store.layer(Layer.succeed(Backend, backend)) }
  }

  for (const sync of [true, false]) {
    const name = sync ? "in memory" : "answering later"
    it(`RetriesExhausted tells the last conflict, ${name}`, async () => {
      const { body, layer } = losing(sync)
      const error = await Effect.runPromise(
        Effect.flip(Tx.transactWith(body, { retry: RetryPolicy.times(2), label: "loser" })).pipe(Effect.provide(layer))
      )
      expect(error).toMatchObject({ _tag: "RetriesExhausted", label: "loser" })
      if (error._tag !== "RetriesExhausted") throw error
      expect(error.conflict).toMatchObject({ attempt: 3, local: false, keys: [{ key: "k" }] })
      expect(error.message).toContain("loser")
    })

    it(`a builder sees typed conflicts and stops, ${name}`, async () => {
      const { body, layer } = losing(sync)
      const seen: Array<number> = []
      const program = Tx.transactWith(body, {
        retry: ($) =>
          $(Schedule.forever).pipe(
            Schedule.while(({ input }) => {
              seen.push(input.attempt)
              return input.attempt < 3
            })
          )
      })
      const error = await Effect.runPromise(Effect.flip(program).pipe(Effect.provide(layer)))
      expect(error._tag).toBe("RetriesExhausted")
      expect(seen).toEqual([1, 2, 3])
    })
  }

  it("a timeout never cuts a commit in flight: its outcome counts", async () => {
    const inner = MemoryBackend.make()
    const slow = later(inner)
    const layer = Store.layer(
      Layer.succeed(Backend, { ...slow, commit: (requests) => Effect.delay(slow.commit(requests), "40 millis") })
    )
    const result = await Effect.runPromise(
      Tx.transactWith(Effect.as(raw.set("a", 1), "done"), { timeout: "10 millis" }).pipe(Effect.provide(layer))
    )
    expect(result).toBe("done")
  })

  it("onCommit of a lost attempt is forgotten with it", async () => {
    let told = 0
    let disturb = true
    const inner = MemoryBackend.make()
    const body = Effect.gen(function* () {
      const n = yield* raw.get("k")
      yield* Tx.onCommit(Effect.sync(() => told++))
      if (disturb) yield* Effect.orDie(foreign(inner, "k", 5))
      disturb = false
      yield* raw.set("k", n + 1)
      return n
    })
    const n = await Effect.runPromise(
      Tx.transact(body).pipe(Effect.provide(Store.layer(Layer.succeed(Backend, inner))))
    )
    expect([n, told]).toEqual([5, 1])
  })

  it("more commits than may wait for the store fail with the limit's name", async () => {
    const slow = later(MemoryBackend.make())
    const backend = {
      ...slow,
      commit: (requests: Parameters<typeof slow.commit>[0]) => Effect.delay(slow.commit(requests), 20)
    }
    const layer = Store.layer(Layer.succeed(Backend, backend), { queuedRequestsMax: 2 })
    const results = await Effect.runPromise(
      Effect.all(
        Array.from({ length: 5 }, (_, i) => Effect.result(raw.set(`k${i}`, 1))),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(layer))
    )
    const failed = results.flatMap((result) => (result._tag === "Failure" ? [result.failure.reason] : []))
    expect(failed.length).toBe(3)
    expect(failed[0]).toMatchObject({ _tag: "LimitExceeded", limit: "queuedRequestsMax", max: 2, actual: 3 })
  })

  it("backend down is Unavailable at once, never a conflict (bad case 3)", async () => {
    const inner = later(MemoryBackend.make())
    const down = Effect.fail(
      await import("../../src/StoreError.ts").then((S) => S.make(new S.Unavailable({ message: "down" })))
    ) as Effect.Effect<never, StoreError>
    const layer = Store.layer(Layer.succeed(Backend, { ...inner, commit: () => down }))
    const error = await Effect.runPromise(Effect.flip(raw.set("a", 1)).pipe(Effect.provide(layer)))
    expect(error.reason._tag).toBe("Unavailable")
  })
})
