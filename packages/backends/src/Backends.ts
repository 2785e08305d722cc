/**
 * A store chosen by settings: `Backends.layerConfig()` is the Layer of a program that does not know its store.
 *
 * A first sketch had this as `Backend.layerConfig`; the contract class lives in `@weft/domain`, which knows no store, so
 * it stands here.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Backend } from "@weft/domain/Backend"
import type { StoreError } from "@weft/domain/StoreError"
import { FileSettings, Registry, type Named } from "./BackendRegistry.ts"

/** Settings of the stores of this package: `{ _tag: "memory" }` or `{ _tag: "file", path }`. */
export const BackendConfig = Schema.Union([
  Schema.TaggedStruct("memory", {}),
  Schema.TaggedStruct("file", FileSettings.fields)
])
export type BackendConfig = typeof BackendConfig.Type

/** `WEFT_STORE`: a name, or a name and what it needs, such as `memory` (when it is not set) or `file:desk.weft`. */
export const fromEnvironment: Config.Config<string> = Config.String("WEFT_STORE").pipe(Config.withDefault("memory"))

/**
 * A store by its settings, or by a text as in `WEFT_STORE`. Stores of the registry in force may be named as well. Each
 * call is a Layer of its own: keep it in a constant to share one store.
 */
export const layer = (store: BackendConfig | Named | string): Layer.Layer<Backend, StoreError> =>
  Layer.unwrap(Effect.map(Registry, (registry) => registry.layer(store)))

/** A store that the configuration names; without an argument, by `WEFT_STORE`. */
export const layerConfig = (
  config: Config.Config<BackendConfig | Named | string> = fromEnvironment
): Layer.Layer<Backend, StoreError | Config.ConfigError> => Layer.unwrap(Effect.map(config, layer))
