/**
 * The synchronous lane of a store as the Effect methods, so that the same laws are asked of it.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { SyncLane } from "../../src/Backend.ts"
import type { Change, ChangesRequest, ReadReply, ReadRequest } from "../../src/core/Commit.ts"
import { sealRequest } from "../../src/core/Machine.ts"
import { select } from "../../src/core/MachineReads.ts"
import * as Version from "../../src/core/Version.ts"
import type { Store } from "./World.ts"

/** The lane of `store`. Changes come from `watch`; those before the subscription from the store's own stream. */
export const overSync = (store: Store, sync: SyncLane): Store => ({
  capabilities: store.capabilities,
  read: (request) => Effect.sync(() => read(sync, request)),
  commit: (requests) =>
    Effect.sync(() => (requests.length === 1 ? [sync.commitOne(requests[0]!)] : sync.commit(requests))),
  changes: (request) =>
    Stream.unwrap(
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => (request.from === sync.version() ? new Watch(sync, request) : undefined)),
          (watch) => Effect.sync(() => watch?.stop())
        ),
        (watch) => watch?.stream ?? store.changes(request)
      )
    ),
  outcome: (id) =>
    Effect.sync(() => {
      const reply = sync.commitOne(sealRequest(id, Version.none))
      if (reply._tag === "Committed") return { _tag: "Committed", version: reply.version }
      return reply._tag === "Conflict" ? { _tag: "Rejected" } : { _tag: "Forgotten" }
    }),
  sync
})

/** What a watcher has heard and nobody has taken yet. */
class Watch {
  private heard: Array<Change> = []
  private wake: (() => void) | undefined
  readonly stop: () => void
  readonly stream: Stream.Stream<Change>

  constructor(sync: SyncLane, request: ChangesRequest) {
    this.stop = sync.watch((record) => {
      this.heard.push(select(record, request) ?? { _tag: "Progress", version: record.version })
      this.wake?.()
    })
    this.stream = Stream.fromIterableEffectRepeat(Effect.map(this.moved, () => this.heard.splice(0)))
  }

  private readonly moved: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.heard.length > 0) return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      queueMicrotask(() => resume(Effect.void))
    }
  })
}

const read = (sync: SyncLane, { at, keys, ranges }: ReadRequest): ReadReply => {
  const version = sync.version()
  const isHeld = at !== undefined && sync.holds(at)
  if (isHeld) {
    return {
      version: at,
      cells: keys.map((key) => sync.cellAt(key, at)),
      ranges: ranges.map((range) => sync.rangeAt(range, at))
    }
  }
  const reply = { version, cells: keys.map(sync.cell), ranges: ranges.map(sync.range) }
  return at === undefined ? reply : { ...reply, changed: "unknown" }
}
