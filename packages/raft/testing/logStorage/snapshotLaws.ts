/** Laws of snapshots and compaction. */
import * as assert from "node:assert/strict"
import {
  adopt,
  entries,
  entry,
  fails,
  install,
  type Law,
  makeSnapshot,
  persist,
  readPiece,
  reopen,
  sameBytes,
  sameEntries,
  snapshot,
  stagePieces,
  storePiece
} from "./support.ts"

const compaction = (name: string, to: number): Law => ({
  name,
  run: async (under) => {
    let log = await under.open()
    for (const from of [1, 4, 7]) await persist(log, { entries: entries(from, from + 2) })
    await makeSnapshot(log, 9)
    await persist(log, { compactTo: to })
    log = await reopen(under, log)
    sameEntries(log.restored.entries, entries(to + 1, 9))
    assert.equal(log.restored.snapshot?.index, 9)
    await persist(log, { entries: entries(10, 11, 2) })
    const { restored } = await reopen(under, log)
    sameEntries(restored.entries, [...entries(to + 1, 9), ...entries(10, 11, 2)])
    assert.deepEqual(restored.damaged, [])
  }
})

const compactions: ReadonlyArray<Law> = [
  compaction("compaction at the border of two batches", 3),
  compaction("compaction inside a batch", 5),
  compaction("compaction of the whole log: the next entry still follows", 9),
  {
    name: "nothing is dropped that no snapshot covers",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await fails(persist(log, { compactTo: 1 }), "Refused")
      await makeSnapshot(log, 4)
      await fails(persist(log, { compactTo: 5 }), "Refused")
      sameEntries((await reopen(under, log)).restored.entries, entries(1, 9))
    }
  },
  {
    name: "compacting less than before changes nothing",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await makeSnapshot(log, 8)
      await persist(log, { compactTo: 6 }, { compactTo: 2 })
      sameEntries((await reopen(under, log)).restored.entries, entries(7, 9))
    }
  },
  {
    name: "a dropped prefix stays dropped under later writes and truncations",
    run: async (under) => {
      let log = await under.open()
      for (let index = 1; index <= 300; index++) await persist(log, { entries: [entry(index)] })
      await makeSnapshot(log, 250)
      await persist(log, { compactTo: 250 })
      for (let index = 301; index <= 320; index++) await persist(log, { entries: [entry(index)] })
      await persist(log, { truncateFrom: 311 })
      await fails(persist(log, { truncateFrom: 250 }), "Refused")
      log = await reopen(under, log)
      sameEntries(log.restored.entries, entries(251, 310))
    }
  }
]

const pieces: ReadonlyArray<Law> = [
  {
    name: "an arrived snapshot is the node's own after install, with its configuration and bytes",
    run: async (under) => {
      const log = await under.open()
      const arrived = snapshot(50, 3, 1000)
      await stagePieces(log, "arrived", arrived, 300)
      await install(log, arrived.meta, false)
      const next = await reopen(under, log)
      assert.deepEqual(next.restored.snapshot, arrived.meta)
      assert.equal(next.restored.snapshotDamaged, false)
      sameBytes(await readPiece(next, 50, 0, 1000), arrived.data)
    }
  },
  {
    name: "pieces are read at any offset, across their borders, and cut at the end",
    run: async (under) => {
      const log = await under.open()
      const arrived = snapshot(50, 3, 1000)
      await stagePieces(log, "arrived", arrived, 300)
      await install(log, arrived.meta, false)
      for (const [offset, length] of [
        [0, 1],
        [299, 2],
        [250, 700],
        [900, 500]
      ] as const) {
        sameBytes(await readPiece(log, 50, offset, length), arrived.data.subarray(offset, offset + length))
      }
      assert.equal(await readPiece(log, 49, 0, 10), undefined)
    }
  },
  {
    name: "pieces that only wait change neither the log nor the snapshot",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 5) })
      const own = await makeSnapshot(log, 3)
      await stagePieces(log, "arrived", snapshot(50, 3))
      const { restored } = await reopen(under, log)
      assert.deepEqual(restored.snapshot, own)
      sameEntries(restored.entries, entries(1, 5))
    }
  },
  {
    name: "a piece that does not follow the one before is refused",
    run: async (under) => {
      const log = await under.open()
      const { data, meta } = snapshot(50)
      await fails(storePiece(log, "arrived", { meta, offset: 100, data: data.subarray(100) }), "Refused")
      await storePiece(log, "arrived", { meta, offset: 0, data: data.subarray(0, 100) })
      await fails(storePiece(log, "arrived", { meta, offset: 150, data: data.subarray(150) }), "Refused")
      await fails(storePiece(log, "arrived", { meta, offset: 50, data: data.subarray(50) }), "Refused")
      await storePiece(log, "arrived", { meta, offset: 100, data: data.subarray(100) })
      await install(log, meta, false)
      sameBytes(await readPiece(log, 50, 0, 250), data)
    }
  },
  {
    name: "pieces beyond the length of their snapshot are refused",
    run: async (under) => {
      const log = await under.open()
      const { meta } = snapshot(50)
      await fails(storePiece(log, "arrived", { meta, offset: 0, data: new Uint8Array(251) }), "Refused")
    }
  },
  {
    name: "a piece at offset 0 begins anew, also for another snapshot",
    run: async (under) => {
      const log = await under.open()
      await stagePieces(log, "arrived", snapshot(40, 2, 500))
      await storePiece(log, "arrived", { meta: snapshot(50).meta, offset: 0, data: snapshot(50).data.subarray(0, 99) })
      await fails(
        storePiece(log, "arrived", { meta: snapshot(40, 2, 500).meta, offset: 99, data: new Uint8Array(1) }),
        "Refused"
      )
      await stagePieces(log, "arrived", snapshot(50))
      await fails(install(log, snapshot(40, 2, 500).meta, false), "PiecesMismatch")
      await install(log, snapshot(50).meta, false)
      sameBytes(await readPiece(log, 50, 0, 250), snapshot(50).data)
    }
  },
  {
    name: "arrived and made snapshots do not mix",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await stagePieces(log, "arrived", snapshot(50, 3, 300))
      await stagePieces(log, "made", snapshot(9, 1, 200))
      await fails(install(log, snapshot(9, 1, 200).meta, true), "PiecesMismatch")
      await adopt(log, snapshot(9, 1, 200).meta)
      sameBytes(await readPiece(log, 9, 0, 200), snapshot(9, 1, 200).data)
      await install(log, snapshot(50, 3, 300).meta, false)
      sameBytes(await readPiece(log, 50, 0, 300), snapshot(50, 3, 300).data)
    }
  },
  {
    name: "a snapshot of no bytes is a snapshot",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 2) })
      await stagePieces(log, "made", snapshot(2, 1, 0))
      await adopt(log, snapshot(2, 1, 0).meta)
      const { restored } = await reopen(under, log)
      assert.equal(restored.snapshot?.index, 2)
      assert.equal(restored.snapshotDamaged, false)
    }
  }
]

