/**
 * A store by a third party, from what the packages export: a list of commits and `apply`. All of the contract in one
 * page; slow, since every read goes over everything. `backend.test.ts` judges it by the exported suite.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Backend } from "@weft/domain/Backend"
import * as Apply from "@weft/domain/core/Apply"
import type { Cell, Change, ChangesRequest, CommitRecord, Entry, Outcome, Range } from "@weft/domain/core/Commit"
import * as Limits from "@weft/domain/core/Limits"
import { sealRequest } from "@weft/domain/core/Machine"
import { select } from "@weft/domain/core/MachineReads"

const limits = Limits.make({ sessions: 1_000_000, recentCommits: 1_000_000, outcomesPerSession: 1_000_000 })

const makeView = () => {
  const cells = new Map<string, Cell>()
  const commits: Array<CommitRecord> = []
  const sessions = new Map<string, { floor: number; readonly known: Map<number, Apply.Known> }>()
  const entries = (start: string, end: string): ReadonlyArray<Entry> =>
    [...cells]
      .filter(([key]) => start <= key && key < end)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, cell]) => ({ key, cell }))
  const view = (): Apply.View => ({
    version: commits.length,
    horizon: 0,
    limits,
    cell: (key) => cells.get(key),
    entries,
    changed: (start, end, since) =>
      since > commits.length
        ? undefined
        : commits.slice(since).some(({ changes }) => changes.some(({ key }) => start <= key && key < end)),
    session: (name) => {
      const session = sessions.get(name)
      return session && { floor: session.floor, known: (sequence) => session.known.get(sequence) }
    }
  })
  const install = (delta: Apply.Delta): void => {
    for (const [key, cell] of delta.cells) cell === undefined ? cells.delete(key) : cells.set(key, cell)
    commits.push(...delta.commits)
    for (const { committed, id, resolvedBelow, version } of delta.outcomes) {
      const session = sessions.get(id.session) ?? { floor: 0, known: new Map<number, Apply.Known>() }
      session.floor = Math.max(session.floor, resolvedBelow)
      session.known.set(id.sequence, { committed, version })
      sessions.set(id.session, session)
    }
  }
  return { cells, commits, entries, view, install }
}

const cut = (entries: ReadonlyArray<Entry>, { limit, reverse }: Range): ReadonlyArray<Entry> =>
  (reverse === true ? entries.toReversed() : entries).slice(0, limit)

/** A store in a list. */
export const layer = (): Layer.Layer<Backend> =>
  Layer.sync(Backend, () => {
    const { cells, commits, entries, install, view } = makeView()
    const commit = (requests: Parameters<typeof Apply.apply>[1]) => {
      const { delta, replies } = Apply.apply(view(), requests)
      install(delta)
      return replies
    }
    const next = (request: ChangesRequest, from: number): ReadonlyArray<Change> => {
      const to = commits.length
      if (from > to) return [{ _tag: "Gap", from, to, reason: "epoch" }]
      return commits
        .slice(from)
        .map((record) => select(record, request) ?? { _tag: "Progress", version: record.version })
    }
    return Backend.of({
      capabilities: {
        name: "tiny",
        durability: "memory",
        reach: "process",
        history: false,
        rules: Apply.rules,
        limits
      },
      read: ({ at, keys, ranges }) =>
        Effect.sync(() => ({
          version: commits.length,
          cells: keys.map((key) => cells.get(key)),
          ranges: ranges.map((range) => cut(entries(range.start, range.end), range)),
          ...(at === undefined || at === commits.length ? {} : { changed: "unknown" as const })
        })),
      commit: (requests) => Effect.sync(() => commit(requests)),
      changes: (request) =>
        Stream.suspend(() => {
          let from = request.from
          const pull = Effect.sync(() => next(request, from)).pipe(
            Effect.repeat({ schedule: Schedule.spaced("1 millis"), until: (found) => found.length > 0 })
          )
          return Stream.fromIterableEffectRepeat(
            Effect.tap(pull, (found) =>
              Effect.sync(() => (from = from > commits.length ? commits.length : from + found.length))
            )
          )
        }),
      outcome: (id) =>
        Effect.sync((): Outcome => {
          const [reply] = commit([sealRequest(id, 0)])
          if (reply!._tag === "Committed") return { _tag: "Committed", version: reply!.version }
          return reply!._tag === "Conflict" ? { _tag: "Rejected" } : { _tag: "Forgotten" }
        })
    })
  })
