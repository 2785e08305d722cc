/**
 * Stores beside each other: tenants of a LayerMap, nested provides, named stores and engines on one backend see exactly the
 * data they should (Layers are shared by reference, so a constant Layer that needs a backend would leak).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as Namespaces from "../../src/Namespaces.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import { later, raw, rawOn } from "./support.ts"

const backends = {
  "in memory": () => MemoryBackend.layer(),
  "answering later": () => Layer.sync(Backend, () => later(MemoryBackend.make()))
}

class Billing extends Store.named<Billing>()("billing") {}

for (const [name, backend] of Object.entries(backends)) {
  describe(`stores beside each other, ${name}`, () => {
    it("tenants of a LayerMap never see each other, and one tenant is one store", async () => {
      class Tenants extends Namespaces.Service<Tenants>()("Tenants", { backend: (_tenant: string) => backend() }) {}
      const seen = await Effect.runPromise(
        Effect.gen(function* () {
          const hold = yield* Effect.forkScoped(Effect.provide(Effect.never, [Tenants.get("t1"), Tenants.get("t2")]))
          yield* Effect.yieldNow
          yield* Effect.provide(raw.set("user", 1), Tenants.get("t1"))
          yield* Effect.provide(raw.set("other", 2), Tenants.get("t2"))
          const one = yield* Effect.provide(Effect.all([raw.get("user"), raw.get("other")]), Tenants.get("t1"))
          const two = yield* Effect.provide(Effect.all([raw.get("user"), raw.get("other")]), Tenants.get("t2"))
          return { one, two, hold: hold.id > 0 }
        }).pipe(Effect.scoped, Effect.provide(Tenants.layer))
      )
      expect(seen).toEqual({ one: [1, 0], two: [0, 2], hold: true })
    })

    it("a nested provide of another backend is another store, of the same one the same store", async () => {
      const outer = Store.layer(backend())
      const inner = Store.layer(backend())
      const shared = backend()
      await Effect.runPromise(
        Effect.gen(function* () {
          yield* raw.set("a", 1)
          expect(yield* Effect.provide(raw.get("a"), inner)).toBe(0)
          expect(yield* Effect.provide(raw.get("a"), outer)).toBe(1)
        }).pipe(Effect.provide(outer))
      )
      expect(Store.layer(shared)).toBe(Store.layer(shared))
    })

    it("two engines on one backend share its data and nothing else", async () => {
      const service = name === "in memory" ? MemoryBackend.make() : later(MemoryBackend.make())
      const one = Store.layer(Layer.succeed(Backend, service))
      const two = Store.layer(Layer.succeed(Backend, service))
      await Effect.runPromise(
        Effect.gen(function* () {
          const engines = [yield* Effect.provide(Store, one), yield* Effect.provide(Store, two)]
          expect(engines[0]!.engine).not.toBe(engines[1]!.engine)
          yield* Effect.provide(raw.set("a", 1), one)
          expect(yield* Effect.provide(raw.get("a"), two)).toBe(1)
        })
      )
    })

    it("a named store is beside the default one", async () => {
      const bills = rawOn(Billing)
      const program = Effect.gen(function* () {
        yield* raw.set("a", 1)
        yield* bills.set("a", 2)
        return [yield* raw.get("a"), yield* bills.get("a")]
      })
      const seen = await Effect.runPromise(
        program.pipe(Effect.provide([Store.layer(backend()), Billing.layer(backend())])) as Effect.Effect<Array<number>>
      )
      expect(seen).toEqual([1, 2])
    })

    it("a transaction names its store", async () => {
      // The raw operations are typed for the default store.
      const bills = rawOn(Billing) as unknown as {
        readonly get: (key: string) => Effect.Effect<number, never, Billing>
      }
      const n = await Effect.runPromise(
        Effect.provide(Tx.transactWith(bills.get("a"), { store: Billing }), Billing.layer(backend()))
      )
      expect(n).toBe(0)
    })
  })
}
