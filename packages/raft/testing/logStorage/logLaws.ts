/** Laws of opening, hard state, entries and truncation. */
import * as assert from "node:assert/strict"
import { emptyRestored, type EntryKind, RECOVER_UNKNOWN } from "../../src/core/Types.ts"
import {
  close,
  entries,
  entry,
  fails,
  failsToOpen,
  hardState,
  type Law,
  makeSnapshot,
  persist,
  reopen,
  sameEntries,
  sameRestored
} from "./support.ts"

const opening: ReadonlyArray<Law> = [
  {
    name: "an empty log restores to nothing",
    run: async (under) => {
      const log = await under.open()
      sameRestored(log.restored, emptyRestored)
      sameRestored((await reopen(under, log)).restored, emptyRestored)
    }
  },
  {
    name: "a log that is open is not opened again: two nodes on one disk would vote twice",
    run: async (under) => {
      const log = await under.open()
      await failsToOpen(under, "AlreadyOpen")
      await persist(log, { entries: entries(1, 2) })
      await reopen(under, log)
    }
  },
  {
    name: "close waits for the calls before it, and callbacks run in the order of the calls",
    run: async (under) => {
      const log = await under.open()
      const order: Array<string> = []
      const calls = [
        persist(log, { entries: entries(1, 3) }).then(() => order.push("first")),
        persist(log, { entries: entries(9, 9) }).then(undefined, () => order.push("refused")),
        persist(log, { entries: entries(4, 4) }).then(() => order.push("second")),
        close(log).then(() => order.push("closed"))
      ]
      await Promise.all(calls)
      assert.deepEqual(order, ["first", "refused", "second", "closed"])
      sameEntries((await under.open()).restored.entries, entries(1, 4))
    }
  },
  {
    name: "after close every call fails with Closed",
    run: async (under) => {
      const log = await under.open()
      await close(log)
      await fails(persist(log, { entries: entries(1, 1) }), "Closed")
      await fails(close(log), "Closed")
    }
  },
  {
    name: "what was restored does not change with later writes",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(3, "a"), entries: entries(1, 3) })
      sameRestored(log.restored, emptyRestored)
    }
  },
  {
    name: "an empty call succeeds and changes nothing",
    run: async (under) => {
      const log = await under.open()
      await persist(log)
      await persist(log, {})
      sameRestored((await reopen(under, log)).restored, emptyRestored)
    }
  },
  {
    name: "a newer format is refused by its number",
    needs: "newerFormat",
    run: async (under) => {
      await close(await under.open())
      await under.newerFormat!()
      const error = await failsToOpen(under, "FormatNewer")
      assert.match(error.message, /format \d+.*up to \d+/)
    }
  },
  {
    name: "a file of another program is refused and left alone",
    needs: "foreign",
    run: async (under) => {
      await close(await under.open())
      await under.foreign!()
      await failsToOpen(under, "NotALog")
      await failsToOpen(under, "NotALog")
    }
  }
]

const hardStates: ReadonlyArray<Law> = [
  {
    name: "term and vote survive reopening (Raft paper, figure 2: persistent state)",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(7, "node-b") })
      assert.deepEqual((await reopen(under, log)).restored.hardState, hardState(7, "node-b"))
    }
  },
  {
    name: "a term without a vote survives reopening",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(7, "a") }, { hardState: hardState(8) })
      assert.deepEqual((await reopen(under, log)).restored.hardState, hardState(8))
    }
  },
  {
    name: "commit and recoverTo survive reopening, the unknown one too",
    run: async (under) => {
      let log = await under.open()
      await persist(log, { hardState: hardState(2, "a", { commit: 5, recoverTo: 17 }) })
      log = await reopen(under, log)
      assert.deepEqual(log.restored.hardState, hardState(2, "a", { commit: 5, recoverTo: 17 }))
      await persist(log, { hardState: hardState(2, "a", { recoverTo: RECOVER_UNKNOWN }) })
      assert.equal((await reopen(under, log)).restored.hardState.recoverTo, RECOVER_UNKNOWN)
    }
  },
  {
    name: "a work without hard state keeps the one before",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(4, "c") })
      await persist(log, { entries: entries(1, 2) })
      await persist(log, { truncateFrom: 2 })
      assert.deepEqual((await reopen(under, log)).restored.hardState, hardState(4, "c"))
    }
  },
  {
    name: "hard state, truncation and entries of one work are there together",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(1, "a"), entries: entries(1, 5) })
      await persist(log, { hardState: hardState(2, "b"), truncateFrom: 4, entries: entries(4, 4, 2) })
      const { restored } = await reopen(under, log)
      assert.deepEqual(restored.hardState, hardState(2, "b"))
      sameEntries(restored.entries, [...entries(1, 3), entry(4, 2)])
    }
  }
]

