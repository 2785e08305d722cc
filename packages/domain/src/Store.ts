/**
 * The store that collections live in: an engine on a backend. Change the backend's Layer and the program runs elsewhere.
 *
 * `Store.layer` is a function of the backend's Layer and memoised by it, never a constant: Layers are shared by reference,
 * so a constant that needs a `Backend` would hand the first tenant's store to the second.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Backend } from "./Backend.ts"
import type { Change, CommitId, Outcome, Range } from "./core/Commit.ts"
import type { Version } from "./core/Version.ts"
import * as Engine from "./internal/Engine.ts"
import { transact } from "./internal/Run.ts"
import type { StoreKey, StoreShape } from "./internal/StoreShape.ts"
import * as MemoryBackend from "./MemoryBackend.ts"
import type { StoreError } from "./StoreError.ts"
import type { Needs } from "./Tx.ts"

/** Bounds of a store's engine; each has its unit in its name. */
export type StoreOptions = Partial<Engine.EngineOptions>

/** Where a stream of changes begins and what it tells. */
export interface ChangesOptions {
  /** Commits after this version. Default: after the present one. */
  readonly from?: Version | undefined
  /** Only keys within these. Default: all. */
  readonly ranges?: ReadonlyArray<Pick<Range, "start" | "end">> | undefined
  /** `false`: keys without old and new cells. Default: `true`. */
  readonly values?: boolean | undefined
}

/** What can be read whole: an effect, or a collection by its `entries`, `get` or `values`. */
export type Readable<A, R> =
  | Effect.Effect<A, StoreError, R>
  | { readonly entries: () => Effect.Effect<A, StoreError, R> }
  | { readonly get: Effect.Effect<A, StoreError, R> }
  | { readonly values: Effect.Effect<A, StoreError, R> }

type ReadableEffect<C> =
  C extends Effect.Effect<any, any, any>
    ? C
    : C extends { readonly entries: (...args: Array<any>) => infer Eff }
      ? Eff
      : C extends { readonly get: infer Eff extends Effect.Effect<any, any, any> }
        ? Eff
        : C extends { readonly values: infer Eff }
          ? Eff
          : never

/** What `snapshot` gives: the content of each collection. */
export type Contents<C> = {
  readonly [K in keyof C]: ReadableEffect<C[K]> extends Effect.Effect<infer A, any, any> ? A : never
}
type ReadableServices<C> =
  ReadableEffect<C[keyof C]> extends infer Eff ? (Eff extends Effect.Effect<any, any, infer R> ? R : never) : never

/** What every store class has beside its key. */
export interface StoreStatics<Id> {
  /** A store on a backend: the same Layer for the same backend Layer, so that all of a program shares one engine. */
  readonly layer: <E, R>(backend: Layer.Layer<Backend, E, R>, options?: StoreOptions) => Layer.Layer<Id, E, R>
  /** A store in memory, nothing to install: one for the whole program. */
  readonly layerMemory: Layer.Layer<Id>
  /** What became of a commit that was reported unknown. Final: an id never seen is rejected from then on. */
  readonly outcome: (id: CommitId) => Effect.Effect<Outcome, StoreError, Id>
  /** Commits in order, without silent gaps, until interrupted. */
  readonly changes: (options?: ChangesOptions) => Stream.Stream<Change, StoreError, Id>
  /** Several collections as of one version, by one transaction. */
  readonly snapshot: <const C extends Readonly<Record<string, unknown>>>(
    collections: C & { readonly [K in keyof C]: Readable<any, any> }
  ) => Effect.Effect<Contents<C>, StoreError, Id | Needs<ReadableServices<C>, Id>>
  /**
   * Runs an effect as a transaction while all other writers of the namespace wait, those of other processes too, at most
   * about ten times `turnLimitMillis`; after that it must win as any other. For maintenance, not for every day.
   */
  readonly runLocked: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, Id | Needs<R, Id>>
}

/** A store with a name of its own in the types, beside the default one. */
export interface NamedStore<in out Self, Id extends string>
  extends Context.ServiceClass<Self, `@weft/Store/${Id}`, StoreShape>, StoreStatics<Self> {}

