/**
 * Rows 9, 10 and 12: durable transactions through the engine, each a get and a set, beside embedded stores, beside what the
 * disk allows, and beside themselves with a thousand times as much in the store.
 */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as DMap from "@weft/domain/DMap"
import * as Tx from "@weft/domain/Tx"
import type { Row, Subject, Workload } from "../lib.ts"
import { fdatasyncAppend, groupCommit, KEYS, level, lmdb, sqlite, sqliteGroup, TEXT } from "./filePeers.ts"
import { fiberRate, inDirectory, onFile } from "./fileSupport.ts"
import { FIBERS, must } from "./peers.ts"

const desk = DMap.make("desk", { key: Schema.String, value: Schema.String })

/** Entries set by one transaction of the preparation. */
const ENTRIES_A_COMMIT = 500

const fill = (entries: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(entries / ENTRIES_A_COMMIT) }, (_, i) => i * ENTRIES_A_COMMIT),
    (from) =>
      Tx.transact(
        Effect.forEach(
          Array.from({ length: Math.min(ENTRIES_A_COMMIT, entries - from) }, (_, i) => `k${from + i}`),
          (key) => desk.set(key, TEXT),
          { discard: true }
        )
      ),
    { discard: true }
  )

const other = TEXT.replaceAll("x", "y")

const rewrite = (key: string) =>
  Tx.transact(
    Effect.flatMap(desk.get(key), (found) =>
      desk.set(key, found._tag === "Some" && found.value === TEXT ? other : TEXT)
    )
  )

/** Keys that one writer goes through lie all over the store: as many for a small store as there are. */
const STRIDE = 7919

const ours = (name: string, fibers: number, entries: number): Subject => ({
  name,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const own = Array.from({ length: fibers }, (_, fiber) => rewrite(`k${fiber}`))
      const program = Effect.gen(function* () {
        yield* fill(entries)
        const value = yield* fiberRate(
          (fiber) => (fibers === 1 ? (i) => rewrite(`k${(i * STRIDE) % entries}`) : () => own[fiber]!),
          fibers,
          seconds
        )
        must((yield* desk.size) === entries, "an entry is missing, or there are too many")
        return { value }
      })
      return onFile(path.join(directory, "desk.weft"), program)
    })
})

const recordedOne =
  "TOSC's file store in PERF's run: 9.8k/s beside an fdatasync of 7.2k/s (1.36), without any sync: not durable"

const alone = (peer: Subject, more: Partial<Workload> = {}): Workload => ({
  name: `one writer, beside ${peer.name}`,
  unit: "perSecond",
  ours: ours("Tx.transact on a file: get and set, one fiber", 1, KEYS),
  peer,
  ...more
})

export const one: Row = {
  id: "9",
  title: "one writer of a file store, durable",
  workloads: [
    alone(sqlite, {
      limit: fdatasyncAppend,
      targets: [{ of: "limit", floor: 0.65, aim: 0.7 }],
      recorded: recordedOne
    }),
    alone(lmdb(1)),
    alone(level(1))
  ]
}

const together = (peer: Subject, more: Partial<Workload> = {}): Workload => ({
  name: `${FIBERS} writers, a key each, beside ${peer.name}`,
  unit: "perSecond",
  ours: ours(`Tx.transact on a file: get and set, ${FIBERS} fibers`, FIBERS, KEYS),
  peer,
  ...more
})

export const many: Row = {
  id: "10",
  title: `${FIBERS} writers of a file store, durable`,
  workloads: [
    together(lmdb(FIBERS), {
      limit: groupCommit(FIBERS),
      targets: [
        { of: "limit", floor: 0.4, aim: 0.55 },
        { of: "peer", floor: 0.7, aim: 1 }
      ]
    }),
    together(sqliteGroup(FIBERS)),
    together(level(FIBERS))
  ]
}

const SMALL_ENTRIES = 10
const LARGE_ENTRIES = 10_000

export const state: Row = {
  id: "12",
  title: "a file store of 1 kB and of 1 MB",
  workloads: [
    {
      name: `one writer, ${LARGE_ENTRIES} cells of ${TEXT.length} bytes beside ${SMALL_ENTRIES}`,
      unit: "perSecond",
      ours: ours("1 MB of state", 1, LARGE_ENTRIES),
      limit: ours("1 kB of state", 1, SMALL_ENTRIES),
      targets: [{ of: "limit", floor: 0.8, aim: 1 }],
      recorded: "TOSC's file store in PERF's run: 0.013, one object of 1 MB written whole, without any sync"
    }
  ]
}
