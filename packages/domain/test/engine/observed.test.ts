import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Tracer from "effect/Tracer"
import { describe, expect, it } from "vitest"
import * as Tx from "../../src/Tx.ts"
import { lanes, raw } from "./support.ts"

/** A tracer that keeps the native spans it makes. */
const collecting = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

for (const lane of lanes) {
  describe(`what others see of transactions, ${lane.name}`, () => {
    it("a labelled transaction is a span, with its attempts, where a tracer is given", async () => {
      const { spans, tracer } = collecting()
      const increment = Tx.fn("increment")(function* () {
        const n = yield* raw.get("n")
        yield* Effect.yieldNow
        yield* raw.set("n", n + 1)
      })
      await Effect.runPromise(
        Effect.all([increment(), increment(), Tx.transact(raw.get("n"))], { concurrency: "unbounded" }).pipe(
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provide(lane.layer())
        )
      )
      expect(spans.map((span) => span.name)).toEqual(["increment", "increment"])
      expect(spans.map((span) => span.attributes.get("weft.attempts")).sort()).toEqual([1, 2])
      expect(spans[0]!.attributes.get("weft.store")).toBe("@weft/Store/default")
      expect(spans.every((span) => span.status._tag === "Ended")).toBe(true)
    })

    it("attempts, commits and conflicts by key reach the metrics", async () => {
      const snapshot = await Effect.runPromise(
        Effect.gen(function* () {
          const increment = Tx.transact(
            Effect.gen(function* () {
              const n = yield* raw.get("contended")
              yield* Effect.yieldNow
              yield* raw.set("contended", n + 1)
            })
          )
          yield* Effect.all([increment, increment], { concurrency: "unbounded" })
          return yield* Metric.snapshot
        }).pipe(Effect.provide(lane.layer()), Effect.provideService(Metric.MetricRegistry, new Map()))
      )
      const conflict = snapshot.find(
        ({ attributes, id }) => id === "weft_conflicts_total" && attributes?.["key"] === '"contended"'
      )
      expect(conflict?.state).toMatchObject({ count: 1 })
      const attempts = snapshot.find(({ id }) => id === "weft_attempts_total")
      expect(attempts).toBeDefined()
    })
  })
}
