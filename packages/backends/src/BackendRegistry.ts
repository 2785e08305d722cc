/**
 * Stores by name: an open list, so that a program, its settings and a command line can name one without importing it.
 *
 * A plugin describes a store: its name, the Schema of its settings, how the short text after its name is read, and how to
 * open it. What it needs beyond Weft is imported only then; where that is not installed, the error says what to install.
 * The registry is a value in a `Context.Reference`: add to it with `with`, provide the result.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Backend } from "@weft/domain/Backend"
import * as StoreError from "@weft/domain/StoreError"
import * as FileBackend from "./FileBackend.ts"
import * as InprocBackend from "./InprocBackend.ts"

/** A store that can be opened by name. */
export interface Plugin<in out Settings> {
  /** Lower case; in a text it stands before the first colon. */
  readonly name: string
  /** One line for people who choose. */
  readonly summary: string
  readonly settings: Schema.Codec<Settings, unknown>
  /** What the text after `name:` means, before it is checked by `settings`; a text is refused where this is left out. */
  readonly fromText?: ((text: string) => unknown) | undefined
  /** Imports what the store needs and opens it. A failing import becomes an error that names `install`. */
  readonly open: (settings: Settings) => Promise<Layer.Layer<Backend, StoreError.StoreError>>
  /** How to get what `open` imports: `npm install redis`. */
  readonly install?: string | undefined
}

/** A store named with its settings: `{ _tag: "file", path: "desk.weft" }`. */
export interface Named {
  readonly _tag: string
}

/** What is known by name. Immutable. */
export class BackendRegistry {
  // Settings are opaque here: each plugin's Schema checks them before its own `open` sees them.
  readonly plugins: ReadonlyMap<string, Plugin<any>>

  constructor(plugins: Iterable<Plugin<any>>) {
    this.plugins = new Map(Array.from(plugins, (plugin) => [plugin.name, plugin]))
  }

  /** Names in order. */
  get names(): ReadonlyArray<string> {
    return [...this.plugins.keys()].sort()
  }

  /** This registry and one more store; one of the same name gives way. */
  with<Settings>(plugin: Plugin<Settings>): BackendRegistry {
    return new BackendRegistry([...this.plugins.values(), plugin])
  }

  /** A store by its settings, or by a text such as `memory` or `file:desk.weft`. Each call is a store (a handle) of its own. */
  layer(store: Named | string): Layer.Layer<Backend, StoreError.StoreError> {
    return Layer.unwrap(
      Effect.suspend(() => (typeof store === "string" ? this.openText(store) : this.open(store._tag, store)))
    )
  }

  private openText(text: string) {
    const colon = text.indexOf(":")
    const name = colon < 0 ? text : text.slice(0, colon)
    const plugin = this.plugins.get(name)
    if (plugin === undefined) return Effect.fail(this.unknown(name))
    if (colon < 0) return this.open(name, {})
    if (plugin.fromText !== undefined) return this.open(name, plugin.fromText(text.slice(colon + 1)))
    return Effect.fail(invalid(`the store "${name}" takes nothing after its name, but was given "${text}"`))
  }

  private open(name: string, given: unknown) {
    const plugin = this.plugins.get(name)
    if (plugin === undefined) return Effect.fail(this.unknown(name))
    return Schema.decodeUnknownEffect(plugin.settings)(given).pipe(
      Effect.mapError((error) => invalid(`the settings of the store "${name}" are not right: ${error.message}`)),
      Effect.flatMap((settings) =>
        Effect.tryPromise({ try: () => plugin.open(settings), catch: (cause) => notInstalled(plugin, cause) })
      )
    )
  }

  private unknown(name: string): StoreError.StoreError {
    return invalid(`no store is called "${name}"; known are ${this.names.join(", ")}; a plugin adds others`)
  }
}

const invalid = (message: string): StoreError.StoreError => StoreError.make(new StoreError.InvalidInput({ message }))

const notInstalled = (plugin: Plugin<any>, cause: unknown): StoreError.StoreError => {
  const isMissing =
    cause instanceof Error && "code" in cause && /^(ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND)$/.test(String(cause.code))
  const what = isMissing ? "needs a package that is not installed" : "could not be loaded"
  const how = plugin.install === undefined ? "" : `: ${plugin.install}`
  return StoreError.make(
    new StoreError.Unavailable({ message: `the store "${plugin.name}" ${what}${how}; nothing was opened`, cause })
  )
}

const memory: Plugin<{}> = {
  name: "memory",
  summary: "in this process; nothing survives it",
  settings: Schema.Struct({}),
  open: () => Promise.resolve(InprocBackend.layer())
}

/** Settings of `file`. */
export const FileSettings = Schema.Struct({
  path: Schema.NonEmptyString,
  journal: Schema.optionalKey(Schema.Literals(["wal", "rollback"]))
})

const file: Plugin<typeof FileSettings.Type> = {
  name: "file",
  summary: "one SQLite file; durable, for many processes of one machine",
  settings: FileSettings,
  fromText: (path) => ({ path }),
  open: (settings) => Promise.resolve(FileBackend.layer(settings))
}

/** The stores of this package; `inproc` is another name of `memory`. */
export const builtIn: BackendRegistry = new BackendRegistry([memory, { ...memory, name: "inproc" }, file])

/** The registry in force: `builtIn` unless another is provided. */
export const Registry = Context.Reference<BackendRegistry>("@weft/backends/BackendRegistry", {
  defaultValue: () => builtIn
})