const installs: ReadonlyArray<Law> = [
  {
    name: "an install of a snapshot with missing pieces is refused and changes nothing",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 5) })
      const { data, meta } = snapshot(3)
      await fails(install(log, meta, true), "PiecesMismatch")
      await storePiece(log, "arrived", { meta, offset: 0, data: data.subarray(0, 249) })
      await fails(install(log, meta, true), "PiecesMismatch")
      await persist(log, { entries: entries(6, 6) })
      const { restored } = await reopen(under, log)
      sameEntries(restored.entries, entries(1, 6))
      assert.equal(restored.snapshot, undefined)
    }
  },
  {
    name: "an install that keeps the log drops what the snapshot covers and no more",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await stagePieces(log, "arrived", snapshot(6))
      await install(log, snapshot(6).meta, true)
      await persist(log, { entries: entries(10, 10) })
      sameEntries((await reopen(under, log)).restored.entries, entries(7, 10))
    }
  },
  {
    name: "an install that drops the log leaves nothing of it; the next entry follows the snapshot",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await stagePieces(log, "arrived", snapshot(6, 4))
      await install(log, snapshot(6, 4).meta, false)
      await fails(persist(log, { entries: entries(10, 10) }), "Refused")
      await persist(log, { entries: entries(7, 8, 4) })
      log = await reopen(under, log)
      sameEntries(log.restored.entries, entries(7, 8, 4))
      assert.deepEqual(log.restored.tail, { index: 8, term: 4 })
    }
  },
  {
    name: "an install beyond the end of the log leaves an empty log after it",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 3) })
      await stagePieces(log, "arrived", snapshot(100, 4))
      await install(log, snapshot(100, 4).meta, false)
      const { restored } = await reopen(under, log)
      sameEntries(restored.entries, [])
      assert.equal(restored.snapshot?.index, 100)
      assert.deepEqual(restored.damaged, [])
    }
  },
  {
    name: "a newer snapshot replaces the older one, an older one is refused",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { entries: entries(1, 20) })
      await makeSnapshot(log, 5)
      await makeSnapshot(log, 15)
      assert.equal(await readPiece(log, 5, 0, 10), undefined)
      await stagePieces(log, "made", snapshot(10))
      await fails(adopt(log, snapshot(10).meta), "Refused")
      for (let index = 21; index <= 40; index++) await persist(log, { entries: [entry(index)] })
      log = await reopen(under, log)
      assert.equal(log.restored.snapshot?.index, 15)
      sameBytes(await readPiece(log, 15, 0, 250), snapshot(15).data)
    }
  },
  {
    name: "a snapshot made here ends within the log, and leaves the log as it is",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 9) })
      await stagePieces(log, "made", snapshot(10))
      await fails(adopt(log, snapshot(10).meta), "Refused")
      await makeSnapshot(log, 9)
      sameEntries((await reopen(under, log)).restored.entries, entries(1, 9))
    }
  }
]

export const snapshotLaws: ReadonlyArray<Law> = [...compactions, ...pieces, ...installs]