const kinds: ReadonlyArray<EntryKind> = [
  "command",
  "part",
  "noop",
  "configuration",
  "version",
  "openSession",
  "closeSession",
  "expireSessions"
]

const contents: ReadonlyArray<Law> = [
  {
    name: "entries of every kind survive in every field",
    run: async (under) => {
      const log = await under.open()
      const all = kinds.flatMap((kind, at) => [
        { ...entry(2 * at + 1, at + 1, 20, kind), session: 2 ** 40 + at, sequence: 3, resolved: 2 },
        { ...entry(2 * at + 2, at + 1, 5, kind), session: 0, sequence: 0, resolved: at }
      ])
      await persist(log, { entries: all })
      sameEntries((await reopen(under, log)).restored.entries, all)
    }
  },
  {
    name: "terms up to 2^47 survive",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { hardState: hardState(2 ** 47, "a"), entries: [entry(1, 2 ** 47)] })
      const { restored } = await reopen(under, log)
      assert.deepEqual(restored.tail, { index: 1, term: 2 ** 47 })
      assert.equal(restored.entries[0]!.term, 2 ** 47)
    }
  },
  {
    name: "empty entries and entries of a megabyte survive",
    run: async (under) => {
      const log = await under.open()
      const all = [entry(1, 1, 0), entry(2, 1, 1 << 20), entry(3, 1, 0), entry(4, 1, 300_000), entry(5, 1, 1)]
      await persist(log, { entries: all })
      sameEntries((await reopen(under, log)).restored.entries, all)
    }
  },
  {
    name: "bytes that are a window of a larger buffer are stored as the window",
    run: async (under) => {
      const log = await under.open()
      const pool = Buffer.from("..secret-payload..")
      const window = { ...entry(1), data: pool.subarray(2, 16) }
      await persist(log, { entries: [window] })
      const [found] = (await reopen(under, log)).restored.entries
      assert.equal(Buffer.from(found!.data).toString(), "secret-payload")
    }
  },
  {
    name: "many works of different sizes restore in order",
    run: async (under) => {
      const log = await under.open()
      let next = 1
      for (let size = 1; size <= 40; size++) {
        await persist(log, { entries: entries(next, next + size - 1, size) })
        next += size
      }
      const { restored } = await reopen(under, log)
      assert.equal(restored.entries.length, 820)
      assert.ok(restored.entries.every(({ index }, at) => index === at + 1))
      assert.deepEqual(restored.tail, { index: 820, term: 40 })
    }
  },
  {
    name: "one work of many entries restores whole",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 5000) })
      sameEntries((await reopen(under, log)).restored.entries, entries(1, 5000))
    }
  },
  {
    name: "works of one call take effect in order",
    run: async (under) => {
      const log = await under.open()
      await persist(
        log,
        { entries: entries(1, 3) },
        { entries: entries(4, 6) },
        { truncateFrom: 5 },
        { entries: entries(5, 7, 2) }
      )
      sameEntries((await reopen(under, log)).restored.entries, [...entries(1, 4), ...entries(5, 7, 2)])
    }
  },
  {
    name: "the last entry's index and term are known",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: [...entries(1, 3), entry(4, 9)] })
      assert.deepEqual((await reopen(under, log)).restored.tail, { index: 4, term: 9 })
    }
  }
]

/** Does what is refused, and shows that nothing has changed and the log goes on. */
const refusal = (name: string, index: ReadonlyArray<number>, kind: EntryKind = "command"): Law => ({
  name,
  run: async (under) => {
    const log = await under.open()
    await persist(log, { entries: entries(1, 5) })
    await fails(
      persist(log, { hardState: hardState(9, "x"), entries: index.map((at) => entry(at, 2, 3, kind)) }),
      "Refused"
    )
    await persist(log, { entries: [entry(6)] })
    const { restored } = await reopen(under, log)
    sameEntries(restored.entries, entries(1, 6))
    assert.deepEqual(restored.hardState, hardState(0))
  }
})

