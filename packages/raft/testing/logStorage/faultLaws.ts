/** Laws of crashes, damage and failing disks. */
import * as assert from "node:assert/strict"
import type { LogStorage } from "../../src/LogStorage.ts"
import {
  close,
  entries,
  entry,
  fails,
  failsToOpen,
  hardState,
  install,
  type Law,
  type LogUnderTest,
  makeSnapshot,
  persist,
  readEntries,
  readPiece,
  reopen,
  sameBytes,
  sameEntries,
  snapshot,
  stagePieces
} from "./support.ts"

const crashed = async (under: LogUnderTest): Promise<LogStorage> => {
  await under.crash()
  return under.open()
}

const crashes: ReadonlyArray<Law> = [
  {
    name: "acknowledged works survive a crash",
    run: async (under) => {
      let log = await under.open()
      for (let round = 0; round < 4; round++) {
        const from = 1 + round * 5
        await persist(log, { hardState: hardState(round + 1, "a"), entries: entries(from, from + 4, round + 1) })
        log = await crashed(under)
        assert.equal(log.restored.entries.length, from + 4)
        assert.deepEqual(log.restored.hardState, hardState(round + 1, "a"))
        assert.deepEqual(log.restored.damaged, [])
      }
    }
  },
  {
    name: "after a crash in the middle of many works, a whole prefix of them is there, all that were acknowledged in it",
    run: async (under) => {
      const log = await under.open()
      let acknowledged = 0
      let stopped = false
      const calls = Array.from({ length: 60 }, (_, at) => {
        const works = { hardState: hardState(at + 1, `v${at}`), entries: entries(3 * at + 1, 3 * at + 3, at + 1) }
        return persist(log, works).then(
          () => (acknowledged = stopped ? acknowledged : at + 1),
          () => undefined
        )
      })
      await calls[7]
      stopped = true
      const { restored } = await crashed(under)
      const { term } = restored.hardState
      assert.ok(term >= acknowledged, `${term} works are there, ${acknowledged} were acknowledged`)
      assert.equal(restored.entries.length, 3 * term)
      assert.ok(restored.entries.every((found, at) => found.term === Math.floor(at / 3) + 1))
      assert.deepEqual(restored.damaged, [])
    }
  },
  {
    name: "truncations and compactions survive a crash",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { entries: entries(1, 20) })
      await makeSnapshot(log, 10)
      await persist(log, { truncateFrom: 15, entries: entries(15, 17, 2), compactTo: 8 })
      log = await crashed(under)
      sameEntries(log.restored.entries, [...entries(9, 14), ...entries(15, 17, 2)])
      assert.deepEqual(log.restored.damaged, [])
    }
  },
  {
    name: "an installed snapshot survives a crash, whole; one that only waits is not seen",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { entries: entries(1, 3) })
      await stagePieces(log, "arrived", snapshot(30, 2, 900))
      log = await crashed(under)
      assert.equal(log.restored.snapshot, undefined)
      sameEntries(log.restored.entries, entries(1, 3))
      await stagePieces(log, "arrived", snapshot(30, 2, 900))
      await install(log, snapshot(30, 2, 900).meta, false)
      log = await crashed(under)
      assert.equal(log.restored.snapshot?.index, 30)
      sameBytes(await readPiece(log, 30, 0, 900), snapshot(30, 2, 900).data)
    }
  }
]

/** Entries 1..12 in three batches, then damage. */
const damagedLog = async (under: LogUnderTest, from: number, to = from): Promise<LogStorage> => {
  const log = await under.open()
  await persist(log, { hardState: hardState(5, "b") })
  for (const first of [1, 5, 9]) await persist(log, { entries: entries(first, first + 3) })
  await close(log)
  await under.damageEntries!({ from, to })
  return under.open()
}

const without = (from: number, to: number) => entries(1, 12).filter(({ index }) => index < from || index > to)