const statics = <Id>(key: () => StoreKey<Id>): StoreStatics<Id> => {
  const use = <A>(f: (engine: Engine.Engine) => Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError, Id> =>
    Effect.flatMap(key(), ({ engine }) => f(engine))
  return {
    layer: (backend, options) => layerFor(key(), backend, options),
    layerMemory: Layer.suspend(() => layerFor(key(), memory)),
    outcome: (id) => use((engine) => engine.outcome(id)),
    changes: (options) =>
      Stream.unwrap(
        Effect.map(
          use((engine) => Effect.map(startOf(engine, options?.from), (from) => ({ engine, from }))),
          ({ engine, from }) =>
            engine.backend.changes({ from, ranges: options?.ranges, values: options?.values ?? true })
        )
      ),
    snapshot: (collections) =>
      transact(
        Effect.all(Object.fromEntries(Object.entries(collections).map(([name, each]) => [name, readAll(each)]))),
        key(),
        { label: "Store.snapshot" }
      ),
    runLocked: (self) => transact(self, key(), { label: "Store.runLocked", locked: true })
  }
}

/** The default store. */
export class Store extends Context.Service<Store, StoreShape>()("@weft/Store/default") {
  private static readonly statics: StoreStatics<Store> = statics<Store>(() => Store)

  /** See `StoreStatics`. */
  static readonly layer: StoreStatics<Store>["layer"] = Store.statics.layer
  /** See `StoreStatics`. */
  static readonly layerMemory: StoreStatics<Store>["layerMemory"] = Store.statics.layerMemory
  /** See `StoreStatics`. */
  static readonly outcome: StoreStatics<Store>["outcome"] = Store.statics.outcome
  /** See `StoreStatics`. */
  static readonly changes: StoreStatics<Store>["changes"] = Store.statics.changes
  /** See `StoreStatics`. */
  static readonly snapshot: StoreStatics<Store>["snapshot"] = Store.statics.snapshot
  /** See `StoreStatics`. */
  static readonly runLocked: StoreStatics<Store>["runLocked"] = Store.statics.runLocked

  /** A further store: `class Billing extends Store.named<Billing>()("billing") {}`. The types keep it apart from others. */
  static readonly named =
    <Self>() =>
    <const Id extends string>(id: Id): NamedStore<Self, Id> => {
      const key = Context.Service<Self, StoreShape>()(`@weft/Store/${id}`)
      return Object.assign(
        key,
        statics<Self>(() => key)
      ) as NamedStore<Self, Id>
    }
}

const memory = MemoryBackend.layer()

const startOf = (engine: Engine.Engine, from: Version | undefined): Effect.Effect<Version, StoreError> =>
  from === undefined
    ? Effect.map(engine.backend.read({ keys: [], ranges: [] }), ({ version }) => version)
    : Effect.succeed(from)

const readAll = (readable: unknown): Effect.Effect<unknown, StoreError, any> => {
  if (Effect.isEffect(readable)) return readable as Effect.Effect<unknown, StoreError, any>
  // The type of `snapshot` admits nothing else.
  const { entries, get, values } = readable as {
    readonly entries?: () => Effect.Effect<unknown, StoreError, any>
    readonly get?: unknown
    readonly values?: Effect.Effect<unknown, StoreError, any>
  }
  if (typeof entries === "function") return entries()
  return Effect.isEffect(get) ? (get as Effect.Effect<unknown, StoreError, any>) : values!
}

const memo = new WeakMap<object, WeakMap<object, Layer.Layer<any, any, any>>>()

/** One Layer per store key and backend Layer. The options of the first call hold. */
const layerFor = <Id, E, R>(
  key: StoreKey<Id>,
  backend: Layer.Layer<Backend, E, R>,
  options?: StoreOptions
): Layer.Layer<Id, E, R> => {
  let byBackend = memo.get(key)
  if (byBackend === undefined) memo.set(key, (byBackend = new WeakMap()))
  let layer = byBackend.get(backend)
  if (layer === undefined) {
    layer = Layer.provide(Layer.effect(key as Context.Service<Id, StoreShape>, makeShape(options)), backend)
    byBackend.set(backend, layer)
  }
  return layer
}

const makeShape = (options: StoreOptions | undefined) =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const engine = yield* Engine.make(backend, options)
    const shape: StoreShape = { capabilities: backend.capabilities, engine }
    return shape
  })

export declare namespace Store {
  /** The service behind a store key. */
  type Shape = StoreShape
  /** `Store` itself, or a class made by `Store.named`. */
  type Key<Id> = StoreKey<Id>
}
