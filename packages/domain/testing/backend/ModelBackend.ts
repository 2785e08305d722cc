/**
 * The oracle as a store: nothing but `apply` over a map and a list. The suite judges it as any other store, so the laws
 * and the oracle that other stores are held against say the same.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Backend, type Limits } from "../../src/Backend.ts"
import * as Apply from "../../src/core/Apply.ts"
import type { Change, ChangesRequest, Entry, Range, ReadReply, ReadRequest } from "../../src/core/Commit.ts"
import { select } from "../../src/core/MachineReads.ts"
import * as Version from "../../src/core/Version.ts"
import { Model } from "./Model.ts"

/** A model as a store, one for each Layer. */
export const layer = (limits: Partial<Limits> = {}, version: Version.Version = Version.none): Layer.Layer<Backend> =>
  Layer.sync(Backend, () => {
    const model = new Model(limits, version)
    let wake: ReadonlyArray<() => void> = []
    const waken = (): void => {
      const all = wake
      wake = []
      for (const one of all) queueMicrotask(one)
    }
    const moved = (from: Version.Version): Effect.Effect<void> =>
      Effect.callback<void>((resume) => {
        if (model.version !== from) resume(Effect.void)
        else wake = [...wake, () => resume(Effect.void)]
      })
    return Backend.of({
      capabilities: {
        name: "model",
        durability: "memory",
        reach: "process",
        history: false,
        rules: Apply.rules,
        limits: model.limits
      },
      read: (request) => Effect.sync(() => read(model, request)),
      commit: (requests) =>
        Effect.sync(() => {
          const replies = model.commit(requests)
          waken()
          return replies
        }),
      changes: (request) =>
        Stream.fromPull(
          Effect.sync(() => {
            let from = request.from
            const next: Effect.Effect<readonly [Change, ...Array<Change>]> = Effect.suspend(() => {
              const [first, ...rest] = after(model, request, from)
              if (first === undefined) return Effect.flatMap(moved(from), () => next)
              from = model.version
              return Effect.succeed([first, ...rest] as const)
            })
            return next
          })
        ),
      outcome: (id) => Effect.sync(() => model.outcome(id))
    })
  })

const read = (model: Model, { at, keys, ranges }: ReadRequest): ReadReply => {
  const { version } = model
  const reply = { version, cells: keys.map((key) => model.cell(key)), ranges: ranges.map((range) => cut(model, range)) }
  if (at === undefined || at === version) return reply
  if (at > version || at < model.floor) return { ...reply, changed: "unknown" }
  const since = model.commits.filter((commit) => commit.version > at)
  return { ...reply, changed: since.flatMap(({ changes }) => changes.map(({ key }) => key)) }
}

const cut = (model: Model, { end, limit, reverse, start }: Range): ReadonlyArray<Entry> => {
  const entries = model.entries(start, end)
  return (reverse === true ? entries.toReversed() : entries).slice(0, limit)
}

const after = (model: Model, request: ChangesRequest, from: Version.Version): ReadonlyArray<Change> => {
  const to = model.version
  if (from === to) return []
  if (from > to || Version.epochOf(from) !== Version.epochOf(to)) return [{ _tag: "Gap", from, to, reason: "epoch" }]
  if (from < model.floor) return [{ _tag: "Gap", from, to, reason: "trimmed" }]
  return model.commits
    .filter(({ version }) => version > from)
    .map((record) => select(record, request) ?? { _tag: "Progress", version: record.version })
}
