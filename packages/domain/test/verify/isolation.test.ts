import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LayerMap from "effect/LayerMap"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import * as Cells from "../../testing/Cells.ts"
import * as Sim from "../../testing/Sim.ts"

const run = <A, E>(program: Effect.Effect<A, E>): Promise<A> => Sim.make({ seed: 1 }).run(program)

const put = (value: string) => Tx.transact(Cells.set("who", value))
const who = Cells.get("who")

describe("tenants of a LayerMap", () => {
  class Tenants extends LayerMap.Service<Tenants>()("@weft/test/Tenants", {
    lookup: (_tenant: string) => Store.layer(MemoryBackend.layer()),
    idleTimeToLive: "1 minute"
  }) {}
  it("never see each other's data, and keep their own", async () => {
    const program = Effect.gen(function* () {
      const names = ["t1", "t2", "t3"]
      for (const tenant of names) yield* Effect.provide(put(tenant), Tenants.get(tenant))
      return yield* Effect.forEach([...names, "t4"], (tenant) => Effect.provide(who, Tenants.get(tenant)))
    })
    expect(await run(Effect.provide(program, Tenants.layer))).toEqual(["t1", "t2", "t3", undefined])
  })
})

describe("nested provide", () => {
  it("an inner store is another store, also within the outer one's program", async () => {
    const outer = Store.layer(MemoryBackend.layer())
    const inner = Store.layer(MemoryBackend.layer())
    const program = Effect.gen(function* () {
      yield* put("outer")
      const before = yield* Effect.provide(who, inner)
      const within = yield* Effect.provide(Effect.andThen(put("inner"), who), inner)
      return [before, within, yield* who]
    })
    expect(await run(Effect.provide(program, outer))).toEqual([undefined, "inner", "outer"])
  })

  it("the same backend Layer nested is the same store", async () => {
    const memory = MemoryBackend.layer()
    const program = Effect.gen(function* () {
      yield* put("shared")
      return yield* Effect.provide(who, Store.layer(memory))
    })
    expect(await run(Effect.provide(program, Store.layer(memory)))).toBe("shared")
  })

  it("an operation of another store inside a transaction is a named defect, and nothing is written", async () => {
    const outer = Store.layer(MemoryBackend.layer())
    const inner = Store.layer(MemoryBackend.layer())
    const program = Effect.gen(function* () {
      const crossing = Tx.transact(Effect.andThen(put("outer"), Effect.provide(put("inner"), inner)))
      const exit = yield* Effect.exit(crossing)
      return [
        String(exit).includes("NamespaceMismatch") || JSON.stringify(exit).includes("NamespaceMismatch"),
        yield* who
      ]
    })
    expect(await run(Effect.provide(program, outer))).toEqual([true, undefined])
  })
})

describe("two engines", () => {
  const both = (a: Layer.Layer<Store>, b: Layer.Layer<Store>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const [left, right] = [yield* Layer.build(a), yield* Layer.build(b)]
        yield* Effect.provideContext(put("left"), left)
        const seen = yield* Effect.provideContext(who, right)
        const different = Context.get(left, Store).engine !== Context.get(right, Store).engine
        return { seen, different }
      })
    )
  it("on one backend share its data", async () => {
    const shared = MemoryBackend.make()
    const engine = () => Store.layer(Layer.succeed(Backend, shared))
    expect(await run(both(engine(), engine()))).toEqual({ seen: "left", different: true })
  })
  it("on two backends share nothing", async () => {
    const engine = () => Store.layer(MemoryBackend.layer())
    expect(await run(both(engine(), engine()))).toEqual({ seen: undefined, different: true })
  })
})
