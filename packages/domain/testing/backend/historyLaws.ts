/** Random histories against the oracle: `apply` over the plainest store. */
import * as Effect from "effect/Effect"
import { Prng } from "../Prng.ts"
import { HistoryMaker } from "./Histories.ts"
import { Model } from "./Model.ts"
import { showEntry } from "./values.ts"
import { assert, changesUpTo, everything, law, type Law, versionOf } from "./World.ts"

export const historyLaws: ReadonlyArray<Law> = [
  law(
    "random histories of every kind of check and write give the replies, cells and changes of apply",
    ({ scale, seed, store }) =>
      Effect.gen(function* () {
        const draw = new Prng(seed)
        // Each history has four sessions; none may be forgotten, for the oracle forgets none.
        const histories = Math.min(12 * scale, Math.floor(store.capabilities.limits.sessions / 4))
        for (let h = 0; h < histories; h++) {
          yield* store.commit([wipe(h, yield* versionOf(store))])
          const begin = yield* versionOf(store)
          const model = new Model(store.capabilities.limits, begin)
          const maker = new HistoryMaker(model, draw.fork(), `h${h}`)
          for (let i = 0; i < 30 && model.version - begin < model.limits.recentCommits - 10; i++) {
            const batch = maker.batch()
            const expected = model.commit(batch)
            assert.deepEqual(yield* store.commit(batch), expected, `history ${h}, batch ${i}: ${JSON.stringify(batch)}`)
          }
          const { ranges, version } = yield* store.read({ keys: [], ranges: [everything] })
          assert.equal(version, model.version)
          assert.deepEqual(ranges[0]!.map(showEntry), model.entries(everything.start, everything.end).map(showEntry))
          const changes = yield* changesUpTo(store, begin, version)
          assert.deepEqual(
            changes.map((change) => [change._tag, "id" in change && change.id]),
            model.commits.map(({ _tag, id }) => [_tag, id])
          )
          for (const session of ["x", "y"]) {
            const id = { session: `h${h}-${session}`.padEnd(22, "."), sequence: draw.below(20) }
            assert.deepEqual(yield* store.outcome(id), model.outcome(id), JSON.stringify(id))
          }
        }
      })
  )
]

/** Empties the store between histories. */
const wipe = (h: number, base: number) => ({
  id: { session: `wipe-${h}`.padEnd(22, "."), sequence: 0 },
  resolvedBelow: 0,
  base,
  atMillis: 0,
  reads: [],
  ranges: [],
  writes: [{ _tag: "DeleteRange" as const, start: everything.start, end: everything.end }]
})
