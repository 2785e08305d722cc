/** The laws of a log storage on all implementations. Each worker takes 0.2 s to start: WEFT_SCALE=full runs all of its laws. */
import { MemoryDisk } from "../src/MemoryLogStorage.ts"
import { suite } from "../testing/LogStorageSuite.ts"
import { sqliteLog } from "./support/sqliteLog.ts"

suite("in memory", {
  fresh: () => {
    const disk = new MemoryDisk()
    return {
      open: () => disk.open(),
      crash: () => disk.crash(),
      dispose: () => {},
      damageEntries: ({ from, to }) => disk.damageEntries(from, to),
      damageSnapshot: () => disk.damageSnapshot(),
      damageHardState: () => disk.damageHardState(),
      failNext: (kind) => disk.failNext(kind)
    }
  }
})

suite("in SQLite, on the caller's thread", { fresh: () => sqliteLog("inline") })

suite(
  "in SQLite, in a worker thread",
  { fresh: () => sqliteLog("worker") },
  { oneOf: process.env["WEFT_SCALE"] === "full" ? 1 : 7 }
)
