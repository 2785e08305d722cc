/** The disk of `MemoryLogStorage` under manual sync: what a simulation builds on. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { MemoryDisk } from "../src/MemoryLogStorage.ts"
import { entries, hardState, sameEntries, work } from "../testing/logStorage/support.ts"

const manual = () => {
  const disk = new MemoryDisk("node-a", { sync: "manual" })
  const answers: Array<string> = []
  const log = disk.open()
  const write = (from: number, to: number): void =>
    log.persist([work({ hardState: hardState(to), entries: entries(from, to) })], (result) =>
      answers.push(Result.isSuccess(result) ? `${to}` : result.failure.reason._tag)
    )
  return { disk, answers, log, write }
}

describe("manual sync", () => {
  it("nothing is acknowledged before it is synced, and then in order", () => {
    const { answers, disk, write } = manual()
    write(1, 2)
    write(3, 4)
    write(5, 6)
    expect([answers, disk.pending, disk.pendingBytes]).toEqual([[], 3, 72])
    disk.sync(2)
    expect([answers, disk.pending]).toEqual([["2", "4"], 1])
    disk.sync()
    expect(answers).toEqual(["2", "4", "6"])
  })

  it("a crash keeps any prefix of what was in flight, and silences the old handle for ever", () => {
    for (let keep = 0; keep <= 3; keep++) {
      const { answers, disk, log, write } = manual()
      write(1, 2)
      disk.sync()
      for (const from of [3, 5, 7]) write(from, from + 1)
      disk.crash(keep)
      const { restored } = disk.open()
      sameEntries(restored.entries, entries(1, 2 + 2 * keep))
      expect(restored.hardState.term).toBe(2 + 2 * keep)
      log.persist([work({ entries: entries(9, 9) })], () => answers.push("late"))
      disk.sync()
      expect(answers).toEqual(["2"])
    }
  })

  it("works of one call are separate on the disk, and answered once", () => {
    const { answers, disk, log } = manual()
    log.persist([work({ entries: entries(1, 1) }), work({ entries: entries(2, 2) })], () => answers.push("both"))
    disk.crash(1)
    sameEntries(disk.open().restored.entries, entries(1, 1))
    expect(answers).toEqual([])
  })

  it("a full disk fails the write that does not fit, and ends the handle", () => {
    const { answers, disk, write } = manual()
    disk.setBytesMax(40)
    write(1, 2)
    write(3, 4)
    write(5, 5)
    disk.sync()
    expect(answers).toEqual(["2", "IoFailed", "Ended"])
  })

  it("an image put back is an older disk, and a wiped disk an empty one", () => {
    const { disk, write } = manual()
    write(1, 2)
    disk.sync()
    const image = disk.image()
    write(3, 4)
    disk.sync()
    disk.crash()
    sameEntries(disk.open().restored.entries, entries(1, 4))
    disk.restoreImage(image)
    sameEntries(disk.open().restored.entries, entries(1, 2))
    disk.wipe()
    sameEntries(disk.open().restored.entries, [])
  })
})
