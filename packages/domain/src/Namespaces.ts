/**
 * Many stores of one kind, one per tenant: opened when first asked for, shared while in use, closed after some idle time.
 * Namespaces never see each other; an operation of one inside a transaction of another is the defect `NamespaceMismatch`.
 *
 * ```ts
 * class Tenants extends Namespaces.Service<Tenants>()("Tenants", {
 *   backend: (tenant: string) => FileBackend.layer({ path: `data/${tenant}.weft` })
 * }) {}
 * program.pipe(Effect.provide(Tenants.get("acme")), Effect.provide(Tenants.layer))
 * ```
 */
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import * as LayerMap from "effect/LayerMap"
import type { Backend } from "./Backend.ts"
import { Store, type StoreOptions } from "./Store.ts"

/** How the namespaces of a service are opened. */
export interface Options<K, E, R> {
  /** The backend of a namespace. Called once each time it is opened. */
  readonly backend: (name: K) => Layer.Layer<Backend, E, R>
  /** How long a namespace that nobody uses stays open. Default: not at all. */
  readonly idleTimeToLive?: Duration.Input | undefined
  /** Bounds of every namespace's engine. */
  readonly store?: StoreOptions | undefined
}

/** The service of a kind of namespaces, to be extended by a class. */
export const Service =
  <Self>() =>
  <const Id extends string, K, E, R>(
    id: Id,
    options: Options<K, E, R>
  ): LayerMap.TagClass<Self, Id, K, Store, E, R, never, never> =>
    LayerMap.Service<Self>()(id, {
      lookup: (name: K) => Store.layer(options.backend(name), options.store),
      ...(options.idleTimeToLive === undefined ? {} : { idleTimeToLive: options.idleTimeToLive })
    })
