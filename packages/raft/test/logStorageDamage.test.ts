/**
 * Damage of the SQLite log's files, bit by bit and block by block, in the main file, the write-ahead log and the mark.
 *
 * The law: a log that opens after damage has the vote it had, says exactly which acknowledged entries it cannot read, and
 * gives every other one unchanged; after the damaged ones are stored again it is whole. Or it refuses by name. It never
 * loses or changes anything silently (Jepsen NATS 2.12.1; CTRL, FAST 2018).
 *
 * Replay: WEFT_SEED=<seed> npx vitest run packages/raft/test/logStorageDamage.test.ts
 */
import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, expect, it } from "vitest"
import type { Entry, PersistWork, Restored } from "../src/core/Types.ts"
import { isFinal, LogStorageError } from "../src/LogStorage.ts"
import { openInline } from "../src/SqliteLogStorage.ts"
import { entries, hardState, sameEntries, sameRestored, snapshot, work } from "../testing/logStorage/support.ts"
import { SeededRandom } from "../testing/sim/Random.ts"
import { runNow, type Step } from "./support/script.ts"
import { copyLog, removeDirectory, temporaryDirectory } from "./support/sqliteLog.ts"

const full = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 20261121)
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/raft/test/logStorageDamage.test.ts`

let directory = ""
beforeEach(() => (directory = temporaryDirectory()))
afterEach(() => removeDirectory(directory))

const persist = (fields: Partial<PersistWork>): Step => ({ op: "persist", works: [work(fields)] })

/** A log with some of everything: batches small and large, a cut tail, a snapshot, a dropped prefix. */
const history = (): ReadonlyArray<Step> => {
  const own = snapshot(12, 1, 700)
  const piece = (offset: number): Step => {
    return { op: "piece", stage: "made", meta: own.meta, offset, data: own.data.subarray(offset, offset + 350) }
  }
  return [
    persist({ hardState: hardState(1, "a"), entries: entries(1, 20) }),
    ...Array.from({ length: 12 }, (_, at) => persist({ entries: entries(21 + at, 21 + at) })),
    persist({ hardState: hardState(2, "b"), truncateFrom: 28, entries: entries(28, 40, 2) }),
    piece(0),
    piece(350),
    { op: "adopt", meta: own.meta },
    persist({ compactTo: 9 }),
    persist({ entries: entries(41, 41, 2).map((one) => ({ ...one, data: Buffer.alloc(9000, 7) })) }),
    persist({ hardState: hardState(3, "c"), truncateFrom: 36, entries: entries(36, 44, 3) }),
    persist({ entries: entries(45, 46, 3) })
  ]
}

const build = (file: string): Restored => {
  const log = openInline({ path: file })
  for (const step of history()) runNow(log, step)
  copyLog(file, `${file}-open`)
  log.close(() => {})
  const whole = openInline({ path: file })
  whole.close(() => {})
  return whole.restored
}

const inRanges = (restored: Restored, index: number): boolean =>
  restored.damaged.some(({ from, to }) => from <= index && index <= to)

/** The whole log as acknowledged, with what compaction may have dropped: an older state may still have it. */
const acknowledged: ReadonlyArray<Entry> = [...entries(1, 27), ...entries(28, 35, 2), ...entries(36, 46, 3)]

/** Judges what a damaged log opened to, against what was acknowledged. */
const judge = (found: Restored, truth: Restored): void => {
  assert.deepEqual(found.hardState, truth.hardState)
  assert.deepEqual(found.tail, truth.tail)
  // The snapshot may be lost as long as the log it covers is not; a description that is there is the true one.
  if (found.snapshot !== undefined) assert.deepEqual(found.snapshot, truth.snapshot)
  const byIndex = new Map(found.entries.map((entry) => [entry.index, entry]))
  for (const entry of acknowledged) {
    const here = byIndex.get(entry.index)
    byIndex.delete(entry.index)
    if (here !== undefined) sameEntries([here], [entry])
    if (here === undefined && entry.index <= (found.snapshot?.index ?? 0)) continue
    assert.notEqual(here !== undefined, inRanges(found, entry.index), `entry ${entry.index}: either there or reported`)
  }
  assert.deepEqual(Array.from(byIndex.keys()), [], "nothing is there that was not acknowledged")
  const last = truth.tail!.index
  assert.ok(found.damaged.every(({ from, to }) => from <= to && from > 0 && to <= last))
}

/** Stores again what is damaged, as a leader's answers would; then the log is as it was. */
const repair = (file: string, found: Restored): void => {
  const log = openInline({ path: file })
  sameRestored(log.restored, found)
  for (const { from, to } of found.damaged) {
    runNow(log, persist({ entries: acknowledged.slice(from - 1, to) }))
  }
  log.close(() => {})
  const healed = openInline({ path: file })
  healed.close(() => {})
  assert.deepEqual(healed.restored.damaged, [])
  const [first] = healed.restored.entries
  assert.ok(first!.index <= (found.snapshot?.index ?? 0) + 1)
  sameEntries(healed.restored.entries, acknowledged.slice(first!.index - 1))
  assert.deepEqual(healed.restored.hardState, found.hardState)
}

interface Tally {
  unharmed: number
  reported: number
  refused: Record<string, number>
}

/** Damages a copy of `from`, opens it, and judges. */
const strike = (from: string, truth: Restored, damage: (copy: string) => string, tally: Tally): void => {
  const copy = path.join(directory, "struck")
  for (const name of fs.readdirSync(directory)) if (name.startsWith("struck")) fs.rmSync(path.join(directory, name))
  copyLog(from, copy)
  const what = damage(copy)
  try {
    const log = openInline({ path: copy })
    log.close(() => {})
    judge(log.restored, truth)
    if (log.restored.damaged.length === 0 && !log.restored.snapshotDamaged) tally.unharmed++
    else tally.reported++
    repair(copy, log.restored)
  } catch (error) {
    if (!(error instanceof LogStorageError)) throw new Error(`${what}: ${String(error)}; ${replay}`, { cause: error })
    assert.ok(isFinal(error), `${what}: ${error.message}`)
    const tag = error.reason._tag
    // Damage is never taken for another program's business, nor for a free place to begin anew.
    assert.ok(["HardStateDamaged", "NotALog", "FormatNewer"].includes(tag), `${what}: ${error.message}; ${replay}`)
    tally.refused[tag] = (tally.refused[tag] ?? 0) + 1
  }
}

const fileOf = (random: SeededRandom, log: string): string => {
  const files = ["", "-wal", "-mark"].filter(
    (suffix) => fs.existsSync(log + suffix) && fs.statSync(log + suffix).size > 0
  )
  return files[random.below(files.length)]!
}

/** The used part of a file; SQLite's first 100 bytes are struck as often as all the rest of their page. */
const placeIn = (random: SeededRandom, bytes: Buffer): number => random.below(bytes.length)

it(`a flipped bit anywhere is reported or refused, never silent (${replay})`, { timeout: 300_000 }, () => {
  const file = path.join(directory, "log")
  const truth = build(file)
  const random = new SeededRandom(seed, "flip")
  const tally: Tally = { unharmed: 0, reported: 0, refused: {} }
  for (let times = 0; times < (full ? 20_000 : 400); times++) {
    const from = times % 2 === 0 ? file : `${file}-open`
    strike(
      from,
      truth,
      (copy) => {
        const suffix = fileOf(random, copy)
        const bytes = fs.readFileSync(copy + suffix)
        const at = placeIn(random, bytes)
        bytes[at]! ^= 1 << random.below(8)
        fs.writeFileSync(copy + suffix, bytes)
        return `bit at ${at} of ${suffix === "" ? "the file" : suffix}, ${times}`
      },
      tally
    )
  }
  console.log(`flipped bits: ${JSON.stringify(tally)}`)
  expect(tally.reported).toBeGreaterThan(5)
  expect(tally.unharmed).toBeGreaterThan(5)
})

it(`a zeroed or exchanged block is reported or refused, never silent (${replay})`, { timeout: 300_000 }, () => {
  const file = path.join(directory, "log")
  const truth = build(file)
  const random = new SeededRandom(seed, "block")
  const tally: Tally = { unharmed: 0, reported: 0, refused: {} }
  for (let times = 0; times < (full ? 5000 : 150); times++) {
    const from = times % 2 === 0 ? file : `${file}-open`
    strike(
      from,
      truth,
      (copy) => {
        const suffix = fileOf(random, copy)
        const bytes = fs.readFileSync(copy + suffix)
        const size = random.below(2) === 0 ? 512 : 4096
        const at = random.below(Math.ceil(bytes.length / size)) * size
        const other = random.below(Math.ceil(bytes.length / size)) * size
        const block = random.below(2) === 0 ? Buffer.alloc(size) : Buffer.from(bytes.subarray(other, other + size))
        block.copy(bytes, at, 0, Math.min(size, bytes.length - at))
        fs.writeFileSync(copy + suffix, bytes)
        return `block of ${size} at ${at} of ${suffix === "" ? "the file" : suffix}, ${times}`
      },
      tally
    )
  }
  console.log(`struck blocks: ${JSON.stringify(tally)}`)
  expect(tally.reported).toBeGreaterThan(5)
})

it("a cut file is reported or refused, never silent", () => {
  const file = path.join(directory, "log")
  const truth = build(file)
  const tally: Tally = { unharmed: 0, reported: 0, refused: {} }
  for (const suffix of ["", "-wal"]) {
    const { size } = fs.statSync(`${file}-open${suffix}`)
    for (let kept = 0; kept < size; kept += suffix === "" ? 1024 : 4120) {
      const damage = (copy: string): string => {
        fs.truncateSync(copy + suffix, kept)
        return `${suffix} cut to ${kept}`
      }
      strike(`${file}-open`, truth, damage, tally)
      if (suffix === "") strike(file, truth, damage, tally)
    }
  }
  console.log(`cut files: ${JSON.stringify(tally)}`)
  expect(tally.reported).toBeGreaterThan(5)
})

it("one of head and copy is enough: vote and log are whole without the other", () => {
  const file = path.join(directory, "log")
  const truth = build(file)
  for (const table of ["head", "head_copy"]) {
    const copy = path.join(directory, table)
    copyLog(file, copy)
    const database = new DatabaseSync(copy)
    database.exec(`UPDATE ${table} SET body = zeroblob(200)`)
    database.close()
    const log = openInline({ path: copy })
    log.close(() => {})
    assert.deepEqual(log.restored.hardState, truth.hardState)
    sameRestored(log.restored, truth)
  }
})

it("an old copy of the file under the present mark is lost log, not an older truth", () => {
  const file = path.join(directory, "log")
  const log = openInline({ path: file })
  const steps = history()
  for (const [done, step] of steps.entries()) {
    runNow(log, step)
    copyLog(file, `${file}-${done}`)
  }
  log.close(() => {})
  const whole = openInline({ path: file })
  whole.close(() => {})
  for (let old = 0; old < steps.length - 1; old++) {
    const copy = path.join(directory, "restored")
    copyLog(`${file}-${old}`, copy)
    fs.copyFileSync(`${file}-mark`, `${copy}-mark`)
    const back = openInline({ path: copy })
    back.close(() => {})
    const { damaged, hardState: vote, tail } = back.restored
    assert.deepEqual(vote, whole.restored.hardState)
    assert.deepEqual(tail, whole.restored.tail)
    assert.ok(damaged.length > 0)
    for (const entry of back.restored.entries) {
      const truth = whole.restored.entries.find(({ index }) => index === entry.index)
      if (truth !== undefined) sameEntries([entry], [truth])
    }
  }
})

it("a file that is gone while its mark is there is refused: an empty log would vote again", () => {
  const file = path.join(directory, "log")
  build(file)
  fs.rmSync(file)
  assert.throws(
    () => openInline({ path: file }),
    (error) => error instanceof LogStorageError && error.reason._tag === "HardStateDamaged"
  )
  fs.rmSync(`${file}-mark`)
  fs.writeFileSync(`${file}-wal`, "left over")
  assert.throws(
    () => openInline({ path: file }),
    (error) => error instanceof LogStorageError && error.reason._tag === "HardStateDamaged"
  )
})

it("the mark of another log is refused: two disks were mixed", () => {
  const [one, two] = [path.join(directory, "one"), path.join(directory, "two")]
  build(one)
  build(two)
  fs.copyFileSync(`${two}-mark`, `${one}-mark`)
  assert.throws(
    () => openInline({ path: one }),
    (error) => error instanceof LogStorageError && error.reason._tag === "NotALog"
  )
})
