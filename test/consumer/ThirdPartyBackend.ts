/**
 * A store by somebody else, written from what the packages export: a proxy that logs the commits it passes on to a store
 * in memory. It has no synchronous lane, so an engine on it works as over a network.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "@weft/domain/Backend"
import type { CommitRequest } from "@weft/domain/core/Commit"
import * as InprocBackend from "@weft/backends/InprocBackend"

/** A new store for each Layer, as the suite asks for. */
export const layer = (log: Array<CommitRequest> = []): Layer.Layer<Backend> =>
  Layer.effect(
    Backend,
    Effect.map(Backend, (inner) =>
      Backend.of({
        capabilities: { ...inner.capabilities, name: "third party" },
        read: inner.read,
        commit: (requests) => Effect.suspend(() => (log.push(...requests), inner.commit(requests))),
        changes: inner.changes,
        outcome: inner.outcome
      })
    )
  ).pipe(Layer.provide(InprocBackend.layer()))
