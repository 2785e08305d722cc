/** Stores by name and by settings. */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Schema } from "effect"
import { Backend } from "@weft/domain/Backend"
import * as Backends from "../src/Backends.ts"
import { builtIn, Registry, type Plugin } from "../src/BackendRegistry.ts"
import * as InprocBackend from "../src/InprocBackend.ts"
import type { StoreError } from "@weft/domain/StoreError"

const nameOf = <E>(layer: Layer.Layer<Backend, E>) =>
  Effect.provide(
    Backend.use(({ capabilities }) => Effect.succeed(capabilities.name)),
    layer
  )

const refusal = <E extends { readonly reason: StoreError["reason"] }>(layer: Layer.Layer<Backend, E>) =>
  Effect.map(Effect.flip(nameOf(layer)), ({ reason }) => `${reason._tag}: ${reason.message}`)

const toy: Plugin<{ readonly size: number }> = {
  name: "toy",
  summary: "a store of a third party",
  settings: Schema.Struct({ size: Schema.Int }),
  fromText: (text) => ({ size: Number(text) }),
  open: ({ size }) => Promise.resolve(InprocBackend.layer({ limits: { recentCommits: size } }))
}

const absent: Plugin<{}> = {
  name: "absent",
  summary: "a store whose package is not installed",
  settings: Schema.Struct({}),
  // A name that no package has: what the import says is what a missing peer says.
  open: () => import("no-such-package-of-weft" as string),
  install: "npm install no-such-package-of-weft"
}

describe("Backends", () => {
  it.effect("a store by its name, in two spellings, and by its settings", () =>
    Effect.gen(function* () {
      for (const store of ["memory", "inproc", { _tag: "memory" }] as const) {
        assert.strictEqual(yield* nameOf(Backends.layer(store)), "inproc")
      }
    })
  )

  it.effect("every built-in store is listed", () =>
    Effect.sync(() => assert.deepStrictEqual(builtIn.names, ["file", "inproc", "memory"]))
  )

  it.effect("an unknown name is refused with the names that are known", () =>
    Effect.gen(function* () {
      const expected = `InvalidInput: no store is called "mongo"; known are file, inproc, memory; a plugin adds others`
      for (const store of ["mongo", "mongo:x", { _tag: "mongo" }]) {
        assert.strictEqual(yield* refusal(Backends.layer(store)), expected)
      }
    })
  )

  it.effect("settings that are not right are refused by name", () =>
    Effect.gen(function* () {
      assert.match(yield* refusal(Backends.layer("file")), /^InvalidInput: the settings of the store "file".*path/s)
      assert.match(yield* refusal(Backends.layer({ _tag: "file" })), /^InvalidInput.*path/s)
      assert.match(yield* refusal(Backends.layer("memory:x")), /^InvalidInput.*takes nothing after its name.*memory:x/)
    })
  )

  it.effect("a store of a third party is one of them, where its registry is provided", () =>
    Effect.gen(function* () {
      const registry = Layer.succeed(Registry, builtIn.with(toy))
      const kept = Backend.use(({ capabilities }) => Effect.succeed(capabilities.limits.recentCommits))
      const through = (store: string | { readonly _tag: string; readonly size: number }) =>
        Effect.provide(kept, Layer.provide(Backends.layer(store), registry))
      assert.strictEqual(yield* through("toy:7"), 7)
      assert.strictEqual(yield* through({ _tag: "toy", size: 9 }), 9)
      assert.match(yield* refusal(Layer.provide(Backends.layer("toy:x"), registry)), /^InvalidInput.*"toy"/s)
    })
  )

  it.effect("a store whose package is missing says what to install", () =>
    Effect.gen(function* () {
      const registry = Layer.succeed(Registry, builtIn.with(absent))
      const message = yield* refusal(Layer.provide(Backends.layer("absent"), registry))
      assert.strictEqual(
        message,
        `Unavailable: the store "absent" needs a package that is not installed: npm install no-such-package-of-weft; nothing was opened`
      )
    })
  )

  it.effect("the environment names the store; memory when it does not", () =>
    Effect.gen(function* () {
      const env = (record: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnvRecord(record))
      const layer = Backends.layerConfig()
      assert.strictEqual(yield* nameOf(Layer.provide(layer, env({}))), "inproc")
      const error = yield* Effect.flip(nameOf(Layer.provide(Backends.layerConfig(), env({ WEFT_STORE: "mongo" }))))
      assert.strictEqual(error._tag, "StoreError")
      const settings = Backends.layerConfig(Config.schema(Backends.BackendConfig, "store"))
      const given = ConfigProvider.layer(ConfigProvider.fromUnknown({ store: { _tag: "memory" } }))
      assert.strictEqual(yield* nameOf(Layer.provide(settings, given)), "inproc")
    })
  )

  it.effect("one Layer is one store, two calls are two", () =>
    Effect.gen(function* () {
      const one = Backends.layer("memory")
      const id = Effect.map(Backend, (backend) => backend)
      const [a, b] = yield* Effect.provide(Effect.all([id, Effect.provide(id, one)]), one)
      assert.strictEqual(a, b)
      const other = yield* Effect.provide(id, Backends.layer("memory"))
      assert.notStrictEqual(a, other)
    })
  )
})