const damages: ReadonlyArray<Law> = [
  {
    name: "damage in the middle is reported, nothing after it is dropped (CTRL, FAST 2018)",
    needs: "damageEntries",
    run: async (under) => {
      const { restored } = await damagedLog(under, 6)
      assert.deepEqual(restored.damaged, [{ from: 6, to: 6 }])
      sameEntries(restored.entries, without(6, 6))
      assert.deepEqual(restored.hardState, hardState(5, "b"))
    }
  },
  {
    name: "damage of the first entry is reported",
    needs: "damageEntries",
    run: async (under) => {
      const { restored } = await damagedLog(under, 1)
      assert.deepEqual(restored.damaged, [{ from: 1, to: 1 }])
      sameEntries(restored.entries, without(1, 1))
    }
  },
  {
    name: "damage of the last, acknowledged entry is reported with its index and term, not cut off as torn",
    needs: "damageEntries",
    run: async (under) => {
      const { restored } = await damagedLog(under, 12)
      assert.deepEqual(restored.damaged, [{ from: 12, to: 12 }])
      assert.deepEqual(restored.tail, { index: 12, term: 1 })
      sameEntries(restored.entries, without(12, 12))
    }
  },
  {
    name: "damage over several batches is one range",
    needs: "damageEntries",
    run: async (under) => {
      const { restored } = await damagedLog(under, 3, 10)
      assert.deepEqual(restored.damaged, [{ from: 3, to: 10 }])
      sameEntries(restored.entries, without(3, 10))
    }
  },
  {
    name: "damage is reported again at every opening, also after other writes",
    needs: "damageEntries",
    run: async (under) => {
      let log = await damagedLog(under, 4, 6)
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [{ from: 4, to: 6 }])
      await persist(log, { entries: entries(13, 14) })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [{ from: 4, to: 6 }])
      assert.equal(log.restored.entries.length, 11)
    }
  },
  {
    name: "damaged entries that are stored again are whole, and the rest of their batch stays",
    needs: "damageEntries",
    run: async (under) => {
      let log = await damagedLog(under, 4, 6)
      await persist(log, { entries: entries(5, 5) })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [
        { from: 4, to: 4 },
        { from: 6, to: 6 }
      ])
      await persist(log, { entries: entries(4, 4) }, { entries: entries(6, 6) })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [])
      sameEntries(log.restored.entries, entries(1, 12))
    }
  },
  {
    name: "repair and append in one work: damaged to the end, then beyond",
    needs: "damageEntries",
    run: async (under) => {
      const log = await damagedLog(under, 11, 12)
      await persist(log, { entries: entries(11, 14) })
      const { restored } = await reopen(under, log)
      assert.deepEqual(restored.damaged, [])
      sameEntries(restored.entries, entries(1, 14))
    }
  },
  {
    name: "a repair does not reach over whole entries",
    needs: "damageEntries",
    run: async (under) => {
      const log = await damagedLog(under, 6)
      await fails(persist(log, { entries: entries(5, 6) }), "Refused")
      await fails(persist(log, { entries: entries(6, 7) }), "Refused")
      assert.deepEqual((await reopen(under, log)).restored.damaged, [{ from: 6, to: 6 }])
    }
  },
  {
    name: "a truncation takes damage with it, what stands before stays",
    needs: "damageEntries",
    run: async (under) => {
      let log = await damagedLog(under, 6, 7)
      await persist(log, { truncateFrom: 7 })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [{ from: 6, to: 6 }])
      sameEntries(log.restored.entries, entries(1, 5))
      await persist(log, { truncateFrom: 6, entries: entries(6, 8, 5) })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [])
      sameEntries(log.restored.entries, [...entries(1, 5), ...entries(6, 8, 5)])
    }
  },
  {
    name: "compaction and installed snapshots end the report of what they cover",
    needs: "damageEntries",
    run: async (under) => {
      let log = await damagedLog(under, 3, 6)
      await makeSnapshot(log, 5)
      await persist(log, { compactTo: 4 })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [{ from: 5, to: 6 }])
      sameEntries(log.restored.entries, entries(7, 12))
      await stagePieces(log, "arrived", snapshot(6))
      await install(log, snapshot(6).meta, true)
      log = await reopen(under, log)
      assert.deepEqual(log.restored.damaged, [])
      sameEntries(log.restored.entries, entries(7, 12))
    }
  },
  {
    name: "a scrub of a running log finds damage and gives what is whole",
    needs: "damageEntries",
    run: async (under) => {
      const log = await damagedLog(under, 6)
      const read = await readEntries(log, 3, 20)
      assert.deepEqual(read.damaged, [{ from: 6, to: 6 }])
      sameEntries(read.entries, [...entries(3, 5), ...entries(7, 12)])
      assert.deepEqual(await readEntries(log, 40, 50), { entries: [], damaged: [] })
    }
  },
  {
    name: "a damaged snapshot is reported and not given out; a new one heals",
    needs: "damageSnapshot",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await makeSnapshot(log, 5)
      await close(log)
      await under.damageSnapshot!()
      log = await under.open()
      assert.equal(log.restored.snapshotDamaged, true)
      assert.equal(log.restored.snapshot?.index, 5)
      assert.equal(await readPiece(log, 5, 0, 250), undefined)
      await makeSnapshot(log, 8)
      log = await reopen(under, log)
      assert.equal(log.restored.snapshotDamaged, false)
      sameBytes(await readPiece(log, 8, 0, 250), snapshot(8).data)
    }
  },
  {
    name: "with term and vote unreadable the node does not start: it could vote twice",
    needs: "damageHardState",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(5, "b"), entries: entries(1, 3) })
      await close(log)
      await under.damageHardState!()
      await failsToOpen(under, "HardStateDamaged")
      await failsToOpen(under, "HardStateDamaged")
    }
  }
]

const failure = (kind: "sync" | "write" | "full"): Law => ({
  name: `a failed write (${kind}) is final: every later call fails, and what was acknowledged is there afterwards`,
  needs: "failNext",
  run: async (under) => {
    let log = await under.open()
    await persist(log, { hardState: hardState(3, "a"), entries: entries(1, 4) })
    under.failNext!(kind)
    const error = await fails(persist(log, { hardState: hardState(4, "b"), entries: entries(5, 6) }), "IoFailed")
    assert.equal(error.reason._tag === "IoFailed" ? error.reason.kind : undefined, kind)
    const later = await fails(persist(log, { entries: entries(5, 6) }), "Ended")
    assert.ok(later.message.includes("persist"), "the first failure is told again")
    await fails(readEntries(log, 1, 4), "Ended")
    await fails(stagePieces(log, "made", snapshot(4)), "Ended")
    log = await crashed(under)
    const { entries: found, hardState: vote } = log.restored
    assert.deepEqual(log.restored.damaged, [])
    // The failed write is unknown: there altogether or not at all.
    const written = found.length === 6
    sameEntries(found, entries(1, written ? 6 : 4))
    assert.deepEqual(vote, written ? hardState(4, "b") : hardState(3, "a"))
    await persist(log, { truncateFrom: 5, entries: [entry(5, 9)] })
  }
})

export const faultLaws: ReadonlyArray<Law> = [
  ...crashes,
  ...damages,
  failure("sync"),
  failure("write"),
  failure("full")
]