const refusals: ReadonlyArray<Law> = [
  refusal("an entry beyond the next index is refused: no holes", [7]),
  refusal("an entry over a whole one is refused without a truncation", [5, 6]),
  refusal("a hole within the entries of a work is refused", [6, 8]),
  refusal("entries out of order are refused", [7, 6]),
  refusal("the placeholder of a damaged entry is refused", [6], "damaged"),
  {
    name: "the first entry of a log is entry 1",
    run: async (under) => {
      const log = await under.open()
      await fails(persist(log, { entries: entries(2, 3) }), "Refused")
      await fails(persist(log, { entries: [entry(0)] }), "Refused")
      await persist(log, { entries: entries(1, 1) })
      sameEntries((await reopen(under, log)).restored.entries, entries(1, 1))
    }
  },
  {
    name: "if one work of a call is refused, none of the call is done",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 5) })
      const call = persist(log, { hardState: hardState(3, "x") }, { truncateFrom: 3 }, { entries: entries(5, 5) })
      await fails(call, "Refused")
      const { restored } = await reopen(under, log)
      sameEntries(restored.entries, entries(1, 5))
      assert.deepEqual(restored.hardState, hardState(0))
    }
  },
  {
    name: "an entry over entryBytesMax is refused by the name of the limit, with its bytes",
    run: async (under) => {
      const log = await under.open()
      const bytes = log.limits.entryBytesMax + 1
      const error = await fails(
        persist(log, { entries: [entry(1, 1, 0), { ...entry(2), data: new Uint8Array(bytes) }] }),
        "TooLarge"
      )
      assert.ok(error.message.includes("entryBytesMax") && error.message.includes(String(bytes)))
      sameRestored((await reopen(under, log)).restored, emptyRestored)
    }
  }
]

/** Writes 1..10 in two batches, truncates, appends in term 2, and looks. */
const truncation = (name: string, from: number): Law => ({
  name,
  run: async (under) => {
    let log = await under.open()
    await persist(log, { entries: entries(1, 4) })
    await persist(log, { entries: entries(5, 10) })
    await persist(log, { truncateFrom: from })
    log = await reopen(under, log)
    const last = Math.min(from - 1, 10)
    sameEntries(log.restored.entries, entries(1, last))
    assert.deepEqual(log.restored.tail, last === 0 ? undefined : { index: last, term: 1 })
    await persist(log, { entries: entries(last + 1, last + 2, 2) })
    const { restored } = await reopen(under, log)
    sameEntries(restored.entries, [...entries(1, last), ...entries(last + 1, last + 2, 2)])
    assert.deepEqual(restored.tail, { index: last + 2, term: 2 })
  }
})

const truncations: ReadonlyArray<Law> = [
  truncation("a truncation of the last entry", 10),
  truncation("a truncation inside a batch keeps what stands before it", 7),
  truncation("a truncation at the border of two batches", 5),
  truncation("a truncation inside an earlier batch drops the later ones", 2),
  truncation("a truncation of everything", 1),
  truncation("a truncation beyond the end changes nothing", 11),
  {
    name: "a tail cut and written again many times is the last one written",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 8) })
      for (let term = 2; term <= 20; term++) {
        await persist(log, { truncateFrom: 1 + (term % 5), entries: entries(1 + (term % 5), 8, term) })
      }
      const { restored } = await reopen(under, log)
      assert.deepEqual(
        restored.entries.map(({ term }) => term),
        [20, 20, 20, 20, 20, 20, 20, 20]
      )
    }
  },
  {
    name: "a truncation of what a snapshot covers is refused",
    run: async (under) => {
      const log = await under.open()
      await persist(log, { entries: entries(1, 6) })
      await makeSnapshot(log, 4)
      await fails(persist(log, { truncateFrom: 4 }), "Refused")
      await persist(log, { truncateFrom: 5 })
      sameEntries((await reopen(under, log)).restored.entries, entries(1, 4))
    }
  }
]

export const logLaws: ReadonlyArray<Law> = [...opening, ...hardStates, ...contents, ...refusals, ...truncations]
